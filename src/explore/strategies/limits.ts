/** Bounds that every search has, and what it tells while it runs. */

import type { Execution } from '../execution.ts';
import type { SearchStatistics, Verdict } from '../verdict.ts';

export interface SearchLimitOptions {
  /** Go on after a failing execution; the verdict is the first one's. Default: false. */
  goOn?: boolean;
  /** Steps after which an execution counts as endless. Default: 100,000. */
  maxSteps?: number;
  /** Executions, blocked ones included, after which the search stops. Default: none. */
  maxExecutions?: number;
  /** Milliseconds after which the search stops. Default: none. */
  maxMs?: number;
  /** Called every so many executions; true stops the search. */
  onLook?: (statistics: SearchStatistics) => boolean;
  /** Called at the end of each execution that is not blocked, with the execution at its last state. */
  onExecution?: (execution: Execution, verdict: Verdict) => void;
}

/** Steps after which an execution counts as endless, unless told otherwise. */
export const DEFAULT_STEPS_MAX = 100_000;

/** Executions, and steps of long ones, between two looks at the clock. */
const LOOK = 64;
const LOOK_STEPS = 50_000;

export class SearchLimits {
  readonly maxSteps: number;
  readonly #maxExecutions: number;
  readonly #maxMs: number;
  readonly #startMs = performance.now();
  #lookedAt = 0;

  readonly #onLook: (statistics: SearchStatistics) => boolean;

  constructor(
    options: Pick<SearchLimitOptions, 'maxSteps' | 'maxExecutions' | 'maxMs' | 'onLook'>,
  ) {
    this.#onLook = options.onLook ?? (() => false);
    this.maxSteps = options.maxSteps ?? DEFAULT_STEPS_MAX;
    this.#maxExecutions = options.maxExecutions ?? Infinity;
    this.#maxMs = options.maxMs ?? Infinity;
  }

  elapsedMs(): number {
    return performance.now() - this.#startMs;
  }

  /** Whether the search has to stop; called after each execution. */
  reached(statistics: SearchStatistics): boolean {
    const ended = statistics.executions + statistics.blocked;
    if (ended >= this.#maxExecutions) return true;
    if (ended % LOOK !== 0 && statistics.steps - this.#lookedAt < LOOK_STEPS) return false;
    this.#lookedAt = statistics.steps;
    return this.elapsedMs() > this.#maxMs || this.#onLook(statistics);
  }
}
