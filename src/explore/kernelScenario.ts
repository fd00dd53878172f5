/**
 * Programs of a kernel scenario on its small machine. Oracles are looked at after every step; when all CPUs have ended,
 * callbacks are drained, per-CPU caches given back, and the memory audited. CPUs are not idle at the start and become
 * idle, and stay so, at the end of what they do.
 */

import { H_END, H_VIOLATIONS } from '../kernel/abi.ts';
import type { AuditReport } from '../machine/audit/index.ts';
import { resolveOptions, type MachineOptions, type ResolvedOptions } from '../machine/options.ts';
import type { Violation } from '../machine/violations.ts';
import type { CoroutineExports, CoroutineHost } from './link/coroutine.ts';
import type { Coroutine, Program } from './program.ts';
import { SIZES, type FixedSizes } from './smallMachines.ts';

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
  cpus: ((cpu: number) => Coroutine | void)[];
  setUp?(): Coroutine | void;
  finish?(): Coroutine | void;
  setThisCpu(cpu: number): void;
  rcuIdleEnter(): Coroutine | void;
  rcuIdleExit(): Coroutine | void;
  rcuBarrier(): Coroutine | void;
  drainCaches(): Coroutine | void;
  createMemory(options: ResolvedOptions): WebAssembly.Memory;
  audit(words: Uint32Array, check: number): AuditReport;
  readViolations(words: Uint32Array): Violation[];
  cpuArea(cpu: number): number;
  tableAddress(table: number): number;
  C_SEED: number;
  C_COUNTERS: number;
  CHECK: number;
}

/** Runs to its end what a linked function gave: a coroutine, or, of a plain program, nothing more to do. */
function* completed(given: Coroutine | void): Coroutine {
  return typeof given === 'object' ? yield* given : given;
}

/** Modules of a kernel program beside the scenario's own. */
export const KERNEL_MODULES = [
  'kernel/index.js',
  'kernel/word/check.js',
  'kernel/word/layout.js',
  'machine/memory.js',
  'machine/audit/index.js',
  'machine/violations.js',
];

/**
 * A program of linked KERNEL_MODULES and a scenario. `machine` are its axes and injected trouble; of its CPUs those in
 * `running` run (default: all), the others stay idle. Throws OptionError.
 */
export function kernelProgram(
  exports: CoroutineExports,
  host: CoroutineHost,
  machine: Omit<MachineOptions, 'cpus' | 'execution' | 'mutant' | FixedSizes>,
  running?: readonly number[],
): Omit<Program, 'sites'> {
  const kernel = exports as unknown as KernelExports;
  const cpus = kernel.cpus.length;
  const resolved = { ...resolveOptions({ ...machine, cpus, execution: 'js' }), ...SIZES };
  const initial = new Uint32Array(kernel.createMemory(resolved).buffer);
  const words = initial[H_END >>> 2]! >>> 2;
  // The choices' counts (choices.ts).
  for (let cpu = 0; cpu < cpus; cpu++) initial[(kernel.cpuArea(cpu) + kernel.C_SEED) >>> 2] = 0;
  const { finish, setUp } = kernel;
  const runs = (cpu: number): boolean => running === undefined || running.includes(cpu);
  const onCpu0 = function* (body: () => Coroutine | void): Coroutine {
    kernel.setThisCpu(0);
    return yield* completed(body());
  };
  return {
    cpus,
    words,
    select: (cpu) => kernel.setThisCpu(cpu),
    kernel: {
      counterWord: (cpu, counter) => (kernel.cpuArea(cpu) + kernel.C_COUNTERS) / 4 + counter,
      tableWord: (table) => kernel.tableAddress(table) / 4,
    },
    *setUp(): Coroutine {
      for (const [word, value] of initial.subarray(0, words).entries())
        if (value !== 0) host.poke(word * 4, value);
      for (let cpu = 0; cpu < cpus; cpu++) {
        kernel.setThisCpu(cpu);
        if (cpu === 0 || runs(cpu)) yield* completed(kernel.rcuIdleExit());
      }
      if (setUp !== undefined) yield* onCpu0(setUp);
      if (!runs(0)) yield* onCpu0(() => kernel.rcuIdleEnter());
      return undefined;
    },
    *run(cpu): Coroutine {
      const started = kernel.cpus[cpu]!(cpu);
      if (typeof started === 'object') yield* started;
      const entering = kernel.rcuIdleEnter();
      return typeof entering === 'object' ? yield* entering : undefined;
    },
    watch: {
      word: H_VIOLATIONS >>> 2,
      failure: (memory) => new OracleError(kernel.readViolations(memory)),
    },
    *finish(memory): Coroutine {
      for (let cpu = 0; cpu < cpus; cpu++) {
        kernel.setThisCpu(cpu);
        yield* completed(kernel.rcuIdleExit());
        if (cpu === 0) yield* completed(kernel.rcuBarrier());
        yield* completed(kernel.drainCaches());
        yield* completed(kernel.rcuIdleEnter());
      }
      const report = kernel.audit(memory, kernel.CHECK);
      if (!report.ok) throw new AuditError(report);
      if (finish !== undefined) yield* onCpu0(finish);
      return undefined;
    },
  };
}
