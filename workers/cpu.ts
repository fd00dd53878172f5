/**
 * A CPU: one long task of a Piscina worker. It loads the kernel over the machine's memory, serves calls from the main
 * thread, and ends when it is shut down. It is idle for RCU whenever it is not inside a call.
 *
 * An exception inside a call ends the CPU: its locks may be held and its words half written. The call then never
 * settles and the task rejects, which is how the main thread learns of it; an exit or a full heap it learns from the
 * worker itself.
 */
import { HOST_DEATH_EXCEPTION, HOST_DEATH_EXIT, HOST_DEATH_MEMORY } from '../src/kernel/abi.ts';
import { loadWorkload } from '../src/experiment/catalogue.ts';
import { serve } from '../src/machine/control.ts';
import type { CpuService, CpuTask } from '../src/machine/cpu.ts';
import { daemonLoop } from '../src/machine/daemonLoop.ts';
import { CpuEnd, INJECTED_EXCEPTION, portableError } from '../src/machine/death.ts';
import { loadKernel, type Kernel } from '../src/machine/kernel.ts';
import { SystemCalls } from '../src/machine/syscalls.ts';
import { runLoop, WorkloadCpu, type Workload } from '../src/machine/workload.ts';

const DEATH_EXIT_CODE = 70;

/**
 * What to add to performance.now() to get the machine's clock, milliseconds: each thread has a time origin of its own.
 */
function clockOffsetMs(startNs: bigint): number {
  let offset = Infinity;
  for (let sample = 0; sample < 16; sample++) {
    const before = performance.now();
    const since = Number(process.hrtime.bigint() - startNs) / 1e6;
    offset = Math.min(offset, since - before);
  }
  return offset;
}

/**
 * Fills the heap until the worker dies of it: in pieces that are quick to make, and small enough for V8 to end only the
 * worker.
 */
function exhaustMemory(): never {
  const piece = Array.from({ length: 15_000 }, () => 0.5);
  const kept: unknown[] = [];
  for (;;) kept.push(piece.slice());
}

function endCpu(reason: number, detail: number): void {
  if (reason === HOST_DEATH_EXIT) process.exit(DEATH_EXIT_CODE);
  if (reason === HOST_DEATH_MEMORY) exhaustMemory();
  if (reason === HOST_DEATH_EXCEPTION) throw new Error(INJECTED_EXCEPTION);
  throw new CpuEnd(reason, detail);
}

/** Runs CPU `task.cpu` until it is shut down; rejects when it dies. */
export default async function runCpu(task: CpuTask): Promise<void> {
  const offsetMs = clockOffsetMs(task.clockStartNs);
  const host = { clockNs: () => ((performance.now() + offsetMs) * 1e6) >>> 0, end: endCpu };
  const kernel = await loadKernel(task.kernel, task.memory, host);
  kernel.setThisCpu(task.cpu);
  const calls = new SystemCalls(kernel);
  await new Promise<void>((resolve, reject) => {
    const inKernel = <R>(body: () => R): R | Promise<R> => {
      try {
        kernel.rcuIdleExit();
        const result = body();
        kernel.countLoggedWaits();
        kernel.rcuIdleEnter();
        return result;
      } catch (error) {
        reject(portableError(error));
        return new Promise(() => {});
      }
    };
    const view = (seed: number, shared: number[], spaces: number[]): WorkloadCpu =>
      new WorkloadCpu(task, calls, seed, shared, spaces);
    let workload: Workload = { run: () => {} };
    const service: CpuService = {
      ready: () => {},
      call: (name, args) =>
        inKernel(() => {
          const method = calls[name] as (
            ...args: (number | boolean | undefined)[]
          ) => number | undefined;
          return method.apply(calls, args) ?? 0;
        }),
      kernel: (name, args) =>
        inKernel(() => {
          const call = kernel[name as keyof Kernel] as (...args: number[]) => number | undefined;
          return (call(...args) ?? 0) >>> 0;
        }),
      prepare: async (spec) => {
        workload = await loadWorkload(spec);
        const cpu = view(spec.seed, [], spec.spaces);
        return inKernel(() => workload.prepare?.(cpu) ?? []);
      },
      run: async (spec, shared) => {
        workload = await loadWorkload(spec);
        const cpu = view(spec.seed, shared, spec.spaces);
        return inKernel(() => runLoop(workload, cpu, spec));
      },
      cleanUp: async (spec, shared) => {
        const cpu = view(spec.seed, shared, spec.spaces);
        await inKernel(() => workload.cleanUp?.(cpu));
      },
      callModule: async (url, name, argument) => {
        const module = (await import(url)) as Record<string, unknown>;
        const body = module[name];
        if (typeof body !== 'function') throw new TypeError(`${url}: no function ${name}`);
        return inKernel(() => body(view(task.cpu, [], []), argument) as unknown);
      },
      daemons: () => inKernel(() => daemonLoop(kernel, new Int32Array(task.memory.buffer))),
      shutdown: () => resolve(),
    };
    serve(task.port, service);
  });
  task.port.close();
}
