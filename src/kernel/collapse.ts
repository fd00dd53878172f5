/**
 * Collapse of anonymous memory: the pages of one PTE table become one folio, and the table's PMD entry huge.
 *
 * Guarantee: either the span is mapped by a huge PMD with every page that was mapped in it, or nothing has changed. A page that somebody has
 * pinned is never copied away from under the pin.
 *
 *  1. mmap_lock for read: look whether the span is worth it (`scanSpan`); then no lock: allocate the folio.
 *  2. mmap_lock for read again: swap in what is swapped out. The VMA may have changed: `revalidate` after every lock.
 *  3. mmap_lock and the VMA's lock for write: no fault, no zap, no madvise in the span. The anon_vma's lock for write, to the end: a walk of the rmap
 *     that did not find the table would leave a migration entry in it for ever.
 *  4. PMD lock: clear the PMD, flush, upper entries included. So the MMU is out of the table, and nobody new comes in.
 *  5. Interrupt every CPU (tlb_remove_table_sync_one): GUP-fast, which holds no lock, runs with interrupts off. One that read the PMD before
 *     step 4 has taken its reference by now, or sees the PMD changed and lets go. The table is kept, so no grace period would do instead.
 *  6. PTE lock: every page must have no references but those of its entries (`isolate`); one that has more, or is not what it has to be, ends it: PMD
 *     lock, the old PMD value back.
 *  7. Copy (pages have no bytes here); clear the entries, count them off, drop their references.
 *  8. PMD lock: deposit the table, which is empty now; store the huge entry.
 *
 * A reader under RCU alone may be in the table all the time: it sees entries, then an empty table that is deposited (hugeDeposit.ts).
 *
 * Lock order: mmap_lock, VMA lock, anon_vma lock; PMD lock or PTE lock, one after the other.
 * Source: Linux mm/khugepaged.c (hpage_collapse_scan_pmd, collapse_huge_page, __collapse_huge_page_isolate, __collapse_huge_page_copy).
 */

import { anonVmaLockWrite, anonVmaUnlockWrite } from './anonVma.ts';
import { COLLAPSE_INTERRUPTS, PMD_PAGES, PMD_SHIFT } from './config.ts';
import {
  ENTRY_KIND,
  ENTRY_SWAP,
  entryHuge,
  entryNamesTable,
  entryNumber,
  entryPresent,
  PTE_ACCESSED,
  PTE_SPECIAL,
  PTE_UFFD_WP,
  UFFD_MARKER,
} from './entry.ts';
import { FAULT_USERFAULT, handleMmFault, ON_MMAP_LOCK } from './fault.ts';
import {
  F_ANON,
  F_EXCLUSIVE,
  folioFlags,
  folioHead,
  folioOf,
  folioPut,
  frameAlloc,
} from './frame.ts';
import { deposit, tableResume, tableSetAside } from './hugeDeposit.ts';
import { hugeAllowed, hugeAnonEntry, mapAnonHuge, spanSuitable } from './hugeFault.ts';
import { syncPoint } from './inject.ts';
import { interruptAll, IPI_SYNC } from './irq.ts';
import { F_REF, PT_LOCK, tableAddress, VMA_ANON, VMA_FLAGS, VMA_INODE } from './layout.ts';
import { LC_PTE, spinLock, spinUnlock } from './lock.ts';
import { folioMapCount, rmapRemovePtes } from './mapcount.ts';
import { mmapReadLock, mmapReadUnlock, mmapWriteLock, mmapWriteUnlock } from './mmapLock.ts';
import { clearPte, pteOffsetMap, pteOffsetMapLock, pteUnmap, pteUnmapUnlock } from './pteMap.ts';
import {
  reshapeBegin,
  reshapeEnd,
  upperCleared,
  upperInstalled,
  walkBegin,
  walkEnd,
  tableGet,
  tablePut,
} from './protocol.ts';
import { rcuReadLock, rcuReadUnlock } from './rcu.ts';
import { RSS_ANON, rssSub } from './rss.ts';
import { count, COUNTER_COLLAPSED } from './stats.ts';
import { ptdescOf } from './table.ts';
import { flushTlbRange } from './tlb.ts';
import { VM_UFFD_FLAGS } from './uffd.ts';
import { userfaultCancel } from './uffdFault.ts';
import { vmaLookup } from './vma.ts';
import { vmaStartWrite } from './vmaLock.ts';
import { pmdFind, pmdLock, pmdUnlock } from './walk.ts';
import { exchange, load, peek, store } from './word.ts';

