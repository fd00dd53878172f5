/**
 * Faults that a huge PMD answers: where nothing is mapped yet, and on a huge PMD that does not permit the access.
 *
 *  none, anonymous memory    write: a folio of PMD_PAGES pages; read: the huge zero page, as Linux with use_zero_page,
 *                            or such a folio where the machine has no zero page. Each with a table deposited. For
 *                            either the VMA gets its anon_vma first
 *  write, huge zero page     a folio in its place; when there is none, the entry is split and the fault goes on with
 *                            one page
 *  write, anonymous folio    the entry becomes writable if the folio is its alone; else it is split and the fault goes
 *                            on with one page (hugeFork.ts)
 *
 * Fallback (HUGE_FALLBACK): the span does not lie in the VMA, huge pages are not enabled there, or there is no folio:
 * the fault goes on with PTEs. No table to deposit is ENOMEM, as for any table.
 *
 * Enabled (option `thp`): `always`; `madvise`: where MADV_HUGEPAGE was given; `never`. MADV_NOHUGEPAGE forbids.
 * MADV_COLLAPSE asks for neither.
 *
 * Protocol: prepare folio and table with no spinlock; PMD lock; the entry must be what it was; deposit, count, store.
 * The store publishes the mapping; it pairs with the loads of lockless walkers.
 * Lock order: mmap_lock or VMA lock; PMD lock. Source: Linux mm/huge_memory.c (do_huge_pmd_anonymous_page,
 * set_huge_zero_folio, do_huge_pmd_wp_page, do_huge_zero_wp_pmd, thp_vma_allowable_orders), mm/memory.c
 * (__handle_mm_fault, create_huge_pmd, wp_huge_pmd).
 */

import { F_ANON, F_DIRTY, F_EXCLUSIVE, folioOf, ZERO_FRAME } from '../alloc/folio.ts';
import { folioPut, frameAlloc } from '../alloc/frame.ts';
import { depositAlloc, depositCancel, depositNew } from '../huge/hugeDeposit.ts';
import { pmdInvalidate, pmdTransHugeLock, splitHugePmdLocked } from '../huge/hugePmd.ts';
import { khugepagedEnter } from '../huge/khugepagedSlots.ts';
import { count, COUNTER_HUGE_FALLBACKS, COUNTER_HUGE_FAULTS } from '../observe/stats.ts';
import { rmapAddPmd } from '../space/mapcount.ts';
import { RSS_ANON, rssAdd } from '../space/rss.ts';
import { linearPageIndex } from '../space/vma.ts';
import { upperInstalled } from '../word/hooks.ts';
import { hugeFirst, pmdLock, pmdUnlock } from '../tables/offsets.ts';
import { handleUserfault, UFFD_FAULT_MISSING } from '../watch/uffdFault.ts';
import {
  ENOMEM,
  FRAME_ORDER_MAX,
  PMD_PAGES,
  PMD_SHIFT,
  THP_ALWAYS,
  THP_NEVER,
  VM_HUGEPAGE,
  VM_NOHUGEPAGE,
  VM_SHARED,
  VM_UFFD_MISSING,
  VM_WRITE,
} from '../word/config.ts';
import {
  entryFlags,
  entryMake,
  entryNumber,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_HUGE,
  PTE_SPECIAL,
  PTE_WRITE,
} from '../word/entry.ts';
import {
  F_FLAGS,
  F_INDEX,
  F_OWNER,
  H_THP,
  VMA_ANON,
  VMA_END,
  VMA_FLAGS,
  VMA_INODE,
  VMA_START,
} from '../word/layout.ts';
import { load, or, peek, store } from '../word/word.ts';
import { mayReuseHuge } from './hugeFork.ts';
import { faultAllocates } from './newEntry.ts';

/** A fault goes on with PTEs; it is to be tried again when the VMA has an anon_vma. */
export const HUGE_FALLBACK: u32 = 0x400;
export const HUGE_NEEDS_ANON: u32 = 0x401;

/** Whether the span of `first` lies within `vma`. */
export function spanSuitable(vma: Vma, first: Vpn): boolean {
  const end = load(vma + VMA_END);
  return first >= load(vma + VMA_START) && end > first && end - first >= PMD_PAGES;
}

/**
 * Whether faults and khugepaged make huge pages in a VMA with `flags`; `forced`: MADV_COLLAPSE, which only
 * MADV_NOHUGEPAGE stops.
 */
export function hugeAllowed(flags: u32, forced: boolean): boolean {
  if (PMD_SHIFT > FRAME_ORDER_MAX || (flags & VM_NOHUGEPAGE) !== 0) return false;
  if (forced) return true;
  const enabled = peek(H_THP);
  if (enabled === THP_NEVER) return false;
  return enabled === THP_ALWAYS || (flags & VM_HUGEPAGE) !== 0;
}

/** The huge entry of a new anonymous folio in a VMA with `flags`. */
export function hugeAnonEntry(flags: u32, head: Head): Entry {
  const writable = (flags & VM_WRITE) !== 0 ? PTE_WRITE : 0;
  return entryMake(head, entryFlags(flags) | writable | PTE_DIRTY | PTE_HUGE);
}

/**
 * Makes a folio that nobody else has the anonymous memory of `vma`, which has an anon_vma, in the span at `first`,
 * mapped once and counted.
 */
