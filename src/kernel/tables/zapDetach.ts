/**
 * Detaching an empty PTE table in the zap that emptied it: what protocol `sync` does always, `async` when it is told to
 * be eager.
 *
 * Guarantee: a table is detached only when all its entries are none and no entry can be installed into it afterwards;
 * its memory is freed after the flush and the grace period of the gather. A reader that mapped it meanwhile sees an
 * empty table; a locker sees that the PMD changed.
 *
 *  Eligible: madvise(MADV_DONTNEED), and the zapped piece spans all that the table maps.
 *  Fast path (`reclaimLocked`), the PTE lock held since before the first entry was read: *try* the PMD lock; clear the
 *    PMD. No scan: the lock held throughout is the proof. Trying, since the order is PMD lock before PTE lock: blocking
 *    could deadlock against a slow path.
 *  Slow path (`reclaimUnlocked`), no lock held: PMD lock; map; PTE lock nested; scan every entry; any entry aborts;
 *  clear the PMD (emptiness.ts). Both then, with no lock held: one table fewer in the mm's count, and the table goes to
 *  the gather.
 *
 * Who relies on what: a locker (pteOffsetMapLock) holds the PTE lock and then reads the PMD; the detacher changes the
 * PMD under that PTE lock. An installer of a PTE table (walk.ts) holds the PMD lock, under which the PMD was cleared.
 *
 * Lock order: mmap_lock or VMA lock for read; PMD lock; PTE lock. Source: Linux 6.14 mm/pt_reclaim.c
 * (try_get_and_clear_pmd, try_to_free_pte, free_pte).
 */

import { syncPoint } from '../cpu/syncPoint.ts';
import {
  count,
  COUNTER_RECLAIM_ABORTED,
  COUNTER_TABLES_RECLAIMED_FAST,
  COUNTER_TABLES_RECLAIMED_SLOW,
} from '../observe/stats.ts';
import { detachEmpty, detachLocked, handOver } from './emptiness.ts';
import { pmdTrylock, pmdUnlock } from './offsets.ts';
import { PMD_PAGES } from '../word/config.ts';
import { C_DETACHED } from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { peek, poke } from '../word/word.ts';

/** Whether a zap of [start, end), which one PMD entry covers, may detach that entry's table. */
export function reclaimEligible(start: Vpn, end: Vpn): boolean {
  return end - start >= PMD_PAGES;
}

/**
 * Fast path. Precondition: the PTE lock of the table that the PMD at `pmd` names, held since before its first entry was
 * seen none or cleared. Returns whether the table was detached; then the caller drops the lock and calls
 * `detachedTable`.
 */
export function reclaimLocked(pmd: Pmd): boolean {
  if (!pmdTrylock(pmd)) return false;
  poke(thisCpu() + C_DETACHED, detachLocked(pmd));
  pmdUnlock(pmd);
  count(COUNTER_TABLES_RECLAIMED_FAST);
  return true;
}

/** Hands the table that this CPU detached last, which mapped from `first` on, to the gather. No spinlock held. */
export function detachedTable(gather: Gather, mm: Mm, first: Vpn): void {
  handOver(gather, mm, peek(thisCpu() + C_DETACHED), first);
}

/** Slow path for the table that the PMD at `pmd` names, if any; it maps from `first` on. No spinlock held. */
export function reclaimUnlocked(gather: Gather, mm: Mm, pmd: Pmd, first: Vpn): void {
  syncPoint();
  const table = detachEmpty(pmd, first);
  count(table === 0 ? COUNTER_RECLAIM_ABORTED : COUNTER_TABLES_RECLAIMED_SLOW);
  if (table !== 0) handOver(gather, mm, table, first);
}
