/**
 * Per-VMA locks: a page fault or a madvise that concerns one VMA locks only that VMA, without touching mmap_lock.
 *
 * Guarantee. While a CPU holds a VMA's read lock, the VMA stays attached to its mm, and its bounds and flags do not
 * change; a writer of the same VMA waits. Nothing is promised about other VMAs.
 *
 * Words. VMA_REF: 0 detached, 1 attached, one more for each reader, VMA_WRITER while a writer waits for readers to
 * leave.
 * VMA_LOCK_SEQ: MM_LOCK_SEQ as of the VMA's last write lock. A VMA is write-locked while the two are equal and
 * mmap_lock is held for write; releasing or downgrading mmap_lock moves MM_LOCK_SEQ on, which ends all VMA write locks
 * at once.
 *
 * Reader: 1. seq equal: locked, give up. 2. add one to VMA_REF unless it is 0 (detached) or has VMA_WRITER. 3. seq
 * equal now: a writer came and went while mmap_lock is still held; undo, give up. 4. mm and bounds are stable: check
 * them. Writer (mmap_lock for write): 1. add VMA_WRITER, which stops new readers. 2. wait until no reader is left. 3.
 * store the sequence. 4. take VMA_WRITER off: from here on step 1 or 3 of a reader sees the sequence.
 *
 * Step 3 of the reader is needed: between its steps 1 and 2 a writer may have gone through all of its own. It sees the
 * sequence then, since the writer stored it before it took VMA_WRITER off, and step 2 succeeded after that.
 *
 * A detached VMA never gets readers again: removal drops the attached reference when no reader is left.
 *
 * Lock order: mmap_lock, VMA lock, page-table locks. A waiting writer is in an extended quiescent state of RCU.
 * Source: Linux 6.18 mm/mmap_lock.c (lock_vma_under_rcu, __vma_start_write, vma_mark_detached),
 * include/linux/mmap_lock.h (vma_start_read, vma_refcount_put).
 */

import { awaitNamed } from '../cpu/wait.ts';
import { HOLDER_READERS } from '../observe/contention.ts';
import {
  HELD_TRY,
  heldPop,
  heldPush,
  holdsSpinlock,
  LC_VMA_READ,
  LC_VMA_WRITE,
} from '../observe/lockOrder.ts';
import { lockAcquired, lockPassed, lockReleases } from '../observe/lockStat.ts';
import { violation } from '../observe/report.ts';
import { count, COUNTER_VMA_LOCK_REFUSALS } from '../observe/stats.ts';
import { lockWaited } from '../observe/waitLog.ts';
import { rcuIdleEnter, rcuIdleExit, rcuReadLock, rcuReadUnlock } from '../rcu/rcu.ts';
import { CHECK } from '../word/check.ts';
import { AWAIT_EQUALS, ORACLE_ACCOUNTING, ORACLE_LOCK_ORDER } from '../word/config.ts';
import {
  C_VMA_READ,
  MM_LOCK_SEQ,
  VMA_END,
  VMA_LAST,
  VMA_LOCK_SEQ,
  VMA_MM,
  VMA_REF,
  VMA_START,
} from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { add, clockNs, compareExchange, load, notify, poke, store, sub } from '../word/word.ts';
import { findVma } from './vma.ts';

/** Bit of VMA_REF: a writer waits for readers to leave, or is about to end. */
export const VMA_WRITER: u32 = 0x40000000;

const READ_LOCKED: u32 = 0;
const READ_BUSY: u32 = 1;
const READ_DETACHED: u32 = 2;

/** Steps 1 to 3 of a reader. Precondition: RCU section, or the VMA cannot be freed for another reason. */
function vmaStartRead(mm: Mm, vma: Vma): Vma {
  if (load(vma + VMA_LOCK_SEQ) === load(mm + MM_LOCK_SEQ)) return READ_BUSY;
  let seen = load(vma + VMA_REF);
  let taken = false;
  while (!taken) {
    if (seen === 0) return READ_DETACHED;
    if (seen >= VMA_WRITER) return READ_BUSY;
    // Pairs with the writer's VMA_WRITER in vmaStartWrite and with vmaMarkDetached.
    const old = compareExchange(vma + VMA_REF, seen, seen + 1);
    taken = old === seen;
    seen = old;
  }
  if (load(vma + VMA_MM) !== mm || load(vma + VMA_LOCK_SEQ) === load(mm + MM_LOCK_SEQ)) {
    dropReference(vma);
    return READ_BUSY;
  }
  return READ_LOCKED;
}

/**
 * The VMA of `mm` that contains `vpn`, locked for reading, or 0: none was found, or it is write-locked; the caller then
 * takes mmap_lock. Takes no sleeping lock and never waits. Release with `vmaReadUnlock`.
 */
