/**
 * The columns of Linux's lock_stat, per lock class and CPU: words of the CPU's own area that nobody else writes, added
 * up by reports. Times are nanoseconds; a total is two words, low then high, because 2^32 ns pass in 4.3 s.
 *
 * Acquisitions, contentions and waiting times are always kept. A spinlock that is handed over within a few looks
 * (LOCK_SPINS, about a microsecond) counts as a wait of 0 ns then: two looks at the clock take longer than handing a
 * lock over, and the second one would be under the lock. Once contention is measured or events are recorded every wait
 * is timed from its beginning. The rest is kept when H_LOCK_STAT asks for it:
 *   LOCK_STAT_CONTENTION  bounces, what contention.ts remembers, and how long one acquisition of a class in about
 *                         HOLD_EVERY is held: the first, then at distances drawn at random from 1 to 2 * HOLD_EVERY -
 *                         1, so that a loop that takes its locks in turn hides none.
 *   LOCK_STAT_HOLDS       bounces, and how long each acquisition is held, which costs two looks at the clock each.
 * LS_HOLDS counts the holds that were timed: times of all acquisitions are those of the timed ones, scaled.
 *
 * A bounce is an acquisition by another CPU than the last one; the lock remembers that one in a word that its holder
 * writes. It looks at it and writes it just before it releases the lock, which needs the cache line anyway; any sooner
 * the line may have to come back from a CPU that waits, while the lock is held. The word of a reader-writer lock is
 * written by readers at once: each of its values is a CPU that had the lock, and whoever reads an older one counts a
 * bounce too many or too few.
 *
 * Source: Linux Documentation/locking/lockstat.rst, kernel/locking/lockdep.c (lock_acquired, lock_release_holdtime).
 */

import {
  C_HOLD_DEPTH,
  C_HOLD_SEED,
  C_HOLDS,
  C_LOCK_STAT,
  HOLDS_MAX,
  LOCK_STAT_BYTES,
} from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { runLockStat } from '../word/run.ts';
import { clockNs, peek, poke } from '../word/word.ts';
import { xorshift } from '../word/xorshift.ts';

/** Bits of H_LOCK_STAT. */
export const LOCK_STAT_HOLDS: u32 = 1;
export const LOCK_STAT_CONTENTION: u32 = 2;
/** One hold in so many is timed, on the average, when not all are; a power of two. */
export const HOLD_EVERY: u32 = 1024;

export const LS_ACQUIRED: u32 = 0;
export const LS_CONTENDED: u32 = 4;
export const LS_WAIT_TOTAL: u32 = 8; // low, high
export const LS_WAIT_MAX: u32 = 16;
export const LS_WAIT_MIN: u32 = 20; // of LS_CONTENDED waits
export const LS_HOLD_TOTAL: u32 = 24; // low, high; of LS_HOLDS holds, as the two below
export const LS_HOLD_MAX: u32 = 32;
export const LS_HOLD_MIN: u32 = 36;
export const LS_HOLDS: u32 = 40; // holds timed
export const LS_BOUNCES: u32 = 44; // acquisitions by another CPU than the last
export const LS_CONTENDED_BOUNCES: u32 = 48; // those of them that had to wait
export const LS_NEXT_HOLD: u32 = 52; // LS_ACQUIRED as of the next acquisition whose hold is timed; 0: H_LOCK_STAT is 0
/** 32 words: waits whose length in ns has its highest set bit at that place (0 and 1 ns in the first). */
export const LS_WAIT_HISTOGRAM: u32 = 64;

/** @inline */
function column(cls: u32): u32 {
  return thisCpu() + C_LOCK_STAT + cls * LOCK_STAT_BYTES;
}

/**
 * This CPU has just taken the lock at `lock`: counts that and, if asked for, times the hold. The lock is named by its
 * address until `lockReleases`.
 * @inline
 */
export function lockAcquired(lock: u32, cls: u32): void {
  const at = column(cls);
  const acquired = peek(at + LS_ACQUIRED) + 1;
  poke(at + LS_ACQUIRED, acquired);
  if (runLockStat() !== 0 && acquired === peek(at + LS_NEXT_HOLD)) holdBegins(lock, cls);
}

/**
 * The same for a lock whose hold ends with another one's, and is not timed: its release is not told. `last` as for
 * lockReleases.
 */
export function lockPassed(cls: u32, last: u32): void {
  const at = column(cls);
  poke(at + LS_ACQUIRED, peek(at + LS_ACQUIRED) + 1);
  if (runLockStat() !== 0 && peek(last) !== thisCpu()) countBounce(cls, last);
}

