/** The threads of a machine's CPUs: one worker each, with a link to it, and a task that lasts as long as the CPU. */
import { MessageChannel } from 'node:worker_threads';
import type { KernelCode } from './kernel.ts';
import type { Piscina } from 'piscina';
import { CpuLink } from './control.ts';
import type { CpuService, CpuTask } from './cpu.ts';
import { cpusOf, type SharedMemory } from './memory.ts';
import type { ResolvedOptions } from './optionTypes.ts';
import { startWorkers } from './workerPool.ts';

export interface CpuThreads {
  pool: Piscina;
  /** By number of the CPU, those that run daemons last. */
  links: CpuLink<CpuService>[];
  /** Each settles when its CPU has ended, or `died` has dealt with its death. */
  tasks: Promise<void>[];
}

/** Heap of each CPU's thread. A CPU that is to die of a full heap gets a small one, which is full soon. */
function heapMb(options: ResolvedOptions): number {
  return options.inject.death?.kind === 'memory' ? 64 : 256;
}

/** Starts a thread for each CPU, with an instance of `kernel`. */
export function startThreads(
  options: ResolvedOptions,
  memory: SharedMemory,
  kernel: KernelCode,
  died: (id: number, error: unknown) => Promise<void>,
): CpuThreads {
  const pool = startWorkers(cpusOf(options), {
    resourceLimits: { maxOldGenerationSizeMb: heapMb(options) },
  });
  const clockStartNs = process.hrtime.bigint();
  const threads: CpuThreads = { pool, links: [], tasks: [] };
  for (let id = 0; id < cpusOf(options); id++) {
    const { port1, port2 } = new MessageChannel();
    threads.links.push(new CpuLink<CpuService>(port1));
    const task: CpuTask = {
      cpu: id,
      memory,
      port: port2,
      kernel,
      clockStartNs,
    };
    const ended = pool.run(task, { name: 'cpu', transferList: [port2] });
    threads.tasks.push(
      ended.then(
        () => undefined,
        (error: unknown) => died(id, error),
      ),
    );
  }
  return threads;
}
