/** Worker threads that explore parts of searches (workers/explore.ts). One pool can serve many searches, one after another. */

import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { DIST } from '../../machine/kernel.ts';
import type { Part, PartResult, RunSetup } from './work.ts';

/** Parts of one search for a worker, which keeps the search's scenario open for as long as jobs have the same `run`. */
export interface Job {
  run: string;
  setup: RunSetup;
  parts: readonly Part[];
}

/** What came of a job: results, or the error that the program or the search threw. */
export type JobResult =
  | { results: PartResult[] }
  | { error: { name: string; message: string; stack: string | undefined } };

/** A worker ended in the middle of a search. */
export class ExplorerDiedError extends Error {
  override readonly name = 'ExplorerDiedError';
}

export class ExplorePool implements AsyncDisposable {
  readonly workers: number;
  readonly #pool: Piscina;

  constructor(workers: number) {
    this.workers = workers;
    this.#pool = new Piscina({
      filename: fileURLToPath(new URL('workers/explore.js', DIST)),
      minThreads: workers,
      maxThreads: workers,
      idleTimeout: Infinity,
      concurrentTasksPerWorker: 1,
      atomics: 'disabled',
      recordTiming: false,
    });
    this.#pool.on('error', () => {});
  }

  /** Threads of the workers, to watch them. */
  get threads(): Piscina['threads'] {
    return this.#pool.threads;
  }

  /** Rejects with ExplorerDiedError, or with what the program or the search threw. */
  async run(job: Job): Promise<PartResult[]> {
    let result: JobResult;
    try {
      result = (await this.#pool.run(job)) as JobResult;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new ExplorerDiedError(`a worker of the search died: ${why}`, { cause: error });
    }
    if ('results' in result) return result.results;
    const { name, message, stack } = result.error;
    throw Object.assign(new Error(message), { name, stack });
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
