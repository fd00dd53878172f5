/**
 * What a collapse wants of a span of anonymous memory: the look at its PMD and at the entries of its table, first under
 * the PTE lock alone, to see whether it is worth it, and a second time in the middle of the collapse, when nobody can
 * change them any more (collapse.ts).
 *
 * Guarantee: SCAN_SUCCEED says that, while the lock was held, every entry was none, the zero page, a page of anonymous
 * memory that only entries refer to, or, as far as `swapped` allows, in swap. After the lock has been dropped it says
 * nothing.
 *
 * MADV_COLLAPSE takes every span that can be collapsed. khugepaged has limits beside, so that it does not make memory
 * of what nobody uses (config words, entries of a span, as in /sys/kernel/mm/transparent_hugepage/khugepaged/):
 *
 *     max_ptes_none      none, or the zero page: become memory
 *     max_ptes_swap      swapped out: have to be read
 *     max_ptes_shared    pages that other entries map as well: are copied, and stay where they are
 *     some page accessed since it was looked at last; with entries in swap, half of them
 *
 * Lock order: PTE lock. Source: Linux mm/khugepaged.c (hpage_collapse_scan_pmd, find_pmd_or_thp_or_none,
 * __collapse_huge_page_isolate).
 */

import { F_ANON, folioFlags, folioHead, folioOf } from '../alloc/folio.ts';
import { folioMapCount, pageMapCount } from '../space/mapcount.ts';
import { walkBegin, walkEnd } from '../word/hooks.ts';
import { pteOffsetMapLock, pteUnmapUnlock } from '../tables/pteMap.ts';
import { pmdFind } from '../tables/walk.ts';
import { VM_UFFD_FLAGS } from '../watch/uffdRange.ts';
import { PMD_PAGES } from '../word/config.ts';
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
} from '../word/entry.ts';
import {
  F_REF,
  H_MAX_PTES_NONE,
  H_MAX_PTES_SHARED,
  H_MAX_PTES_SWAP,
  VMA_FLAGS,
} from '../word/layout.ts';
import { load, peek } from '../word/word.ts';

/** Results of looking at a span and of collapsing it (enum scan_result). khugepaged counts each (stats.ts). */
export const SCAN_SUCCEED: u32 = 0;
export const SCAN_PMD_MAPPED: u32 = 1;
/** No PMD table; the PMD entry is none. */
export const SCAN_PMD_NULL: u32 = 2;
export const SCAN_PMD_NONE: u32 = 3;
export const SCAN_EXCEED_NONE_PTE: u32 = 4;
const SCAN_EXCEED_SWAP_PTE: u32 = 5;
const SCAN_EXCEED_SHARED_PTE: u32 = 6;
export const SCAN_PTE_NON_PRESENT: u32 = 7;
export const SCAN_PTE_UFFD_WP: u32 = 8;
const SCAN_LACK_REFERENCED_PAGE: u32 = 9;
/** A page has references beside those of its entries. */
export const SCAN_PAGE_COUNT: u32 = 10;
const SCAN_PAGE_ANON: u32 = 11;
export const SCAN_PAGE_COMPOUND: u32 = 12;
export const SCAN_VMA_CHECK: u32 = 13;
export const SCAN_ALLOC_HUGE_PAGE_FAIL: u32 = 14;
export const SCAN_TRUNCATED: u32 = 15;
export const SCAN_PTE_MAPPED_HUGEPAGE: u32 = 16;
export const SCAN_PAGE_LOCK: u32 = 17;
export const SCAN_PAGE_NULL: u32 = 18;
/** A page of a file has been written to. */
export const SCAN_PAGE_DIRTY: u32 = 19;
export const SCAN_FAIL: u32 = 20;

/** Who collapses: MADV_COLLAPSE, or khugepaged with its limits. */
export const BY_MADVISE: u32 = 0;
export const BY_KHUGEPAGED: u32 = 1;

/**
 * What the PMD entry at `pmd` (0: there is none) is to a collapse: SCAN_SUCCEED when it names a table, SCAN_PMD_MAPPED,
 * _NONE or _NULL.
 */
export function pmdForCollapse(pmd: Pmd): u32 {
  if (pmd === 0) return SCAN_PMD_NULL;
  const value = load(pmd);
  if (entryHuge(value)) return SCAN_PMD_MAPPED;
  return entryNamesTable(value) ? SCAN_SUCCEED : SCAN_PMD_NONE;
}

