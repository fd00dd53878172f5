/**
 * Scenario files about the kernel: modules that call kernel functions and export
 *
 *     CPUS     number of CPUs
 *     setUp    before the CPUs start, on CPU 0
 *     run      what CPU number `cpu` does
 *     finish   optional: what must hold when all have ended, on CPU 0 (by `expect`)
 *
 * They run on a small machine of their own. Oracles are looked at after every step; when all CPUs have ended, callbacks are
 * drained, per-CPU caches given back, and the memory audited. CPUs are not idle at the start and, unless `run` says otherwise,
 * become idle at its end.
 */

import { H_END, H_VIOLATIONS } from '../kernel/layout.ts';
import type { AuditReport } from '../machine/audit/index.ts';
import { resolveOptions, type MachineOptions, type ResolvedOptions } from '../machine/options.ts';
import type { Violation } from '../machine/violations.ts';
import { compileCoroutines, linkCoroutines, type LinkOptions } from './coroutine.ts';
import type { Coroutine, ProgramMaker } from './execution.ts';

/** Constants of small machines: four-entry tables, batches of one, no spinning before a wait. */
export const SMALL: Readonly<Record<string, number>> = {
  TABLE_BITS: 2,
  PGD_BITS: 2,
  TASK_END: 255,
  GATHER_BUNDLE: 1,
  GATHER_BATCH_ENTRIES: 1,
  GATHER_BATCH_COUNT: 1,
  FRAME_ORDER_MAX: 1,
  PCP_BATCH: 1,
  PCP_HIGH: 2,
  TABLE_CACHE_BATCH: 1,
  TABLE_CACHE_HIGH: 2,
  TLB_BITS: 2,
  PSC_BITS: 1,
  ZAP_RESCHED_PERIOD: 1,
  PAGEOUT_BATCH: 1,
  VMA_LEVELS: 1,
  CPUS_MAX: 4,
  LOCK_SPINS: 0,
  QUEUE_SPINS: 0,
  IPI_SPINS: 0,
  RCU_SPINS: 0,
  MMAP_SPINS: 0,
  RCU_BATCH: 1,
  SEQ_START: 0xfffffffe,
};

const SIZES = {
  tables: 32,
  frames: 32,
  vmas: 16,
  addressSpaces: 2,
  inodes: 2,
  swapPages: 4,
  cacheBuckets: 1,
  batchEntries: 1,
  batchCount: 1,
};

export interface KernelScenarioOptions extends LinkOptions {
  /** Axes and injected trouble of the machine. Its CPUs are the scenario's, its sizes fixed. */
  machine?: Omit<MachineOptions, 'cpus' | 'execution' | keyof typeof SIZES>;
}

/** An oracle was violated; `violations` has all records. */
export class OracleError extends Error {
  override readonly name = 'OracleError';
  readonly violations: readonly Violation[];

  constructor(violations: readonly Violation[]) {
    super(violations[0]?.message ?? 'a violation without a record');
    this.violations = violations;
  }
}

/** The audit at the end found something. */
export class AuditError extends Error {
  override readonly name = 'AuditError';
  readonly report: AuditReport;

  constructor(report: AuditReport) {
    super(`audit: ${report.findingsTotal} findings: ${JSON.stringify(report.findings[0])}`);
    this.report = report;
  }
}

interface KernelExports {
  CPUS: number;
  setUp(): Coroutine | void;
  run(cpu: number): Coroutine;
  finish?(): Coroutine | void;
  setThisCpu(cpu: number): void;
  rcuIdleEnter(): Coroutine;
  rcuIdleExit(): Coroutine;
  rcuBarrier(): Coroutine;
  drainCaches(): Coroutine;
  createMemory(options: ResolvedOptions): WebAssembly.Memory;
  audit(words: Uint32Array, check: number): AuditReport;
  readViolations(words: Uint32Array): Violation[];
  CHECK: number;
}

const KERNEL = [
  'kernel/index.js',
  'kernel/check.js',
  'machine/memory.js',
  'machine/audit/index.js',
  'machine/violations.js',
];

/**
 * Links a kernel scenario's compiled module (a path, or one relative to dist/src) with a kernel of its own. `constants` are laid
 * over SMALL. Throws LinkError, OptionError.
 */
export function loadKernelScenario(
  path: string,
  { machine, ...options }: KernelScenarioOptions = {},
): ProgramMaker {
  const constants = { ...SMALL, ...options.constants };
  const linked = linkCoroutines([...KERNEL, path], { ...options, constants });
  const instantiate = compileCoroutines(linked);
  return (host) => {
    const kernel = instantiate(host) as unknown as KernelExports;
    const resolved = {
      ...resolveOptions({ ...machine, cpus: kernel.CPUS, execution: 'js' }),
      ...SIZES,
    };
    const initial = new Uint32Array(kernel.createMemory(resolved).buffer);
    const words = initial[H_END >>> 2]! >>> 2;
    const cpus = kernel.CPUS;
    const { finish } = kernel;
    const onCpu0 = function* (body: () => Coroutine | void): Coroutine {
      kernel.setThisCpu(0);
      const running = body();
      if (running !== undefined) yield* running;
      return undefined;
    };
    return {
      cpus,
      words,
      sites: linked.sites,
      select: (cpu) => kernel.setThisCpu(cpu),
      *setUp(): Coroutine {
        for (const [word, value] of initial.subarray(0, words).entries())
          if (value !== 0) host.poke(word * 4, value);
        for (let cpu = 0; cpu < cpus; cpu++) {
          kernel.setThisCpu(cpu);
          yield* kernel.rcuIdleExit();
        }
        return yield* onCpu0(() => kernel.setUp());
      },
      *run(cpu): Coroutine {
        yield* kernel.run(cpu);
        return yield* kernel.rcuIdleEnter();
      },
      watch: {
        word: H_VIOLATIONS >>> 2,
        failure: (memory) => new OracleError(kernel.readViolations(memory)),
      },
      *finish(memory): Coroutine {
        for (let cpu = 0; cpu < cpus; cpu++) {
          kernel.setThisCpu(cpu);
          yield* kernel.rcuIdleExit();
          if (cpu === 0) yield* kernel.rcuBarrier();
          yield* kernel.drainCaches();
          yield* kernel.rcuIdleEnter();
        }
        const report = kernel.audit(memory, kernel.CHECK);
        if (!report.ok) throw new AuditError(report);
        if (finish !== undefined) yield* onCpu0(finish);
        return undefined;
      },
    };
  };
}