/** Results of looking at a span and of collapsing it (enum scan_result). */
export const SCAN_SUCCEED: u32 = 0;
export const SCAN_PMD_MAPPED: u32 = 1;
/** No PMD table; the PMD entry is none. */
export const SCAN_PMD_NULL: u32 = 2;
export const SCAN_PMD_NONE: u32 = 7;
export const SCAN_EXCEED_NONE_PTE: u32 = 3;
export const SCAN_EXCEED_SWAP_PTE: u32 = 4;
export const SCAN_PTE_NON_PRESENT: u32 = 5;
export const SCAN_PTE_UFFD_WP: u32 = 6;
export const SCAN_LACK_REFERENCED_PAGE: u32 = 8;
/** A page has references beside those of its entries. */
export const SCAN_PAGE_COUNT: u32 = 9;
export const SCAN_PAGE_ANON: u32 = 10;
export const SCAN_PAGE_COMPOUND: u32 = 11;
export const SCAN_VMA_CHECK: u32 = 12;
export const SCAN_ALLOC_HUGE_PAGE_FAIL: u32 = 13;
export const SCAN_TRUNCATED: u32 = 14;
export const SCAN_PAGE_FILLED: u32 = 15;
export const SCAN_PTE_MAPPED_HUGEPAGE: u32 = 16;
export const SCAN_PAGE_LOCK: u32 = 17;
export const SCAN_FAIL: u32 = 18;
export const SCAN_PAGE_NULL: u32 = 19;

/** Who collapses: MADV_COLLAPSE, or khugepaged with its limits. */
export const BY_MADVISE: u32 = 0;
export const BY_KHUGEPAGED: u32 = 1;

/** Entries of a span that may be none or the zero page, and swapped out, for khugepaged (max_ptes_none, max_ptes_swap). */
const MAX_PTES_NONE: u32 = PMD_PAGES - 1;
const MAX_PTES_SWAP: u32 = PMD_PAGES >>> 3;

/** The VMA in which the span at `first` can be collapsed, 0: none. mmap_lock held. */
export function collapsibleVma(mm: u32, first: u32, by: u32): u32 {
  const vma = vmaLookup(mm, first);
  if (vma === 0 || !spanSuitable(vma, first)) return 0;
  return hugeAllowed(load(vma + VMA_FLAGS), by === BY_MADVISE ? 1 : 0) ? vma : 0;
}

/** The same for anonymous memory that has an anon_vma. */
function revalidate(mm: u32, first: u32, by: u32): u32 {
  const vma = collapsibleVma(mm, first, by);
  if (vma === 0 || peek(vma + VMA_INODE) !== 0 || load(vma + VMA_ANON) === 0) return 0;
  return vma;
}

/** What the PMD entry at `pmd` (0: there is none) is to a collapse: SCAN_SUCCEED when it names a table, SCAN_PMD_MAPPED, _NONE or _NULL. */
export function pmdForCollapse(pmd: u32): u32 {
  if (pmd === 0) return SCAN_PMD_NULL;
  const value = load(pmd);
  if (entryHuge(value)) return SCAN_PMD_MAPPED;
  return entryNamesTable(value) ? SCAN_SUCCEED : SCAN_PMD_NONE;
}

/** Whether the folio of `frame` has references beside those of the entries that map it. */
function pinned(frame: u32): boolean {
  const head = folioHead(frame);
  return load(folioOf(head) + F_REF) !== folioMapCount(head);
}

/**
 * Looks at one entry of the span that is to be collapsed. PTE lock held. Returns SCAN_SUCCEED for a page that can be copied, SCAN_EXCEED_NONE_PTE for none
 * or the zero page, SCAN_EXCEED_SWAP_PTE for a swap entry, else why not.
 */
function lookAt(entry: u32): u32 {
  if (entry === 0) return SCAN_EXCEED_NONE_PTE;
  if (entry === UFFD_MARKER || (entry & PTE_UFFD_WP) !== 0) return SCAN_PTE_UFFD_WP;
  if (!entryPresent(entry))
    return (entry & ENTRY_KIND) === ENTRY_SWAP ? SCAN_EXCEED_SWAP_PTE : SCAN_PTE_NON_PRESENT;
  if ((entry & PTE_SPECIAL) !== 0) return SCAN_EXCEED_NONE_PTE;
  const frame = entryNumber(entry);
  if ((folioFlags(frame) & F_ANON) === 0) return SCAN_PAGE_ANON;
  return pinned(frame) ? SCAN_PAGE_COUNT : SCAN_SUCCEED;
}

/**
 * Looks at all entries from `pte` on, the PTE lock held; `swapped`: entries that may be swapped out; `watched`: by a userfaultfd. Returns SCAN_SUCCEED, or why the span is not
 * to be collapsed.
 */
