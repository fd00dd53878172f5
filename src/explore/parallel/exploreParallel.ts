/**
 * Searches on all cores, with the same result for any number of them.
 *
 * A search is a sequence of parts (work.ts) that are explored by this thread and by worker threads, and merged in
 * order. Workers are started only when the search is not over soon. A search that is stopped, by a budget or a signal,
 * can be gone on with from its checkpoint, with the result of one that was not stopped.
 */

import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import { isSampling } from '../strategies/pickers.ts';
import type { ScenarioRequest } from '../scenario.ts';
import type { SearchSettings } from '../searchSettings.ts';
import type { SearchResult } from '../verdict.ts';
import { checkCheckpoint, makeCheckpoint, type Checkpoint } from './checkpoint.ts';
import { PartRunner } from './partRunner.ts';
import { ExplorePool } from './pool.ts';
import { Samples } from './samples.ts';
import { SearchTree } from './tree.ts';
import type { Part, PartResult, RunSetup, Work } from './work.ts';

/** A search runs on this thread alone for so long, milliseconds, before it starts workers of its own. */
const ALONE_MS = 50;
/** Most parts sent to a worker at once. */
const PARTS_MAX = 16;
/**
 * Jobs under way for each worker: it begins the second while the result of the first is merged, even if this thread is
 * busy.
 */
const JOBS = 2;

export interface ParallelProgress {
  executions: number;
  blocked: number;
  steps: number;
  /** Parts of the search known and not yet merged. */
  pendingTasks: number;
  elapsedMs: number;
  /** All executions there will be, between two numbers (estimate.ts); null: nothing is known yet. */
  estimate: { low: number; high: number } | null;
}

/**
 * `maxExecutions`, blocked ones included, is exact when the search samples (default: 1,000 without `maxMs`); otherwise
 * the search stops after the part that reaches it.
 */
export interface ParallelOptions extends Omit<SearchSettings, 'worst' | 'strategy'> {
  /** Default: `dpor`. */
  strategy?: Exclude<SearchSettings['strategy'], 'cache'>;
  /** Threads that explore, this one included. Default: one for each core. */
  workers?: number;
  /** Threads to use besides this one; they outlive the search. Default: the search's own. */
  pool?: ExplorePool;
  signal?: AbortSignal;
  onProgress?: (progress: ParallelProgress) => void;
  /** Milliseconds between two calls of `onProgress`. Default: 250. */
  progressMs?: number;
  /** Called every `checkpointMs` (default: 30,000) with what a search could go on from. */
  onCheckpoint?: (checkpoint: Checkpoint) => void;
  checkpointMs?: number;
  /** Where to go on. */
  resume?: Checkpoint;
}

export interface ParallelResult extends SearchResult {
  /** `complete` is true when it has `ended` with everything explored, failing or not. */
  ended: 'complete' | 'failure' | 'executions' | 'time' | 'interrupted';
  /** Depth first: whether the bound on preemptions kept it from anything. */
  bounded?: boolean;
  /** Where an exhaustive search can go on; null when there is nothing left to explore. */
  checkpoint: Checkpoint | null;
}

function setupOf(request: ScenarioRequest, options: ParallelOptions): RunSetup {
  const { strategy = 'dpor', commuting = true, symmetric, preemptions, goOn } = options;
  const { seed = 1, depth, maxSteps } = options;
  return {
    request,
    settings: {
      strategy,
      commuting,
      symmetric: symmetric === true,
      goOn: goOn === true,
      seed,
      ...(preemptions !== undefined && { preemptions }),
      ...(depth !== undefined && { depth }),
      ...(maxSteps !== undefined && { maxSteps }),
    },
  };
}

/**
 * Explores a scenario. Rejects with what `openScenario` throws, with CheckpointError, with ExplorerDiedError when a
 * worker dies, and with what the program throws that is no verdict (NondeterminismError).
 */
export async function exploreParallel(
  request: ScenarioRequest,
  options: ParallelOptions = {},
): Promise<ParallelResult> {
  const run = new Run(request, options);
  return run.explore();
}

class Run {
  readonly #options: ParallelOptions;
  readonly #setup: RunSetup;
  readonly #runner: PartRunner;
  readonly #work: Work;
  readonly #exhaustive: boolean;
  readonly #workers: number;
  readonly #id = randomUUID();
  readonly #startMs = performance.now();
  #pool: ExplorePool | null = null;
  #stopped: 'executions' | 'time' | 'interrupted' | null = null;
  #error: unknown = null;
  /** Wakes those who wait for parts, or for the end. */
  #wake = (): void => {};
  #change = Promise.resolve();

  constructor(request: ScenarioRequest, options: ParallelOptions) {
    const { strategy = 'dpor', maxExecutions, maxMs, resume, goOn } = options;
    this.#options = options;
    const own = options.workers ?? availableParallelism();
    this.#workers = options.pool === undefined ? own : options.pool.workers + 1;
    if (!Number.isInteger(this.#workers) || this.#workers < 1)
      throw new RangeError(`workers: ${this.#workers}; must be a whole number from 1`);
    this.#setup = setupOf(request, options);
    this.#runner = new PartRunner(this.#setup);
    this.#exhaustive = !isSampling(strategy);
    if (this.#exhaustive) {
      const tree = new SearchTree({ goOn: goOn === true });
      if (resume !== undefined) {
        checkCheckpoint(resume, this.#setup, this.#runner.scenario);
        tree.load(resume.tree);
      }
      this.#work = tree;
    } else {
      const executions = maxExecutions ?? (maxMs === undefined ? 1000 : Infinity);
      this.#work = new Samples(executions, goOn === true);
    }
    this.#expectChange();
  }

  #elapsedMs(): number {
    return performance.now() - this.#startMs;
  }

  #expectChange(): void {
    this.#change = new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  get #over(): boolean {
    return this.#work.ended || this.#stopped !== null || this.#error !== null;
  }

  #stop(why: 'executions' | 'time' | 'interrupted'): void {
    if (!this.#work.ended) this.#stopped ??= why;
    this.#changed();
  }

  #changed(): void {
    const wake = this.#wake;
    this.#expectChange();
    wake();
  }

