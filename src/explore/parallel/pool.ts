/**
 * Worker threads that explore parts of searches (workers/explore.ts). One pool can serve many searches, one after
 * another.
 */

import type { Piscina } from 'piscina';
import { startWorkers } from '../../machine/workerPool.ts';
import type { ExplainedFailure } from '../failure/explain.ts';
import type { Coverage } from '../strategies/interleavings.ts';
import type { LinkedScenario } from '../scenario.ts';
import type { CoverJob, ExplainJob, WholeJob, WholeResult } from './whole.ts';
import type { Part, PartResult, RunSetup } from './work.ts';

/** Parts of one search for a worker, which keeps the search's scenario open for as long as jobs have the same `run`. */
export interface Job {
  run: string;
  setup: RunSetup;
  parts: readonly Part[];
}

/** A search and its scenario: what a worker is started with. */
export interface FirstRun {
  run: string;
  scenario: LinkedScenario;
}

/** What came of a job: results, or the error that the program or the search threw. */
export type JobResult = { results: PartResult[] } | Thrown;

/** An error as it is sent. */
export interface Thrown {
  error: { name: string; message: string; stack: string | undefined };
}

/** A worker ended in the middle of a search. */
export class ExplorerDiedError extends Error {
  override readonly name = 'ExplorerDiedError';
}

export class ExplorePool implements AsyncDisposable {
  readonly workers: number;
  readonly #pool: Piscina;

  /** `first`: the search that the workers begin with, so that they need not link its scenario. */
  constructor(workers: number, first?: FirstRun) {
    this.workers = workers;
    this.#pool = startWorkers(workers, { tasksPerThread: 2, workerData: first });
  }

  /** Threads of the workers, to watch them. */
  get threads(): Piscina['threads'] {
    return this.#pool.threads;
  }

  /** Rejects with ExplorerDiedError, or with what the program or the search threw. */
  async run(job: Job): Promise<PartResult[]> {
    return (await this.#send<{ results: PartResult[] }>(job, 'explore')).results;
  }

  /** The same for a search that is not split. */
  async runWhole(job: WholeJob): Promise<WholeResult> {
    return (await this.#send<{ result: WholeResult }>(job, 'whole')).result;
  }

  /** How much a bounded search covered. */
  async runCover(job: CoverJob): Promise<Coverage> {
    return (await this.#send<{ result: Coverage }>(job, 'cover')).result;
  }

  /** A failure explained; null: the schedule does not fail. */
  async runExplain(job: ExplainJob): Promise<ExplainedFailure | null> {
    return (await this.#send<{ result: ExplainedFailure | null }>(job, 'explain')).result;
  }

  async #send<R extends object>(
    job: Job | WholeJob | CoverJob | ExplainJob,
    name: string,
  ): Promise<R> {
    let result: R | Thrown;
    try {
      result = (await this.#pool.run(job, { name })) as R | Thrown;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new ExplorerDiedError(`a worker of the search died: ${why}`, { cause: error });
    }
    if (!('error' in result)) return result;
    const { message, ...rest } = result.error;
    throw Object.assign(new Error(message), rest);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
