/** Runs one scenario of threadScenarios.mjs on real threads, one CPU each, over built kernels. */
import { Worker } from 'node:worker_threads';
import * as layout from '../../src/kernel/word/layout.ts';
import { FREE, floorMemory, type FloorOptions } from './floor.ts';

export type Execution = 'wasm' | 'js';

export interface Outcome {
  result?: Record<string, number>;
  error?: string;
  /** HOST_ code of a CPU that the kernel ended. */
  reason?: number;
}

export interface ThreadRun extends FloorOptions {
  execution: Execution;
  check?: 'full' | 'fast' | 'off';
  /** Scenario of each CPU, or one for all. */
  scenario: string | string[];
  options?: Record<string, number | boolean>;
  /** Words to set before the start: address and value. */
  words?: [number, number][];
}

/** Places in the free memory behind the floor. */
export const PLACES = {
  lock: FREE,
  mm: FREE + 0x1000,
  meeting: FREE + 0x2000,
  stop: FREE + 0x2040,
  published: FREE + 0x2080,
  inside: FREE + 0x20c0,
  writing: FREE + 0x2100,
  plain: FREE + 0x2140,
  log: FREE + 0x2180,
  objects: FREE + 0x10000,
};

const DEADLINE_MS = 40_000;

/** Starts the CPUs and waits for all; a thread that does not answer in time is stopped and counts as an error. */
export async function runThreads(
  run: ThreadRun,
): Promise<{ outcomes: Outcome[]; words: Uint32Array; violations: number }> {
  const memory = floorMemory(run);
  const words = new Uint32Array(memory.buffer);
  for (const [address, value] of run.words ?? []) words[address >>> 2] = value;
  const startedNs = process.hrtime.bigint();
  const outcomes = await Promise.all(
    Array.from({ length: run.cpus }, (_, cpu) => {
      const worker = new Worker(new URL('./cpuThread.mjs', import.meta.url), {
        workerData: {
          memory,
          execution: run.execution,
          check: run.check ?? 'full',
          cpu,
          cpus: run.cpus,
          scenario: typeof run.scenario === 'string' ? run.scenario : run.scenario[cpu],
          options: { ...PLACES, ...run.options },
          startedNs,
        },
      });
      return new Promise<Outcome>((resolve) => {
        const late = setTimeout(() => {
          Atomics.store(words, layout.H_STOP >>> 2, 2);
          void worker.terminate();
          resolve({ error: `CPU ${cpu}: no answer after ${DEADLINE_MS} ms` });
        }, DEADLINE_MS);
        worker.once('message', (outcome: Outcome) => resolve(outcome));
        worker.once('error', (error) => resolve({ error: String(error) }));
        worker.once('exit', () => clearTimeout(late));
      });
    }),
  );
  return { outcomes, words, violations: words[layout.H_VIOLATIONS >>> 2]! };
}