export function mapAnonHuge(mm: Mm, vma: Vma, first: Vpn, head: Head): void {
  const folio = folioOf(head);
  // Atomic: whoever still has the frame's number from before may look at its owner.
  store(folio + F_OWNER, load(vma + VMA_ANON));
  store(folio + F_INDEX, linearPageIndex(vma, first));
  rmapAddPmd(head);
  rssAdd(mm, RSS_ANON, PMD_PAGES);
}

/**
 * A fault at `vpn` of anonymous memory whose PMD, at `pmd`, was none. Returns 0, ENOMEM, HUGE_NEEDS_ANON,
 * HUGE_FALLBACK, or what handleUserfault does. The VMA is locked.
 */
export function faultHuge(mm: Mm, vma: Vma, pmd: Pmd, vpn: Vpn, write: u32): u32 {
  const flags = load(vma + VMA_FLAGS);
  const first = hugeFirst(vpn);
  if (!hugeAllowed(flags, false) || !spanSuitable(vma, first)) return HUGE_FALLBACK;
  khugepagedEnter(mm);
  if (peek(vma + VMA_INODE) !== 0) return HUGE_FALLBACK;
  if (load(vma + VMA_ANON) === 0) return HUGE_NEEDS_ANON;
  if ((flags & VM_UFFD_MISSING) !== 0) return handleUserfault(mm, vpn, UFFD_FAULT_MISSING);
  let head: Head = 0;
  if (faultAllocates(write)) {
    head = frameAlloc(PMD_SHIFT, F_ANON | F_EXCLUSIVE);
    if (head === 0) {
      count(COUNTER_HUGE_FALLBACKS);
      return HUGE_FALLBACK;
    }
  }
  const table = depositAlloc(mm, first);
  if (table === 0) {
    if (head !== 0) folioPut(head);
    return ENOMEM;
  }
  pmdLock(pmd);
  const won = load(pmd) === 0;
  if (won) {
    depositNew(mm, pmd, table);
    upperInstalled(pmd);
    if (head === 0) {
      store(pmd, entryMake(ZERO_FRAME, entryFlags(flags) | PTE_SPECIAL | PTE_HUGE));
    } else {
      mapAnonHuge(mm, vma, first, head);
      store(pmd, hugeAnonEntry(flags, head));
    }
    count(COUNTER_HUGE_FAULTS);
  }
  pmdUnlock(pmd);
  if (!won) {
    depositCancel(table);
    if (head !== 0) folioPut(head);
  }
  return 0;
}

/**
 * A write to the huge zero page: replaces it by a folio, or splits it when there is none. Results as for faultOnHuge.
 */
function writeHugeZero(mm: Mm, vma: Vma, pmd: Pmd, first: Vpn): u32 {
  const head = frameAlloc(PMD_SHIFT, F_ANON | F_EXCLUSIVE);
  if (!pmdTransHugeLock(pmd)) {
    if (head !== 0) folioPut(head);
    return 0;
  }
  const still = (load(pmd) & PTE_SPECIAL) !== 0;
  if (still && head !== 0) {
    // No CPU may read the zero page after another has written to the folio.
    pmdInvalidate(mm, pmd, first);
    mapAnonHuge(mm, vma, first, head);
    store(pmd, hugeAnonEntry(load(vma + VMA_FLAGS), head));
    count(COUNTER_HUGE_FAULTS);
  } else if (still) {
    count(COUNTER_HUGE_FALLBACKS);
    splitHugePmdLocked(mm, pmd, first);
  }
  pmdUnlock(pmd);
  if (head !== 0 && !still) folioPut(head);
  return still && head === 0 ? HUGE_FALLBACK : 0;
}

/**
 * A fault at `vpn` on the huge PMD value `seen`, read from `pmd`. The VMA is locked and, for a write, has an anon_vma.
 * Returns 0 (try the access again), or HUGE_FALLBACK: the entry has been split.
 */
export function faultOnHuge(mm: Mm, vma: Vma, pmd: Pmd, vpn: Vpn, seen: Entry, write: u32): u32 {
  const first = hugeFirst(vpn);
  if (write !== 0 && (seen & PTE_WRITE) === 0 && (seen & PTE_SPECIAL) !== 0)
    return writeHugeZero(mm, vma, pmd, first);
  if (!pmdTransHugeLock(pmd)) return 0;
  const entry = load(pmd);
  const writable = (load(vma + VMA_FLAGS) & VM_WRITE) !== 0;
  let result: u32 = 0;
  if (write !== 0 && writable && (entry & (PTE_WRITE | PTE_SPECIAL)) === 0) {
    const folio = folioOf(entryNumber(entry));
    const shared = (load(vma + VMA_FLAGS) & VM_SHARED) !== 0;
    if (shared || mayReuseHuge(vma, entry)) {
      if (shared) or(folio + F_FLAGS, F_DIRTY);
      // Rights only grow, so no flush is needed.
      or(pmd, PTE_WRITE | PTE_ACCESSED | PTE_DIRTY);
    } else {
      splitHugePmdLocked(mm, pmd, first);
      result = HUGE_FALLBACK;
    }
  }
  pmdUnlock(pmd);
  return result;
}
