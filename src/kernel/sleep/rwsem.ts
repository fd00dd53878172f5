/**
 * A reader-writer lock, first come, first served among readers and writers. Waiters look for a moment, then park; a
 * parked CPU is idle for RCU. mmap_lock is one, and every other lock that is held across waits.
 *
 * State (RWSEM_STATE): bits 0-23 readers, bits 24-30 the writer's number + 1, bit 31 QUEUED: somebody is in the queue.
 *   Read lock: compare-and-exchange readers + 1 while neither a writer nor QUEUED is there. Write lock: from 0.
 *   Otherwise join the queue. Under the queue's lock: append this CPU, set QUEUED, `grant`; then await one's own word.
 *   Unlock: take one's part out of the state. If that left a queue and no holder, `grant` under the queue's lock.
 *   Grant: as long as the state admits the first in the queue, add it to the state, take it off, and store 0 in its
 *   word; clear QUEUED with the last. So a writer gets the lock alone, readers in a row get it together.
 *
 * While QUEUED is set the state changes only by unlocks, which are atomic subtractions, and by grants, under the
 * queue's lock. No wake-up is lost: an unlock and the setting of QUEUED are atomics on one word. If the unlock comes
 * first, the grant that follows the setting finds the lock free; if it comes second, it finds QUEUED and grants. A
 * waiter that is about to park says so by a compare-and-exchange on its word, which fails when it was granted
 * meanwhile; a grant is an exchange that returns whether the waiter has to be woken, which is done when the queue's
 * lock is released.
 * Nobody overtakes: with QUEUED set new comers queue, so neither side starves. So a reader must not take a lock again
 * that it holds: a writer that came in between would wait for it, and it for the writer.
 *
 * A lock's classes are two numbers in a row, that of readers, `cls`, first.
 *
 * Lock order: by class (lockOrder.ts), never under a spinlock; the queue's lock is innermost. Never inside a read-side
 * section: parking is a quiescent state. Source: Linux kernel/locking/rwsem.c (rwsem_mark_wake).
 */

import { pollInterrupts } from '../cpu/irq.ts';
import { awaitNamed } from '../cpu/wait.ts';
import { LC_RWSEM_QUEUE, spinLock, spinUnlock } from '../lock/lock.ts';
import { contentionMeasured, HOLDER_NOBODY, HOLDER_READERS } from '../observe/contention.ts';
import { HELD_NESTED, HELD_ORDERED, HELD_TRY, heldPop, heldPush } from '../observe/lockOrder.ts';
import { lockAcquired, lockReleases } from '../observe/lockStat.ts';
import { violation } from '../observe/report.ts';
import { lockWaited } from '../observe/waitLog.ts';
import { rcuCheckQuiescent, rcuIdleEnter, rcuIdleExit } from '../rcu/rcu.ts';
import { CHECK } from '../word/check.ts';
import { AWAIT_EQUALS, ORACLE_LOCK_ORDER, PARKING, RWSEM_SPINS } from '../word/config.ts';
import {
  C_RWSEM_NEXT,
  C_RWSEM_WAIT,
  cpuArea,
  RWSEM_HEAD,
  RWSEM_LAST,
  RWSEM_QUEUE,
  RWSEM_STATE,
  RWSEM_TAIL,
} from '../word/layout.ts';
import { cpuId, cpuOfAddress, thisCpu } from '../word/percpu.ts';
import {
  add,
  and,
  clockNs,
  compareExchange,
  exchange,
  load,
  notify,
  or,
  peek,
  poke,
  store,
  sub,
} from '../word/word.ts';

const QUEUED: u32 = 0x80000000;
const READER: u32 = 1;
const READERS: u32 = 0x00ffffff;
const WRITER: u32 = 0x7f000000;
const WRITER_SHIFT: u32 = 24;

/** C_RWSEM_WAIT: 0 not waiting, or granted; otherwise what it waits for, and whether it has parked. */
const WAIT_READ: u32 = 1;
const WAIT_WRITE: u32 = 2;
const WAIT_PARKED: u32 = 4;

function ownWriter(): u32 {
  return (cpuId() + 1) << WRITER_SHIFT;
}

/** Takes the lock at `sem` for reading. */
export function rwsemReadLock(sem: Rwsem, cls: u32): void {
  readLock(sem, cls, HELD_ORDERED);
}

