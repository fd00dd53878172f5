/**
 * madvise: dontneed, free, cold, pageout, collapse, hugepage, nohugepage, populate_read, populate_write.
 *
 * The advice is applied to every VMA of the range from left to right; holes are skipped and answered with ENOMEM at the
 * end; an error from a VMA stops the walk and wins.
 *
 *  dontneed       zap, with the reclaim of empty PTE tables; on the VMA lock when one VMA covers the range, else on
 *                 mmap_lock for read
 *  free           clean and age the pages; they may be discarded until written again; swap entries are dropped.
 *                 Anonymous memory only
 *  cold           clear accessed bits
 *  pageout        pageout.ts
 *  collapse       madviseCollapse.ts
 *  hugepage, nohugepage   set VM_HUGEPAGE or VM_NOHUGEPAGE, which splits and merges VMAs as rights do; on mmap_lock for
 *                         write
 *  populate_*     populate.ts
 *
 * Lock order: mmap_lock, or the VMA lock; PTE lock. Source: Linux mm/madvise.c (madvise_walk_vmas,
 * madvise_dontneed_single_vma, madvise_free_pte_range, madvise_cold_or_pageout_pte_range, madvise_update_vma,
 * try_vma_read_lock).
 */

import { populateRange } from '../access/populate.ts';
import {
  F_ANON,
  F_DIRTY,
  F_LAZYFREE,
  folioFlags,
  folioHead,
  folioLarge,
  folioOf,
} from '../alloc/folio.ts';
import { swapFree } from '../alloc/swap.ts';
import { hugeAllowed } from '../fault/hugeFault.ts';
import { coolHugePmd, freeHugePmdLazily, splitHugePmd } from '../huge/hugePmd.ts';
import { khugepagedEnter } from '../huge/khugepagedSlots.ts';
import { condResched } from '../rcu/rcu.ts';
import { mmapReadLock, mmapReadUnlock, mmapWriteLock, mmapWriteUnlock } from '../sleep/mmapLock.ts';
import { folioMapCount } from '../space/mapcount.ts';
import { entryCounted, RSS_SWAP, rssSub } from '../space/rss.ts';
import { findVma } from '../space/vma.ts';
import { lockVmaUnderRcu, vmaReadUnlock } from '../space/vmaLock.ts';
import { gatherFinish, gatherNoteRange, gatherSetMarkers, gatherStart } from '../tables/gather.ts';
import { rangeZapped, walkBegin, walkEnd } from '../word/hooks.ts';
import { spanEnd } from '../tables/offsets.ts';
import { clearPte, pteOffsetMapLock, pteUnmapUnlock } from '../tables/pteMap.ts';
import { pmdFind } from '../tables/walk.ts';
import { entryLarge, splitLargeFolios, wholeFolio } from '../vma/splitRange.ts';
import { vmaModifyFlags } from '../vma/vmaMerge.ts';
import { uffdZapMarkers } from '../watch/uffdMarker.ts';
import {
  EAGAIN,
  EINVAL,
  ENOMEM,
  FAULT_VMA_LOCK,
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  PMD_PAGES,
  VM_HUGEPAGE,
  VM_NOHUGEPAGE,
} from '../word/config.ts';
import {
  ENTRY_KIND,
  ENTRY_SWAP,
  entryHuge,
  entryNamesTable,
  entryNumber,
  entryPresent,
  PTE_ACCESSED,
  PTE_DIRTY,
} from '../word/entry.ts';
import { F_FLAGS, VMA_END, VMA_FLAGS, VMA_INODE, VMA_MM, VMA_START } from '../word/layout.ts';
import { runFaultPath } from '../word/run.ts';
import { and, load, or, peek, store } from '../word/word.ts';
import { unmapPageRange } from '../zap/zap.ts';
import { folioPteBatch } from '../zap/zapFolio.ts';
import { madviseCollapse } from './madviseCollapse.ts';
import { pageoutRange } from './pageout.ts';

/** madvise(MADV_DONTNEED) on [start, end) of one VMA, which is locked. */
function dontneed(mm: Mm, vma: Vma, start: Vpn, end: Vpn): void {
  const gather = gatherStart(mm);
  gatherSetMarkers(gather, uffdZapMarkers(vma));
  unmapPageRange(gather, mm, start, end, true);
  gatherFinish(gather);
}

