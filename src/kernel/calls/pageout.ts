/**
 * Paging out: pages leave memory for simulated swap, for the page cache, or, after MADV_FREE, for nowhere; and
 * madvise(MADV_PAGEOUT), which asks for it.
 *
 * Guarantee: an anonymous page is given up only while nothing but its entries and this function has it; its
 * translations are flushed before the frame is freed; its content is not lost: each entry becomes a swap entry, or none
 * where the content is in the cache or was declared unneeded. Shared memory that was written to stays in the cache,
 * unmapped.
 *
 *  1. Isolate (MADV_PAGEOUT): under the PTE lock take a reference on up to PAGEOUT_BATCH pages that are mapped once.
 *  2. With the lock dropped, one by one (`shrinkFolio`): lock the folio if nobody else has; take a swap slot; take the
 *     page out of every address space through the rmap (`tryToUnmap`); from the page cache, too, if its content can be
 *     had again and nobody uses it.
 *  3. Drop the references. The last one frees the frame.
 *
 * Lock order: mmap_lock for read, perhaps; the folio lock, by trying; see rmap.ts; G_SWAP_LOCK. Source: Linux
 * mm/madvise.c (madvise_cold_or_pageout_pte_range), mm/vmscan.c (reclaim_folio_list, shrink_folio_list).
 */

import {
  F_ANON,
  F_CACHED,
  F_LAZYFREE,
  F_ORDER,
  folioFlags,
  folioGet,
  folioHead,
  folioOf,
} from '../alloc/folio.ts';
import { folioPut } from '../alloc/frame.ts';
import { swapAlloc, swapFree } from '../alloc/swap.ts';
import { syncPoint } from '../cpu/syncPoint.ts';
import { splitHugePmd } from '../huge/hugePmd.ts';
import { count, COUNTER_PAGED_OUT } from '../observe/stats.ts';
import { condResched } from '../rcu/rcu.ts';
import { filemapRemoveUnused } from '../rmap/filemap.ts';
import { isolateSingle } from '../rmap/migrate.ts';
import { tryToUnmap } from '../rmap/rmap.ts';
import { folioTrylock, folioUnlock } from '../sleep/sleepLock.ts';
import { folioMapCount, folioMapped } from '../space/mapcount.ts';
import { entryCounted } from '../space/rss.ts';
import { walkBegin, walkEnd } from '../word/hooks.ts';
import { spanEnd } from '../tables/offsets.ts';
import { pteOffsetMapLock, pteUnmapUnlock } from '../tables/pteMap.ts';
import { pmdFind } from '../tables/walk.ts';
import { splitLargeFolios } from '../vma/splitRange.ts';
import { EAGAIN, EFAULT, PAGEOUT_BATCH, PMD_PAGES } from '../word/config.ts';
import { entryNamesTable, entryNumber, entryPresent } from '../word/entry.ts';
import { C_PAGEOUT, C_PAGEOUT_NEXT, F_FLAGS, F_REF } from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { load, peek, poke } from '../word/word.ts';

/** Whether a page may be looked at for paging out. PTE lock held. */
function isolatable(entry: Entry): boolean {
  if (!entryPresent(entry) || !entryCounted(entry)) return false;
  const frame = entryNumber(entry);
  const flags = folioFlags(frame);
  const references: u32 = (flags & F_CACHED) !== 0 ? 2 : 1;
  return (
    (flags & F_ORDER) === 0 &&
    folioMapCount(frame) === 1 &&
    load(folioOf(frame) + F_REF) === references
  );
}

/**
 * Step 1: isolates pages of [start, end), at most PAGEOUT_BATCH. Returns how many; the words of C_PAGEOUT hold the
 * frames, C_PAGEOUT_NEXT the page after the last that was looked at.
 */
function isolate(pmd: Pmd, start: Vpn, end: Vpn): u32 {
  const pte = pteOffsetMapLock(pmd, start);
  if (pte === 0) return 0;
  const list = thisCpu() + C_PAGEOUT;
  let isolated: u32 = 0;
  let vpn = start;
  while (vpn !== end && isolated < PAGEOUT_BATCH) {
    const entry = load(pte + ((vpn - start) << 2));
    if (isolatable(entry)) {
      folioGet(entryNumber(entry));
      poke(list + (isolated << 2), entryNumber(entry));
      isolated += 1;
    }
    vpn += 1;
  }
  pteUnmapUnlock(pte);
  poke(thisCpu() + C_PAGEOUT_NEXT, vpn);
  return isolated;
}

/**
 * Steps 2 and 3 for one page: takes it out of every address space and gives it up. Precondition: the caller's
 * reference, which it keeps; no lock but mmap_lock. Returns whether nothing maps it any more.
 */
export function shrinkFolio(frame: Head): boolean {
  if (!folioTrylock(frame)) return false;
  const folio = folioOf(frame);
  const flags = load(folio + F_FLAGS);
  let unmapped = false;
  if ((flags & F_ORDER) === 0 && folioMapped(frame)) {
    const slot = (flags & (F_ANON | F_LAZYFREE)) === F_ANON ? swapAlloc() : 0;
    unmapped = tryToUnmap(frame, slot);
    if (slot !== 0) swapFree(slot);
    if (unmapped) count(COUNTER_PAGED_OUT);
    if (unmapped && (flags & F_CACHED) !== 0) filemapRemoveUnused(frame);
  }
  folioUnlock(frame);
  return unmapped;
}

/** Steps 2 and 3 for what was isolated. */
function shrinkIsolated(isolated: u32): void {
  const list = thisCpu() + C_PAGEOUT;
  for (let i: u32 = 0; i < isolated; i += 1) {
    const frame = peek(list + (i << 2));
    shrinkFolio(frame);
    folioPut(frame);
  }
}

/**
 * Step 1 for pages of [start, end), which one PMD entry covers. Returns how many; 0: its table has gone, or none is
 * left.
 */
function isolateSpan(mm: Mm, start: Vpn, end: Vpn): u32 {
  walkBegin(mm);
  const pmd = pmdFind(mm, start);
  if (pmd !== 0) splitHugePmd(mm, pmd, start);
  poke(thisCpu() + C_PAGEOUT_NEXT, end);
  const isolated = pmd !== 0 && entryNamesTable(load(pmd)) ? isolate(pmd, start, end) : 0;
  walkEnd(mm);
  return isolated;
}

/** MADV_PAGEOUT on [start, end) of one VMA. Precondition: mmap_lock for read; no spinlock. */
export function pageoutRange(mm: Mm, start: Vpn, end: Vpn): void {
  splitLargeFolios(mm, start, end, true);
  let vpn = start;
  while (vpn !== end) {
    const isolated = isolateSpan(mm, vpn, spanEnd(vpn, PMD_PAGES, end));
    vpn = peek(thisCpu() + C_PAGEOUT_NEXT);
    syncPoint();
    shrinkIsolated(isolated);
    condResched();
  }
}

/**
 * Gives the page at `vpn` up, from all address spaces that map it, as memory pressure would, split off its folio if
 * that has several. Returns 0, EFAULT: nothing is mapped there, or EAGAIN: it stays somewhere. No lock held.
 */
export function reclaimPage(mm: Mm, vpn: Vpn): u32 {
  const frame = isolateSingle(mm, vpn);
  if (frame === 0) return EFAULT;
  const gone = shrinkFolio(folioHead(frame));
  folioPut(frame);
  return gone ? 0 : EAGAIN;
}