/** Whether the folio of `frame` has references beside those of the entries that map it. */
function pinned(frame: Frame): boolean {
  const head = folioHead(frame);
  return load(folioOf(head) + F_REF) !== folioMapCount(head);
}

/**
 * Looks at one entry of the span that is to be collapsed. PTE lock held. Returns SCAN_SUCCEED for a page of anonymous
 * memory, SCAN_EXCEED_NONE_PTE for none or the zero page, SCAN_EXCEED_SWAP_PTE for a swap entry, else why not.
 */
function lookAt(entry: Entry): u32 {
  if (entry === 0) return SCAN_EXCEED_NONE_PTE;
  if (entry === UFFD_MARKER || (entry & PTE_UFFD_WP) !== 0) return SCAN_PTE_UFFD_WP;
  if (!entryPresent(entry))
    return (entry & ENTRY_KIND) === ENTRY_SWAP ? SCAN_EXCEED_SWAP_PTE : SCAN_PTE_NON_PRESENT;
  if ((entry & PTE_SPECIAL) !== 0) return SCAN_EXCEED_NONE_PTE;
  return (folioFlags(entryNumber(entry)) & F_ANON) !== 0 ? SCAN_SUCCEED : SCAN_PAGE_ANON;
}

/**
 * Looks at all entries from `pte` on, the PTE lock held, in `vma`, on behalf of `by` (BY_); `swapped`: entries that may
 * be swapped out. Returns SCAN_SUCCEED, or why the span is not to be collapsed.
 */
export function lookAtAll(pte: Pte, by: u32, swapped: u32, vma: Vma): u32 {
  // A userfaultfd is to be told when a page comes where none is.
  const watched = (load(vma + VMA_FLAGS) & VM_UFFD_FLAGS) !== 0;
  let none: u32 = 0;
  let swap: u32 = 0;
  let shared: u32 = 0;
  let referenced: u32 = 0;
  for (let i: u32 = 0; i < PMD_PAGES; i += 1) {
    const entry = load(pte + (i << 2));
    const seen = lookAt(entry);
    if (seen === SCAN_EXCEED_NONE_PTE) {
      none += 1;
      if (watched || (by === BY_KHUGEPAGED && none > peek(H_MAX_PTES_NONE))) return seen;
    } else if (seen === SCAN_EXCEED_SWAP_PTE) {
      swap += 1;
      if (swap > swapped) return swapped === 0 ? SCAN_PTE_NON_PRESENT : seen;
    } else if (seen !== SCAN_SUCCEED) {
      return seen;
    } else {
      const frame = entryNumber(entry);
      if (by === BY_KHUGEPAGED && pageMapCount(frame) > 1) {
        shared += 1;
        if (shared > peek(H_MAX_PTES_SHARED)) return SCAN_EXCEED_SHARED_PTE;
      }
      if (pinned(frame)) return SCAN_PAGE_COUNT;
      if ((entry & PTE_ACCESSED) !== 0) referenced += 1;
    }
  }
  if (by !== BY_KHUGEPAGED) return SCAN_SUCCEED;
  const enough = referenced !== 0 && (swap === 0 || referenced >= PMD_PAGES >>> 1);
  return enough ? SCAN_SUCCEED : SCAN_LACK_REFERENCED_PAGE;
}

/** The first look at the span whose PMD entry is at `pmd` (0: there is none). */
function scanPmd(vma: Vma, pmd: Pmd, first: Vpn, by: u32): u32 {
  const state = pmdForCollapse(pmd);
  if (state !== SCAN_SUCCEED) return state;
  const pte = pteOffsetMapLock(pmd, first);
  if (pte === 0) return SCAN_PMD_NULL;
  const result = lookAtAll(pte, by, by === BY_MADVISE ? PMD_PAGES : peek(H_MAX_PTES_SWAP), vma);
  pteUnmapUnlock(pte);
  return result;
}

/**
 * Whether the span at `first` of `vma`, of anonymous memory, is to be collapsed on behalf of `by` (BY_): SCAN_SUCCEED,
 * or why not. mmap_lock held.
 */
export function scanSpan(mm: Mm, vma: Vma, first: Vpn, by: u32): u32 {
  walkBegin(mm);
  const result = scanPmd(vma, pmdFind(mm, first), first, by);
  walkEnd(mm);
  return result;
}