  /** Merges results; those that come when the search is over do not count. */
  #add(results: readonly PartResult[]): void {
    const { maxExecutions, maxMs } = this.#options;
    for (const result of results) {
      if (this.#over) break;
      this.#work.add(result);
      const { executions, blocked } = this.#work.statistics;
      if (executions + blocked >= (maxExecutions ?? Infinity)) this.#stop('executions');
    }
    if (this.#elapsedMs() >= (maxMs ?? Infinity)) this.#stop('time');
    this.#changed();
  }

  /**
   * Explores on this thread until the search is over. When there is nothing new, it explores what a worker is late
   * with, as one is that has just been started; whichever result comes second is not looked at.
   */
  async #here(): Promise<void> {
    if (this.#options.pool !== undefined) this.#startWorkers();
    while (!this.#over) {
      const part = this.#work.next() ?? this.#work.again();
      if (part === null) await this.#change;
      else {
        this.#add([this.#runner.run(part)]);
        if (this.#workers > 1 && this.#elapsedMs() > ALONE_MS) this.#startWorkers();
        await turn();
      }
    }
  }

  #startWorkers(): void {
    if (this.#pool !== null || this.#over) return;
    const { make: _, ...scenario } = this.#runner.scenario;
    this.#pool =
      this.#options.pool ?? new ExplorePool(this.#workers - 1, { run: this.#id, scenario });
    for (let job = 0; job < JOBS * (this.#workers - 1); job++)
      this.#there(this.#pool).catch((error: unknown) => {
        this.#error ??= error;
        this.#changed();
      });
  }

  /** Has workers explore, a job at a time, until the search is over. */
  async #there(pool: ExplorePool): Promise<void> {
    while (!this.#over) {
      const parts = this.#parts();
      if (parts.length === 0) {
        await this.#change;
        continue;
      }
      const results = await pool.run({ run: this.#id, setup: this.#setup, parts });
      this.#add(results);
    }
  }

  /** Parts for a worker: several when there are many, so that small ones do not cost a message each. */
  #parts(): Part[] {
    const count = Math.floor(this.#work.waiting / (4 * JOBS * this.#workers));
    const parts: Part[] = [];
    do {
      const part = this.#work.next();
      if (part === null) break;
      parts.push(part);
    } while (parts.length < Math.min(count, PARTS_MAX));
    return parts;
  }

  #progress(): ParallelProgress {
    const { executions, blocked, steps } = this.#work.statistics;
    return {
      executions,
      blocked,
      steps,
      pendingTasks: this.#work.pending,
      elapsedMs: this.#elapsedMs(),
      estimate: this.#work.estimate(),
    };
  }

  #checkpoint(): Checkpoint | null {
    const tree = this.#work.save();
    return tree === null ? null : makeCheckpoint(this.#setup, this.#runner.scenario, tree);
  }

  #result(): ParallelResult {
    const work = this.#work;
    const { executions, blocked, steps, depth } = work.statistics;
    const durationMs = this.#elapsedMs();
    const failed = work.failure !== null && this.#options.goOn !== true;
    const complete = work.ended && !failed && this.#exhaustive;
    return {
      verdict:
        work.failure === null
          ? { kind: 'passes' }
          : this.#runner.verdictOf(work.failure, work.ordered),
      complete,
      statistics: { executions, blocked, steps, depth, durationMs },
      ended: failed ? 'failure' : work.ended ? 'complete' : this.#stopped!,
      ...(this.#setup.settings.strategy === 'dfs' && { bounded: work.bounded }),
      checkpoint: work.ended ? null : this.#checkpoint(),
    };
  }

  async explore(): Promise<ParallelResult> {
    const { signal, maxMs, onProgress, onCheckpoint } = this.#options;
    const timers: NodeJS.Timeout[] = [];
    const interrupt = (): void => this.#stop('interrupted');
    signal?.addEventListener('abort', interrupt);
    if (signal?.aborted === true) interrupt();
    if (maxMs !== undefined)
      timers.push(setTimeout(() => this.#stop('time'), Math.min(maxMs, 2 ** 31 - 1)));
    if (onProgress !== undefined)
      timers.push(setInterval(() => onProgress(this.#progress()), this.#options.progressMs ?? 250));
    if (onCheckpoint !== undefined)
      timers.push(
        setInterval(() => {
          const checkpoint = this.#checkpoint();
          if (checkpoint !== null) onCheckpoint(checkpoint);
        }, this.#options.checkpointMs ?? 30_000),
      );
    try {
      await this.#here();
      if (this.#error !== null) throw this.#error;
      onProgress?.(this.#progress());
      return this.#result();
    } finally {
      for (const timer of timers) clearTimeout(timer);
      signal?.removeEventListener('abort', interrupt);
      if (this.#options.pool === undefined) await this.#pool?.close();
    }
  }
}
