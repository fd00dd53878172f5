/**
 * Collapse of anonymous memory: the pages of one PTE table become one folio, and the table's PMD entry huge.
 *
 * Guarantee: either the span is mapped by a huge PMD with every page that was mapped in it, or nothing has changed. A
 * page that somebody has pinned is never copied away from under the pin.
 *
 *  1. mmap_lock for read: look whether the span is worth it (collapseScan.ts); then no lock: allocate the folio.
 *  2. mmap_lock for read again: swap in what is swapped out. The VMA may have changed: `revalidate` after every lock.
 *  3. mmap_lock and the VMA's lock for write: no fault, no zap, no madvise in the span. The anon_vma's lock for write,
 *     to the end: a walk of the rmap that did not find the table would leave a migration entry in it for ever.
 *  4. PMD lock: clear the PMD, flush, upper entries included. So the MMU is out of the table, and nobody new comes in.
 *  5. Interrupt every CPU (tlb_remove_table_sync_one): GUP-fast, which holds no lock, runs with interrupts off. One
 *     that read the PMD before step 4 has taken its reference by now, or sees the PMD changed and lets go. The table is
 *     kept, so no grace period would do instead.
 *  6. PTE lock: every page must have no references but those of its entries (`lookAtAll`); one that has more, or is not
 *     what it has to be, ends it: PMD lock, the old PMD value back.
 *  7. Copy (pages have no bytes here); clear the entries, count them off, drop their references.
 *  8. PMD lock: deposit the table, which is empty now; store the huge entry.
 *
 * A reader under RCU alone may be in the table all the time: it sees entries, then an empty table that is deposited
 * (hugeDeposit.ts).
 *
 * Lock order: mmap_lock, VMA lock, anon_vma lock; PMD lock or PTE lock, one after the other.
 * Source: Linux mm/khugepaged.c (collapse_huge_page, __collapse_huge_page_isolate, __collapse_huge_page_copy).
 */

import { handleMmFault } from '../access/fault.ts';
import { F_ANON, F_EXCLUSIVE } from '../alloc/folio.ts';
import { folioPut, frameAlloc } from '../alloc/frame.ts';
import { ptdescOf } from '../alloc/table.ts';
import { flushTlbRange } from '../cpu/flush.ts';
import { interruptAll } from '../cpu/ipi.ts';
import { IPI_SYNC } from '../cpu/irq.ts';
import { syncPoint } from '../cpu/syncPoint.ts';
import { hugeAllowed, hugeAnonEntry, mapAnonHuge, spanSuitable } from '../fault/hugeFault.ts';
import { deposit, tableResume, tableSetAside } from '../huge/hugeDeposit.ts';
import { LC_PTE, spinLock, spinUnlock } from '../lock/lock.ts';
import { count, COUNTER_COLLAPSED } from '../observe/stats.ts';
import { rcuReadLock, rcuReadUnlock } from '../rcu/rcu.ts';
import { mmapReadLock, mmapReadUnlock, mmapWriteLock, mmapWriteUnlock } from '../sleep/mmapLock.ts';
import { anonVmaLockWrite, anonVmaUnlockWrite } from '../space/anonVma.ts';
import { rmapRemovePtes } from '../space/mapcount.ts';
import { RSS_ANON, rssSub } from '../space/rss.ts';
import { vmaLookup } from '../space/vma.ts';
import { vmaStartWrite } from '../space/vmaLock.ts';
import {
  reshapeBegin,
  reshapeEnd,
  tableGet,
  tablePut,
  upperCleared,
  upperInstalled,
  walkBegin,
  walkEnd,
} from '../word/hooks.ts';
import { pmdLock, pmdUnlock } from '../tables/offsets.ts';
import { clearPte, pteOffsetMap, pteUnmap } from '../tables/pteMap.ts';
import { pmdFind } from '../tables/walk.ts';
import { userfaultCancel } from '../watch/uffdFault.ts';
import {
  COLLAPSE_INTERRUPTS,
  FAULT_USERFAULT,
  ON_MMAP_LOCK,
  PMD_PAGES,
  PMD_SHIFT,
} from '../word/config.ts';
import {
  ENTRY_KIND,
  ENTRY_SWAP,
  entryNamesTable,
  entryNumber,
  entryPresent,
  PTE_SPECIAL,
} from '../word/entry.ts';
import {
  PT_LOCK,
  tableAddress,
  VMA_ANON,
  VMA_FLAGS,
  VMA_INODE,
  VMA_PGOFF,
  VMA_START,
} from '../word/layout.ts';
import { exchange, load, peek, store } from '../word/word.ts';
import {
  BY_MADVISE,
  lookAtAll,
  pmdForCollapse,
  SCAN_ALLOC_HUGE_PAGE_FAIL,
  SCAN_FAIL,
  SCAN_PMD_NONE,
  SCAN_PMD_NULL,
  SCAN_SUCCEED,
  SCAN_VMA_CHECK,
  scanSpan,
} from './collapseScan.ts';

