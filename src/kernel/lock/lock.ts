/**
 * Spinlocks. Mutual exclusion, and everything done under the lock by one holder is seen by the next: taking and releasing
 * are sequentially consistent atomics on the same word.
 *
 * Page-table locks (LC_PTE, LC_PMD, LC_PAGE_TABLE) are of the kind that the run chose (H_LOCK_KIND); all others are
 * adaptive. A lock is LOCK_BYTES of zeros when free, whatever its kind, until it is first used.
 *
 * Adaptive, LOCK_WORD = 0, or the owner's number + 1, and bit 31 when somebody may be parked:
 *   Lock: compare-and-exchange 0 to the owner. Failing that, look LOCK_SPINS times, trying when it is free. Failing that, set
 *   bit 31 in whatever the owner left there and park until the word changes; take a free lock with bit 31 set, since others
 *   may be parked too.
 *   Unlock: exchange with 0; if bit 31 was set, wake one.
 * No wake-up is lost: a waiter parks only on a value with bit 31 set, the park compares the word again, and every holder
 * that may have parked waiters behind it has bit 31 in the word, either because a waiter put it there or because it
 * had itself been one. A running CPU may overtake a parked one, which is what keeps threads that outnumber the cores going.
 *
 * Lock order: lockOrder.ts. Source: Drepper, Futexes Are Tricky, section 6 (mutex3); Linux kernel/locking/mutex.c for
 * spinning first.
 */

import { takeWord } from '../cpu/await.ts';
import { pollInterrupts } from '../cpu/irq.ts';
import { awaitNamed, spinFor, waitLasts } from '../cpu/wait.ts';
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
import {
  AWAIT_DIFFERS,
  AWAIT_EQUALS,
  LOCK_ADAPTIVE,
  LOCK_SPINS,
  LOCK_TAS,
  LOCK_TICKET,
  ORACLE_LOCK_ORDER,
  PARKING,
} from '../word/config.ts';
import {
  C_WAIT_HOLDER,
  C_WAIT_SINCE,
  C_WAIT_TIMED,
  LOCK_LAST,
  LOCK_OWNER,
  LOCK_WORD,
} from '../word/layout.ts';
import { cpuId, thisCpu } from '../word/percpu.ts';
import { runLockKind } from '../word/run.ts';
import { clockNs, compareExchange, exchange, load, notify, peek, poke } from '../word/word.ts';
import { mcsLock, mcsTrylock, mcsUnlock } from './kinds/mcs.ts';
import { tasLockSlow, tasTrylock, tasUnlock } from './kinds/tas.ts';
import { ticketLock, ticketTrylock, ticketUnlock } from './kinds/ticket.ts';

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

const WAITERS: u32 = 0x80000000;

/** Kind of the locks of class `cls` in this run. */
function lockKind(cls: u32): u32 {
  if (cls > LC_PAGE_TABLE) return LOCK_ADAPTIVE;
  return runLockKind();
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
  } else if (
    runLockKind() === LOCK_ADAPTIVE &&
    compareExchange(lock + LOCK_WORD, 0, cpuId() + 1) === 0
  )
    lockAcquired(lock, cls);
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
  const kind = lockKind(cls);
  if (kind === LOCK_ADAPTIVE) {
    if (compareExchange(lock + LOCK_WORD, 0, cpuId() + 1) !== 0) return false;
  } else if (!tryOther(lock, kind)) return false;
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
  // The exchange publishes the critical section; pairs with the compare-and-exchange of the next holder.
  if (runLockKind() !== LOCK_ADAPTIVE) release(lock, cls);
  else if ((exchange(lock + LOCK_WORD, 0) & WAITERS) !== 0) notify(lock + LOCK_WORD, 1);
}

/** Number + 1 of the CPU that holds the lock, 0 when none; of use to others than the holder only in reports. */
export function lockOwner(lock: u32, cls: u32): u32 {
  const kind = lockKind(cls);
  if (kind === LOCK_ADAPTIVE || kind === LOCK_TAS) return (load(lock + LOCK_WORD) & ~WAITERS) >>> 0;
  return load(lock + LOCK_OWNER);
}

/** Whether anybody holds the lock: for assertions of holders, and for readers that only want a hint. */
export function spinIsLocked(lock: u32, cls: u32): boolean {
  return lockOwner(lock, cls) !== 0;
}

function acquire(lock: u32, cls: u32): void {
  const kind = lockKind(cls);
  if (kind === LOCK_ADAPTIVE) {
    if (compareExchange(lock + LOCK_WORD, 0, cpuId() + 1) !== 0) adaptiveLockSlow(lock, cls);
  } else acquireOther(lock, cls, kind);
  lockAcquired(lock, cls);
}

function release(lock: u32, cls: u32): void {
  const kind = lockKind(cls);
  if (kind === LOCK_ADAPTIVE) {
    if ((exchange(lock + LOCK_WORD, 0) & WAITERS) !== 0) notify(lock + LOCK_WORD, 1);
  } else if (kind === LOCK_TAS) tasUnlock(lock);
  else if (kind === LOCK_TICKET) ticketUnlock(lock);
  else mcsUnlock(lock);
}

function tryOther(lock: u32, kind: u32): boolean {
  if (kind === LOCK_TAS) return tasTrylock(lock);
  if (kind === LOCK_TICKET) return ticketTrylock(lock);
  return mcsTrylock(lock);
}

/**
 * This CPU is about to wait. Measured, the wait is timed from here on, and whom it waits for is noted; otherwise only from the moment when a
 * few looks have not been enough (`waitLasts`): handing a lock over takes less time than looking at the clock.
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

function acquireOther(lock: u32, cls: u32, kind: u32): void {
  if (tryOther(lock, kind)) return;
  waitBegins(lock, cls);
  if (kind === LOCK_TAS) tasLockSlow(lock);
  else if (kind === LOCK_TICKET) ticketLock(lock);
  else mcsLock(lock);
  waitEnds(lock, cls);
}

function adaptiveLockSlow(lock: u32, cls: u32): void {
  waitBegins(lock, cls);
  const mine = cpuId() + 1;
  let taken = false;
  while (PARKING === 0 && !taken) {
    spinFor(lock + LOCK_WORD, AWAIT_EQUALS, 0);
    taken = compareExchange(lock + LOCK_WORD, 0, mine) === 0;
  }
  let left = LOCK_SPINS;
  while (left > 0 && !taken) {
    if (load(lock + LOCK_WORD) === 0) taken = compareExchange(lock + LOCK_WORD, 0, mine) === 0;
    else pollInterrupts();
    left -= 1;
  }
  if (!taken) waitLasts();
  while (!taken) {
    const seen = load(lock + LOCK_WORD);
    const marked = (seen | WAITERS) >>> 0;
    if (seen === 0) taken = compareExchange(lock + LOCK_WORD, 0, (mine | WAITERS) >>> 0) === 0;
    else if (seen === marked || compareExchange(lock + LOCK_WORD, seen, marked) === seen)
      awaitNamed(lock + LOCK_WORD, 0xffffffff, AWAIT_DIFFERS, marked, 0);
  }
  waitEnds(lock, cls);
}
