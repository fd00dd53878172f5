/**
 * madvise(MADV_PAGEOUT): pages leave memory for simulated swap, for the page cache, or, after MADV_FREE, for nowhere.
 *
 * Guarantee: a page is given up only while nothing but its one entry and this function has it; its translation is flushed before
 * the frame is freed; its content is not lost: the entry becomes a swap entry, or none where the content is in the cache or was declared unneeded.
 * Shared memory that was written to stays in the cache, unmapped.
 *
 *  1. Isolate: under the PTE lock take a reference on up to PAGEOUT_BATCH pages that are mapped once, and remember vpn and entry.
 *  2. With the lock dropped, one by one (`tryToUnmap`): take a swap slot; map and lock again; the page must still be there (same frame), mapped
 *     once, with no other references; clear the entry, flush; by kind: put the swap entry in; drop the page if it may be discarded and was not
 *     written since; put the entry back otherwise.
 *  3. Drop the references. The last one frees the frame.
 *
 * Lock order: mmap_lock for read; PTE lock; G_SWAP_LOCK. Source: Linux mm/madvise.c (madvise_cold_or_pageout_pte_range), mm/vmscan.c
 * (reclaim_folio_list), mm/rmap.c (try_to_unmap_one).
 */

import { PAGEOUT_BATCH, PMD_PAGES } from './config.ts';
import {
  ENTRY_SWAP,
  entryMake,
  entryNamesTable,
  entryNumber,
  entryPresent,
  PTE_DIRTY,
  PTE_UFFD_WP,
} from './entry.ts';
import { filemapRemoveUnused } from './filemap.ts';
import {
  F_ANON,
  F_CACHED,
  F_DIRTY,
  F_LAZYFREE,
  F_ORDER,
  folioFlags,
  folioGet,
  folioOf,
  folioPut,
} from './frame.ts';
import { splitHugePmd } from './hugePmd.ts';
import { syncPoint } from './inject.ts';
import { C_PAGEOUT, F_FLAGS, F_REF } from './layout.ts';
import { folioMapCount, rmapRemovePtes } from './mapcount.ts';
import { thisCpu } from './percpu.ts';
import { clearPte, pteOffsetMapLock, pteUnmapUnlock, setPte } from './pteMap.ts';
import { walkBegin, walkEnd } from './protocol.ts';
import { condResched } from './rcu.ts';
import { entryCounted, RSS_SWAP, rssAdd, rssKind, rssSub } from './rss.ts';
import { count, COUNTER_PAGED_OUT } from './stats.ts';
import { swapAlloc, swapFree } from './swap.ts';
import { flushTlbRange } from './tlb.ts';
import { uffdLeftBehind } from './uffdWp.ts';
import { pmdFind } from './walk.ts';
import { and, load, or, peek, poke } from './word.ts';
import { spanEnd } from './zap.ts';

