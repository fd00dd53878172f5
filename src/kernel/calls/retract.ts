/**
 * Retraction of page tables: after the pages of a span of an object have been replaced by one folio (collapseFile.ts),
 * the PTE tables that mapped them, in whatever address space, are empty and in the way of huge PMDs. They are found
 * through i_mmap and freed.
 *
 * Guarantee: a table is freed only when it is empty and no entry can be installed into it: its pages were unmapped, and
 * the new folio is locked, so that faults in the span wait (`retractPageTables` has that as its precondition).
 *
 *  1. i_mmap for read: the VMAs stay, and with them upper tables. Nothing else is held: mmap_lock belongs to others.
 *  2. A VMA with an anon_vma is passed over: its table may have pages of its own.
 *  3. PMD lock; look at the *state* of the PMD entry again: reclaim of empty tables, which looks at no rmap lock, may
 *     have freed the table that was there, and somebody may have made another. A different table is as good: it is as
 *     empty. So the PMD need not be the same, it must name a table.
 *  4. PTE lock of the table that it names *now*; look for an anon_vma again. Of what is not watched, markers may be
 *     left: they go.
 *  5. Clear the PMD, flush, upper entries included; free the table by RCU.
 *
 * Lock order: folio lock; i_mmap; PMD lock; PTE lock. Source: Linux 6.18 mm/khugepaged.c (retract_page_tables); "mm:
 * khugepaged: recheck pmd state in retract_page_tables()", 2024.
 */

import { flushTlbRange } from '../cpu/flush.ts';
import { freeDeposited } from '../huge/hugeDeposit.ts';
import { count, COUNTER_TABLES_RETRACTED } from '../observe/stats.ts';
import { iMmapFirst, iMmapLockRead, iMmapNext, iMmapUnlockRead } from '../space/iMmap.ts';
import { gatherFinish, gatherStart } from '../tables/gather.ts';
import { emptyTableGoes, reshapeBegin, reshapeEnd, upperCleared } from '../word/hooks.ts';
import { pmdLock, pmdUnlock } from '../tables/offsets.ts';
import {
  clearPte,
  pteLockNested,
  pteOffsetMapLock,
  pteOffsetMapRwNolock,
  pteUnlock,
  pteUnmap,
  pteUnmapUnlock,
} from '../tables/pteMap.ts';
import { pmdFind } from '../tables/walk.ts';
import { PMD_PAGES, VM_UFFD_WP } from '../word/config.ts';
import { entryNamesTable, entryNumber, UFFD_MARKER } from '../word/entry.ts';
import { VMA_ANON, VMA_END, VMA_FLAGS, VMA_MM, VMA_PGOFF, VMA_START } from '../word/layout.ts';
import { exchange, load } from '../word/word.ts';

/** Whether entries of `vma` may be other than those of the object's pages. */
function mayHaveOwnEntries(vma: Vma): boolean {
  return load(vma + VMA_ANON) !== 0 || (load(vma + VMA_FLAGS) & VM_UFFD_WP) !== 0;
}

/**
 * First page of `vma` that maps the span of the object that starts at `index`, if the VMA maps all of it, aligned; else
 * all ones.
 */
function spanIn(vma: Vma, index: PageIndex): Vpn {
  const pgoff = load(vma + VMA_PGOFF);
  const start = load(vma + VMA_START);
  const length: u32 = load(vma + VMA_END) - start;
  if (index < pgoff || index - pgoff >= length) return 0xffffffff;
  const first: Vpn = start + (index - pgoff);
  if ((first & (PMD_PAGES - 1)) !== 0 || length - (index - pgoff) < PMD_PAGES) return 0xffffffff;
  return first;
}

/**
 * Clears the PMD entry at `pmd`, of the span at `first`, and its table's place with it. PMD and PTE lock held, the
 * table is empty. Returns the table.
 */
export function takeTableOut(mm: Mm, pmd: Pmd, first: Vpn): TableNumber {
  const upper = exchange(pmd, 0);
  upperCleared(pmd);
  flushTlbRange(mm, first, first + PMD_PAGES, true);
  return entryNumber(upper);
}

/**
 * Clears markers that nobody watches: where a range is registered anew without write protection, those of before stay
 * until somebody comes across them (pte_marker_clear). PTE lock held.
 */
function forgetMarkers(pte: Pte): void {
  for (let i: u32 = 0; i < PMD_PAGES; i += 1) {
    if (load(pte + (i << 2)) === UFFD_MARKER) clearPte(pte + (i << 2));
  }
}

/** Steps 3 and 4, and the first part of 5. Returns the table, which is empty and nowhere any more, or 0. */
function retractTable(vma: Vma, mm: Mm, pmd: Pmd, first: Vpn): u32 {
  if (!entryNamesTable(load(pmd))) return 0;
  let table: TableNumber = 0;
  pmdLock(pmd);
  const pte = pteOffsetMapRwNolock(pmd, first);
  if (pte !== 0) {
    pteLockNested(pte);
    if (!mayHaveOwnEntries(vma)) {
      forgetMarkers(pte);
      table = takeTableOut(mm, pmd, first);
    }
    pteUnlock(pte);
    pteUnmap(pte);
  }
  pmdUnlock(pmd);
  return table;
}

/**
 * What step 5 leaves to do where tables are freed by their counts: only markers can be left in the table, which goes
 * with them.
 */
function emptyCountedTable(vma: Vma, pmd: Pmd, first: Vpn): void {
  if (!entryNamesTable(load(pmd))) return;
  const pte = pteOffsetMapLock(pmd, first);
  if (pte === 0) return;
  if (!mayHaveOwnEntries(vma)) forgetMarkers(pte);
  pteUnmapUnlock(pte);
}

/** Steps 2 to 5 for one VMA. */
function retractFrom(vma: Vma, index: PageIndex): void {
  const first = spanIn(vma, index);
  if (first === 0xffffffff || mayHaveOwnEntries(vma)) return;
  const mm = load(vma + VMA_MM);
  const gather = gatherStart(mm);
  reshapeBegin(mm);
  const pmd = pmdFind(mm, first);
  let table: TableNumber = 0;
  if (pmd !== 0 && emptyTableGoes()) emptyCountedTable(vma, pmd, first);
  else if (pmd !== 0) table = retractTable(vma, mm, pmd, first);
  reshapeEnd(mm);
  if (table !== 0) {
    count(COUNTER_TABLES_RETRACTED);
    freeDeposited(gather, mm, table, first);
  }
  gatherFinish(gather);
}

/**
 * Retracts the tables that map the span of `inode` from `index` on; of protocol pte-refcount's, which went as they
 * became empty, those with markers. Precondition: the folio there is locked and nothing maps the span.
 */
export function retractPageTables(inode: Inode, index: PageIndex): void {
  iMmapLockRead(inode);
  for (let vma = iMmapFirst(inode); vma !== 0; vma = iMmapNext(vma)) retractFrom(vma, index);
  iMmapUnlockRead(inode);
}