function lookAtAll(pte: u32, by: u32, swapped: u32, watched: boolean): u32 {
  let none: u32 = 0;
  let swap: u32 = 0;
  let referenced = false;
  for (let i: u32 = 0; i < PMD_PAGES; i += 1) {
    const entry = load(pte + (i << 2));
    const seen = lookAt(entry);
    if (seen === SCAN_EXCEED_NONE_PTE) {
      none += 1;
      // A userfaultfd is to be told when such a page comes.
      if (watched || (by === BY_KHUGEPAGED && none > MAX_PTES_NONE)) return seen;
    } else if (seen === SCAN_EXCEED_SWAP_PTE) {
      swap += 1;
      if (swap > swapped) return swapped === 0 ? SCAN_PTE_NON_PRESENT : seen;
    } else if (seen !== SCAN_SUCCEED) {
      return seen;
    } else if ((entry & PTE_ACCESSED) !== 0) {
      referenced = true;
    }
  }
  return by === BY_KHUGEPAGED && !referenced ? SCAN_LACK_REFERENCED_PAGE : SCAN_SUCCEED;
}

/** Step 1: whether the span at `first` is to be collapsed: SCAN_SUCCEED, or why not. mmap_lock held. */
function scanSpan(mm: u32, first: u32, by: u32): u32 {
  walkBegin(mm);
  const result = scanPmd(pmdFind(mm, first), first, by);
  walkEnd(mm);
  return result;
}

/** The same for the PMD entry at `pmd` (0: there is none). */
function scanPmd(pmd: u32, first: u32, by: u32): u32 {
  const state = pmdForCollapse(pmd);
  if (state !== SCAN_SUCCEED) return state;
  const pte = pteOffsetMapLock(pmd, first);
  if (pte === 0) return SCAN_PMD_NULL;
  const result = lookAtAll(pte, by, by === BY_MADVISE ? PMD_PAGES : MAX_PTES_SWAP, false);
  pteUnmapUnlock(pte);
  return result;
}

/** Step 2: faults in what of the span is swapped out. mmap_lock held for read. Returns SCAN_SUCCEED, or why not. */
function swapIn(mm: u32, vma: u32, first: u32): u32 {
  for (let vpn = first; vpn !== first + PMD_PAGES; vpn += 1) {
    walkBegin(mm);
    const pmd = pmdFind(mm, vpn);
    const pte = pmd === 0 ? 0 : pteOffsetMap(pmd, vpn);
    let entry: u32 = 0;
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

/** Step 7: clears the entries from `pte` on, which `lookAtAll` found fit. PTE lock held; the folios' references are dropped, too. */
function takePages(mm: u32, pte: u32): void {
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

/** Steps 4 to 8, for the table that the PMD entry at `pmd` names. mmap_lock and the VMA's lock held for write. Takes `head` over on success. */
function replaceTable(mm: u32, vma: u32, pmd: u32, first: u32, head: u32, by: u32): u32 {
  pmdLock(pmd);
  // As a visit: where tables are counted, one that is empty when it is put back is freed by its end, and by nobody's before.
  if (!entryNamesTable(load(pmd)) || !tableGet(load(pmd))) {
    pmdUnlock(pmd);
    return SCAN_PMD_NONE;
  }
  // Pairs with GUP-fast's second look at the PMD, and with that of pteOffsetMapLock.
  const upper = exchange(pmd, 0);
  upperCleared(pmd);
  const table = entryNumber(upper);
  flushTlbRange(mm, first, first + PMD_PAGES, 1);
  pmdUnlock(pmd);
  if (COLLAPSE_INTERRUPTS !== 0) interruptAll(IPI_SYNC);
  syncPoint();
  const lock = ptdescOf(table) + PT_LOCK;
  const pte = tableAddress(table);
  spinLock(lock, LC_PTE);
  // Not before: a speculative fault that looked at the PMD earlier, under this lock, may install until here, and is seen by what follows.
  tableSetAside(table);
  const result = lookAtAll(pte, by, 0, (load(vma + VMA_FLAGS) & VM_UFFD_FLAGS) !== 0);
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
function collapseInto(mm: u32, first: u32, head: u32, by: u32): u32 {
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
 * Collapses the span at `first` of `mm`, of anonymous memory, on behalf of `by` (BY_). Precondition: mmap_lock held for read; the VMA has been found fit
 * (`collapsibleVma`). Returns a SCAN_ result; mmap_lock has been *released*.
 */
export function collapseAnon(mm: u32, first: u32, by: u32): u32 {
  let result = scanSpan(mm, first, by);
  mmapReadUnlock(mm);
  if (result !== SCAN_SUCCEED) return result;
  const head = frameAlloc(PMD_SHIFT, F_ANON | F_EXCLUSIVE);
  if (head === 0) return SCAN_ALLOC_HUGE_PAGE_FAIL;
  result = collapseInto(mm, first, head, by);
  if (result === SCAN_SUCCEED) count(COUNTER_COLLAPSED);
  else folioPut(head);
  return result;
}