export function lockVmaUnderRcu(mm: Mm, vpn: Vpn): Vma {
  rcuReadLock();
  let vma = findVma(mm, vpn);
  let outcome = READ_DETACHED;
  while (outcome === READ_DETACHED) {
    if (vma === 0 || load(vma + VMA_START) > vpn) {
      rcuReadUnlock();
      return 0;
    }
    outcome = vmaStartRead(mm, vma);
    // A VMA leaves the list before it is detached, so the next search does not meet it again.
    if (outcome === READ_DETACHED) vma = findVma(mm, vpn);
  }
  rcuReadUnlock();
  if (outcome === READ_BUSY) {
    count(COUNTER_VMA_LOCK_REFUSALS);
    return 0;
  }
  if (vpn < load(vma + VMA_START) || vpn >= load(vma + VMA_END)) {
    dropReference(vma);
    return 0;
  }
  if (CHECK >= 2) heldPush(vma + VMA_REF, LC_VMA_READ, HELD_TRY);
  // VMA_REF says how many readers there are, this word that this CPU is one of them.
  poke(thisCpu() + C_VMA_READ, vma);
  lockAcquired(vma + VMA_REF, LC_VMA_READ);
  return vma;
}

/** Releases a read lock. The VMA may be freed at once. */
export function vmaReadUnlock(vma: Vma): void {
  if (CHECK >= 2) heldPop(vma + VMA_REF, LC_VMA_READ);
  poke(thisCpu() + C_VMA_READ, 0);
  lockReleases(vma + VMA_REF, LC_VMA_READ, vma + VMA_LAST);
  dropReference(vma);
}

function dropReference(vma: Vma): void {
  const old = sub(vma + VMA_REF, 1);
  if (CHECK >= 1 && (old & ~VMA_WRITER) === 0) violation(ORACLE_LOCK_ORDER, vma + VMA_REF, old, 0);
  // The last reader wakes the writer, which waits for VMA_WRITER + 1, or + 0 when it detaches.
  if (old >= VMA_WRITER) notify(vma + VMA_REF, 1);
}

/** Steps 1 and 2 of a writer: waits until VMA_REF is `target`. */
function waitForReaders(vma: Vma, target: u32): void {
  if (load(vma + VMA_REF) === target) return;
  if (CHECK >= 2 && holdsSpinlock()) violation(ORACLE_LOCK_ORDER, vma + VMA_REF, target, 0);
  const startNs = clockNs();
  rcuIdleEnter();
  awaitNamed(vma + VMA_REF, 0xffffffff, AWAIT_EQUALS, target, 64);
  rcuIdleExit();
  const ns = (clockNs() - startNs) >>> 0;
  lockWaited(vma + VMA_REF, LC_VMA_WRITE, vma + VMA_LAST, ns, HOLDER_READERS);
}

/** Whether `vma` is write-locked by the holder of mmap_lock. Precondition: mmap_lock for write. */
function vmaIsWriteLocked(vma: Vma): boolean {
  return load(vma + VMA_LOCK_SEQ) === load(load(vma + VMA_MM) + MM_LOCK_SEQ);
}

/**
 * Locks `vma` for writing until mmap_lock is released or downgraded; waits for its readers. A detached VMA is only
 * marked, so that it is locked when it gets attached. Precondition: mmap_lock for write, no RCU section, no spinlock.
 */
export function vmaStartWrite(vma: Vma): void {
  const seq = load(load(vma + VMA_MM) + MM_LOCK_SEQ);
  if (load(vma + VMA_LOCK_SEQ) === seq) return;
  const attached = load(vma + VMA_REF) !== 0;
  if (attached) {
    add(vma + VMA_REF, VMA_WRITER);
    waitForReaders(vma, VMA_WRITER + 1);
  }
  lockPassed(LC_VMA_WRITE, vma + VMA_LAST);
  store(vma + VMA_LOCK_SEQ, seq);
  if (attached) sub(vma + VMA_REF, VMA_WRITER);
}

/** Lets readers in once the write lock ends. Precondition: detached, write-locked, about to be linked. */
export function vmaMarkAttached(vma: Vma): void {
  if (CHECK >= 1 && load(vma + VMA_REF) !== 0) {
    violation(ORACLE_ACCOUNTING, vma + VMA_REF, load(vma + VMA_REF), 0);
  }
  store(vma + VMA_REF, 1);
}

/**
 * Keeps readers out for ever; waits for those between their steps 2 and 3. Precondition: write-locked, out of the list,
 * mmap_lock for write.
 */
export function vmaMarkDetached(vma: Vma): void {
  if (CHECK >= 1 && !vmaIsWriteLocked(vma))
    violation(ORACLE_LOCK_ORDER, vma, load(vma + VMA_START), 0);
  if (sub(vma + VMA_REF, 1) === 1) return;
  // A reader is between its steps 2 and 3 and will back out. With VMA_WRITER up, no new one can come.
  add(vma + VMA_REF, VMA_WRITER);
  waitForReaders(vma, VMA_WRITER);
  sub(vma + VMA_REF, VMA_WRITER);
}
