/**
 * Huge PMDs: entries of PMD tables that map PMD_PAGES pages at once, and what is done to a whole one or to a part of
 * it.
 *
 *     anonymous memory   a folio of that size, one reference and one entire map count; a deposited table
 *                        (hugeDeposit.ts)
 *     huge zero page     ZERO_FRAME with PTE_SPECIAL, for every page of the span; nothing is counted; a deposited table
 *     file, shared       the cached folio (hugeFile.ts); no deposited table, since a fault can always make one
 *
 * Guarantee: a huge entry is installed into an entry that was none, changed and cleared under the PMD lock only; the
 * MMU alone sets accessed and dirty without it. Whoever reads one without the lock looks again under it
 * (`pmdTransHugeLock`).
 *
 *  zap      clear; note the range; count off; the deposited table and the folio go to the gather.
 *  split    1. take the rights away (`pmdInvalidate`) and flush, so that nobody sets accessed or dirty any more, and no
 *           CPU has a translation of the whole beside those of the parts; 2. fill the deposited table with one entry a
 *           page; 3. move the counts from the entire mapping to the pages, references first, so that the folio never
 *           looks unmapped in part; each page is exclusive if the folio was; 4. store the table over the huge entry.
 *           An entry without PTE_USER is still huge: a fault that meets it waits for the PMD lock. A file's entry is
 *           cleared instead.
 *  protect  as an entry of a PTE table, if the whole span is covered; else split first.
 *  move     clear, store at the destination, deposit along, flush, under both PMD locks.
 *
 * A part of a huge PMD can be unmapped, protected, moved or given to another VMA only after a split (`splitAtBoundary`
 * for VMAs' bounds).
 *
 * Lock order: any one of mmap_lock, VMA lock, rmap lock; PMD lock. The flush of a split waits for interrupts with the
 * PMD lock held: who spins on it answers them. Source: Linux mm/huge_memory.c (zap_huge_pmd, __split_huge_pmd_locked,
 * change_huge_pmd, move_huge_pmd, madvise_free_huge_pmd, vma_adjust_trans_huge), mm/memory.c (zap_pmd_range).
 */

import { F_ANON, F_DIRTY, F_EXCLUSIVE, F_LAZYFREE, folioGetMany, folioOf } from '../alloc/folio.ts';
import { folioPut } from '../alloc/frame.ts';
import { ptdescOfEntry, tableOfEntry } from '../alloc/table.ts';
import { flushTlbRange } from '../cpu/flush.ts';
import { LC_PMD, spinLockNested, spinUnlock } from '../lock/lock.ts';
import { count, COUNTER_HUGE_SPLITS, COUNTER_HUGE_ZAPS } from '../observe/stats.ts';
import { folioMapCount, rmapAddPtes, rmapRemovePmd } from '../space/mapcount.ts';
import { rssKind, rssSub } from '../space/rss.ts';
import { gatherNoteRange, gatherPage } from '../tables/gather.ts';
import { upperCleared, upperInstalled, walkBegin, walkEnd } from '../word/hooks.ts';
import { hugeFirst, pmdLock, pmdUnlock } from '../tables/offsets.ts';
import { setPte } from '../tables/pteMap.ts';
import { pmdFind } from '../tables/walk.ts';
import { PMD_PAGES } from '../word/config.ts';
import {
  entryHuge,
  entryMake,
  entryNumber,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_HUGE,
  PTE_SPECIAL,
  PTE_USER,
  PTE_WRITE,
  UPPER_FLAGS,
} from '../word/entry.ts';
import { F_FLAGS, PT_LOCK, tableAddress, VMA_END, VMA_MM, VMA_START } from '../word/layout.ts';
import { and, exchange, load, or, store } from '../word/word.ts';
import { deposit, freeDeposited, tableResume, withdraw } from './hugeDeposit.ts';

/**
 * Takes the PMD lock if the entry at `pmd` is huge, and looks again under it. Returns whether it is, and so whether the
 * lock is held.
 */
export function pmdTransHugeLock(pmd: Pmd): boolean {
  if (!entryHuge(load(pmd))) return false;
  pmdLock(pmd);
  if (entryHuge(load(pmd))) return true;
  pmdUnlock(pmd);
  return false;
}

/** Whether splitting or zapping the huge entry `value` withdraws a table. The folio is mapped. */
function hasDeposit(value: Entry): boolean {
  if ((value & PTE_SPECIAL) !== 0) return true;
  return (load(folioOf(entryNumber(value)) + F_FLAGS) & F_ANON) !== 0;
}

