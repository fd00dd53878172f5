/**
 * Moving what a range maps to another place: entry by entry, by whole PTE tables, by whole PMD tables.
 *
 * Guarantee. When `movePageTables` returns, every entry of the source that was moved is at the destination, and no CPU
 * has a translation, or a cached upper entry, of the source any more; table counts and the frames' reference counts are
 * as before.
 *
 * Preconditions: mmap_lock for write; both VMAs write-locked; nothing mapped at the destination. So no fault and no
 * madvise is under way in either range, and a table of the destination stays. The source's PTE tables may still be
 * looked at without locks, hence the usual pteOffsetMapLock with its retry.
 *
 * Protocol, for each piece that lies within one table on both sides:
 *  - a whole PUD entry's span: under page_table_lock clear the source's PUD entry, set the destination's, flush the
 *    source; the PMD table's own lock covers the descriptors below;
 *  - a whole PMD entry's span: the same under the locks of both PMD tables; a huge entry likewise, with its deposited
 *    table (hugePmd.ts), but one of which a part moves is split first;
 *  - otherwise both PTE locks (source first; only mremap holds two, and mmap_lock keeps it alone), move entries, flush
 *    the source.
 * The flush comes before the locks drop: afterwards others may change or free what the entries name, and would flush
 * the destination only. A moved table's descriptor (first vpn, upper entry) is rewritten under the same locks.
 *
 * Memory that a userfaultfd watches moves entry by entry: the new place is not watched, so its protection is taken off
 * on the way.
 *
 * Walks of the rmap look at tables without mmap_lock, so that whole tables move with the rmap locks of the source held
 * for write; entries, too, unless a walk comes to the destination after the source (`needRmapLocks` false): then it
 * finds an entry at one of the two places, or, harmlessly, at both.
 *
 * Lock order: i_mmap, anon_vma; page_table_lock; PMD lock, second PMD lock; PTE lock, second PTE lock.
 * Source: Linux 6.18 mm/mremap.c (move_page_tables, move_ptes, move_normal_pmd, move_normal_pud, try_realign_addr,
 * get_extent).
 */

import { ptdescOf, ptdescOfEntry, tableOfEntry } from '../alloc/table.ts';
import { flushTlbRange } from '../cpu/flush.ts';
import { moveHugePmd, splitHugePmd } from '../huge/hugePmd.ts';
import { LC_PAGE_TABLE, LC_PMD, spinLock, spinLockNested, spinUnlock } from '../lock/lock.ts';
import { violation } from '../observe/report.ts';
import { condResched } from '../rcu/rcu.ts';
import { dropRmapLocks, takeRmapLocks } from '../space/rmapLocks.ts';
import { findVmaIntersection } from '../space/vma.ts';
import {
  reshapeBegin,
  reshapeEnd,
  tableLeft,
  upperCleared,
  upperInstalled,
  upperMoved,
  walkBegin,
  walkEnd,
} from '../word/hooks.ts';
import { pmdLock, pmdUnlock } from '../tables/offsets.ts';
import {
  clearPte,
  pteLockNested,
  pteOffsetMapLock,
  pteOffsetMapRwNolock,
  pteUnlock,
  pteUnmap,
  pteUnmapUnlock,
  setPte,
} from '../tables/pteMap.ts';
import { pmdAlloc, pmdFind, pteAlloc, pudAlloc, pudFind } from '../tables/walk.ts';
import { uffdForget } from '../watch/uffdMarker.ts';
import { VM_UFFD_FLAGS } from '../watch/uffdRange.ts';
import { CHECK } from '../word/check.ts';
import { ORACLE_LOST_ENTRY, PMD_PAGES, PUD_PAGES, TABLE_ENTRIES } from '../word/config.ts';
import { entryHuge, entryNamesTable, entryNumber, entryPresent } from '../word/entry.ts';
import {
  MM_PAGE_TABLE_LOCK,
  PT_FIRST,
  PT_LOCK,
  PT_UPPER,
  tableAddress,
  VMA_FLAGS,
  VMA_START,
} from '../word/layout.ts';
import { load, store } from '../word/word.ts';

/**
 * Pages from `old` and `new_` on that stay within one entry of `size` pages on both sides, `end - old` at most
 * (get_extent).
 */
function extentWithin(size: u32, old: Vpn, end: Vpn, new_: Vpn): u32 {
  const mask = size - 1;
  let extent = size - (old & mask);
  if (extent > end - old) extent = end - old;
  const room = size - (new_ & mask);
  return extent > room ? room : extent;
}

