/**
 * Loops around single calls, for measurements: crossing from JavaScript into the kernel costs more than the calls do.
 */

import { spinLock, spinUnlock } from '../lock/lock.ts';
import {
  callRcu,
  condResched,
  rcuBarrier,
  rcuQuiescentState,
  rcuReadLock,
  rcuReadUnlock,
  synchronizeRcu,
} from '../rcu/rcu.ts';
import { RCU_TEST } from '../rcu/rcuCallbacks.ts';
import { pteOffsetMap, pteUnmap } from '../tables/pteMap.ts';
import { pmdFind } from '../tables/walk.ts';
import { walkLockless } from '../tables/walkers.ts';
import { entryNumber } from '../word/entry.ts';
import { C_RCU_INVOKED, C_RCU_QUEUED, PTDESC_SHIFT, RCU_HEAD_BYTES } from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { load, peek, poke } from '../word/word.ts';

/** What the order of the walks below goes on by, modulo 2^32: odd, so that it visits all pages of a power of two. */
const WALK_STEP: u32 = 2654435761;

/** Takes and releases `times` locks of class `cls`, going round `locks` (a power of two) of them, 64 bytes apart. */
export function measureLock(lock: u32, locks: u32, cls: u32, times: u32): void {
  for (let i: u32 = 0; i < times; i++) {
    const at = lock + ((i & (locks - 1)) << PTDESC_SHIFT);
    spinLock(at, cls);
    spinUnlock(at, cls);
  }
}

/** Takes and releases one lock `times` times, adding one to the word at `counter` each time. */
export function measureCountUnderLock(lock: u32, counter: u32, cls: u32, times: u32): void {
  for (let i: u32 = 0; i < times; i++) {
    spinLock(lock, cls);
    poke(counter, peek(counter) + 1);
    spinUnlock(lock, cls);
  }
}

/** Reads a word `times` times, each in a section of its own; returns the sum. */
export function measureReadSection(address: u32, times: u32): u32 {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < times; i++) {
    rcuReadLock();
    sum = (sum + load(address)) >>> 0;
    rcuReadUnlock();
  }
  return sum;
}

/** Passes through `times` quiescent states. */
export function measureQuiescentState(times: u32): void {
  for (let i: u32 = 0; i < times; i++) rcuQuiescentState();
}

/** Waits for `times` grace periods, one after the other. */
export function measureSynchronizeRcu(times: u32): void {
  for (let i: u32 = 0; i < times; i++) synchronizeRcu();
}

/**
 * Queues `times` callbacks, passing through a quiescent state after every `every`th (a power of two), and returns when
 * all have been invoked. The heads, `headCount` of them, are used in turn; when all are pending it waits.
 */
export function measureCallRcu(heads: u32, headCount: u32, every: u32, times: u32): void {
  const own = thisCpu();
  let next: u32 = 0;
  for (let i: u32 = 0; i < times; i++) {
    callRcu(heads + next * (RCU_HEAD_BYTES + 4), RCU_TEST);
    next += 1;
    if (next === headCount) next = 0;
    if (((i + 1) & (every - 1)) === 0) rcuQuiescentState();
    if ((peek(own + C_RCU_QUEUED) - load(own + C_RCU_INVOKED)) >>> 0 === headCount) rcuBarrier();
  }
  rcuBarrier();
}

/**
 * Walks to `count` pages of `mm` as a lockless reader does, a section for each, without looking at interrupts: to page
 * `base + (order & mask)`, where `order` begins at `from` and goes on by WALK_STEP. Returns the sum of the frame
 * numbers.
 */
export function measureWalk(mm: Mm, base: Vpn, mask: u32, from: u32, count: u32): u32 {
  let order = from;
  let sum: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const vpn: Vpn = (base + ((order & mask) >>> 0)) >>> 0;
    rcuReadLock();
    const pmd = pmdFind(mm, vpn);
    const pte = pmd === 0 ? 0 : pteOffsetMap(pmd, vpn);
    if (pte !== 0) {
      sum = (sum + entryNumber(load(pte))) >>> 0;
      pteUnmap(pte);
    }
    rcuReadUnlock();
    order = (order + WALK_STEP) >>> 0;
  }
  return sum;
}

/** The same by `walkLockless`, which looks at interrupts between its steps and counts the walk. */
export function measureWalkLockless(mm: Mm, base: Vpn, mask: u32, from: u32, count: u32): u32 {
  let order = from;
  let sum: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    sum = (sum + entryNumber(walkLockless(mm, (base + ((order & mask) >>> 0)) >>> 0))) >>> 0;
    order = (order + WALK_STEP) >>> 0;
  }
  return sum;
}

/** A reader that is always busy: a section, then a quiescent state, `times` times; returns the sum of what it read. */
export function measureReader(address: u32, times: u32): u32 {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < times; i++) {
    rcuReadLock();
    sum = (sum + load(address)) >>> 0;
    rcuReadUnlock();
    condResched();
  }
  return sum;
}
