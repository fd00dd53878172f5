/**
 * Spinlocks. Mutual exclusion, and everything done under the lock by one holder is seen by the next: taking and
 * releasing are sequentially consistent atomics on the same word.
 *
 * Page-table locks (LC_PTE, LC_PMD, LC_PAGE_TABLE) are of the kind that the run chose (kindHooks.ts); all others are
 * adaptive (adaptiveLock.ts). A lock is LOCK_BYTES of zeros when free, whatever its kind, until it is first used.
 *
 * Lock order: lockOrder.ts. Source: Linux include/linux/spinlock.h, kernel/locking/lockdep.c for the checks.
 */

import { takeWord } from '../cpu/await.ts';
import { waitLasts } from '../cpu/wait.ts';
import { contentionMeasured, HOLDER_NOBODY } from '../observe/contention.ts';
import { injectDeath } from '../observe/inject.ts';
import {
  HELD_NESTED,
  HELD_ORDERED,
  HELD_TRY,
  heldPop,
  heldPush,
  LC_PAGE_TABLE,
} from '../observe/lockOrder.ts';
import { lockAcquired, lockReleases } from '../observe/lockStat.ts';
import { eventsRecorded, violation } from '../observe/report.ts';
import { lockWaited } from '../observe/waitLog.ts';
import { CHECK } from '../word/check.ts';
import { LOCK_ADAPTIVE, ORACLE_LOCK_ORDER, PARKING } from '../word/config.ts';
import { C_WAIT_HOLDER, C_WAIT_SINCE, C_WAIT_TIMED, LOCK_LAST, LOCK_WORD } from '../word/layout.ts';
import { cpuId, thisCpu } from '../word/percpu.ts';
import { runLockKind } from '../word/run.ts';
import { clockNs, peek, poke } from '../word/word.ts';
import { adaptiveLock, adaptiveOwner, adaptiveTrylock, adaptiveUnlock } from './adaptiveLock.ts';
import { kindLock, kindOwner, kindTrylock, kindUnlock } from './kindHooks.ts';

export {
  LC_ANON_VMA_READ,
  LC_CACHE,
  LC_FRAMES,
  LC_I_MMAP_READ,
  LC_RWSEM_QUEUE,
  LC_MMAP_READ,
  LC_MMAP_WRITE,
  LC_MMS,
  LC_PAGE_TABLE,
  LC_PMD,
  LC_PTE,
  LC_RCU,
  LC_SWAP,
  LC_TABLES,
  LC_VMA_READ,
  LC_VMA_WRITE,
  LC_VMAS,
} from '../observe/lockOrder.ts';

/** Whether locks of class `cls` are of the run's kind; if not, they are adaptive. */
function ofKind(cls: u32): boolean {
  return cls <= LC_PAGE_TABLE;
}

function tryOnce(lock: u32, cls: u32): boolean {
  return ofKind(cls) ? kindTrylock(lock) : adaptiveTrylock(lock);
}

/**
 * Takes a lock of class `cls` (LC_). Interrupts are polled while waiting. Never inside a wait for readers.
 * @inline
 */
export function spinLock(lock: u32, cls: u32): void {
  if (CHECK >= 2) heldPush(lock, cls, HELD_ORDERED);
  if (PARKING === 0 && cls > LC_PAGE_TABLE) {
    // Nobody who holds such a lock waits for anything, so one step tells all that a longer wait would.
    takeWord(lock + LOCK_WORD, cpuId() + 1);
    lockAcquired(lock, cls);
  } else if (runLockKind() === LOCK_ADAPTIVE && adaptiveTrylock(lock)) lockAcquired(lock, cls);
  else acquire(lock, cls);
  if (CHECK >= 1) injectDeath(lock);
}

/** Takes a lock while one of the same rank is held; the caller has an order among the two, the same everywhere. */
export function spinLockNested(lock: u32, cls: u32): void {
  if (CHECK >= 2) heldPush(lock, cls, HELD_NESTED);
  acquire(lock, cls);
  if (CHECK >= 1) injectDeath(lock);
}

/** Takes a lock if it is free; returns whether it did. May go against the lock order. */
export function spinTrylock(lock: u32, cls: u32): boolean {
  if (!tryOnce(lock, cls)) return false;
  if (CHECK >= 2) heldPush(lock, cls, HELD_TRY);
  lockAcquired(lock, cls);
  if (CHECK >= 1) injectDeath(lock);
  return true;
}

/**
 * Releases a lock that this CPU holds.
 * @inline
 */
export function spinUnlock(lock: u32, cls: u32): void {
  if (CHECK >= 2) heldPop(lock, cls);
  if (CHECK >= 1 && lockOwner(lock, cls) !== cpuId() + 1)
    violation(ORACLE_LOCK_ORDER, lock, cls, lockOwner(lock, cls));
  lockReleases(lock, cls, lock + LOCK_LAST);
  if (runLockKind() !== LOCK_ADAPTIVE) release(lock, cls);
  else adaptiveUnlock(lock);
}

/** Number + 1 of the CPU that holds the lock, 0 when none; of use to others than the holder only in reports. */
export function lockOwner(lock: u32, cls: u32): u32 {
  return ofKind(cls) ? kindOwner(lock) : adaptiveOwner(lock);
}

/** Whether anybody holds the lock: for assertions of holders, and for readers that only want a hint. */
export function spinIsLocked(lock: u32, cls: u32): boolean {
  return lockOwner(lock, cls) !== 0;
}

function acquire(lock: u32, cls: u32): void {
  if (!tryOnce(lock, cls)) {
    waitBegins(lock, cls);
    if (ofKind(cls)) kindLock(lock);
    else adaptiveLock(lock);
    waitEnds(lock, cls);
  }
  lockAcquired(lock, cls);
}

function release(lock: u32, cls: u32): void {
  if (ofKind(cls)) kindUnlock(lock);
  else adaptiveUnlock(lock);
}

/**
 * This CPU is about to wait. Measured, the wait is timed from here on, and whom it waits for is noted; otherwise only
 * from the moment when a few looks have not been enough (`waitLasts`): handing a lock over takes less time than looking
 * at the clock.
 */
function waitBegins(lock: u32, cls: u32): void {
  const cpu = thisCpu();
  const measured = contentionMeasured();
  poke(cpu + C_WAIT_HOLDER, measured ? lockOwner(lock, cls) : HOLDER_NOBODY);
  poke(cpu + C_WAIT_TIMED, 0);
  if (measured || eventsRecorded()) waitLasts();
}

/** It has got the lock. */
function waitEnds(lock: u32, cls: u32): void {
  const cpu = thisCpu();
  const timed = peek(cpu + C_WAIT_TIMED) !== 0;
  const ns = timed ? (clockNs() - peek(cpu + C_WAIT_SINCE)) >>> 0 : 0;
  lockWaited(lock, cls, lock + LOCK_LAST, ns, peek(cpu + C_WAIT_HOLDER));
}
