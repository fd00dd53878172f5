/**
 * Zapping: taking the entries of a range out of the page tables (munmap, madvise(MADV_DONTNEED)), and the place where
 * an emptied PTE table is noticed.
 *
 * Guarantee: every entry that was in the range when the call began is cleared; frames and tables are handed to the
 * gather, which frees them after the flush. With `mayReclaim`, a PTE table whose whole span was zapped and that is
 * empty is detached.
 *
 * Per PMD entry (`zapPteRange`):
 *  1. map and lock the PTE table;
 *  2. walk the entries: runs of none are skipped; present ones are cleared, noted for the flush, unmapped from their
 *     page and queued in the gather, one by one or in runs of one folio (zapFolio.ts); others go by kind;
 *  3. stop early when a reschedule is due or the gather is full; a full gather has its TLBs flushed before the lock is
 *     dropped;
 *  4. if the lock was held from the first entry to the last and nothing was left in, the table is empty: the reclaim
 *     protocol hears of it under the lock (zapEmptied);
 *  5. drop the lock; free a full gather's pages; not finished: go on at 1. What was seen empty before is then no longer
 *     known to be;
 *  6. the protocol hears that the piece is done (zapDone), and whether step 4 took the table.
 *
 * A huge PMD is cleared as a whole, or split first (hugePmd.ts).
 *
 * Lock order: any one of mmap_lock, VMA lock, rmap lock, in any mode; PTE lock (PMD lock by trylock under it).
 * Source: Linux mm/memory.c (unmap_page_range, zap_pte_range, do_zap_pte_range, zap_present_ptes, zap_nonpresent_ptes).
 */

import { F_ANON, F_DIRTY, folioFlags, folioHead, folioLarge, folioOf } from '../alloc/folio.ts';
import { swapFree } from '../alloc/swap.ts';
import { needResched, pollInterrupts } from '../cpu/irq.ts';
import { syncPoint } from '../cpu/syncPoint.ts';
import { HUGE_ZAPPED_FULL, splitHugePmd, zapHugePmd } from '../huge/hugePmd.ts';
import { count, countBy, COUNTER_ZAP_BREAKS, COUNTER_ZAPPED_PAGES } from '../observe/stats.ts';
import { condResched } from '../rcu/rcu.ts';
import { rmapRemovePtes } from '../space/mapcount.ts';
import { entryCounted, RSS_SWAP, rssKind, rssSub } from '../space/rss.ts';
import {
  gatherFlush,
  gatherFlushTlb,
  gatherMarkers,
  gatherNoteRange,
  gatherPage,
  MARKERS_DROP,
  MARKERS_MAKE,
} from '../tables/gather.ts';
import {
  entriesCleared,
  walkBegin,
  walkEnd,
  zapDone,
  zapEligible,
  zapEmptied,
} from '../word/hooks.ts';
import { pgdOffset, pmdOffset, pudOffset, spanEnd } from '../tables/offsets.ts';
import { pteOffsetMapLock, pteUnmapUnlock } from '../tables/pteMap.ts';
import { uffdInstallMarker } from '../watch/uffdMarker.ts';
import { PGD_PAGES, PMD_PAGES, PUD_PAGES, ZAP_FOLIO, ZAP_RESCHED_PERIOD } from '../word/config.ts';
import {
  ENTRY_KIND,
  ENTRY_SWAP,
  entryHuge,
  entryMigrating,
  entryNamesTable,
  entryNumber,
  entryPresent,
  PTE_DIRTY,
  UFFD_MARKER,
} from '../word/entry.ts';
import { F_FLAGS } from '../word/layout.ts';
import { runZap } from '../word/run.ts';
import { exchange, load, or } from '../word/word.ts';
import { RUN_FULL, zapPresentFolioPtes } from './zapFolio.ts';

/** How far one call of `zapEntries` came and why it stopped, in the bits above the page count. */
const STOPPED_FULL: u32 = RUN_FULL;
const ENTRY_LEFT: u32 = 0x20000;
const PAGES_MASK: u32 = 0xffff;

/**
 * Clears one present entry and hands its page over. Returns whether the gather is full now. PTE lock held.
 */