/**
 * Counts a huge mapping off that was cleared from a page table of `mm` with the value `old`; the reference stays. PMD
 * lock held.
 */
function countOff(mm: Mm, old: Entry): void {
  if ((old & PTE_SPECIAL) !== 0) return;
  const head = entryNumber(old);
  const folio = folioOf(head);
  if ((old & PTE_DIRTY) !== 0 && (load(folio + F_FLAGS) & F_ANON) === 0)
    or(folio + F_FLAGS, F_DIRTY);
  rssSub(mm, rssKind(old), PMD_PAGES);
  rmapRemovePmd(head);
}

/** What `zapHugePmd` found. */
const HUGE_NONE: u32 = 0;
const HUGE_ZAPPED: u32 = 1;
export const HUGE_ZAPPED_FULL: u32 = 2;

/**
 * Zaps the huge entry at `pmd`, whose span starts at `first`, into the gather. Returns HUGE_NONE when it is not huge
 * any more, HUGE_ZAPPED, or
 * HUGE_ZAPPED_FULL: the gather must be flushed now. No spinlock held.
 */
export function zapHugePmd(gather: Gather, mm: Mm, pmd: Pmd, first: Vpn): u32 {
  if (!pmdTransHugeLock(pmd)) return HUGE_NONE;
  // Pairs with the second look of GUP-fast: it sees the entry change, or this CPU sees its reference.
  const old = exchange(pmd, 0);
  upperCleared(pmd);
  gatherNoteRange(gather, first, first + PMD_PAGES);
  const table = hasDeposit(old) ? withdraw(pmd) : 0;
  countOff(mm, old);
  pmdUnlock(pmd);
  count(COUNTER_HUGE_ZAPS);
  freeDeposited(gather, mm, table, first);
  if ((old & PTE_SPECIAL) !== 0) return HUGE_ZAPPED;
  return gatherPage(gather, entryNumber(old)) ? HUGE_ZAPPED_FULL : HUGE_ZAPPED;
}

/**
 * Takes rights from the huge entry at `pmd` and flushes: on return the MMU uses it no more and its marks are final.
 * Returns it as it was, with those marks. PMD lock held.
 */
export function pmdInvalidate(mm: Mm, pmd: Pmd, first: Vpn): Entry {
  const rights = load(pmd) & (PTE_USER | PTE_WRITE);
  and(pmd, ~(PTE_USER | PTE_WRITE) >>> 0);
  flushTlbRange(mm, first, first + PMD_PAGES, false);
  return (load(pmd) | rights) >>> 0;
}

/** Clears a file's huge entry: faults bring its pages back. PMD lock held. */
function clearFileHugePmd(mm: Mm, pmd: Pmd, first: Vpn): void {
  const old = exchange(pmd, 0);
  upperCleared(pmd);
  flushTlbRange(mm, first, first + PMD_PAGES, false);
  countOff(mm, old);
  folioPut(entryNumber(old));
}

/**
 * Makes each page of the folio `head` exclusive if the first is, otherwise none (see hugeFork.ts). The lock of a huge
 * PMD that maps it is held.
 */
function shareExclusive(head: Head): void {
  const exclusive = load(folioOf(head) + F_FLAGS) & F_EXCLUSIVE;
  for (let i: u32 = 1; i < PMD_PAGES; i += 1) {
    const flags = folioOf(head + i) + F_FLAGS;
    if ((load(flags) & F_EXCLUSIVE) === exclusive) continue;
    if (exclusive !== 0) or(flags, F_EXCLUSIVE);
    else and(flags, ~F_EXCLUSIVE >>> 0);
  }
}

/** Steps 1 to 4 of a split of the huge entry at `pmd`, whose span starts at `first`. PMD lock held. */
export function splitHugePmdLocked(mm: Mm, pmd: Pmd, first: Vpn): void {
  count(COUNTER_HUGE_SPLITS);
  if (!hasDeposit(load(pmd))) {
    clearFileHugePmd(mm, pmd, first);
    return;
  }
  const old = pmdInvalidate(mm, pmd, first);
  const table = withdraw(pmd);
  tableResume(table, pmd, first);
  const frame = entryNumber(old);
  const special = (old & PTE_SPECIAL) !== 0;
  const flags: u32 = old & 0xff & ~PTE_HUGE;
  if (!special) {
    shareExclusive(frame);
    folioGetMany(frame, PMD_PAGES - 1);
    rmapAddPtes(frame, PMD_PAGES);
  }
  const pte = tableAddress(table);
  for (let i: u32 = 0; i < PMD_PAGES; i += 1)
    setPte(pte + (i << 2), entryMake(special ? frame : frame + i, flags));
  if (!special) rmapRemovePmd(frame);
  // Publishes the table and its entries; pairs with the loads of the PMD in pteMap.ts, gupFast.ts and access.ts.
  store(pmd, entryMake(table, UPPER_FLAGS));
}

