/**
 * mmap_lock: the reader-writer lock of an address space (rwsem.ts). Whoever holds it for reading sees no VMA come, go
 * or change; whoever holds it for writing is alone, but for what is on VMA locks, and for lockless walkers.
 *
 * With speculative faults MM_SEQ is odd from when a writer has got the lock until just before it releases or downgrades
 * it. Releasing or downgrading a write lock first moves MM_LOCK_SEQ on, which ends the VMA write locks taken under it.
 *
 * Lock order: outermost. Never inside a read-side section.
 * Source: Linux include/linux/mmap_lock.h (mmap_write_unlock, mm_lock_seqcount_end).
 */

import { LC_MMAP_READ } from '../lock/lock.ts';
import { FAULT_SPECULATIVE } from '../word/config.ts';
import { C_MMAP_READ, MM_LOCK, MM_LOCK_SEQ, MM_SEQ } from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { runFaultPath } from '../word/run.ts';
import { peek, poke, store } from '../word/word.ts';
import {
  rwsemDowngrade,
  rwsemReadLock,
  rwsemReadTrylock,
  rwsemReadUnlock,
  rwsemWriteLock,
  rwsemWriteTrylock,
  rwsemWriteUnlock,
} from './rwsem.ts';

/** Takes the lock for reading. The state says how many readers there are, C_MMAP_READ that this CPU is one of them. */
export function mmapReadLock(mm: Mm): void {
  rwsemReadLock(mm + MM_LOCK, LC_MMAP_READ);
  poke(thisCpu() + C_MMAP_READ, mm);
}

/** Takes the lock for reading unless a writer holds it or anybody waits for it; returns whether it did. */
export function mmapReadTrylock(mm: Mm): boolean {
  if (!rwsemReadTrylock(mm + MM_LOCK, LC_MMAP_READ)) return false;
  poke(thisCpu() + C_MMAP_READ, mm);
  return true;
}

export function mmapReadUnlock(mm: Mm): void {
  poke(thisCpu() + C_MMAP_READ, 0);
  rwsemReadUnlock(mm + MM_LOCK, LC_MMAP_READ);
}

/** Takes the lock for writing. */
export function mmapWriteLock(mm: Mm): void {
  rwsemWriteLock(mm + MM_LOCK, LC_MMAP_READ);
  moveSequence(mm);
}

/** Takes the lock for writing if it is free and nobody waits for it; returns whether it did. */
export function mmapWriteTrylock(mm: Mm): boolean {
  if (!rwsemWriteTrylock(mm + MM_LOCK, LC_MMAP_READ)) return false;
  moveSequence(mm);
  return true;
}

export function mmapWriteUnlock(mm: Mm): void {
  endVmaWriteLocks(mm);
  rwsemWriteUnlock(mm + MM_LOCK, LC_MMAP_READ);
}

/** Turns this CPU's write lock into a read lock, without letting another writer in between. */
export function mmapWriteDowngrade(mm: Mm): void {
  endVmaWriteLocks(mm);
  poke(thisCpu() + C_MMAP_READ, mm);
  rwsemDowngrade(mm + MM_LOCK, LC_MMAP_READ);
}

/**
 * Under the write lock, first and last: speculative faults before this one do not commit any more, and none begins
 * while it is odd.
 */
function moveSequence(mm: Mm): void {
  // Pairs with sequenceHolds in speculative.ts.
  if (runFaultPath() === FAULT_SPECULATIVE) store(mm + MM_SEQ, (peek(mm + MM_SEQ) + 1) >>> 0);
}

/** Under the write lock. Skips nothing: the sequence wraps through 0 like any other value. */
function endVmaWriteLocks(mm: Mm): void {
  moveSequence(mm);
  store(mm + MM_LOCK_SEQ, (peek(mm + MM_LOCK_SEQ) + 1) >>> 0);
}
