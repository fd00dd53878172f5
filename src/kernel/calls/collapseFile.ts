/**
 * Collapse of files and of anonymous shared memory: the pages of a span of the object become one folio in the page
 * cache, and the span is mapped by a huge PMD where it was asked for.
 *
 * Guarantee: whoever looks a page of the span up finds it at every moment, in one frame; if the collapse fails, in the
 * one that it was in.
 *
 *  1. A folio of the span's size, locked, enters the cache. Pages of the span that are in the cache are found before it
 *     (filemap.ts).
 *  2. Page by page, those that are there: lock it; take its entries out (tryToUnmap); if nobody else has it, take it
 *     out of the cache. Whoever looks it up from here on finds the new folio, and waits for its lock.
 *  3. Failure (a page is pinned, locked, dirty and of a file): the pages taken out go back, the folio leaves; those who
 *     wait look again.
 *  4. Otherwise retract the tables (retract.ts), unlock the folio, drop the pages.
 *  5. `collapsePteMapped`: PTEs that map the folio in one address space are cleared, and their table; for MADV_COLLAPSE
 *     a huge PMD maps it then, for khugepaged the next fault's does.
 *
 * Pages taken out are linked by F_NEXT, which the cache's buckets do not need meanwhile.
 *
 * Lock order: mmap_lock; folio locks, a second one by trylock; i_mmap; PMD lock; PTE lock. Source: Linux
 * mm/khugepaged.c (hpage_collapse_scan_file, collapse_file, collapse_pte_mapped_thp), mm/memory.c (do_set_pmd).
 */

import {
  F_DIRTY,
  F_SHMEM,
  folioFlags,
  folioHead,
  folioLarge,
  folioOf,
  folioOrder,
} from '../alloc/folio.ts';
import { folioPut, folioPutMany, frameAlloc } from '../alloc/frame.ts';
import { flushTlbRange } from '../cpu/flush.ts';
import { setFilePmd } from '../fault/hugeFile.ts';
import { freeDeposited } from '../huge/hugeDeposit.ts';
import { count, COUNTER_COLLAPSED } from '../observe/stats.ts';
import {
  filemapAddHuge,
  filemapAnyIn,
  filemapGet,
  filemapGetSmall,
  filemapHolds,
  filemapPutBack,
  filemapRemove,
  filemapTakeAlone,
} from '../rmap/filemap.ts';
import { tryToUnmap } from '../rmap/rmap.ts';
import { folioLock, folioTrylock, folioUnlock } from '../sleep/sleepLock.ts';
import { folioMapCount, folioMapped, rmapRemovePtes } from '../space/mapcount.ts';
import { rssKind, rssSub } from '../space/rss.ts';
import { linearPageIndex } from '../space/vma.ts';
import { gatherFinish, gatherStart } from '../tables/gather.ts';
import { emptyTableGoes, reshapeBegin, reshapeEnd, walkBegin, walkEnd } from '../word/hooks.ts';
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
import { pmdAlloc, pmdFind } from '../tables/walk.ts';
import { PMD_PAGES, PMD_SHIFT } from '../word/config.ts';
import { entryNumber, entryPresent, PTE_SPECIAL } from '../word/entry.ts';
import {
  C_COLLAPSE,
  F_FLAGS,
  F_NEXT,
  F_REF,
  H_MAX_PTES_NONE,
  INODE_PAGES,
  INODE_STATE,
  VMA_INODE,
} from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { load, or, peek, poke } from '../word/word.ts';
import { collapsibleVma } from './collapse.ts';
import {
  BY_MADVISE,
  pmdForCollapse,
  SCAN_ALLOC_HUGE_PAGE_FAIL,
  SCAN_EXCEED_NONE_PTE,
  SCAN_FAIL,
  SCAN_PAGE_COMPOUND,
  SCAN_PAGE_COUNT,
  SCAN_PAGE_DIRTY,
  SCAN_PAGE_LOCK,
  SCAN_PAGE_NULL,
  SCAN_PMD_MAPPED,
  SCAN_PMD_NONE,
  SCAN_PTE_MAPPED_HUGEPAGE,
  SCAN_SUCCEED,
  SCAN_TRUNCATED,
  SCAN_VMA_CHECK,
} from './collapseScan.ts';
import { retractPageTables, takeTableOut } from './retract.ts';