/**
 * This CPU is about to release that lock, or to hold it in another mode. The lock remembers its last holder in the word
 * at `last`.
 * @inline
 */
export function lockReleases(lock: u32, cls: u32, last: u32): void {
  if (runLockStat() !== 0) {
    if (peek(thisCpu() + C_HOLD_DEPTH) !== 0) holdEnds(lock, cls);
    if (peek(last) !== thisCpu()) countBounce(cls, last);
  }
}

/** The same for a lock that does not remember who held it. */
export function lockReleasesUnnamed(lock: u32, cls: u32): void {
  if (peek(thisCpu() + C_HOLD_DEPTH) !== 0) holdEnds(lock, cls);
}

/** Remembers at `last` that this CPU holds a lock, and counts a bounce if another one was the last to do so. */
function countBounce(cls: u32, last: u32): void {
  const before = peek(last);
  poke(last, thisCpu());
  if (before === 0) return;
  const at = column(cls) + LS_BOUNCES;
  poke(at, peek(at) + 1);
}

function holdBegins(lock: u32, cls: u32): void {
  const cpu = thisCpu();
  const at = column(cls);
  const every = (runLockStat() & LOCK_STAT_HOLDS) !== 0;
  const next = (peek(at + LS_ACQUIRED) + (every ? 1 : nextDistance())) >>> 0;
  poke(at + LS_NEXT_HOLD, next === 0 ? 1 : next);
  const depth = peek(cpu + C_HOLD_DEPTH);
  if (depth === HOLDS_MAX) return;
  poke(cpu + C_HOLDS + (depth << 3), lock);
  poke(cpu + C_HOLDS + (depth << 3) + 4, clockNs());
  poke(cpu + C_HOLD_DEPTH, depth + 1);
}

/** Acquisitions from one whose hold is timed to the next: at random from 1 to 2 * HOLD_EVERY - 1. */
function nextDistance(): u32 {
  const at = thisCpu() + C_HOLD_SEED;
  const state = xorshift((peek(at) + 0x9e3779b9) >>> 0);
  poke(at, state);
  const drawn = (state >>> 8) & (2 * HOLD_EVERY - 1);
  return drawn === 0 ? HOLD_EVERY : drawn;
}

/** Counts the hold of `lock`, if it is one of those that are timed. */
function holdEnds(lock: u32, cls: u32): void {
  const cpu = thisCpu();
  let at = peek(cpu + C_HOLD_DEPTH);
  while (at !== 0) {
    at -= 1;
    const hold = cpu + C_HOLDS + (at << 3);
    if (peek(hold) === lock) {
      countHold(cls, (clockNs() - peek(hold + 4)) >>> 0);
      // The last one takes its place: nobody asks in which order they began.
      const last = peek(cpu + C_HOLD_DEPTH) - 1;
      poke(hold, peek(cpu + C_HOLDS + (last << 3)));
      poke(hold + 4, peek(cpu + C_HOLDS + (last << 3) + 4));
      poke(cpu + C_HOLD_DEPTH, last);
      return;
    }
  }
}

/** Counts one acquisition that had to wait `ns`, of a lock that remembers its last holder at `last` (0: nowhere). */
export function countWait(cls: u32, ns: u32, last: u32): void {
  const at = column(cls);
  if (last !== 0 && runLockStat() !== 0 && peek(last) !== thisCpu())
    poke(at + LS_CONTENDED_BOUNCES, peek(at + LS_CONTENDED_BOUNCES) + 1);
  const before = peek(at + LS_CONTENDED);
  poke(at + LS_CONTENDED, before + 1);
  addLong(at + LS_WAIT_TOTAL, ns);
  if (ns > peek(at + LS_WAIT_MAX)) poke(at + LS_WAIT_MAX, ns);
  if (before === 0 || ns < peek(at + LS_WAIT_MIN)) poke(at + LS_WAIT_MIN, ns);
  countLog2(at + LS_WAIT_HISTOGRAM, ns);
}

/** Counts one hold that lasted `ns`. */
function countHold(cls: u32, ns: u32): void {
  const at = column(cls);
  const before = peek(at + LS_HOLDS);
  poke(at + LS_HOLDS, before + 1);
  addLong(at + LS_HOLD_TOTAL, ns);
  if (ns > peek(at + LS_HOLD_MAX)) poke(at + LS_HOLD_MAX, ns);
  if (before === 0 || ns < peek(at + LS_HOLD_MIN)) poke(at + LS_HOLD_MIN, ns);
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

/** Adds to a total of two words, low then high. */
export function addLong(low: u32, value: u32): void {
  const sum = (peek(low) + value) >>> 0;
  poke(low, sum);
  if (sum < value) poke(low + 4, peek(low + 4) + 1);
}