/**
 * As rwsemReadLock, with another lock of the class held; the caller says why the order of the two is the same for all.
 */
export function rwsemReadLockNested(sem: Rwsem, cls: u32): void {
  readLock(sem, cls, HELD_NESTED);
}

function readLock(sem: Rwsem, cls: u32, how: u32): void {
  rcuCheckQuiescent();
  if (CHECK >= 2) heldPush(sem, cls, how);
  if (!tryRead(sem)) waitInQueue(sem, WAIT_READ, cls);
  lockAcquired(sem, cls);
}

/** Takes the lock for reading unless a writer holds it or anybody waits for it; returns whether it did. */
export function rwsemReadTrylock(sem: Rwsem, cls: u32): boolean {
  if (!tryRead(sem)) return false;
  if (CHECK >= 2) heldPush(sem, cls, HELD_TRY);
  lockAcquired(sem, cls);
  return true;
}

export function rwsemReadUnlock(sem: Rwsem, cls: u32): void {
  if (CHECK >= 2) heldPop(sem, cls);
  lockReleases(sem, cls, sem + RWSEM_LAST);
  const before = sub(sem + RWSEM_STATE, READER); // pairs with tryWrite and grant
  if (CHECK >= 1 && (before & READERS) === 0) violation(ORACLE_LOCK_ORDER, sem, cls, before);
  if (before === (QUEUED | READER) >>> 0) grantNext(sem);
}

/** Takes the lock for writing. `cls` is the class of its readers, here and below. */
export function rwsemWriteLock(sem: Rwsem, cls: u32): void {
  rcuCheckQuiescent();
  if (CHECK >= 2) heldPush(sem, cls + 1, HELD_ORDERED);
  if (!tryWrite(sem)) waitInQueue(sem, WAIT_WRITE, cls + 1);
  lockAcquired(sem, cls + 1);
}

/** Takes the lock for writing if it is free and nobody waits for it; returns whether it did. */
export function rwsemWriteTrylock(sem: Rwsem, cls: u32): boolean {
  if (!tryWrite(sem)) return false;
  if (CHECK >= 2) heldPush(sem, cls + 1, HELD_TRY);
  lockAcquired(sem, cls + 1);
  return true;
}

export function rwsemWriteUnlock(sem: Rwsem, cls: u32): void {
  if (CHECK >= 1 && !rwsemWriteHeld(sem))
    violation(ORACLE_LOCK_ORDER, sem, cls + 1, rwsemWriter(sem));
  if (CHECK >= 2) heldPop(sem, cls + 1);
  lockReleases(sem, cls + 1, sem + RWSEM_LAST);
  const before = sub(sem + RWSEM_STATE, ownWriter()); // publishes; pairs with tryRead, tryWrite and grant
  if ((before & QUEUED) !== 0) grantNext(sem);
}

/** Turns this CPU's write lock into a read lock, without letting another writer in between. */
export function rwsemDowngrade(sem: Rwsem, cls: u32): void {
  if (CHECK >= 1 && !rwsemWriteHeld(sem))
    violation(ORACLE_LOCK_ORDER, sem, cls + 1, rwsemWriter(sem));
  if (CHECK >= 2) {
    heldPop(sem, cls + 1);
    heldPush(sem, cls, HELD_TRY);
  }
  lockReleases(sem, cls + 1, sem + RWSEM_LAST);
  lockAcquired(sem, cls);
  const before = sub(sem + RWSEM_STATE, ownWriter() - READER);
  if ((before & QUEUED) !== 0) grantNext(sem);
}

/** Whether this CPU holds the lock for writing. */
export function rwsemWriteHeld(sem: Rwsem): boolean {
  return (load(sem + RWSEM_STATE) & WRITER) === ownWriter();
}

/** Number + 1 of the CPU that holds the lock for writing, 0 when none. */
export function rwsemWriter(sem: Rwsem): u32 {
  return (load(sem + RWSEM_STATE) & WRITER) >>> WRITER_SHIFT;
}

/** CPUs that hold the lock for reading. */
export function rwsemReaders(sem: Rwsem): u32 {
  return load(sem + RWSEM_STATE) & READERS;
}