/** The VMA in which the span at `first` can be collapsed, 0: none. mmap_lock held. */
export function collapsibleVma(mm: Mm, first: Vpn, by: u32): Vma {
  const vma = vmaLookup(mm, first);
  if (vma === 0 || !spanSuitable(vma, first)) return 0;
  return hugeAllowed(load(vma + VMA_FLAGS), by === BY_MADVISE) ? vma : 0;
}

/** Whether the spans of `vma`, which maps an object, are spans of the object, too: only those can be huge. */
export function objectAligned(vma: Vma): boolean {
  return ((load(vma + VMA_START) - load(vma + VMA_PGOFF)) & (PMD_PAGES - 1)) === 0;
}

/** As collapsibleVma, for anonymous memory that has an anon_vma. */
function revalidate(mm: Mm, first: Vpn, by: u32): Vma {
  const vma = collapsibleVma(mm, first, by);
  if (vma === 0 || peek(vma + VMA_INODE) !== 0 || load(vma + VMA_ANON) === 0) return 0;
  return vma;
}

/** Step 2: faults in what of the span is swapped out. mmap_lock held for read. Returns SCAN_SUCCEED, or why not. */
function swapIn(mm: Mm, vma: Vma, first: Vpn): u32 {
  for (let vpn = first; vpn !== first + PMD_PAGES; vpn += 1) {
    walkBegin(mm);
    const pmd = pmdFind(mm, vpn);
    const pte = pmd === 0 ? 0 : pteOffsetMap(pmd, vpn);
    let entry: Entry = 0;
    if (pte !== 0) {
      entry = load(pte);
      pteUnmap(pte);
    }
    walkEnd(mm);
    if (pte === 0) return SCAN_PMD_NULL;
    const swapped = entry !== 0 && !entryPresent(entry) && (entry & ENTRY_KIND) === ENTRY_SWAP;
    const error = swapped ? handleMmFault(mm, vma, vpn, 0, ON_MMAP_LOCK) : 0;
    if (error === FAULT_USERFAULT) userfaultCancel(mm);
    if (error !== 0) return SCAN_FAIL;
  }
  return SCAN_SUCCEED;
}

/**
 * Step 7: clears the entries from `pte` on, which `lookAtAll` found fit. PTE lock held; the folios' references are
 * dropped, too.
 */
function takePages(mm: Mm, pte: Pte): void {
  let pages: u32 = 0;
  for (let i: u32 = 0; i < PMD_PAGES; i += 1) {
    if (load(pte + (i << 2)) !== 0) {
      const entry = clearPte(pte + (i << 2));
      if ((entry & PTE_SPECIAL) === 0) {
        pages += 1;
        rmapRemovePtes(entryNumber(entry), 1);
        folioPut(entryNumber(entry));
      }
    }
  }
  rssSub(mm, RSS_ANON, pages);
}

/**
 * Steps 4 to 8, for the table that the PMD entry at `pmd` names. mmap_lock and the VMA's lock held for write. Takes
 * `head` over on success.
 */