function zapPresentPte(gather: Gather, mm: Mm, pte: Pte, vpn: Vpn): boolean {
  // Atomic with respect to walkers that set accessed and dirty; pairs with GUP-fast's second look at the entry.
  const entry = exchange(pte, 0);
  gatherNoteRange(gather, vpn, vpn + 1);
  if (!entryCounted(entry)) return false;
  const frame = entryNumber(entry);
  if ((entry & PTE_DIRTY) !== 0 && (folioFlags(frame) & F_ANON) === 0)
    or(folioOf(folioHead(frame)) + F_FLAGS, F_DIRTY);
  rssSub(mm, rssKind(entry), 1);
  rmapRemovePtes(frame, 1);
  return gatherPage(gather, frame);
}

/**
 * Clears one entry that is neither none nor present, by kind. Returns whether it is gone; one that stays makes its
 * table ineligible for reclaim. PTE lock held.
 */
function zapNonpresentPte(gather: Gather, mm: Mm, pte: Pte, entry: Entry): boolean {
  if (entry === UFFD_MARKER) {
    if (gatherMarkers(gather) !== MARKERS_DROP) return false;
    exchange(pte, 0);
    return true;
  }
  if (entryMigrating(entry)) {
    // The page lost its mapping and the mapping's reference when the entry was made; whoever moves it keeps it until
    // all are gone.
    exchange(pte, 0);
    rssSub(mm, rssKind(entry), 1);
    return true;
  }
  if ((entry & ENTRY_KIND) !== ENTRY_SWAP) return false;
  // Only the holder of the PTE lock changes a non-present entry, so it is still the one read.
  exchange(pte, 0);
  rssSub(mm, RSS_SWAP, 1);
  swapFree(entryNumber(entry));
  return true;
}

/** Whether a present entry is taken out together with those after it that map the same folio. */
function zapsFolio(entry: Entry): boolean {
  return runZap() === ZAP_FOLIO && entryCounted(entry) && folioLarge(entryNumber(entry));
}

/** Number of none entries from `pte` on, at most `most`. PTE lock held. */
function skipNonePtes(pte: Pte, most: u32): u32 {
  let none: u32 = 0;
  while (none < most && load(pte + (none << 2)) === 0) none += 1;
  return none;
}

/**
 * Zaps entries from `pte`, that of `vpn`, to `end` at most, or until the gather is full or ZAP_RESCHED_PERIOD entries
 * that were not none are done. Returns the pages passed over, with STOPPED_FULL and ENTRY_LEFT. PTE lock held.
 */
function doZapPteRange(gather: Gather, mm: Mm, pte: Pte, vpn: Vpn, end: Vpn): u32 {
  const most: u32 = end - vpn;
  let done: u32 = 0;
  let worked: u32 = 0;
  let cleared: u32 = 0;
  let outcome: u32 = 0;
  while (done < most && worked < ZAP_RESCHED_PERIOD && (outcome & STOPPED_FULL) === 0) {
    done += skipNonePtes(pte + (done << 2), most - done);
    if (done < most) {
      const at = pte + (done << 2);
      const entry = load(at);
      if (entryPresent(entry)) {
        let run: u32 = 1;
        if (gatherMarkers(gather) !== MARKERS_MAKE && zapsFolio(entry)) {
          run = zapPresentFolioPtes(gather, mm, at, vpn + done, entry, most - done);
          outcome = outcome | (run & STOPPED_FULL);
          run = run & PAGES_MASK;
        } else if (zapPresentPte(gather, mm, at, vpn + done)) {
          outcome = outcome | STOPPED_FULL;
        }
        if (gatherMarkers(gather) === MARKERS_MAKE && uffdInstallMarker(at, entry))
          outcome = outcome | ENTRY_LEFT;
        cleared += run;
        done += run;
        worked += run;
      } else {
        if (zapNonpresentPte(gather, mm, at, entry)) cleared += 1;
        else outcome = outcome | ENTRY_LEFT;
        done += 1;
        worked += 1;
      }
    }
  }
  if (cleared !== 0) entriesCleared(pte, cleared);
  countBy(COUNTER_ZAPPED_PAGES, worked);
  return outcome | done;
}

/**
 * Zaps [start, end), which one PMD entry, at `pmd`, covers. `reclaim`: an emptied table is to be detached.
 */