/** MADV_FREE of one entry that is not none. PTE lock held. */
function freeEntryLazily(gather: Gather, mm: Mm, pte: Pte, vpn: Vpn, entry: Entry): void {
  if (!entryPresent(entry)) {
    if ((entry & ENTRY_KIND) !== ENTRY_SWAP) return;
    clearPte(pte);
    rssSub(mm, RSS_SWAP, 1);
    swapFree(entryNumber(entry));
    return;
  }
  if (!entryCounted(entry)) return;
  const frame = entryNumber(entry);
  if ((folioFlags(frame) & F_ANON) === 0) return;
  const folio = folioOf(folioHead(frame));
  // Whether others wrote to it only their entries tell; once the folio does, it stays dirty for them. A large one is
  // here with all its entries (ageEntries).
  const dirty = (load(folio + F_FLAGS) & F_DIRTY) !== 0;
  if (dirty && !folioLarge(frame) && folioMapCount(frame) !== 1) return;
  // Atomic: a write through a cached translation after this sets dirty again, once the flush has made its walker look.
  and(pte, ~(PTE_ACCESSED | PTE_DIRTY) >>> 0);
  gatherNoteRange(gather, vpn, vpn + 1);
  and(folio + F_FLAGS, ~F_DIRTY >>> 0);
  or(folio + F_FLAGS, F_LAZYFREE);
}

/** MADV_COLD of one entry that is not none. PTE lock held. */
function coolEntry(gather: Gather, pte: Pte, vpn: Vpn, entry: Entry): void {
  if (!entryPresent(entry) || !entryCounted(entry) || (entry & PTE_ACCESSED) === 0) return;
  and(pte, ~PTE_ACCESSED >>> 0);
  gatherNoteRange(gather, vpn, vpn + 1);
}

/**
 * Applies free or cold to a huge PMD entry that [start, end) covers; one of which it covers a part is split, and dealt
 * with as a table's.
 */
function ageHuge(gather: Gather, mm: Mm, pmd: Pmd, start: Vpn, end: Vpn, advice: u32): void {
  if (end - start !== PMD_PAGES) splitHugePmd(mm, pmd, start);
  else if (advice === MADV_FREE) freeHugePmdLazily(gather, pmd, start);
  else coolHugePmd(gather, pmd, start);
}

/** Applies free or cold to one entry that is not none. PTE lock held. */
function ageEntry(gather: Gather, mm: Mm, pte: Pte, vpn: Vpn, entry: Entry, advice: u32): void {
  if (advice === MADV_FREE) freeEntryLazily(gather, mm, pte, vpn, entry);
  else coolEntry(gather, pte, vpn, entry);
}

/**
 * Applies free or cold to the entries of [start, end), all in one table; large folios of which it maps a part only are
 * left alone. PTE lock held.
 */
function ageEntries(gather: Gather, mm: Mm, pte: Pte, start: Vpn, end: Vpn, advice: u32): void {
  let vpn = start;
  while (vpn !== end) {
    const at = pte + ((vpn - start) << 2);
    const entry = load(at);
    const large = entryLarge(entry);
    const run: u32 = large ? folioPteBatch(at, entry, end - vpn) : 1;
    if (entry !== 0 && (!large || wholeFolio(entry, run)))
      for (let i: u32 = 0; i < run; i += 1)
        ageEntry(gather, mm, at + (i << 2), vpn + i, load(at + (i << 2)), advice);
    vpn += run;
  }
}

/** Applies free or cold to the entries of [start, end), one PMD entry after the other. The VMA is locked. */
function ageRange(mm: Mm, start: Vpn, end: Vpn, advice: u32): void {
  splitLargeFolios(mm, start, end, false);
  const gather = gatherStart(mm);
  walkBegin(mm);
  let vpn = start;
  while (vpn !== end) {
    const next = spanEnd(vpn, PMD_PAGES, end);
    const pmd = pmdFind(mm, vpn);
    if (pmd !== 0 && entryHuge(load(pmd))) ageHuge(gather, mm, pmd, vpn, next, advice);
    const pte = pmd !== 0 && entryNamesTable(load(pmd)) ? pteOffsetMapLock(pmd, vpn) : 0;
    if (pte !== 0) {
      ageEntries(gather, mm, pte, vpn, next, advice);
      pteUnmapUnlock(pte);
    }
    condResched();
    vpn = next;
  }
  walkEnd(mm);
  gatherFinish(gather);
}

/**
 * MADV_HUGEPAGE or MADV_NOHUGEPAGE on [start, end) of `vma`, mmap_lock held for write. Returns 0 or EAGAIN: no VMA for
 * a split, or too many.
 */
