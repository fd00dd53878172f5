/**
 * The concurrency floor of the kernel without a machine: header and per-CPU areas only, free memory behind them for
 * locks and objects of the tests.
 */
import { CPUS_MAX, LOCK_ADAPTIVE, SEQ_START } from '../../src/kernel/word/config.ts';
import * as layout from '../../src/kernel/word/layout.ts';
import { LS_NEXT_HOLD } from '../../src/kernel/observe/lockStat.ts';
import { setThisCpu } from '../../src/kernel/word/percpu.ts';
import { rcuIdleExit, rcuInit } from '../../src/kernel/rcu/rcu.ts';
import { attachMemory, peek, poke, store } from '../../src/kernel/word/word.ts';

export const CLOCK_STEP_NS = 1e9;

/** First byte that the floor does not use. */
export const FREE = layout.TABLES;

export interface FloorOptions {
  cpus: number;
  lockKind?: number;
  /** LOCK_STAT_ bits. */
  lockStat?: number;
  /** The longest that a wait may last, ns; default 3 s. */
  stallNs?: number;
  /** Newest grace period at the start. */
  firstGp?: number;
  /** Events per ring, a power of two. */
  ringEvents?: number;
}

/** Memory of a floor. */
export function floorMemory(options: FloorOptions): WebAssembly.Memory {
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 65_536, shared: true });
  const words = new Uint32Array(memory.buffer);
  const put = (address: number, value: number) => (words[address >>> 2] = value);
  put(layout.H_CPUS, options.cpus);
  put(layout.H_LOCK_KIND, options.lockKind ?? LOCK_ADAPTIVE);
  put(layout.H_LOCK_STAT, options.lockStat ?? 0);
  put(layout.H_STALL_NS, options.stallNs ?? 3e9);
  put(layout.H_RING_EVENTS, options.ringEvents ?? 0);
  put(layout.H_RING_BASE, FREE + 0x80000);
  for (let cpu = 0; cpu < CPUS_MAX; cpu++) {
    put(layout.cpuArea(cpu) + layout.C_ID, cpu);
    put(layout.cpuArea(cpu) + layout.C_SEED, 12_345 + cpu);
    for (const counter of [layout.C_RCU_QUEUED, layout.C_RCU_INVOKED])
      put(layout.cpuArea(cpu) + counter, SEQ_START);
    for (let cls = 0; cls < layout.LOCK_CLASSES_MAX && (options.lockStat ?? 0) !== 0; cls++) {
      const at = layout.cpuArea(cpu) + layout.C_LOCK_STAT + cls * layout.LOCK_STAT_BYTES;
      put(at + LS_NEXT_HOLD, 1);
    }
    for (const counter of [layout.C_IPI_REQ, layout.C_IPI_ACK])
      put(layout.cpuArea(cpu) + counter, SEQ_START);
  }
  put(layout.G_RCU_GP_SEQ, options.firstGp ?? SEQ_START);
  put(layout.G_RCU_COMPLETED, options.firstGp ?? SEQ_START);
  return memory;
}

export class CpuEnded extends Error {
  readonly reason: number;
  readonly detail: number;

  constructor(reason: number, detail: number) {
    super(`CPU ended: reason ${reason}, detail 0x${detail.toString(16)}`);
    this.reason = reason;
    this.detail = detail;
  }
}

/**
 * Makes this thread all CPUs of a new floor, none of them idle, and CPU 0 the current one. The clock moves on by
 * CLOCK_STEP_NS with each look at it, so that a wait that can never end here ends after H_STALL_NS of that.
 */
export function floorHere(options: FloorOptions): void {
  let now = 0;
  attachMemory(floorMemory(options).buffer, {
    clockNs: () => (now = (now + CLOCK_STEP_NS) >>> 0),
    end: (reason, detail) => {
      throw new CpuEnded(reason, detail);
    },
  });
  if (options.firstGp === undefined) rcuInit();
  for (let cpu = options.cpus - 1; cpu >= 0; cpu--) {
    setThisCpu(cpu);
    rcuIdleExit();
  }
}

/** Runs `body` as CPU `cpu`, then goes back to CPU 0. */
export function as<T>(cpu: number, body: () => T): T {
  setThisCpu(cpu);
  try {
    return body();
  } finally {
    setThisCpu(0);
  }
}

/** One word of a CPU's area. */
export function cpuWord(cpu: number, offset: number): number {
  return peek(layout.cpuArea(cpu) + offset);
}

export interface Violation {
  oracle: number;
  a: number;
  b: number;
  c: number;
}

/** What CPU `cpu` complained about, oldest first; forgets it. */
export function takeViolations(cpu = 0): Violation[] {
  const area = layout.cpuArea(cpu);
  const count = Math.min(peek(area + layout.C_VIOLATIONS), layout.VIOLATION_RECORDS);
  const found: Violation[] = [];
  for (let i = 0; i < count; i++) {
    const at = area + layout.C_VIOLATION + i * 32;
    found.push({ oracle: peek(at), a: peek(at + 16), b: peek(at + 20), c: peek(at + 24) });
  }
  poke(area + layout.C_VIOLATIONS, 0);
  store(layout.H_STOP, 0);
  return found;
}