/**
 * Splits the entry at `pmd`, which maps `vpn`, if it is huge. Precondition: mmap_lock, the VMA's lock or an rmap lock;
 * no spinlock.
 */
export function splitHugePmd(mm: Mm, pmd: Pmd, vpn: Vpn): void {
  if (!pmdTransHugeLock(pmd)) return;
  splitHugePmdLocked(mm, pmd, hugeFirst(vpn));
  pmdUnlock(pmd);
}

/**
 * Splits the huge PMD of `vma` that `vpn`, a bound to be, lies strictly inside of. Precondition: the VMA is
 * write-locked and has its old bounds.
 */
export function splitAtBoundary(vma: Vma, vpn: Vpn): void {
  const first = hugeFirst(vpn);
  if (first === vpn || first < load(vma + VMA_START)) return;
  if (load(vma + VMA_END) - first < PMD_PAGES || load(vma + VMA_END) < first) return;
  const mm = load(vma + VMA_MM);
  walkBegin(mm);
  const pmd = pmdFind(mm, vpn);
  if (pmd !== 0) splitHugePmd(mm, pmd, vpn);
  walkEnd(mm);
}

/**
 * Moves the huge entry at `oldPmd` to `newPmd`, which is none. Returns 1, or 0: it is not huge any more, or the
 * destination has a table.
 */
export function moveHugePmd(mm: Mm, oldPmd: Pmd, old: Vpn, newPmd: Pmd): u32 {
  if (load(newPmd) !== 0) return 0;
  if (!pmdTransHugeLock(oldPmd)) return 0;
  const newLock = ptdescOfEntry(newPmd) + PT_LOCK;
  const nested = tableOfEntry(newPmd) !== tableOfEntry(oldPmd);
  if (nested) spinLockNested(newLock, LC_PMD);
  const entry = exchange(oldPmd, 0);
  upperCleared(oldPmd);
  upperInstalled(newPmd);
  if (nested && hasDeposit(entry)) deposit(newPmd, withdraw(oldPmd));
  store(newPmd, entry);
  flushTlbRange(mm, old, old + PMD_PAGES, false);
  if (nested) spinUnlock(newLock, LC_PMD);
  pmdUnlock(oldPmd);
  return 1;
}

/**
 * MADV_FREE of the whole span, at `first`, of the entry at `pmd`, if it is huge. A folio that others map, too, is not
 * theirs to give up.
 */
export function freeHugePmdLazily(gather: Gather, pmd: Pmd, first: Vpn): void {
  if (!pmdTransHugeLock(pmd)) return;
  const entry = load(pmd);
  const folio = folioOf(entryNumber(entry));
  if (
    (entry & PTE_SPECIAL) === 0 &&
    (load(folio + F_FLAGS) & F_ANON) !== 0 &&
    folioMapCount(entryNumber(entry)) === 1
  ) {
    and(pmd, ~(PTE_ACCESSED | PTE_DIRTY) >>> 0);
    gatherNoteRange(gather, first, first + PMD_PAGES);
    and(folio + F_FLAGS, ~F_DIRTY >>> 0);
    or(folio + F_FLAGS, F_LAZYFREE);
  }
  pmdUnlock(pmd);
}

/** MADV_COLD of the whole span, at `first`, of the entry at `pmd`, if it is huge. */
export function coolHugePmd(gather: Gather, pmd: Pmd, first: Vpn): void {
  if (!pmdTransHugeLock(pmd)) return;
  const entry = load(pmd);
  if ((entry & PTE_SPECIAL) === 0 && (entry & PTE_ACCESSED) !== 0) {
    and(pmd, ~PTE_ACCESSED >>> 0);
    gatherNoteRange(gather, first, first + PMD_PAGES);
  }
  pmdUnlock(pmd);
}
