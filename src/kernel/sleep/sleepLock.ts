/**
 * Locks that are two bits of a word: of a folio's flags (the folio lock), of an inode's lock word. Mutual exclusion; a
 * holder may wait for anything that comes behind the lock in the order. Waiters look for a moment, then park; a parked
 * CPU is idle for RCU.
 *
 * Lock: or the bit SLEEP_LOCKED in; it was clear: taken. Else or SLEEP_WAITERS in as long as the lock is held, wait
 * until SLEEP_LOCKED is clear, and try again. Unlock: clear both; wake all if SLEEP_WAITERS was set. No wake-up is
 * lost: the park compares the word, in which the waiter's bit is.
 * Not fair: a folio lock is held for one folio's work.
 *
 * What the folio lock covers: a page's place (in its inode, its anon_vma), its unmapping through the rmap, its
 * migration. Whoever takes it has a reference on the folio, or something else that keeps it.
 *
 * Lock order: the inode's lock; mmap_lock; the folio lock; VMA lock; i_mmap. A fault holds a VMA's lock, perhaps, so it
 * only tries; when that fails it drops its locks and waits without taking (`folioWaitUnlocked`).
 * Source: Linux mm/filemap.c (folio_lock, folio_unlock, folio_wait_bit_common, migration_entry_wait_on_locked).
 */

import { F_LOCKED, F_WAITERS, folioOf } from '../alloc/folio.ts';
import { pollInterrupts } from '../cpu/irq.ts';
import { awaitNamed } from '../cpu/wait.ts';
import { HOLDER_NOBODY } from '../observe/contention.ts';
import {
  HELD_ORDERED,
  HELD_TRY,
  heldPop,
  heldPush,
  LC_FOLIO,
  LC_INODE,
} from '../observe/lockOrder.ts';
import { lockAcquired, lockReleasesUnnamed } from '../observe/lockStat.ts';
import { violation } from '../observe/report.ts';
import { lockWaited } from '../observe/waitLog.ts';
import { rcuCheckQuiescent, rcuIdleEnter, rcuIdleExit } from '../rcu/rcu.ts';
import { CHECK } from '../word/check.ts';
import { AWAIT_EQUALS, ORACLE_LOCK_ORDER, RWSEM_SPINS } from '../word/config.ts';
import { F_FLAGS, INODE_LOCK } from '../word/layout.ts';
import { and, clockNs, compareExchange, load, notify, or } from '../word/word.ts';

/** Sets the waiters' bit and waits until the lock in `word` is free, which it may no longer be on return. */
function waitUnlocked(word: u32, cls: u32): void {
  const startNs = clockNs();
  let left = RWSEM_SPINS;
  while (left > 0 && (load(word) & F_LOCKED) !== 0) {
    pollInterrupts();
    left -= 1;
  }
  if ((load(word) & F_LOCKED) === 0) return;
  rcuIdleEnter();
  let seen = load(word);
  while ((seen & F_LOCKED) !== 0) {
    const marked: u32 = (seen | F_WAITERS) >>> 0;
    if (seen === marked || compareExchange(word, seen, marked) === seen) {
      awaitNamed(word, F_LOCKED, AWAIT_EQUALS, 0, 0);
      seen = 0;
    } else seen = load(word);
  }
  rcuIdleExit();
  const ns = (clockNs() - startNs) >>> 0;
  lockWaited(word, cls, 0, ns, HOLDER_NOBODY);
}

function take(word: u32): boolean {
  return (or(word, F_LOCKED) & F_LOCKED) === 0;
}

function sleepLock(word: u32, cls: u32): void {
  rcuCheckQuiescent();
  if (CHECK >= 2) heldPush(word, cls, HELD_ORDERED);
  while (!take(word)) waitUnlocked(word, cls);
  lockAcquired(word, cls);
}

function sleepUnlock(word: u32, cls: u32): void {
  if (CHECK >= 2) heldPop(word, cls);
  lockReleasesUnnamed(word, cls);
  const before = and(word, ~(F_LOCKED | F_WAITERS) >>> 0);
  if (CHECK >= 1 && (before & F_LOCKED) === 0) violation(ORACLE_LOCK_ORDER, word, cls, before);
  if ((before & F_WAITERS) !== 0) notify(word, 0x7fffffff);
}

/** Locks a folio; `frame` is its head. No RCU section, no spinlock, no VMA lock. */
export function folioLock(frame: Head): void {
  sleepLock(folioOf(frame) + F_FLAGS, LC_FOLIO);
}

/** Locks a folio if it is free; whether it did. May go against the lock order, as under a PTE lock. */
export function folioTrylock(frame: Head): boolean {
  const word = folioOf(frame) + F_FLAGS;
  if (!take(word)) return false;
  if (CHECK >= 2) heldPush(word, LC_FOLIO, HELD_TRY);
  lockAcquired(word, LC_FOLIO);
  return true;
}

export function folioUnlock(frame: Head): void {
  sleepUnlock(folioOf(frame) + F_FLAGS, LC_FOLIO);
}

/**
 * Unlocks a folio that its maker locked before anybody knew it (splitFolio.ts): it is not among the locks that the CPU
 * is known to hold.
 */
export function folioUnlockNew(frame: Head): void {
  const word = folioOf(frame) + F_FLAGS;
  const before = and(word, ~(F_LOCKED | F_WAITERS) >>> 0);
  if ((before & F_WAITERS) !== 0) notify(word, 0x7fffffff);
}

/**
 * Waits until nobody holds the folio's lock. The caller needs no reference: a frame that is somebody else's by now is
 * waited for as well.
 */
export function folioWaitUnlocked(frame: Frame): void {
  rcuCheckQuiescent();
  const word = folioOf(frame) + F_FLAGS;
  if ((load(word) & F_LOCKED) !== 0) waitUnlocked(word, LC_FOLIO);
}

/** Locks an inode: its size is the caller's. No lock held. */
export function inodeLock(inode: Inode): void {
  sleepLock(inode + INODE_LOCK, LC_INODE);
}

export function inodeUnlock(inode: Inode): void {
  sleepUnlock(inode + INODE_LOCK, LC_INODE);
}
