/** The live block of an exploration: how much has been explored, how fast, and how much there may be. */
import type { ParallelProgress } from '../explore/parallel/exploreParallel.ts';
import { formatCount, formatDuration, formatSi } from './format.ts';
import type { ProgressView } from './progress.ts';
import { sparkline } from './sparkline.ts';

const SPARK_COLUMNS = 24;

/** Follows the search of one scenario; `position` is such as `3 of 12`, or empty. */
export class ExploreMonitor implements ProgressView {
  readonly #title: string;
  readonly #position: string;
  readonly #rates: number[] = [];
  #now: ParallelProgress | null = null;

  constructor(title: string, position: string) {
    this.#title = title;
    this.#position = position;
  }

  sample(progress: ParallelProgress): void {
    const before = this.#now;
    const spanMs = progress.elapsedMs - (before?.elapsedMs ?? 0);
    const done = this.#ended(progress) - (before === null ? 0 : this.#ended(before));
    if (spanMs > 0) this.#rates.push((done / spanMs) * 1000);
    if (this.#rates.length > SPARK_COLUMNS) this.#rates.shift();
    this.#now = progress;
  }

  #ended({ executions, blocked }: ParallelProgress): number {
    return executions + blocked;
  }

  #amount(): string {
    const now = this.#now;
    if (now === null) return 'starting';
    const { executions, blocked, estimate } = now;
    const all =
      estimate === null ? '' : ` of about ${formatSi(estimate.low)} to ${formatSi(estimate.high)}`;
    return `${formatCount(executions)} executions and ${formatCount(blocked)} blocked${all}`;
  }

  #clock(): string {
    return formatDuration(this.#now?.elapsedMs ?? 0);
  }

  block(columns: number): string[] {
    const left = `${this.#title}  ${this.#position}`.trimEnd();
    const clock = this.#clock();
    const gap = Math.max(2, Math.min(columns, 100) - left.length - clock.length);
    return [
      `${left}${' '.repeat(gap)}${clock}`,
      `  ${this.#amount()}`,
      `  ${formatSi(this.#rates.at(-1) ?? Number.NaN)} executions/s ${sparkline(this.#rates, SPARK_COLUMNS)}  parts to explore: ${formatCount(this.#now?.pendingTasks ?? 0)}`,
    ];
  }

  line(): string {
    const position = this.#position === '' ? '' : ` (${this.#position})`;
    return `${this.#title}${position}: ${this.#clock()}, ${this.#amount()}, ${formatSi(this.#rates.at(-1) ?? Number.NaN)} executions/s`;
  }
}
