/** Pools of worker threads, all started the same way (workers/entry.cts). */
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { DIST } from './kernel.ts';

type PiscinaOptions = NonNullable<ConstructorParameters<typeof Piscina>[0]>;

/** What pools differ in. */
type WorkerPoolOptions = Pick<PiscinaOptions, 'resourceLimits' | 'workerData'> & {
  /** Tasks sent to a thread at once; 1: a thread gets the next when it has ended the last. */
  tasksPerThread?: number;
};

/**
 * Starts `threads` threads. A task names the function of the entry that it is for (`name`), and rejects when its thread
 * dies; Piscina starts another thread in its place, which knows nothing: whoever shares memory with the dead one ends
 * the pool.
 */
export function startWorkers(threads: number, options: WorkerPoolOptions = {}): Piscina {
  const { tasksPerThread = 1, ...others } = options;
  const pool = new Piscina({
    filename: fileURLToPath(new URL('workers/entry.cjs', DIST)),
    minThreads: threads,
    maxThreads: threads,
    idleTimeout: Infinity,
    concurrentTasksPerWorker: tasksPerThread,
    atomics: 'disabled',
    recordTiming: false,
    ...others,
  });
  pool.on('error', () => {});
  return pool;
}