function zapPteRange(
  gather: Gather,
  mm: Mm,
  pmd: Pmd,
  start: Vpn,
  end: Vpn,
  reclaim: boolean,
): void {
  let eligible = reclaim && zapEligible(start, end);
  let heldThroughout = true;
  let detached = false;
  let vpn = start;
  while (vpn !== end) {
    const first = pteOffsetMapLock(pmd, vpn);
    if (first === 0) return;
    const base: u32 = first - ((vpn - start) << 2);
    let full = false;
    let stop = false;
    while (vpn !== end && !stop) {
      const outcome = doZapPteRange(gather, mm, base + ((vpn - start) << 2), vpn, end);
      vpn += outcome & PAGES_MASK;
      full = (outcome & STOPPED_FULL) !== 0;
      if ((outcome & ENTRY_LEFT) !== 0) eligible = false;
      pollInterrupts();
      // A gather that fills with the last entry interrupts the walk all the same: its pages are freed before anything
      // else.
      stop = full || (vpn !== end && needResched());
    }
    if (stop) {
      heldThroughout = false;
      count(COUNTER_ZAP_BREAKS);
    }
    if (eligible && heldThroughout) detached = zapEmptied(pmd);
    if (full) gatherFlushTlb(gather);
    pteUnmapUnlock(first);
    syncPoint();
    if (full) gatherFlush(gather);
    if (vpn !== end) condResched();
  }
  if (eligible) zapDone(gather, mm, pmd, start, detached);
}

/**
 * Zaps a huge PMD entry that [start, end) covers, or splits it when that is not all of it: the rest is zapPteRange's.
 */
function zapHuge(gather: Gather, mm: Mm, pmd: Pmd, start: Vpn, end: Vpn): void {
  if (end - start !== PMD_PAGES) splitHugePmd(mm, pmd, start);
  else if (zapHugePmd(gather, mm, pmd, start) === HUGE_ZAPPED_FULL) gatherFlush(gather);
}

/** Zaps [start, end) under one PUD entry's PMD table. */
function zapPmdRange(
  gather: Gather,
  mm: Mm,
  pud: Entry,
  start: Vpn,
  end: Vpn,
  reclaim: boolean,
): void {
  let vpn = start;
  while (vpn !== end) {
    const next = spanEnd(vpn, PMD_PAGES, end);
    const pmd = pmdOffset(pud, vpn);
    let value = load(pmd);
    if (entryHuge(value)) {
      zapHuge(gather, mm, pmd, vpn, next);
      value = load(pmd);
    }
    if (entryNamesTable(value)) zapPteRange(gather, mm, pmd, vpn, next, reclaim);
    condResched();
    vpn = next;
  }
}

/** Zaps [start, end) under one PGD entry's PUD table. */
function zapPudRange(
  gather: Gather,
  mm: Mm,
  pgd: Entry,
  start: Vpn,
  end: Vpn,
  reclaim: boolean,
): void {
  let vpn = start;
  while (vpn !== end) {
    const next = spanEnd(vpn, PUD_PAGES, end);
    const pud = load(pudOffset(pgd, vpn));
    if (entryPresent(pud)) zapPmdRange(gather, mm, pud, vpn, next, reclaim);
    vpn = next;
  }
}

/**
 * Zaps [start, end) of `mm` into `gather`; `mayReclaim`: empty PTE tables may be detached, as the reclaim protocol
 * says. Precondition: mmap_lock or the lock of the VMAs there, so that upper tables stay; no spinlock, no RCU section.
 */
export function unmapPageRange(
  gather: Gather,
  mm: Mm,
  start: Vpn,
  end: Vpn,
  mayReclaim: boolean,
): void {
  walkBegin(mm);
  let vpn = start;
  while (vpn !== end) {
    const next = spanEnd(vpn, PGD_PAGES, end);
    const pgd = load(pgdOffset(mm, vpn));
    if (entryPresent(pgd)) zapPudRange(gather, mm, pgd, vpn, next, mayReclaim);
    vpn = next;
  }
  walkEnd(mm);
}

/** Zaps the part of a VMA that munmap or exit takes away. */
export function unmapVmaPages(gather: Gather, mm: Mm, vma: Vma, start: Vpn, end: Vpn): void {
  if (vma !== 0) unmapPageRange(gather, mm, start, end, false);
}
