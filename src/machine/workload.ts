/** Workloads: what one is, what it sees of its CPU, and the loop that runs it. */
import {
  COUNTER_ITERATIONS,
  COUNTER_OPS,
  C_COUNTERS,
  HOST_ABORTED,
  H_CPUS,
  H_DAEMON_CPUS,
  H_STOP,
  STOP_ABORT,
  STOP_NO,
  cpuArea,
  xorshift,
} from '../kernel/abi.ts';
import type { CpuTask } from './cpu.ts';
import { CpuEnd } from './death.ts';
import { seedFor } from './memory.ts';
import type { SystemCalls } from './syscalls.ts';
import type { WorkloadSpec } from './workloadSpec.ts';

/** A workload. A module that is one exports these functions. */
export interface Workload {
  /** What `WorkloadCpu.iterated` counts, such as `faults`; a workload that does not call it counts its operations. */
  unit?: string;
  /** Runs on CPU 0 before all; gives words that all CPUs see as `cpu.shared`. */
  prepare?(cpu: WorkloadCpu): number[];
  /** One operation. */
  run(cpu: WorkloadCpu): void;
  /** Runs on every CPU after its last operation. */
  finish?(cpu: WorkloadCpu): void;
  /** Runs on CPU 0 after all, and after the audit. */
  cleanUp?(cpu: WorkloadCpu): void;
}

/** Looks at interrupts that a stalled reader takes inside its section. */
const STALL_POLLS = 20_000;
const ASYNCHRONOUS = "run of the workload returned a promise; a CPU's operations are synchronous";
/** A stalled reader stalls before one operation in so many. */
const STALL_EVERY = 16;

/** A workload's view of the CPU that it runs on. */
export class WorkloadCpu {
  /** Number of this CPU, and how many run workloads. */
  readonly id: number;
  readonly cpus: number;
  /** System calls of this CPU, and below them the kernel's own calls as `calls.kernel`. */
  readonly calls: SystemCalls;
  /** Handles of the address spaces that the caller gave. */
  readonly spaces: readonly number[];
  /** What `prepare` gave. */
  readonly shared: readonly number[];
  /** The machine's memory, for Atomics. */
  readonly words: Int32Array;
  #state: number;

  constructor(
    task: CpuTask,
    calls: SystemCalls,
    seed: number,
    shared: readonly number[],
    spaces: readonly number[],
  ) {
    this.id = task.cpu;
    this.words = new Int32Array(task.memory.buffer);
    this.cpus = this.words[H_CPUS >>> 2]! - this.words[H_DAEMON_CPUS >>> 2]!;
    this.calls = calls;
    this.shared = shared;
    this.spaces = spaces;
    this.#state = seedFor(seed, task.cpu);
  }

  /** A whole number in [0, below), from this CPU's own seeded generator. */
  random(below: number): number {
    this.#state = xorshift(this.#state);
    return Math.floor((this.#state / 2 ** 32) * below);
  }

  /** Counts `times` iterations of the workload, as the program that it stands for counts them. */
  iterated(times: number): void {
    const at = (cpuArea(this.id) + C_COUNTERS + COUNTER_ITERATIONS * 4) >>> 2;
    this.words[at] = (this.words[at]! + times) | 0;
  }

  /** Whether this CPU has been asked to end its loop. */
  get stopped(): boolean {
    return Atomics.load(this.words, H_STOP >>> 2) !== STOP_NO;
  }
}

/** Does operations until their number is reached or the machine stops; gives how many. */
export function runLoop(workload: Workload, cpu: WorkloadCpu, spec: WorkloadSpec): number {
  const { kernel } = cpu.calls;
  const { words } = cpu;
  const limit = spec.operations === 0 ? Infinity : spec.operations;
  const stalls = cpu.id >= cpu.cpus - spec.stalledReaders;
  const counter = (cpuArea(cpu.id) + C_COUNTERS + COUNTER_OPS * 4) >>> 2;
  const before = words[counter]!;
  let done = 0;
  while (done < limit && Atomics.load(words, H_STOP >>> 2) === STOP_NO) {
    if (stalls && cpu.random(STALL_EVERY) === 0) stall(cpu);
    const result: unknown = workload.run(cpu);
    if (result instanceof Promise) throw new TypeError(ASYNCHRONOUS);
    done++;
    words[counter] = before + done;
    kernel.pollInterrupts();
    kernel.rcuQuiescentState();
  }
  if (Atomics.load(words, H_STOP >>> 2) === STOP_ABORT) throw new CpuEnd(HOST_ABORTED, 0);
  workload.finish?.(cpu);
  return done;
}

/** Stays for long in an RCU section with a PTE table mapped, as a reader that lost its core would. */
function stall(cpu: WorkloadCpu): void {
  const space = cpu.spaces[0] ?? cpu.shared[0];
  if (space !== undefined) cpu.calls.pages.stall(space, stallPage(cpu), STALL_POLLS);
}

const STALL_FIRST_PAGE = 2 ** 18;
const STALL_PAGES = 2 ** 12;

/** A page among those that the mixes' CPUs collide on. */
function stallPage(cpu: WorkloadCpu): number {
  return STALL_FIRST_PAGE + cpu.random(STALL_PAGES);
}
