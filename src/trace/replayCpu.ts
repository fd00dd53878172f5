/**
 * The part of a replay that runs on a CPU: executes its share of a list of operations in one loop, with no message to
 * the main thread, and records after each one what a user would ask of the kernel.
 *
 * Guarantee: operation i begins after every operation that its order names (order.ts) has finished, and each CPU runs
 * its own in the order of the list. A CPU that waits for another is in an extended quiescent state, so that it holds up
 * neither grace periods nor interrupts.
 *
 * Protocol of a wait. Each CPU counts its finished operations in a word (`DONE`). The waiter raises `WAITERS`, looks at
 * `DONE` again and parks; the finisher stores `DONE` and then looks at `WAITERS`. Both are sequentially consistent, so
 * one of the two sees the other; parking has a limit all the same, after which the stop word is looked at.
 */
import { ESRCH } from '../machine/errno.ts';
import type { WorkloadCpu } from '../machine/workload.ts';
import {
  COUNTER_TABLES_LINKED,
  COUNTER_TABLES_UNLINKED,
  C_COUNTERS,
  ENOMEM,
  H_CPUS,
  H_STOP,
  MM_RSS,
  MM_TABLES,
  RSS_ANON,
  STOP_NO,
  cpuArea,
} from '../kernel/abi.ts';
import {
  CALL_BARRIER,
  CALL_BRK,
  CALL_EXIT,
  CALL_FAULT,
  CALL_FORK,
  CALL_MADVISE,
  CALL_MMAP,
  CALL_MPROTECT,
  CALL_MREMAP,
  CALL_MUNMAP,
  CALL_TOUCH,
  FIELD_ARG2,
  FIELD_PROCESS,
  FIELD_TIME_S,
  FILE_RADIX,
  OP_FIELDS,
} from './operation.ts';
import type { OperationOrder } from './order.ts';

/** Words per CPU in `ReplayPlan.progress`: a cache line, so that CPUs do not write to each other's. */
export const PROGRESS_WORDS = 16;
/** owner, read by others: operations finished. */
export const DONE = 0;
/** atomic: CPUs that may be parked on `DONE`. */
export const WAITERS = 1;

/** `ReplayPlan.errnos` of an operation that has not run. */
export const NOT_RUN = 0xffff;

/** Accesses of one touch between two looks at the stop word. */
const TOUCH_CHUNK = 4096;
const SPINS = 64;
const PARK_MS = 1;
/** Each CPU counts resident pages on a cache line of its own. */
const RSS_LINE_WORDS = 16;

/**
 * Words per process in `ReplayPlan.spaces`: its tables, or -1 where there is no such process, and its mapped anonymous
 * pages.
 */
export const SPACE_WORDS = 2;

/** Everything that the CPUs of a replay share. Arrays of results are written by the CPU that runs the operation. */
export interface ReplayPlan {
  /**
   * Handle of each process's address space, 0: there is none. Element 0 is given; a fork stores its child's before it
   * counts as finished, an exit 0 before the address space ends; the order keeps other operations of the process out
   * meanwhile.
   */
  mms: Uint32Array<SharedArrayBuffer>;
  operations: Float64Array<SharedArrayBuffer>;
  order: OperationOrder;
  /** Handle of the file with each number; 0 for numbers that no operation names. */
  files: Uint32Array<SharedArrayBuffer>;
  /** PROGRESS_WORDS a CPU. */
  progress: Int32Array<SharedArrayBuffer>;
  /** Per operation: Linux error number, 0 for none, NOT_RUN. */
  errnos: Uint16Array<SharedArrayBuffer>;
  /**
   * What `tables` and `anonPages` hold: what the operation itself changed, which the operations of other CPUs meanwhile
   * do not touch; or what the address space had after it, theirs included. With several processes only the latter sees
   * what an operation does to others.
   */
  changes: boolean;
  /**
   * Whether daemons run between operations, on the CPU that does the next one, by the time of the list (`operationMs`).
   */
  daemons: boolean;
  /**
   * Whether the daemons' clock is the time of the list: with daemons, or when it is measured how soon tables come back.
   */
  clocked: boolean;
  /** Whether the list has times. */
  timed: boolean;
  /** Per operation: PTE, PMD and PUD tables. */
  tables: Int32Array<SharedArrayBuffer>;
  /** Per operation: mapped anonymous pages. */
  anonPages: Int32Array<SharedArrayBuffer>;
  /**
   * Per operation and process, where there are several and not `changes`: SPACE_WORDS after the operation. `tables` and
   * `anonPages` are the sums over all then.
   */
  spaces: Int32Array<SharedArrayBuffer>;
}

function stopped(cpu: WorkloadCpu): boolean {
  return Atomics.load(cpu.words, H_STOP >>> 2) !== STOP_NO;
}

