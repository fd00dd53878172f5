/** The live block of a stress run: per CPU the rate with its recent past, retries, the share of time spent on locks. */
import type { MachineStatistics } from '../machine/statistics.ts';
import { formatCount, formatDuration, formatShare, formatSi } from './format.ts';
import type { ProgressView } from './progress.ts';
import { sparkline } from './sparkline.ts';
import { table } from './table.ts';

const SPARK_COLUMNS = 24;
const RETRY_COUNTERS = ['faultRetries', 'pteMapRetries'];

/** Counters are words that wrap; a sample that comes often enough takes the difference. */
function since(now: number, before: number): number {
  return (now - before) >>> 0;
}

interface CpuTrack {
  rates: number[];
  retries: number;
  lockWaitShare: number;
  operation: string;
}

/** Follows a run sample by sample; `view` draws its present state. */
export class StressMonitor implements ProgressView {
  readonly #title: string;
  readonly #durationMs: number | null;
  readonly #cpus: CpuTrack[] = [];
  #last: MachineStatistics | null = null;
  #lastMs = 0;
  #elapsedMs = 0;

  /** `durationMs`: how long the run is meant to last, or null. */
  constructor(title: string, durationMs: number | null) {
    this.#title = title;
    this.#durationMs = durationMs;
  }

  /** Takes the machine's counters `elapsedMs` after the start of the run. */
  sample(statistics: MachineStatistics, elapsedMs: number): void {
    const before = this.#last;
    const spanMs = elapsedMs - this.#lastMs;
    statistics.cpus.forEach((cpu, at) => {
      const track = (this.#cpus[at] ??= {
        rates: [],
        retries: 0,
        lockWaitShare: NaN,
        operation: '',
      });
      track.operation = cpu.operation;
      track.retries = RETRY_COUNTERS.reduce((sum, name) => sum + (cpu.counters[name] ?? 0), 0);
      const earlier = before?.cpus[at];
      if (earlier === undefined || spanMs <= 0) return;
      const done = since(cpu.counters['ops'] ?? 0, earlier.counters['ops'] ?? 0);
      track.rates.push((done / spanMs) * 1000);
      if (track.rates.length > SPARK_COLUMNS) track.rates.shift();
      track.lockWaitShare = (cpu.lockWaitNs - earlier.lockWaitNs) / (spanMs * 1e6);
    });
    this.#last = statistics;
    this.#lastMs = elapsedMs;
    this.#elapsedMs = elapsedMs;
  }

  #clock(): string {
    const elapsed = formatDuration(this.#elapsedMs);
    return this.#durationMs === null
      ? elapsed
      : `${elapsed} of ${formatDuration(this.#durationMs)}`;
  }

  #rate(): number {
    return this.#cpus.reduce((sum, cpu) => sum + (cpu.rates.at(-1) ?? 0), 0);
  }

  block(columns: number): string[] {
    const clock = this.#clock();
    const gap = Math.max(2, Math.min(columns, 100) - this.#title.length - clock.length);
    const rows = this.#cpus.map((cpu, at) => [
      String(at),
      formatSi(cpu.rates.at(-1) ?? NaN),
      sparkline(cpu.rates, SPARK_COLUMNS),
      formatCount(cpu.retries),
      formatShare(cpu.lockWaitShare),
      cpu.operation,
    ]);
    const right = 'right' as const;
    return [
      `${this.#title}${' '.repeat(gap)}${clock}`,
      ...table(
        [
          { title: 'CPU', align: right },
          { title: 'ops/s', align: right },
          { title: '' },
          { title: 'retries', align: right },
          { title: 'lock wait', align: right },
          { title: 'now' },
        ],
        rows,
      ),
      this.#totals(),
    ];
  }

  #totals(): string {
    const now = this.#last;
    if (now === null) return 'starting';
    const count = (name: string): string => formatCount(now.counters[name] ?? 0);
    return (
      `grace periods ${count('gracePeriods')}   tables freed ${count('tablesFreed')}   ` +
      `held back ${formatCount(now.tables.heldBack)}   violations ${formatCount(now.violations)}`
    );
  }

  line(): string {
    return `${this.#title}: ${this.#clock()}, ${formatSi(this.#rate())} ops/s; ${this.#totals()}`;
  }
}
