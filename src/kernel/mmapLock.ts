/**
 * mmap_lock: a reader-writer lock, first come, first served among readers and writers. Waiters look for a moment, then park;
 * a parked CPU is idle for RCU.
 *
 * State (MM_LOCK): bits 0-23 readers, bits 24-30 the writer's number + 1, bit 31 QUEUED: somebody is in the queue.
 *   Read lock: compare-and-exchange readers + 1 while neither a writer nor QUEUED is there. Write lock: from 0.
 *   Otherwise join the queue. Under the queue's lock: append this CPU, set QUEUED, `grant`; then await one's own word.
 *   Unlock: take one's part out of the state. If that left a queue and no holder, `grant` under the queue's lock.
 *   Grant: as long as the state admits the first in the queue, add it to the state, take it off, and store 0 in its word; clear
 *   QUEUED with the last. So a writer gets the lock alone, readers in a row get it together.
 *
 * While QUEUED is set the state changes only by unlocks, which are atomic subtractions, and by grants, under the queue's lock.
 * No wake-up is lost: an unlock and the setting of QUEUED are atomics on one word. If the unlock comes first, the grant that
 * follows the setting finds the lock free; if it comes second, it finds QUEUED and grants. A waiter that is about to park
 * says so by a compare-and-exchange on its word, which fails when it was granted meanwhile; a grant is an exchange that returns
 * whether the waiter has to be woken, which is done when the queue's lock is released.
 * Nobody overtakes: with QUEUED set new comers queue, so neither side starves.
 *
 * Releasing or downgrading a write lock first moves MM_LOCK_SEQ on, which ends the VMA write locks taken under it.
 *
 * Lock order: outermost; the queue's lock is innermost. Never inside a read-side section: parking is a quiescent state.
 * Source: Linux kernel/locking/rwsem.c (rwsem_mark_wake), include/linux/mmap_lock.h (mm_lock_seqcount_end).
 */

import { CHECK } from './check.ts';
import { AWAIT_EQUALS, MMAP_SPINS, ORACLE_LOCK_ORDER, PARKING } from './config.ts';
import { pollInterrupts } from './irq.ts';
import {
  C_MMAP_NEXT,
  C_MMAP_READ,
  C_MMAP_WAIT,
  cpuArea,
  MM_LOCK,
  MM_LOCK_HEAD,
  MM_LOCK_LAST,
  MM_LOCK_QUEUE,
  MM_LOCK_SEQ,
  MM_LOCK_TAIL,
} from './layout.ts';
import { LC_MMAP_QUEUE, LC_MMAP_READ, LC_MMAP_WRITE, spinLock, spinUnlock } from './lock.ts';
import { HELD_ORDERED, HELD_TRY, heldPop, heldPush } from './lockOrder.ts';
import { contentionMeasured, HOLDER_NOBODY, HOLDER_READERS, lockWaited } from './contention.ts';
import { lockAcquired, lockReleases } from './lockStat.ts';
import { cpuId, cpuOfAddress, thisCpu } from './percpu.ts';
import { rcuCheckQuiescent, rcuIdleEnter, rcuIdleExit } from './rcu.ts';
import { violation } from './report.ts';
import { awaitNamed } from './wait.ts';
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
} from './word.ts';

const QUEUED: u32 = 0x80000000;
const READER: u32 = 1;
const READERS: u32 = 0x00ffffff;
const WRITER: u32 = 0x7f000000;
const WRITER_SHIFT: u32 = 24;

/** C_MMAP_WAIT: 0 not waiting, or granted; otherwise what it waits for, and whether it has parked. */
const WAIT_READ: u32 = 1;
const WAIT_WRITE: u32 = 2;
const WAIT_PARKED: u32 = 4;

function ownWriter(): u32 {
  return (cpuId() + 1) << WRITER_SHIFT;
}

/** Takes the lock for reading. */
export function mmapReadLock(mm: u32): void {
  rcuCheckQuiescent();
  if (CHECK >= 2) heldPush(mm, LC_MMAP_READ, HELD_ORDERED);
  if (!tryRead(mm)) waitInQueue(mm, WAIT_READ, LC_MMAP_READ);
  noteRead(mm);
}