function adviseHugePages(vma: Vma, start: Vpn, end: Vpn, advice: u32): u32 {
  const old = load(vma + VMA_FLAGS);
  const asked: u32 = advice === MADV_HUGEPAGE ? VM_HUGEPAGE : VM_NOHUGEPAGE;
  const flags = ((old & ~(VM_HUGEPAGE | VM_NOHUGEPAGE)) | asked) >>> 0;
  if (flags === old) return 0;
  const changed = vmaModifyFlags(vma, start, end, flags);
  if (changed === 0) return EAGAIN;
  store(changed + VMA_FLAGS, flags);
  if (advice === MADV_HUGEPAGE && hugeAllowed(flags, false)) khugepagedEnter(peek(vma + VMA_MM));
  return 0;
}

/** Applies `advice` to [start, end) of `vma`, which is locked and covers it. Returns 0, EINVAL or EAGAIN. */
function adviseVma(mm: Mm, vma: Vma, start: Vpn, end: Vpn, advice: u32): u32 {
  if (advice === MADV_DONTNEED) {
    dontneed(mm, vma, start, end);
    return 0;
  }
  if (advice === MADV_HUGEPAGE || advice === MADV_NOHUGEPAGE)
    return adviseHugePages(vma, start, end, advice);
  if (advice === MADV_FREE && peek(vma + VMA_INODE) !== 0) return EINVAL;
  if (advice === MADV_COLLAPSE) return madviseCollapse(mm, vma, start, end);
  if (advice === MADV_PAGEOUT) pageoutRange(mm, start, end);
  else ageRange(mm, start, end, advice);
  return 0;
}

/** Applies `advice` to every VMA of [start, end), mmap_lock held. Returns 0, ENOMEM for a hole, or a VMA's error. */
function adviseVmas(mm: Mm, start: Vpn, end: Vpn, advice: u32): u32 {
  let result: u32 = 0;
  let vpn = start;
  while (vpn < end) {
    const vma = findVma(mm, vpn);
    if (vma === 0 || load(vma + VMA_START) >= end) return ENOMEM;
    if (load(vma + VMA_START) > vpn) {
      result = ENOMEM;
      vpn = load(vma + VMA_START);
    }
    const stop = load(vma + VMA_END) < end ? load(vma + VMA_END) : end;
    const error = adviseVma(mm, vma, vpn, stop, advice);
    if (error !== 0) return error;
    vpn = stop;
  }
  return result;
}

/** Whether `advice` is one of those that one VMA's lock suffices for. */
function vmaLockSuffices(advice: u32): boolean {
  return runFaultPath() === FAULT_VMA_LOCK && (advice === MADV_DONTNEED || advice === MADV_FREE);
}

/**
 * madvise on [start, start + pages). Precondition: page-aligned, no wrap; no lock held. Returns 0, ENOMEM (a hole;
 * everything mapped was advised all the same), EINVAL (the advice is unknown, or does not fit a VMA), EAGAIN
 * (nohugepage: too many VMAs), or what populateRange returns.
 */
export function doMadvise(mm: Mm, start: Vpn, pages: u32, advice: u32): u32 {
  if (pages === 0) return 0;
  const end = start + pages;
  if (advice === MADV_POPULATE_READ) return populateRange(mm, start, end, 0);
  if (advice === MADV_POPULATE_WRITE) return populateRange(mm, start, end, 1);
  if (
    advice !== MADV_DONTNEED &&
    advice !== MADV_FREE &&
    advice !== MADV_COLD &&
    advice !== MADV_PAGEOUT &&
    advice !== MADV_COLLAPSE &&
    advice !== MADV_HUGEPAGE &&
    advice !== MADV_NOHUGEPAGE
  )
    return EINVAL;
  if (advice === MADV_HUGEPAGE || advice === MADV_NOHUGEPAGE) {
    mmapWriteLock(mm);
    const result = adviseVmas(mm, start, end, advice);
    mmapWriteUnlock(mm);
    return result;
  }
  if (vmaLockSuffices(advice)) {
    const vma = lockVmaUnderRcu(mm, start);
    if (vma !== 0) {
      const covered = load(vma + VMA_END) >= end;
      const result = covered ? adviseVma(mm, vma, start, end, advice) : 0;
      vmaReadUnlock(vma);
      if (covered) {
        if (advice === MADV_DONTNEED) rangeZapped(mm, start, end);
        return result;
      }
    }
  }
  mmapReadLock(mm);
  const result = adviseVmas(mm, start, end, advice);
  mmapReadUnlock(mm);
  if (advice === MADV_DONTNEED) rangeZapped(mm, start, end);
  return result;
}