function replaceTable(mm: Mm, vma: Vma, pmd: Pmd, first: Vpn, head: Head, by: u32): u32 {
  pmdLock(pmd);
  // As a visit: where tables are counted, one that is empty when it is put back is freed by its end, and by nobody's
  // before.
  if (!entryNamesTable(load(pmd)) || !tableGet(load(pmd))) {
    pmdUnlock(pmd);
    return SCAN_PMD_NONE;
  }
  // Pairs with GUP-fast's second look at the PMD, and with that of pteOffsetMapLock.
  const upper = exchange(pmd, 0);
  upperCleared(pmd);
  const table = entryNumber(upper);
  flushTlbRange(mm, first, first + PMD_PAGES, true);
  pmdUnlock(pmd);
  if (COLLAPSE_INTERRUPTS !== 0) interruptAll(IPI_SYNC);
  syncPoint();
  const lock = ptdescOf(table) + PT_LOCK;
  const pte = tableAddress(table);
  spinLock(lock, LC_PTE);
  // Not before: a speculative fault that looked at the PMD earlier, under this lock, may install until here, and is
  // seen by what follows.
  tableSetAside(table);
  const result = lookAtAll(pte, by, 0, vma);
  if (result === SCAN_SUCCEED) takePages(mm, pte);
  spinUnlock(lock, LC_PTE);
  pmdLock(pmd);
  upperInstalled(pmd);
  if (result === SCAN_SUCCEED) {
    mapAnonHuge(mm, vma, first, head);
    deposit(pmd, table);
    store(pmd, hugeAnonEntry(load(vma + VMA_FLAGS), head));
  } else {
    tableResume(table, pmd, first);
    store(pmd, upper);
  }
  pmdUnlock(pmd);
  rcuReadLock();
  tablePut(pte);
  rcuReadUnlock();
  return result;
}

/** Steps 2 to 8 with `head`, a folio of the span's size. No lock held. */
function collapseInto(mm: Mm, first: Vpn, head: Head, by: u32): u32 {
  mmapReadLock(mm);
  let vma = revalidate(mm, first, by);
  let result = vma === 0 ? SCAN_VMA_CHECK : swapIn(mm, vma, first);
  mmapReadUnlock(mm);
  if (result !== SCAN_SUCCEED) return result;
  mmapWriteLock(mm);
  vma = revalidate(mm, first, by);
  if (vma === 0) {
    result = SCAN_VMA_CHECK;
  } else {
    vmaStartWrite(vma);
    const anon = load(vma + VMA_ANON);
    anonVmaLockWrite(anon);
    reshapeBegin(mm);
    const pmd = pmdFind(mm, first);
    result = pmdForCollapse(pmd);
    if (result === SCAN_SUCCEED) result = replaceTable(mm, vma, pmd, first, head, by);
    reshapeEnd(mm);
    anonVmaUnlockWrite(anon);
  }
  mmapWriteUnlock(mm);
  return result;
}

/**
 * Steps 2 to 8 for the span at `first` of `mm`, which `scanSpan` found worth it, on behalf of `by` (BY_). Precondition:
 * no lock held. Returns a SCAN_ result.
 */
export function collapseHugePage(mm: Mm, first: Vpn, by: u32): u32 {
  const head = frameAlloc(PMD_SHIFT, F_ANON | F_EXCLUSIVE);
  if (head === 0) return SCAN_ALLOC_HUGE_PAGE_FAIL;
  const result = collapseInto(mm, first, head, by);
  if (result === SCAN_SUCCEED) count(COUNTER_COLLAPSED);
  else folioPut(head);
  return result;
}

/**
 * Collapses the span at `first` of `vma`, of anonymous memory, for MADV_COLLAPSE. Precondition: mmap_lock held for
 * read; the VMA has been found fit (`collapsibleVma`). Returns a SCAN_ result; mmap_lock has been *released*.
 */
export function collapseAnon(mm: Mm, vma: Vma, first: Vpn): u32 {
  const result = scanSpan(mm, vma, first, BY_MADVISE);
  mmapReadUnlock(mm);
  return result === SCAN_SUCCEED ? collapseHugePage(mm, first, BY_MADVISE) : result;
}