/** Takes the lock for reading unless a writer holds it or anybody waits for it; returns whether it did. */
export function mmapReadTrylock(mm: u32): boolean {
  if (!tryRead(mm)) return false;
  if (CHECK >= 2) heldPush(mm, LC_MMAP_READ, HELD_TRY);
  noteRead(mm);
  return true;
}

export function mmapReadUnlock(mm: u32): void {
  if (CHECK >= 2) heldPop(mm, LC_MMAP_READ);
  poke(thisCpu() + C_MMAP_READ, 0);
  lockReleases(mm + MM_LOCK, LC_MMAP_READ);
  const before = sub(mm + MM_LOCK, READER); // pairs with tryWrite and grant
  if (CHECK >= 1 && (before & READERS) === 0)
    violation(ORACLE_LOCK_ORDER, mm, LC_MMAP_READ, before);
  if (before === (QUEUED | READER) >>> 0) grantNext(mm);
}

/** Takes the lock for writing. */
export function mmapWriteLock(mm: u32): void {
  rcuCheckQuiescent();
  if (CHECK >= 2) heldPush(mm, LC_MMAP_WRITE, HELD_ORDERED);
  if (!tryWrite(mm)) waitInQueue(mm, WAIT_WRITE, LC_MMAP_WRITE);
  noteWrite(mm);
}

/** Takes the lock for writing if it is free and nobody waits for it; returns whether it did. */
export function mmapWriteTrylock(mm: u32): boolean {
  if (!tryWrite(mm)) return false;
  if (CHECK >= 2) heldPush(mm, LC_MMAP_WRITE, HELD_TRY);
  noteWrite(mm);
  return true;
}

export function mmapWriteUnlock(mm: u32): void {
  checkWriter(mm);
  if (CHECK >= 2) heldPop(mm, LC_MMAP_WRITE);
  endVmaWriteLocks(mm);
  lockReleases(mm + MM_LOCK, LC_MMAP_WRITE);
  const before = sub(mm + MM_LOCK, ownWriter()); // publishes; pairs with tryRead, tryWrite and grant
  if ((before & QUEUED) !== 0) grantNext(mm);
}

/** Turns this CPU's write lock into a read lock, without letting another writer in between. */
export function mmapWriteDowngrade(mm: u32): void {
  checkWriter(mm);
  if (CHECK >= 2) {
    heldPop(mm, LC_MMAP_WRITE);
    heldPush(mm, LC_MMAP_READ, HELD_TRY);
  }
  endVmaWriteLocks(mm);
  lockReleases(mm + MM_LOCK, LC_MMAP_WRITE);
  noteRead(mm);
  const before = sub(mm + MM_LOCK, ownWriter() - READER);
  if ((before & QUEUED) !== 0) grantNext(mm);
}

/** Whether this CPU holds the lock for writing. */
export function mmapWriteHeld(mm: u32): boolean {
  return (load(mm + MM_LOCK) & WRITER) === ownWriter();
}

/** Number + 1 of the CPU that holds the lock for writing, 0 when none. */
export function mmapWriter(mm: u32): u32 {
  return (load(mm + MM_LOCK) & WRITER) >>> WRITER_SHIFT;
}

/** CPUs that hold the lock for reading. */
export function mmapReaders(mm: u32): u32 {
  return load(mm + MM_LOCK) & READERS;
}

/** This CPU has the lock for reading: the state says how many readers there are, this word that it is one of them. */
function noteRead(mm: u32): void {
  poke(thisCpu() + C_MMAP_READ, mm);
  lockAcquired(mm + MM_LOCK, LC_MMAP_READ, mm + MM_LOCK_LAST);
}

function noteWrite(mm: u32): void {
  lockAcquired(mm + MM_LOCK, LC_MMAP_WRITE, mm + MM_LOCK_LAST);
}

function checkWriter(mm: u32): void {
  if (CHECK >= 1 && !mmapWriteHeld(mm))
    violation(ORACLE_LOCK_ORDER, mm, LC_MMAP_WRITE, mmapWriter(mm));
}