/** INODE_STATE of anonymous shared memory. */
const SHMEM: u32 = 2;

/**
 * Step 2 for a locked page of the span. Returns SCAN_SUCCEED: it is out of the cache, with two references for the
 * caller; or why it stays.
 */
function takePage(inode: Inode, index: PageIndex, frame: Head): u32 {
  if (!filemapHolds(frame, inode, index)) return SCAN_TRUNCATED;
  const flags = folioFlags(frame);
  if ((flags & (F_SHMEM | F_DIRTY)) === F_DIRTY) return SCAN_PAGE_DIRTY;
  if (folioMapped(frame) && !tryToUnmap(frame, 0)) return SCAN_PAGE_COUNT;
  return filemapTakeAlone(frame) ? SCAN_SUCCEED : SCAN_PAGE_COUNT;
}

/**
 * Step 2 for page `index`, which the folio `head` is to replace. Returns SCAN_SUCCEED, the page, if there was one, in
 * the list C_COLLAPSE; or why not.
 */
function collapsePage(inode: Inode, index: PageIndex, head: Head): u32 {
  const frame = filemapGetSmall(inode, index);
  if (frame === 0) return SCAN_SUCCEED;
  let result = SCAN_PAGE_COMPOUND;
  if (!folioLarge(frame)) {
    result = SCAN_PAGE_LOCK;
    if (folioTrylock(frame)) {
      result = takePage(inode, index, frame);
      if (result === SCAN_SUCCEED) or(folioOf(head) + F_FLAGS, folioFlags(frame) & F_DIRTY);
      folioUnlock(frame);
    }
  }
  if (result === SCAN_SUCCEED) {
    poke(folioOf(frame) + F_NEXT, peek(thisCpu() + C_COLLAPSE));
    poke(thisCpu() + C_COLLAPSE, frame);
  } else {
    folioPut(frame);
  }
  return result;
}

/** Steps 3 or 4 for the pages taken out: back into the cache, or dropped. */
function settlePages(back: boolean): void {
  const list = thisCpu() + C_COLLAPSE;
  while (peek(list) !== 0) {
    const frame = peek(list);
    poke(list, peek(folioOf(frame) + F_NEXT));
    if (back) filemapPutBack(frame);
    else folioPut(frame);
    folioPut(frame);
  }
}

/** Steps 1 to 4 with `head`, a folio of the span's size that nobody knows. */
function collapseInto(inode: Inode, index: PageIndex, head: Head): u32 {
  folioTrylock(head);
  filemapAddHuge(head, inode, index);
  poke(thisCpu() + C_COLLAPSE, 0);
  // Truncation stores the size before it looks at the cache: one of the two sees the other.
  let result = sizeAllows(inode, index) ? SCAN_SUCCEED : SCAN_TRUNCATED;
  for (let i: u32 = 0; i < PMD_PAGES && result === SCAN_SUCCEED; i += 1)
    result = collapsePage(inode, index + i, head);
  if (result === SCAN_SUCCEED) {
    retractPageTables(inode, index);
    settlePages(false);
  } else {
    settlePages(true);
    filemapRemove(head);
  }
  folioUnlock(head);
  return result;
}

/** Whether the object is large enough for the span: a file has all of it, shared memory some. */
function sizeAllows(inode: Inode, index: PageIndex): boolean {
  const pages = load(inode + INODE_PAGES);
  if (load(inode + INODE_STATE) === SHMEM) return pages > index;
  return pages >= PMD_PAGES && index <= pages - PMD_PAGES;
}

/**
 * What the cache has for the span: SCAN_SUCCEED, SCAN_PTE_MAPPED_HUGEPAGE: it is one folio already, or why it cannot
 * be.
 */
