/**
 * Injected trouble as the explorer's choices: the twin of the kernel's inject.ts, which it replaces in programs that
 * are to choose. Where the machine of real threads draws from a generator whether an allocation fails, a CPU dies or an
 * interrupt comes, the explorer tries both. How often each kind may happen on one CPU is a constant, 0 unless a
 * scenario sets it (`about.choices`), so that the choices stay finite.
 *
 * Hardware speculation: at any poll and any synchronisation point a CPU's hardware walker may walk to CHOICES_VPN, and
 * cache the upper entries it finds and the translation, as a processor does that executes ahead. Other CPUs' steps may
 * come between the walk's reads, so every moment at which the walker could see something else is covered. An idle CPU's
 * hardware does not walk (tlb.ts).
 *
 * A rate of 1 of the machine's own injection (every time) still means every time.
 */

import { hardwareWalk } from '../../kernel/access/access.ts';
import {
  injectDeath as injectedDeath,
  injectFailure as injectedFailure,
  injectNth as injectedNth,
} from '../../kernel/observe/inject.ts';
import { HOST_DEATH_EXCEPTION } from '../../kernel/word/config.ts';
import { IPI_SYNC, pollInterrupts as poll, sendInterrupt } from '../../kernel/cpu/irq.ts';
import {
  C_MM,
  C_SEED,
  C_TLB_LAZY,
  H_CPUS,
  H_INJECT_BATCH,
  H_INJECT_FRAME,
  H_INJECT_RESCHED,
  H_INJECT_TABLE,
} from '../../kernel/word/layout.ts';
import { cpuId, thisCpu } from '../../kernel/word/percpu.ts';
import { endCpu, peek, poke } from '../../kernel/word/word.ts';
import { choose } from './primitives.ts';

/**
 * Most times that each kind happens on one CPU, up to 15: failing allocations by what they allocate, or of any kind.
 */
export const CHOICES_TABLE: u32 = 0;
export const CHOICES_BATCH: u32 = 0;
export const CHOICES_FRAME: u32 = 0;
export const CHOICES_ALLOCATION: u32 = 0;
/** Looks at need_resched that find it set. */
export const CHOICES_RESCHED: u32 = 0;
/** Deaths, at a lock just taken. */
export const CHOICES_DEATH: u32 = 0;
/** Interrupts sent to the next CPU. */
export const CHOICES_INTERRUPT: u32 = 0;
/** Walks of the hardware on its own account, to page CHOICES_VPN of the address space that the CPU has loaded. */
export const CHOICES_SPECULATION: u32 = 0;
export const CHOICES_VPN: u32 = 1;

/**
 * Whether it happens now: asks the explorer unless it has happened `most` times. Counts are four bits each of C_SEED.
 */
function happens(shift: u32, most: u32): boolean {
  if (most === 0) return false;
  const counts = thisCpu() + C_SEED;
  const before = peek(counts);
  if (((before >>> shift) & 15) >= most) return false;
  if (choose(2) === 0) return false;
  poke(counts, (before + (1 << shift)) >>> 0);
  return true;
}

/** As inject.ts's: whether this allocation, or look at need_resched, whose rate is at `rate`, goes the other way. */
export function injectFailure(rate: u32): boolean {
  if (peek(rate) !== 0) return injectedFailure(rate);
  if (rate === H_INJECT_TABLE) return happens(0, CHOICES_TABLE);
  if (rate === H_INJECT_BATCH) return happens(4, CHOICES_BATCH);
  if (rate === H_INJECT_FRAME) return happens(8, CHOICES_FRAME);
  if (rate === H_INJECT_RESCHED) return happens(12, CHOICES_RESCHED);
  return false;
}

/** As inject.ts's: whether this allocation, of whatever kind, fails. */
export function injectNth(): boolean {
  if (injectedNth()) return true;
  return happens(16, CHOICES_ALLOCATION);
}

/** As inject.ts's: perhaps the CPU dies with `lock` just taken. */
export function injectDeath(lock: u32): void {
  injectedDeath(lock);
  if (happens(20, CHOICES_DEATH)) endCpu(HOST_DEATH_EXCEPTION, lock);
}

/** As inject.ts's: perhaps an interrupt for the next CPU; perhaps the hardware walks. */
export function syncPoint(): void {
  if (happens(24, CHOICES_INTERRUPT)) {
    const next = cpuId() + 1;
    const target: u32 = next === peek(H_CPUS) ? 0 : next;
    if (target !== cpuId()) sendInterrupt(target, IPI_SYNC);
  }
  speculate();
}

/** As irq.ts's, with a walk of the hardware before it, perhaps. */
export function pollInterrupts(): void {
  speculate();
  poll();
}

function speculate(): void {
  const mm = peek(thisCpu() + C_MM);
  if (mm !== 0 && peek(thisCpu() + C_TLB_LAZY) === 0 && happens(28, CHOICES_SPECULATION))
    hardwareWalk(mm, CHOICES_VPN, 0);
}
