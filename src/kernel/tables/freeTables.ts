/**
 * Freeing the tables of an unmapped range, every level (munmap, exit).
 *
 * Guarantee: a table is freed when no VMA outside of the range can use any part of its span: the span lies within
 * [floor, ceiling), the end of the VMA before and the start of the VMA after.
 *
 * Precondition: mmap_lock for write (or the VMAs write-locked and detached): no VMA of the range can be found through
 * mm or rmap any more, all entries of the range are zapped. So nobody installs anything here and no table lock is
 * needed; lockless walkers may still be inside, which is why tables go through the gather.
 *
 * Source: Linux mm/memory.c (free_pgd_range, free_pud_range, free_pmd_range, free_pte_range).
 */

import { LEVEL_PMD, LEVEL_PTE, LEVEL_PUD, tableDetach } from '../alloc/table.ts';
import { CHECK } from '../word/check.ts';
import { PGD_PAGES, PGD_SHIFT, PMD_PAGES, PUD_PAGES, TASK_END } from '../word/config.ts';
import { entryNamesTable, entryNumber, entryPresent } from '../word/entry.ts';
import { load, store } from '../word/word.ts';
import { gatherTable, pteFreeTlb } from './gather.ts';
import { checkWalk, tableLeft, unlinksUnderLock, upperCleared, upperLeft } from '../word/hooks.ts';
import {
  mmDecTables,
  pgdOffset,
  pmdLock,
  pmdOffset,
  pmdUnlock,
  pudOffset,
  spanEnd,
} from './offsets.ts';

/**
 * Whether a table whose span of `pages` pages holds `vpn` lies within [floor, ceiling). ceiling 0: the top of the
 * address space.
 */
function spanFree(vpn: Vpn, pages: u32, floor: Vpn, ceiling: Vpn): boolean {
  const first: Vpn = (vpn & ~(pages - 1)) >>> 0;
  if (first < floor) return false;
  if (ceiling === 0) return true;
  const last: u32 = (first + (pages - 1)) >>> 0;
  return last < ceiling;
}

/**
 * Clears the upper entry at `entry`, whose whole span nobody uses any more, and detaches the table of `level` that it
 * names. Returns the table, 0: it names none by now, which only a protocol that unlinks under the lock meets.
 * Precondition: as at the top.
 */
function tableUnlink(entry: Upper, level: u32): TableNumber {
  const locked = unlinksUnderLock(level);
  if (locked) pmdLock(entry);
  const value = load(entry);
  const table = entryNamesTable(value) ? entryNumber(value) : 0;
  if (table !== 0) {
    // Pairs with the loads of lockless walkers.
    store(entry, 0);
    upperCleared(entry);
    tableDetach(table);
  }
  if (locked) pmdUnlock(entry);
  return table;
}

/**
 * Clears the upper entry at `entry` and hands the table of `level` that it names, if it still does, over; it maps
 * `pages` pages from `first` on.
 */
export function freeEntry(
  gather: Gather,
  mm: Mm,
  entry: Upper,
  level: u32,
  first: Vpn,
  pages: u32,
): void {
  const table = tableUnlink(entry, level);
  if (table === 0) return;
  mmDecTables(mm, level);
  if (level === LEVEL_PTE) pteFreeTlb(gather, table, first);
  else gatherTable(gather, table, first, pages);
}

function freePteTables(
  gather: Gather,
  mm: Mm,
  pud: Entry,
  start: Vpn,
  end: Vpn,
  floor: Vpn,
  ceiling: Vpn,
): void {
  let vpn = start;
  while (vpn !== end) {
    const pmd = pmdOffset(pud, vpn);
    if (entryNamesTable(load(pmd))) {
      if (spanFree(vpn, PMD_PAGES, floor, ceiling))
        freeEntry(gather, mm, pmd, LEVEL_PTE, (vpn & ~(PMD_PAGES - 1)) >>> 0, PMD_PAGES);
      else tableLeft(pmd);
    }
    vpn = spanEnd(vpn, PMD_PAGES, end);
  }
}

function freePmdTables(
  gather: Gather,
  mm: Mm,
  pgd: Entry,
  start: Vpn,
  end: Vpn,
  floor: Vpn,
  ceiling: Vpn,
): void {
  let vpn = start;
  while (vpn !== end) {
    const next = spanEnd(vpn, PUD_PAGES, end);
    const pud = pudOffset(pgd, vpn);
    const value = load(pud);
    if (entryPresent(value)) {
      freePteTables(gather, mm, value, vpn, next, floor, ceiling);
      if (spanFree(vpn, PUD_PAGES, floor, ceiling))
        freeEntry(gather, mm, pud, LEVEL_PMD, (vpn & ~(PUD_PAGES - 1)) >>> 0, PUD_PAGES);
      else upperLeft(pmdOffset(value, vpn));
    }
    vpn = next;
  }
}

/** Frees what can be freed of the tables that map [start, end). ceiling 0: the top of the address space. */
export function freePgdRange(
  gather: Gather,
  mm: Mm,
  start: Vpn,
  end: Vpn,
  floor: Vpn,
  ceiling: Vpn,
): void {
  if (CHECK >= 2) checkWalk(mm);
  const stop = end > TASK_END ? TASK_END : end;
  let vpn = start;
  while (vpn < stop) {
    const next = spanEnd(vpn, PGD_PAGES, stop);
    const pgd = pgdOffset(mm, vpn);
    const value = load(pgd);
    if (entryPresent(value)) {
      freePmdTables(gather, mm, value, vpn, next, floor, ceiling);
      if (spanFree(vpn, PGD_PAGES, floor, ceiling)) {
        const first: Vpn = ((vpn >>> PGD_SHIFT) << PGD_SHIFT) >>> 0;
        freeEntry(gather, mm, pgd, LEVEL_PUD, first, PGD_PAGES);
      } else upperLeft(pudOffset(value, vpn));
    }
    vpn = next;
  }
}