function scanCache(inode: Inode, index: PageIndex): u32 {
  if (!sizeAllows(inode, index)) return SCAN_FAIL;
  const frame = filemapGet(inode, index);
  if (frame !== 0) {
    const huge = folioLarge(frame) && folioOrder(folioHead(frame)) === PMD_SHIFT;
    folioPut(frame);
    if (huge) return SCAN_PTE_MAPPED_HUGEPAGE;
  }
  const shmem = load(inode + INODE_STATE) === SHMEM;
  return shmem && !filemapAnyIn(inode, index, PMD_PAGES) ? SCAN_TRUNCATED : SCAN_SUCCEED;
}

/**
 * Whether the span of `inode` from `index` on, with the pages that are in the cache now, is worth a folio to
 * khugepaged: SCAN_SUCCEED,
 * SCAN_PTE_MAPPED_HUGEPAGE: it is one already, or why not. Precondition: a reference to the inode.
 */
export function scanFile(inode: Inode, index: PageIndex): u32 {
  let result = scanCache(inode, index);
  let present: u32 = 0;
  for (let i: u32 = 0; i < PMD_PAGES && result === SCAN_SUCCEED; i += 1) {
    const frame = filemapGetSmall(inode, index + i);
    if (frame !== 0) {
      present += 1;
      // The cache's, this function's, and one for each entry.
      if (load(folioOf(frame) + F_REF) !== folioMapCount(frame) + 2) result = SCAN_PAGE_COUNT;
      else if ((folioFlags(frame) & (F_SHMEM | F_DIRTY)) === F_DIRTY) result = SCAN_PAGE_DIRTY;
      folioPut(frame);
    }
  }
  if (result !== SCAN_SUCCEED) return result;
  return PMD_PAGES - present > peek(H_MAX_PTES_NONE) ? SCAN_EXCEED_NONE_PTE : SCAN_SUCCEED;
}

/**
 * Collapses the span of `inode` from `index` on. Precondition: a reference to the inode; no lock held, no RCU section.
 * Returns SCAN_PTE_MAPPED_HUGEPAGE when it is one folio now, or a SCAN_ reason.
 */
export function collapseFile(inode: Inode, index: PageIndex): u32 {
  let result = scanCache(inode, index);
  if (result !== SCAN_SUCCEED) return result;
  const head = frameAlloc(PMD_SHIFT, load(inode + INODE_STATE) === SHMEM ? F_SHMEM : 0);
  if (head === 0) return SCAN_ALLOC_HUGE_PAGE_FAIL;
  result = collapseInto(inode, index, head);
  folioPut(head);
  if (result !== SCAN_SUCCEED) return result;
  count(COUNTER_COLLAPSED);
  return SCAN_PTE_MAPPED_HUGEPAGE;
}

/** Whether every entry from `pte` on is none, or maps its page of the folio `head`. PTE lock held. */
function mapsOnly(pte: Pte, head: Head): boolean {
  for (let i: u32 = 0; i < PMD_PAGES; i += 1) {
    const entry = load(pte + (i << 2));
    if (entry !== 0) {
      if (!entryPresent(entry) || (entry & PTE_SPECIAL) !== 0) return false;
      if (entryNumber(entry) !== head + i) return false;
    }
  }
  return true;
}

/**
 * Clears the entries from `pte` on, which map pages of `head`, and counts them off. PTE lock held. Returns how many.
 */
function clearMapped(mm: Mm, pte: Pte): u32 {
  let pages: u32 = 0;
  for (let i: u32 = 0; i < PMD_PAGES; i += 1) {
    const at = pte + (i << 2);
    if (load(at) !== 0) {
      const entry = clearPte(at);
      rssSub(mm, rssKind(entry), 1);
      rmapRemovePtes(entryNumber(entry), 1);
      pages += 1;
    }
  }
  return pages;
}