/** Whether `vma` starts at `at` and nothing is mapped between there and the PMD boundary below. */
function canAlignDown(mm: Mm, vma: Vma, at: Vpn): boolean {
  if (load(vma + VMA_START) !== at) return false;
  return findVmaIntersection(mm, (at & ~(PMD_PAGES - 1)) >>> 0, at) === 0;
}

/**
 * Pages by which source and destination can start earlier, so that the first table moves as a whole: both have the same
 * place within their PMD entry, the range reaches the next boundary, nobody else uses what is before
 * (try_realign_addr).
 */
function realignBy(mm: Mm, oldVma: Vma, newVma: Vma, old: Vpn, new_: Vpn, pages: u32): u32 {
  const offset = old & (PMD_PAGES - 1);
  if (offset === 0 || offset !== (new_ & (PMD_PAGES - 1))) return 0;
  if (pages < PMD_PAGES - offset) return 0;
  if (!canAlignDown(mm, oldVma, old) || !canAlignDown(mm, newVma, new_)) return 0;
  return offset;
}

/** Moves `pages` entries between two PTE tables. Returns 1, or 0: a table has gone meanwhile, look at the PMD again. */
function movePtes(
  mm: Mm,
  oldPmd: Pmd,
  old: Vpn,
  newPmd: Pmd,
  new_: Vpn,
  pages: u32,
  watched: boolean,
): u32 {
  const oldPte = pteOffsetMapLock(oldPmd, old);
  if (oldPte === 0) return 0;
  const newPte = pteOffsetMapRwNolock(newPmd, new_);
  if (newPte === 0) {
    pteUnmapUnlock(oldPte);
    return 0;
  }
  const nested = tableOfEntry(newPte) !== tableOfEntry(oldPte);
  if (nested) pteLockNested(newPte);
  let flush: u32 = 0;
  for (let at: u32 = 0; at < pages << 2; at += 4) {
    if (load(oldPte + at) === 0) continue;
    if (CHECK >= 1 && load(newPte + at) !== 0) {
      violation(ORACLE_LOST_ENTRY, newPte + at, load(newPte + at), new_ + (at >>> 2));
    }
    // Takes accessed and dirty bits along that a walker sets until now.
    const entry = clearPte(oldPte + at);
    if (entryPresent(entry)) flush = 1;
    const kept = watched ? uffdForget(entry) : entry;
    if (kept !== 0) setPte(newPte + at, kept);
  }
  if (flush !== 0) flushTlbRange(mm, old, old + pages, false);
  if (nested) pteUnlock(newPte);
  pteUnlock(oldPte);
  // With both locks dropped: the end of a mapping may take the PMD lock.
  pteUnmap(newPte);
  pteUnmap(oldPte);
  return 1;
}

/** Moves the PTE table that `oldPmd` names to `newPmd`. Returns 1, or 0: there is none, or the destination has one. */
function moveNormalPmd(mm: Mm, oldPmd: Pmd, old: Vpn, newPmd: Pmd, new_: Vpn): u32 {
  if (load(newPmd) !== 0) return 0;
  pmdLock(oldPmd);
  const newLock = ptdescOfEntry(newPmd) + PT_LOCK;
  const nested = tableOfEntry(newPmd) !== tableOfEntry(oldPmd);
  if (nested) spinLockNested(newLock, LC_PMD);
  const entry = load(oldPmd);
  let moved: u32 = 0;
  if (entryNamesTable(entry)) {
    const descriptor = ptdescOf(entryNumber(entry));
    store(oldPmd, 0);
    upperCleared(oldPmd);
    store(descriptor + PT_FIRST, new_);
    store(descriptor + PT_UPPER, newPmd);
    // Publishes the table at its new place; pairs with the load of the PMD in pteOffsetMap.
    upperInstalled(newPmd);
    store(newPmd, entry);
    flushTlbRange(mm, old, old + PMD_PAGES, true);
    upperMoved(entryNumber(entry));
    moved = 1;
  }
  if (nested) spinUnlock(newLock, LC_PMD);
  pmdUnlock(oldPmd);
  return moved;
}

