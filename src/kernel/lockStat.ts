/**
 * The columns of Linux's lock_stat, per lock class and CPU: words of the CPU's own area that nobody else writes, added up
 * by reports. Times are nanoseconds; a total is two words, low then high, because 2^32 ns pass in 4.3 s.
 *
 * Acquisitions, contentions and waiting times are always kept, since only a contended lock pays for the clock. Hold times
 * cost two looks at the clock per acquisition and are kept when H_LOCK_STAT is set.
 *
 * Source: Linux Documentation/locking/lockstat.rst.
 */

import { C_LOCK_STAT, H_LOCK_STAT, LOCK_STAT_BYTES } from './layout.ts';
import { thisCpu } from './percpu.ts';
import { clockNs, peek, poke } from './word.ts';

export const LS_ACQUIRED: u32 = 0;
export const LS_CONTENDED: u32 = 4;
export const LS_WAIT_TOTAL: u32 = 8; // low, high
export const LS_WAIT_MAX: u32 = 16;
export const LS_HOLD_TOTAL: u32 = 24; // low, high
export const LS_HOLD_MAX: u32 = 32;
/** Clock when this CPU got its lock of the class, for reader-writer locks, when hold times are measured. */
export const LS_SINCE: u32 = 36;
/** 32 words: waits whose length in ns has its highest set bit at that place (0 and 1 ns in the first). */
export const LS_WAIT_HISTOGRAM: u32 = 64;

/** @inline */
function column(cls: u32): u32 {
  return thisCpu() + C_LOCK_STAT + cls * LOCK_STAT_BYTES;
}

/** Word at which a hold of a reader-writer lock of class `cls` notes its beginning. */
export function sinceOf(cls: u32): u32 {
  return column(cls) + LS_SINCE;
}

/**
 * Counts one acquisition of a lock of class `cls`.
 * @inline
 */
export function countAcquired(cls: u32): void {
  const at = column(cls) + LS_ACQUIRED;
  poke(at, peek(at) + 1);
}

/** Counts one acquisition that had to wait `ns`. */
export function countWait(cls: u32, ns: u32): void {
  const at = column(cls);
  poke(at + LS_CONTENDED, peek(at + LS_CONTENDED) + 1);
  addLong(at + LS_WAIT_TOTAL, ns);
  if (ns > peek(at + LS_WAIT_MAX)) poke(at + LS_WAIT_MAX, ns);
  countLog2(at + LS_WAIT_HISTOGRAM, ns);
}

/** Counts one hold that lasted `ns`. */
export function countHold(cls: u32, ns: u32): void {
  const at = column(cls);
  addLong(at + LS_HOLD_TOTAL, ns);
  if (ns > peek(at + LS_HOLD_MAX)) poke(at + LS_HOLD_MAX, ns);
}

/**
 * Notes in the word at `since`, which the holder owns, that a hold begins, when hold times are measured.
 * @inline
 */
export function holdBegins(since: u32): void {
  if (peek(H_LOCK_STAT) !== 0) poke(since, clockNs());
}

/**
 * Counts the hold of a lock of class `cls` that `holdBegins` noted, which is about to end.
 * @inline
 */
export function holdEnds(since: u32, cls: u32): void {
  if (peek(H_LOCK_STAT) !== 0) countHold(cls, (clockNs() - peek(since)) >>> 0);
}

/** Adds one to the word of a 32-word histogram that stands for `value`'s highest set bit. */
export function countLog2(histogram: u32, value: u32): void {
  let bit: u32 = 0;
  let rest = value >>> 1;
  while (rest !== 0) {
    bit += 1;
    rest = rest >>> 1;
  }
  const at = histogram + (bit << 2);
  poke(at, peek(at) + 1);
}

function addLong(low: u32, value: u32): void {
  const sum = (peek(low) + value) >>> 0;
  poke(low, sum);
  if (sum < value) poke(low + 4, peek(low + 4) + 1);
}