/** Under the write lock. Skips nothing: the sequence wraps through 0 like any other value. */
function endVmaWriteLocks(mm: u32): void {
  store(mm + MM_LOCK_SEQ, (peek(mm + MM_LOCK_SEQ) + 1) >>> 0);
}

function tryRead(mm: u32): boolean {
  let state = load(mm + MM_LOCK);
  while ((state & (QUEUED | WRITER)) === 0) {
    const before = compareExchange(mm + MM_LOCK, state, state + READER);
    if (before === state) return true;
    state = before;
  }
  return false;
}

function tryWrite(mm: u32): boolean {
  return compareExchange(mm + MM_LOCK, 0, ownWriter()) === 0;
}

/** Whom a waiter waits for: the writer, or readers. */
function holderSeen(mm: u32): u32 {
  const writer = mmapWriter(mm);
  if (writer !== 0) return writer;
  return mmapReaders(mm) === 0 ? HOLDER_NOBODY : HOLDER_READERS;
}

function waitInQueue(mm: u32, kind: u32, cls: u32): void {
  const startNs = clockNs();
  const holder = contentionMeasured() ? holderSeen(mm) : HOLDER_NOBODY;
  const self = thisCpu();
  spinLock(mm + MM_LOCK_QUEUE, LC_MMAP_QUEUE);
  store(self + C_MMAP_WAIT, kind);
  poke(self + C_MMAP_NEXT, 0);
  if (peek(mm + MM_LOCK_HEAD) === 0) poke(mm + MM_LOCK_HEAD, self);
  else poke(peek(mm + MM_LOCK_TAIL) + C_MMAP_NEXT, self);
  poke(mm + MM_LOCK_TAIL, self);
  or(mm + MM_LOCK, QUEUED); // pairs with the unlocks' subtractions
  const parked = grant(mm);
  spinUnlock(mm + MM_LOCK_QUEUE, LC_MMAP_QUEUE);
  wakeParked(parked);

  const word = self + C_MMAP_WAIT;
  let left = MMAP_SPINS;
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
  lockWaited(mm + MM_LOCK, cls, startNs, holder);
}

function grantNext(mm: u32): void {
  spinLock(mm + MM_LOCK_QUEUE, LC_MMAP_QUEUE);
  const parked = grant(mm);
  spinUnlock(mm + MM_LOCK_QUEUE, LC_MMAP_QUEUE);
  wakeParked(parked);
}

/** Wakes the CPUs whose bits are set. Not under the queue's lock: a CPU that wakes up here may take this one's core. */
function wakeParked(parked: u32): void {
  let rest = parked;
  let cpu: u32 = 0;
  while (rest !== 0) {
    if ((rest & 1) !== 0) notify(cpuArea(cpu) + C_MMAP_WAIT, 1);
    rest = rest >>> 1;
    cpu += 1;
  }
}

/**
 * Under the queue's lock, QUEUED set or the queue empty: lets in from the front whomever the state admits. Returns a bit for each
 * of them that has parked, for `wakeParked`.
 */
function grant(mm: u32): u32 {
  let parked: u32 = 0;
  let head = peek(mm + MM_LOCK_HEAD);
  let admitted = true;
  while (admitted && head !== 0) {
    const state = load(mm + MM_LOCK);
    const word = head + C_MMAP_WAIT;
    if ((load(word) & WAIT_WRITE) !== 0) {
      admitted = (state & (WRITER | READERS)) === 0;
      if (admitted) add(mm + MM_LOCK, (cpuOfAddress(head) + 1) << WRITER_SHIFT);
    } else {
      admitted = (state & WRITER) === 0;
      if (admitted) add(mm + MM_LOCK, READER);
    }
    if (admitted) {
      const next = peek(head + C_MMAP_NEXT);
      poke(mm + MM_LOCK_HEAD, next);
      if (next === 0) and(mm + MM_LOCK, ~QUEUED);
      // From here on the waiter may use its area again.
      if ((exchange(word, 0) & WAIT_PARKED) !== 0)
        parked = (parked | (1 << cpuOfAddress(head))) >>> 0;
      head = next;
    }
  }
  return parked;
}