/**
 * Takes the table that the PMD entry at `pmd` names out, if it maps only `head`, which is locked. Returns the table, 0:
 * it maps something else.
 */
function emptyTable(mm: Mm, pmd: Pmd, first: Vpn, head: Head): TableNumber {
  let table: TableNumber = 0;
  let pages: u32 = 0;
  pmdLock(pmd);
  const pte = pteOffsetMapRwNolock(pmd, first);
  if (pte !== 0) {
    pteLockNested(pte);
    if (mapsOnly(pte, head)) {
      pages = clearMapped(mm, pte);
      table = takeTableOut(mm, pmd, first);
    }
    pteUnlock(pte);
    pteUnmap(pte);
  }
  pmdUnlock(pmd);
  if (pages !== 0) folioPutMany(head, pages);
  return table;
}

/**
 * As emptyTable where tables are freed by their counts (pte-refcount): clears the entries, and the table goes. Returns
 * whether it did.
 */
function emptyCounted(mm: Mm, pmd: Pmd, first: Vpn, head: Head): boolean {
  const pte = pteOffsetMapLock(pmd, first);
  if (pte === 0) return true;
  const fits = mapsOnly(pte, head);
  let pages: u32 = 0;
  if (fits) {
    pages = clearMapped(mm, pte);
    flushTlbRange(mm, first, first + PMD_PAGES, false);
  }
  pteUnmapUnlock(pte);
  if (pages !== 0) folioPutMany(head, pages);
  return fits;
}

/** Step 5 with the locked folio; without `install`, not by a huge PMD. */
function mapFolio(mm: Mm, vma: Vma, first: Vpn, head: Head, install: boolean): u32 {
  const gather = gatherStart(mm);
  reshapeBegin(mm);
  // A process that never touched the span, as after a fork, may have no upper tables there.
  const pmd = pmdAlloc(mm, first);
  let result = pmd === 0 ? SCAN_FAIL : pmdForCollapse(pmd);
  let table: TableNumber = 0;
  if (result === SCAN_SUCCEED && emptyTableGoes()) {
    if (!emptyCounted(mm, pmd, first, head)) result = SCAN_FAIL;
  } else if (result === SCAN_SUCCEED) {
    table = emptyTable(mm, pmd, first, head);
    if (table === 0) result = SCAN_FAIL;
  } else if (result === SCAN_PMD_NONE && install) {
    result = SCAN_SUCCEED;
  }
  if (result === SCAN_SUCCEED && install)
    if (!setFilePmd(mm, vma, pmd, first, head, 0)) result = SCAN_FAIL;
  reshapeEnd(mm);
  freeDeposited(gather, mm, table, first);
  gatherFinish(gather);
  return result;
}

/**
 * Step 5: maps the folio of the span at `first` of `mm` by a huge PMD; without `install`: clears its PTEs and their
 * table, the next fault maps it.
 * Precondition: mmap_lock held for read, no spinlock. Returns SCAN_SUCCEED, SCAN_PMD_MAPPED, or a SCAN_ reason.
 */
export function collapsePteMapped(mm: Mm, first: Vpn, install: boolean): u32 {
  const vma = collapsibleVma(mm, first, BY_MADVISE);
  if (vma === 0 || peek(vma + VMA_INODE) === 0) return SCAN_VMA_CHECK;
  walkBegin(mm);
  const state = pmdForCollapse(pmdFind(mm, first));
  walkEnd(mm);
  if (state === SCAN_PMD_MAPPED) return state;
  const inode = peek(vma + VMA_INODE);
  const index = linearPageIndex(vma, first);
  const frame = filemapGet(inode, index);
  if (frame === 0) return SCAN_PAGE_NULL;
  const head = folioHead(frame);
  folioLock(head);
  let result = SCAN_PAGE_COMPOUND;
  if (frame === head && folioOrder(head) === PMD_SHIFT && filemapHolds(head, inode, index))
    result = mapFolio(mm, vma, first, head, install);
  folioUnlock(head);
  folioPut(frame);
  return result;
}