function tryRead(sem: Rwsem): boolean {
  let state = load(sem + RWSEM_STATE);
  while ((state & (QUEUED | WRITER)) === 0) {
    const before = compareExchange(sem + RWSEM_STATE, state, state + READER);
    if (before === state) return true;
    state = before;
  }
  return false;
}

function tryWrite(sem: Rwsem): boolean {
  return compareExchange(sem + RWSEM_STATE, 0, ownWriter()) === 0;
}

/** Whom a CPU that begins to wait waits for: the writer, or readers. */
function holderSeen(sem: Rwsem): u32 {
  const writer = rwsemWriter(sem);
  if (writer !== 0) return writer;
  return rwsemReaders(sem) === 0 ? HOLDER_NOBODY : HOLDER_READERS;
}

function waitInQueue(sem: Rwsem, kind: u32, cls: u32): void {
  const startNs = clockNs();
  const holder = contentionMeasured() ? holderSeen(sem) : HOLDER_NOBODY;
  const self = thisCpu();
  spinLock(sem + RWSEM_QUEUE, LC_RWSEM_QUEUE);
  store(self + C_RWSEM_WAIT, kind);
  poke(self + C_RWSEM_NEXT, 0);
  if (peek(sem + RWSEM_HEAD) === 0) poke(sem + RWSEM_HEAD, self);
  else poke(peek(sem + RWSEM_TAIL) + C_RWSEM_NEXT, self);
  poke(sem + RWSEM_TAIL, self);
  or(sem + RWSEM_STATE, QUEUED); // pairs with the unlocks' subtractions
  const parked = grant(sem);
  spinUnlock(sem + RWSEM_QUEUE, LC_RWSEM_QUEUE);
  wakeParked(parked);

  const word = self + C_RWSEM_WAIT;
  let left = RWSEM_SPINS;
  while (left > 0 && load(word) !== 0) {
    pollInterrupts();
    left -= 1;
  }
  if (load(word) !== 0) {
    rcuIdleEnter();
    if (PARKING === 0 || compareExchange(word, kind, kind | WAIT_PARKED) === kind)
      awaitNamed(word, 0xffffffff, AWAIT_EQUALS, 0, 0); // pairs with the exchange in grant
    rcuIdleExit();
  }
  lockWaited(sem, cls, sem + RWSEM_LAST, (clockNs() - startNs) >>> 0, holder);
}

function grantNext(sem: Rwsem): void {
  spinLock(sem + RWSEM_QUEUE, LC_RWSEM_QUEUE);
  const parked = grant(sem);
  spinUnlock(sem + RWSEM_QUEUE, LC_RWSEM_QUEUE);
  wakeParked(parked);
}

/** Wakes the CPUs whose bits are set. Not under the queue's lock: a CPU that wakes up here may take this one's core. */
function wakeParked(parked: u32): void {
  let rest = parked;
  let cpu: Cpu = 0;
  while (rest !== 0) {
    if ((rest & 1) !== 0) notify(cpuArea(cpu) + C_RWSEM_WAIT, 1);
    rest = rest >>> 1;
    cpu += 1;
  }
}

/**
 * Under the queue's lock, QUEUED set or the queue empty: lets in from the front whomever the state admits. Returns a
 * bit for each of them that has parked, for `wakeParked`.
 */
function grant(sem: Rwsem): u32 {
  let parked: u32 = 0;
  let head = peek(sem + RWSEM_HEAD);
  let admitted = true;
  while (admitted && head !== 0) {
    const state = load(sem + RWSEM_STATE);
    const word = head + C_RWSEM_WAIT;
    if ((load(word) & WAIT_WRITE) !== 0) {
      admitted = (state & (WRITER | READERS)) === 0;
      if (admitted) add(sem + RWSEM_STATE, (cpuOfAddress(head) + 1) << WRITER_SHIFT);
    } else {
      admitted = (state & WRITER) === 0;
      if (admitted) add(sem + RWSEM_STATE, READER);
    }
    if (admitted) {
      const next = peek(head + C_RWSEM_NEXT);
      poke(sem + RWSEM_HEAD, next);
      if (next === 0) and(sem + RWSEM_STATE, ~QUEUED);
      // From here on the waiter may use its area again.
      if ((exchange(word, 0) & WAIT_PARKED) !== 0)
        parked = (parked | (1 << cpuOfAddress(head))) >>> 0;
      head = next;
    }
  }
  return parked;
}