/** Moves the PMD table that `oldPud` names to `newPud`. Returns 1, or 0: the destination has one. */
function moveNormalPud(mm: Mm, oldPud: Pud, old: Vpn, newPud: Pud, new_: Vpn): u32 {
  if (load(newPud) !== 0) return 0;
  spinLock(mm + MM_PAGE_TABLE_LOCK, LC_PAGE_TABLE);
  const entry = load(oldPud);
  const table = entryNumber(entry);
  store(oldPud, 0);
  upperCleared(oldPud);
  store(ptdescOf(table) + PT_FIRST, new_);
  store(ptdescOf(table) + PT_UPPER, newPud);
  const first = tableAddress(table);
  // A put that makes a count zero reads a PTE table's first vpn under this lock, having cleared the table's entry
  // (pteRefcount.ts).
  pmdLock(first);
  for (let index: u32 = 0; index < TABLE_ENTRIES; index += 1) {
    const pmd = load(first + (index << 2));
    if (entryNamesTable(pmd)) {
      store(ptdescOf(entryNumber(pmd)) + PT_FIRST, new_ + index * PMD_PAGES);
      upperMoved(entryNumber(pmd));
    }
  }
  pmdUnlock(first);
  upperInstalled(newPud);
  store(newPud, entry);
  flushTlbRange(mm, old, old + PUD_PAGES, true);
  upperMoved(table);
  spinUnlock(mm + MM_PAGE_TABLE_LOCK, LC_PAGE_TABLE);
  return 1;
}

/**
 * Moves what [old, old + pages) maps to `new_` on. `oldVma` and `newVma`: the VMAs that contain the first page of each;
 * `needRmapLocks`: above. Returns the pages done, holes included: `pages`, or fewer when no memory was left for a table
 * of the destination.
 */
export function movePageTables(
  mm: Mm,
  oldVma: Vma,
  newVma: Vma,
  old: Vpn,
  new_: Vpn,
  pages: u32,
  needRmapLocks: boolean,
): u32 {
  if (pages === 0) return 0;
  const end = old + pages;
  const watched = (load(oldVma + VMA_FLAGS) & VM_UFFD_FLAGS) !== 0;
  const before = realignBy(mm, oldVma, newVma, old, new_, pages);
  let from = old - before;
  let to = new_ - before;
  let extent: u32 = 1;
  while (extent !== 0 && from < end) {
    condResched();
    // Whole tables leave their places; entries alone do not.
    const whole = extentWithin(PMD_PAGES, from, end, to) === PMD_PAGES;
    const locked = whole || needRmapLocks;
    if (locked) takeRmapLocks(oldVma);
    if (whole) reshapeBegin(mm);
    else walkBegin(mm);
    extent = movePiece(mm, from, to, end, watched);
    if (whole) reshapeEnd(mm);
    else walkEnd(mm);
    if (locked) dropRmapLocks(oldVma);
    from += extent;
    to += extent;
  }
  return from < old ? 0 : from - old;
}

/** Moves what it can at once of [from, end) to `to`. Returns the pages done, 0: no memory for a table. */
function movePiece(mm: Mm, from: Vpn, to: Vpn, end: Vpn, watched: boolean): u32 {
  let extent = extentWithin(PUD_PAGES, from, end, to);
  const oldPud = pudFind(mm, from);
  if (oldPud === 0 || load(oldPud) === 0) return extent;
  const newPud = pudAlloc(mm, to);
  if (newPud === 0) return 0;
  if (!watched && extent === PUD_PAGES && moveNormalPud(mm, oldPud, from, newPud, to) !== 0)
    return extent;
  extent = extentWithin(PMD_PAGES, from, end, to);
  return movePmdSpan(mm, from, to, extent, watched) === 0 ? 0 : extent;
}

/** Moves `extent` pages that lie within one PMD entry on both sides. Returns 1, or 0: no memory for a table. */
function movePmdSpan(mm: Mm, from: Vpn, to: Vpn, extent: u32, watched: boolean): u32 {
  const oldPmd = pmdFind(mm, from);
  if (oldPmd === 0 || load(oldPmd) === 0) return 1;
  const newPmd = pmdAlloc(mm, to);
  if (newPmd === 0) return 0;
  let done: u32 = 0;
  while (done === 0) {
    if (entryHuge(load(oldPmd))) {
      if (extent === PMD_PAGES) done = moveHugePmd(mm, oldPmd, from, newPmd);
      if (done === 0) splitHugePmd(mm, oldPmd, from);
    } else if (extent === PMD_PAGES && !watched) {
      done = moveNormalPmd(mm, oldPmd, from, newPmd, to);
    }
    if (done === 0 && load(oldPmd) === 0) {
      tableLeft(newPmd);
      done = 1;
    }
    if (done === 0) {
      if (pteAlloc(mm, newPmd, to) === 0) return 0;
      done = movePtes(mm, oldPmd, from, newPmd, to, extent, watched);
    }
  }
  return 1;
}
