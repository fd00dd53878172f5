/**
 * The tree above the PTE tables: finding and allocating PUD, PMD and PTE tables.
 *
 *     44-bit address   43     39 38    30 29    21 20    12 11      0
 *                      [ PGD:5  ][ PUD:9 ][ PMD:9 ][ PTE:9 ][ offset ]
 *
 * A virtual page number (vpn) is the address without its offset, one u32. "The PMD entry" is the word in a PMD table
 * that names a PTE table, as Linux says `pmd_t *`; functions here pass such words by address.
 *
 * Guarantee: an upper entry goes from none to naming a zeroed table under its lock, exactly once until it is cleared
 * again.
 *  1. allocate the table with no lock held; 2. take the lock of the entry (page_table_lock for PGD and PUD entries, the
 *  PMD table's own lock for PMD entries); 3. if the entry is still none, count the table and store it; else free the
 *  table: another CPU won.
 * An entry written into an upper table that was detached meanwhile would be lost with it: what keeps upper tables is
 * the caller's lock. The store publishes the zeroed table; it pairs with the loads of lockless walkers in pteMap.ts,
 * gupFast.ts and access.ts.
 *
 * Lock order: mmap_lock or VMA lock, page_table_lock, PMD lock, PTE lock. Source: Linux mm/memory.c (__pud_alloc,
 * __pmd_alloc, __pte_alloc, pmd_install).
 */

import {
  LEVEL_PMD,
  LEVEL_PTE,
  LEVEL_PUD,
  PT_LIVE,
  ptdescOfEntry,
  tableAlloc,
  tableFree,
} from '../alloc/table.ts';
import { LC_PAGE_TABLE, LC_PMD, spinLock, spinUnlock } from '../lock/lock.ts';
import { violation } from '../observe/report.ts';
import { CHECK } from '../word/check.ts';
import { ORACLE_LOST_ENTRY, PGD_SHIFT, PMD_SHIFT, PUD_SHIFT } from '../word/config.ts';
import { entryMake, entryPresent, UPPER_FLAGS } from '../word/entry.ts';
import { MM_PAGE_TABLE_LOCK, PT_LOCK, PT_STATE } from '../word/layout.ts';
import { load, store } from '../word/word.ts';
import { checkWalk, installsDone, tableInstalled, upperInstalled } from '../word/hooks.ts';
import { mmIncTables, pgdOffset, pmdOf, pmdOffset, pudOffset } from './offsets.ts';
import { noteTableAllocated } from './wastedFrees.ts';

/**
 * Address of the PUD entry of `vpn`, 0 when there is no PUD table. Precondition: something keeps upper tables alive.
 */
export function pudFind(mm: Mm, vpn: Vpn): Pud {
  if (CHECK >= 2) checkWalk(mm);
  const pgd = load(pgdOffset(mm, vpn));
  return entryPresent(pgd) ? pudOffset(pgd, vpn) : 0;
}

/** Address of the PMD entry of `vpn`, 0 when an upper table is missing. Precondition as for pudFind. */
export function pmdFind(mm: Mm, vpn: Vpn): Pmd {
  if (CHECK >= 2) checkWalk(mm);
  return pmdOf(mm, vpn);
}

/**
 * Makes the entry at `entry`, which was none at the caller's look, name a new table of `level` (for `first` and what
 * follows), unless another CPU does first. `lock` protects the entry. Returns 1 when the entry names a table on return,
 * 0 when there was no memory. The look is the caller's, as nearly every one of them ends the matter.
 */
function installTable(
  mm: Mm,
  entry: Upper,
  level: u32,
  first: Vpn,
  lock: u32,
  lockClass: u32,
): u32 {
  const table = tableAlloc(level, mm, first, entry);
  if (table === 0) return 0;
  // A walk that installs several tables is done with the one before.
  if (level === LEVEL_PTE) installsDone();
  spinLock(lock, lockClass);
  const won = load(entry) === 0;
  if (CHECK >= 1 && (load(ptdescOfEntry(entry) + PT_STATE) & 0xff) !== PT_LIVE)
    violation(ORACLE_LOST_ENTRY, entry, table, level);
  if (won) {
    mmIncTables(mm, level);
    upperInstalled(entry);
    if (level === LEVEL_PTE) tableInstalled(table);
    store(entry, entryMake(table, UPPER_FLAGS));
    if (level === LEVEL_PTE) noteTableAllocated(mm, first);
  }
  spinUnlock(lock, lockClass);
  if (!won) tableFree(table);
  return 1;
}

/** As pudFind, but allocates the PUD table; 0: no memory. Precondition: mmap_lock or the VMA lock, any mode. */
export function pudAlloc(mm: Mm, vpn: Vpn): Pud {
  if (CHECK >= 2) checkWalk(mm);
  const pgd = pgdOffset(mm, vpn);
  const first: Vpn = ((vpn >>> PGD_SHIFT) << PGD_SHIFT) >>> 0;
  if (
    load(pgd) === 0 &&
    installTable(mm, pgd, LEVEL_PUD, first, mm + MM_PAGE_TABLE_LOCK, LC_PAGE_TABLE) === 0
  )
    return 0;
  return pudOffset(load(pgd), vpn);
}

/** As pmdFind, but allocates the upper tables; 0: no memory. Precondition as for pudAlloc. */
export function pmdAlloc(mm: Mm, vpn: Vpn): Pmd {
  const pud = pudAlloc(mm, vpn);
  if (pud === 0) return 0;
  const first: Vpn = ((vpn >>> PUD_SHIFT) << PUD_SHIFT) >>> 0;
  if (
    load(pud) === 0 &&
    installTable(mm, pud, LEVEL_PMD, first, mm + MM_PAGE_TABLE_LOCK, LC_PAGE_TABLE) === 0
  )
    return 0;
  return pmdOffset(load(pud), vpn);
}

/**
 * Installs a PTE table when the PMD entry at `pmd` is none. Returns 1, or 0 when there is no memory. Precondition as
 * for pudAlloc.
 */
export function pteAlloc(mm: Mm, pmd: Pmd, vpn: Vpn): u32 {
  const first: Vpn = ((vpn >>> PMD_SHIFT) << PMD_SHIFT) >>> 0;
  if (load(pmd) !== 0) return 1;
  return installTable(mm, pmd, LEVEL_PTE, first, ptdescOfEntry(pmd) + PT_LOCK, LC_PMD);
}
