/** How CPUs end before their time, and what a dead CPU leaves behind. */
import { inspect } from 'node:util';
import * as layout from '../kernel/abi.ts';
import { describeAddress } from './addresses.ts';
import { END_REASONS, OPERATION_NAMES } from './codes.ts';
import { heldLocks, type HeldLock } from './heldLocks.ts';
import type { RunReport } from './runPlan.ts';

/** Thrown by the host to end the CPU that the kernel runs on. */
export class CpuEnd extends Error {
  override readonly name = 'CpuEnd';

  constructor(reason: number, detail: number) {
    super(`${END_REASONS.get(reason) ?? `reason ${reason}`} (0x${detail.toString(16)})`);
  }
}

/** Message of an injected exception. */
export const INJECTED_EXCEPTION = 'injected exception';

/** The message of a CpuEnd, whose name does not survive the way between threads. */
const CPU_END = /^([a-z-]+) \((0x[0-9a-f]+)\)$/;
/** The message of Piscina's error for a thread that ended by itself. */
const EXITED = /^worker exited with code: (\d+)$/;

export type { HeldLock } from './heldLocks.ts';

/** The death of a CPU. */
export interface CpuDeath {
  cpu: number;
  /** Whether it was the daemons' CPU. */
  daemons: boolean;
  /** What ended it: an exception's message, an exit code, a full heap. */
  cause: string;
  /** Stack of an exception that nobody asked for: of a user's workload, or a mistake in ptlab; null otherwise. */
  stack: string | null;
  /** The operation it was in, `none` between operations, and its first two arguments. */
  operation: string;
  operationArguments: [number, number];
  /** Locks it held, outermost first. */
  locks: HeldLock[];
}

/** Locks that a message names; `CpuDeath.locks` has all. */
const LOCKS_NAMED = 6;

function listed(locks: readonly HeldLock[]): string {
  if (locks.length === 0) return 'no lock';
  const names = locks.slice(0, LOCKS_NAMED).map((lock) => lock.name);
  const more = locks.length - names.length;
  return names.join(', ') + (more === 0 ? '' : ` and ${more} more`);
}

/** A CPU died; the machine has ended with it. */
export class CpuDiedError extends Error {
  override readonly name = 'CpuDiedError';
  readonly death: CpuDeath;
  readonly cpu: number;
  readonly operation: string;
  readonly locks: readonly HeldLock[];
  /** What the run that it died in had done until then; null outside runs. */
  report: RunReport | null = null;

  /** `cause`: what the CPU's thread ended with. */
  constructor(death: CpuDeath, cause?: unknown) {
    super(
      `CPU ${death.cpu}${death.daemons ? ', which runs the daemons,' : ''} died in ${death.operation}: ${death.cause}; holding ${listed(death.locks)}`,
      { cause },
    );
    this.death = death;
    this.cpu = death.cpu;
    this.operation = death.operation;
    this.locks = death.locks;
  }
}

/** What CPU `cpu`, which no longer runs, was doing when `error` ended it, and the locks that it held. */
export function describeDeath(words: Uint32Array, cpu: number, error: unknown): CpuDeath {
  const at = (address: number): number => Atomics.load(words, address >>> 2);
  const area = layout.cpuArea(cpu);
  const operation = OPERATION_NAMES.get(at(area + layout.C_OP)) ?? 'unknown';
  return {
    cpu,
    daemons: cpu >= at(layout.H_CPUS) - at(layout.H_DAEMON_CPUS),
    cause: describeCause(words, error),
    stack: describeStack(error),
    operation,
    operationArguments: [at(area + layout.C_OP_A), at(area + layout.C_OP_B)],
    locks: heldLocks(words, cpu),
  };
}

/** Errors whose names survive the way between threads. */
const CLONED_NAMES = [
  'Error',
  ...[EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map(
    (kind) => kind.name,
  ),
];

/** What was thrown, as an error that reaches another thread with its name, message and stack, whatever it was. */
export function portableError(thrown: unknown): Error {
  if (!(thrown instanceof Error)) return new Error(`thrown: ${inspect(thrown)}`);
  const { name, message, stack } = thrown;
  const named = CLONED_NAMES.includes(name) || thrown instanceof CpuEnd;
  const error = new Error(named ? message : `${name}: ${message}`);
  if (named) error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}

function outOfMemory(error: Error): boolean {
  return 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
}

function describeStack(error: unknown): string | null {
  if (!(error instanceof Error) || outOfMemory(error)) return null;
  const { message, stack } = error;
  const asked = message === INJECTED_EXCEPTION || CPU_END.test(message) || EXITED.test(message);
  return asked ? null : (stack ?? null);
}

function describeCause(words: Uint32Array, error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (outOfMemory(error)) return 'out of memory';
  const exit = EXITED.exec(error.message);
  if (exit !== null) return `its thread exited with code ${exit[1]}`;
  const end = CPU_END.exec(error.message);
  if (end?.[1] === 'stalled') {
    const address = Number(end[2]);
    const what = describeAddress(words, address) ?? `the word at ${end[2]}`;
    return `it waited longer than the machine's limit (option stallMs) for ${what}`;
  }
  return error.name === 'Error' ? error.message : `${error.name}: ${error.message}`;
}
