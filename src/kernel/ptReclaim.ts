/**
 * Reclaim protocol `sync`: an empty PTE table is detached by the zap that emptied it. (`none`: never.)
 *
 * Guarantee: a table is detached only when all its entries are none and no entry can be installed into it afterwards; its memory is freed
 * after the flush and the grace period of the gather. A reader that mapped it meanwhile sees an empty table; a locker sees that the PMD changed.
 *
 *  Eligible: madvise(MADV_DONTNEED), and the zapped piece spans all that the table maps.
 *  Fast path (`reclaimLocked`), the PTE lock held since before the first entry was read: *try* the PMD lock; clear the PMD. No scan: the lock held
 *    throughout is the proof. Trying, since the order is PMD lock before PTE lock: blocking could deadlock against a slow path.
 *  Slow path (`reclaimUnlocked`), no lock held: PMD lock; map; PTE lock nested; scan every entry; any entry aborts; clear the PMD.
 *  Both then, with no lock held: one table fewer in the mm's count, and the table goes to the gather.
 *
 * Who relies on what: a locker (pteOffsetMapLock) holds the PTE lock and then reads the PMD; the detacher changes the PMD under that PTE lock. An
 * installer of a PTE table (walk.ts) holds the PMD lock, under which the PMD was cleared.
 *
 * Lock order: mmap_lock or VMA lock for read; PMD lock; PTE lock. Source: Linux 6.14 mm/pt_reclaim.c (try_get_and_clear_pmd,
 * try_to_free_pte, free_pte).
 */

import { PMD_PAGES, TABLE_ENTRIES } from './config.ts';
import { entryNumber } from './entry.ts';
import { pteFreeTlb } from './gather.ts';
import { syncPoint } from './inject.ts';
import { C_DETACHED } from './layout.ts';
import { thisCpu } from './percpu.ts';
import { mappedPmd, pteLockNested, pteOffsetMapRwNolock, pteUnlock, pteUnmap } from './pteMap.ts';
import {
  count,
  COUNTER_RECLAIM_ABORTED,
  COUNTER_TABLES_RECLAIMED_FAST,
  COUNTER_TABLES_RECLAIMED_SLOW,
} from './stats.ts';
import { LEVEL_PTE, tableDetach } from './table.ts';
import { mmDecTables, pmdLock, pmdTrylock, pmdUnlock } from './walk.ts';
import { noteTableReclaimed } from './wastedFrees.ts';
import { load, peek, poke, store } from './word.ts';

/** Whether a zap of [start, end), which one PMD entry covers, may detach that entry's table. */
export function reclaimEligible(start: u32, end: u32): boolean {
  return end - start >= PMD_PAGES;
}

/** Clears the PMD entry and marks the table that it named. PMD and PTE lock held, the table known to be empty. */
export function detachTable(pmd: u32): void {
  const table = entryNumber(load(pmd));
  // Pairs with the second look of pteOffsetMapLock and with the loads of lockless walkers.
  store(pmd, 0);
  tableDetach(table);
  poke(thisCpu() + C_DETACHED, table);
}

/**
 * Fast path. Precondition: the PTE lock of the table that the PMD at `pmd` names, held since before its first entry was seen none or cleared. Returns
 * whether the table was detached; then the caller drops the lock and calls `detachedTable`.
 */
export function reclaimLocked(pmd: u32): boolean {
  if (!pmdTrylock(pmd)) return false;
  detachTable(pmd);
  pmdUnlock(pmd);
  count(COUNTER_TABLES_RECLAIMED_FAST);
  return true;
}

/** Hands the table that this CPU detached last, which mapped from `first` on, to the gather. No spinlock held. */
export function detachedTable(gather: u32, mm: u32, first: u32): void {
  mmDecTables(mm, LEVEL_PTE);
  noteTableReclaimed(mm, first);
  pteFreeTlb(gather, peek(thisCpu() + C_DETACHED), first);
}

/** Whether every entry of the table that starts at `pte` is none. Its PTE lock is held. */
function tableEmpty(pte: u32): boolean {
  let i: u32 = 0;
  while (i < TABLE_ENTRIES && load(pte + (i << 2)) === 0) i += 1;
  return i === TABLE_ENTRIES;
}

/** Slow path for the table that the PMD at `pmd` names, if any; it maps from `first` on. No spinlock held. */
export function reclaimUnlocked(gather: u32, mm: u32, pmd: u32, first: u32): void {
  syncPoint();
  pmdLock(pmd);
  const pte = pteOffsetMapRwNolock(pmd, first);
  if (pte === 0) {
    pmdUnlock(pmd);
    return;
  }
  pteLockNested(pte);
  // The PMD lock keeps the PMD at the value that was mapped.
  const empty = mappedPmd() === load(pmd) && tableEmpty(pte);
  if (empty) detachTable(pmd);
  pteUnlock(pte);
  pteUnmap(pte);
  pmdUnlock(pmd);
  if (!empty) {
    count(COUNTER_RECLAIM_ABORTED);
    return;
  }
  count(COUNTER_TABLES_RECLAIMED_SLOW);
  detachedTable(gather, mm, first);
}