/** Whether a page may be looked at for paging out. PTE lock held. */
function isolatable(entry: u32): boolean {
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

/** Step 1: isolates pages of [start, end), at most PAGEOUT_BATCH. Returns how many; the words of C_PAGEOUT hold vpn and entry of each. */
function isolate(pmd: u32, start: u32, end: u32): u32 {
  const pte = pteOffsetMapLock(pmd, start);
  if (pte === 0) return 0;
  const list = thisCpu() + C_PAGEOUT;
  let isolated: u32 = 0;
  for (let vpn = start; vpn !== end && isolated < PAGEOUT_BATCH; vpn += 1) {
    const entry = load(pte + ((vpn - start) << 2));
    if (isolatable(entry)) {
      folioGet(entryNumber(entry));
      poke(list + (isolated << 3), vpn);
      poke(list + (isolated << 3) + 4, entry);
      isolated += 1;
    }
  }
  pteUnmapUnlock(pte);
  return isolated;
}

/** What becomes of an anonymous page's entry: none, a swap entry of `slot`, or the entry itself again. */
function replacement(folio: u32, entry: u32, slot: u32): u32 {
  const flags = load(folio + F_FLAGS);
  if ((flags & F_LAZYFREE) !== 0) {
    if ((entry & PTE_DIRTY) === 0 && (flags & F_DIRTY) === 0) return 0;
    and(folio + F_FLAGS, ~F_LAZYFREE >>> 0);
    return entry;
  }
  return slot !== 0 ? entryMake(slot, ENTRY_SWAP | (entry & PTE_UFFD_WP)) : entry;
}

/** Whether the page leaves its entry for swap, so that a slot is wanted. */
function wantsSlot(folio: u32): boolean {
  return (load(folio + F_FLAGS) & (F_ANON | F_LAZYFREE)) === F_ANON;
}

/** Step 2 for the page of `vpn` that `entry` mapped when it was isolated. Returns whether its mapping is gone. */
function tryToUnmap(mm: u32, pmd: u32, vpn: u32, entry: u32): boolean {
  const frame = entryNumber(entry);
  const folio = folioOf(frame);
  const anon = (load(folio + F_FLAGS) & F_ANON) !== 0;
  const slot = wantsSlot(folio) ? swapAlloc() : 0;
  let next: u32 = entry;
  let unmapped = false;
  const pte = pteOffsetMapLock(pmd, vpn);
  if (pte !== 0) {
    const now = load(pte);
    const references: u32 = anon ? 2 : 3;
    if (
      entryPresent(now) &&
      entryCounted(now) &&
      entryNumber(now) === frame &&
      folioMapCount(frame) === 1
    ) {
      const cleared = clearPte(pte);
      flushTlbRange(mm, vpn, vpn + 1, 0);
      next = cleared;
      // After the flush nobody new can find the page through this entry; a GUP that found it before holds a reference now, or sees the change.
      if (load(folio + F_REF) === references) {
        next = anon ? replacement(folio, cleared, slot) : uffdLeftBehind(mm, vpn, cleared);
      }
      unmapped = next !== cleared;
      if (next !== 0) setPte(pte, next);
      if (unmapped) {
        if (!anon && (cleared & PTE_DIRTY) !== 0) or(folio + F_FLAGS, F_DIRTY);
        rssSub(mm, rssKind(cleared), 1);
        if (anon && next !== 0) rssAdd(mm, RSS_SWAP, 1);
        rmapRemovePtes(frame, 1);
      }
    }
    pteUnmapUnlock(pte);
  }
  if (slot !== 0 && !(unmapped && next !== 0)) swapFree(slot);
  return unmapped;
}

/** Steps 2 and 3 for what was isolated. */
function unmapIsolated(mm: u32, pmd: u32, isolated: u32): void {
  const list = thisCpu() + C_PAGEOUT;
  for (let i: u32 = 0; i < isolated; i += 1) {
    const vpn = peek(list + (i << 3));
    const entry = peek(list + (i << 3) + 4);
    const frame = entryNumber(entry);
    const cached = (load(folioOf(frame) + F_FLAGS) & F_CACHED) !== 0;
    if (tryToUnmap(mm, pmd, vpn, entry)) {
      count(COUNTER_PAGED_OUT);
      // The mapping's own reference.
      folioPut(frame);
      if (cached) filemapRemoveUnused(frame);
    }
    folioPut(frame);
  }
}

/** MADV_PAGEOUT on [start, end) of one VMA. Precondition: mmap_lock for read; no spinlock. */
export function pageoutRange(mm: u32, start: u32, end: u32): void {
  walkBegin(mm);
  let vpn = start;
  while (vpn !== end) {
    const next = spanEnd(vpn, PMD_PAGES, end);
    const pmd = pmdFind(mm, vpn);
    let from = vpn;
    if (pmd !== 0) splitHugePmd(mm, pmd, vpn);
    while (from !== next && pmd !== 0 && entryNamesTable(load(pmd))) {
      const isolated = isolate(pmd, from, next);
      syncPoint();
      unmapIsolated(mm, pmd, isolated);
      from =
        isolated < PAGEOUT_BATCH ? next : peek(thisCpu() + C_PAGEOUT + ((isolated - 1) << 3)) + 1;
      condResched();
    }
    vpn = next;
  }
  walkEnd(mm);
}