/** Tables and pages as one CPU sees them. */
class Gauges {
  readonly #words: Int32Array;
  readonly #linked: number;
  readonly #unlinked: number;
  readonly #tables: number;
  readonly #anon: number;
  readonly #ownAnon: number;
  readonly #cpus: number;

  constructor(cpu: WorkloadCpu, mm: number) {
    const counters = cpuArea(cpu.id) + C_COUNTERS;
    this.#words = cpu.words;
    this.#cpus = cpu.words[H_CPUS >>> 2]!;
    this.#linked = (counters + COUNTER_TABLES_LINKED * 4) >>> 2;
    this.#unlinked = (counters + COUNTER_TABLES_UNLINKED * 4) >>> 2;
    this.#tables = (mm + MM_TABLES) >>> 2;
    this.#anon = (mm + MM_RSS + RSS_ANON) >>> 2;
    this.#ownAnon = this.#anon + cpu.id * RSS_LINE_WORDS;
  }

  /** Tables that this CPU has linked less those that it has unlinked, modulo 2^32. */
  ownTables(): number {
    return (this.#words[this.#linked]! - this.#words[this.#unlinked]!) | 0;
  }

  /** This CPU's share of the mapped anonymous pages, modulo 2^32. */
  ownAnonPages(): number {
    return this.#words[this.#ownAnon]!;
  }

  /** Tables of the address space now. */
  tables(): number {
    return Atomics.load(this.#words, this.#tables);
  }

  /** Mapped anonymous pages of the address space now. */
  anonPages(): number {
    let pages = 0;
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      pages = (pages + Atomics.load(this.#words, this.#anon + cpu * RSS_LINE_WORDS)) | 0;
    }
    return pages;
  }
}

/** Those of a process; of one that is not there, of words that mean nothing: its operation changes nothing. */
function gaugesOf(cpu: WorkloadCpu, plan: ReplayPlan, process: number): Gauges {
  return new Gauges(cpu, Atomics.load(plan.mms, process));
}

/** Notes what every process has after operation `op`. */
function noteSpaces(cpu: WorkloadCpu, plan: ReplayPlan, op: number): void {
  const processes = plan.mms.length;
  for (let process = 0; process < processes; process++) {
    const at = (op * processes + process) * SPACE_WORDS;
    const mm = Atomics.load(plan.mms, process);
    plan.spaces[at] = -1;
    if (mm === 0) continue;
    const gauges = new Gauges(cpu, mm);
    const tables = (plan.spaces[at] = gauges.tables());
    const anonPages = (plan.spaces[at + 1] = gauges.anonPages());
    plan.tables[op]! += tables;
    plan.anonPages[op]! += anonPages;
  }
}

/** Runs this CPU's operations of the plan; gives how many it has finished. It stops early when the machine does. */
export function runReplay(cpu: WorkloadCpu, plan: ReplayPlan): number {
  const { operations, order, progress, errnos, tables, anonPages, changes } = plan;
  const { kernel } = cpu.calls;
  const from = order.cpuStart[cpu.id]!;
  const end = order.cpuStart[cpu.id + 1]!;
  const own = cpu.id * PROGRESS_WORDS;
  const several = plan.mms.length > 1;
  let gauges = new Gauges(cpu, plan.mms[0]!);
  for (let next = from; next < end; next++) {
    if (stopped(cpu)) return next - from;
    const op = order.cpuOps[next]!;
    for (let dep = order.depStart[op]!; dep < order.depStart[op + 1]!; dep++) {
      const other = order.depCpu[dep]! * PROGRESS_WORDS;
      if (!waitFor(cpu, progress, other, order.depSeq[dep]!)) return next - from;
    }
    if (several) gauges = gaugesOf(cpu, plan, operations[op * OP_FIELDS + FIELD_PROCESS]!);
    const tablesBefore = gauges.ownTables();
    const anonBefore = gauges.ownAnonPages();
    if (plan.clocked) daemonsUntil(cpu, plan, operationMs(plan, op), next === from);
    const errno = execute(cpu, plan, operations, op * OP_FIELDS);
    if (errno === NOT_RUN) return next - from;
    errnos[op] = errno;
    const forked = several && operations[op * OP_FIELDS] === CALL_FORK;
    if (several && !changes) {
      noteSpaces(cpu, plan, op);
    } else if (forked) {
      tables[op] = gauges.ownTables() - tablesBefore;
      anonPages[op] = gaugesOf(cpu, plan, operations[op * OP_FIELDS + FIELD_ARG2]!).anonPages();
    } else {
      tables[op] = changes ? gauges.ownTables() - tablesBefore : gauges.tables();
      anonPages[op] = changes ? gauges.ownAnonPages() - anonBefore : gauges.anonPages();
    }
    kernel.rcuQuiescentState();
    Atomics.store(progress, own + DONE, next - from + 1);
    if (Atomics.load(progress, own + WAITERS) !== 0) Atomics.notify(progress, own + DONE);
  }
  return end - from;
}

/** Longest step of the daemons' time, ms: the clock tells differences up to 4 s. */
const DAEMON_STEP_MS = 1000;
/** Passes of the daemons between two operations, at most: what is put off is not waited for. */
const DAEMON_PASSES = 64;
/** Where each CPU's daemons have got to, ms. */
let daemonMs = 0;

/** When operation `op` happens: as it was recorded; in a script, an operation every millisecond. */
function operationMs(plan: ReplayPlan, op: number): number {
  return plan.timed ? plan.operations[op * OP_FIELDS + FIELD_TIME_S]! * 1000 : op;
}

/**
 * Sets the daemons' clock to `ms`, and runs them, if there are any, as they would have run until then. `begin`: this is
 * the first operation of the CPU.
 */
function daemonsUntil(cpu: WorkloadCpu, plan: ReplayPlan, ms: number, begin: boolean): void {
  const { kernel } = cpu.calls;
  if (begin) daemonMs = ms;
  do {
    daemonMs = Math.min(ms, daemonMs + DAEMON_STEP_MS);
    kernel.setDaemonClock(Math.round(daemonMs * 1e6) % 2 ** 32);
    let passes = 0;
    while (plan.daemons && passes < DAEMON_PASSES && kernel.runDaemons() !== 0) passes++;
  } while (daemonMs < ms);
}

/** Waits until the CPU whose progress stands at `other` has finished `seq` operations; false when the machine stops. */
function waitFor(
  cpu: WorkloadCpu,
  progress: Int32Array<SharedArrayBuffer>,
  other: number,
  seq: number,
): boolean {
  const { kernel } = cpu.calls;
  for (let spin = 0; spin < SPINS; spin++) {
    if (Atomics.load(progress, other + DONE) >= seq) return true;
    kernel.pollInterrupts();
  }
  kernel.rcuIdleEnter();
  Atomics.add(progress, other + WAITERS, 1);
  let done = Atomics.load(progress, other + DONE);
  while (done < seq && !stopped(cpu)) {
    Atomics.wait(progress, other + DONE, done, PARK_MS);
    done = Atomics.load(progress, other + DONE);
  }
  Atomics.sub(progress, other + WAITERS, 1);
  kernel.rcuIdleExit();
  return done >= seq;
}

/** Executes the record at `at`; its error number, or NOT_RUN when the machine stopped in the middle of it. */
function execute(cpu: WorkloadCpu, plan: ReplayPlan, operations: Float64Array, at: number): number {
  const { calls } = cpu;
  const process = operations[at + FIELD_PROCESS]!;
  const mm = Atomics.load(plan.mms, process);
  if (mm === 0 && operations[at] !== CALL_BARRIER) return ESRCH;
  const address = operations[at + 2]!;
  const length = operations[at + 3]!;
  const arg2 = operations[at + 4]!;
  const arg3 = operations[at + 5]!;
  const arg4 = operations[at + 6]!;
  switch (operations[at]) {
    case CALL_FAULT:
      return calls.fault(mm, address, arg2 !== 0);
    case CALL_MADVISE:
      return calls.madvise(mm, address, length, arg2);
    case CALL_MMAP: {
      const inode = plan.files[arg4 % FILE_RADIX]!;
      return calls.mmap(mm, address, length, arg2, arg3, inode, Math.floor(arg4 / FILE_RADIX));
    }
    case CALL_MUNMAP:
      return calls.munmap(mm, address, length);
    case CALL_TOUCH:
      return touch(cpu, mm, address, length, arg2 !== 0, arg3);
    case CALL_MPROTECT:
      return calls.mprotect(mm, address, length, arg2);
    case CALL_MREMAP:
      return calls.mremap(mm, address, length, arg2, arg3, arg4);
    case CALL_BRK:
      return calls.brk(mm, address);
    case CALL_FORK: {
      const child = calls.pages.fork(mm);
      Atomics.store(plan.mms, arg2, child);
      return child === 0 ? ENOMEM : 0;
    }
    case CALL_EXIT:
      Atomics.store(plan.mms, process, 0);
      calls.pages.mmDestroy(mm);
      return 0;
    case CALL_BARRIER:
      return 0;
    default:
      throw new RangeError(`call ${operations[at]} of operation ${at / OP_FIELDS} is unknown`);
  }
}

/** A touch in pieces, so that a long one sees the machine stop. */
function touch(
  cpu: WorkloadCpu,
  mm: number,
  address: number,
  length: number,
  write: boolean,
  stride: number,
): number {
  const chunk = TOUCH_CHUNK * stride;
  for (let offset = 0; offset < length; offset += chunk) {
    if (offset > 0 && stopped(cpu)) return NOT_RUN;
    const bytes = Math.min(chunk, length - offset);
    const errno = cpu.calls.touch(mm, address + offset, bytes, write, stride);
    if (errno !== 0) return errno;
  }
  return 0;
}
