/**
 * The tree above the PTE tables: finding and allocating PUD, PMD and PTE tables.
 *
 *     44-bit address   43     39 38    30 29    21 20    12 11      0
 *                      [ PGD:5  ][ PUD:9 ][ PMD:9 ][ PTE:9 ][ offset ]
 *
 * A virtual page number (vpn) is the address without its offset, one u32. "The PMD entry" is the word in a PMD table that
 * names a PTE table, as Linux says `pmd_t *`; functions here pass such words by address.
 *
 * Guarantee: an upper entry goes from none to naming a zeroed table under its lock, exactly once until it is cleared again.
 *  1. allocate the table with no lock held; 2. take the lock of the entry (page_table_lock for PGD and PUD entries, the PMD table's
 *  own lock for PMD entries); 3. if the entry is still none, count the table and store it; else free the table: another CPU won.
 * An entry written into an upper table that was detached meanwhile would be lost with it: what keeps upper tables is the caller's lock.
 * The store publishes the zeroed table; it pairs with the loads of lockless walkers in pteMap.ts, gupFast.ts and access.ts.
 *
 * Lock order: mmap_lock or VMA lock, page_table_lock, PMD lock, PTE lock. Source: Linux mm/memory.c (__pud_alloc, __pmd_alloc,
 * __pte_alloc, pmd_install).
 */

import { CHECK } from './check.ts';
import {
  ORACLE_LOST_ENTRY,
  PGD_SHIFT,
  PMD_SHIFT,
  PUD_SHIFT,
  TABLE_BITS,
  TABLE_ENTRIES,
} from './config.ts';
import { entryMake, entryNumber, entryPresent, UPPER_FLAGS } from './entry.ts';
import {
  MM_PAGE_TABLE_LOCK,
  MM_PGD,
  MM_TABLES,
  MM_TABLES_BY_LEVEL,
  MM_TABLES_PEAK,
  PT_LOCK,
  PT_STATE,
  TABLES,
  tableAddress,
} from './layout.ts';
import { LC_PAGE_TABLE, LC_PMD, spinLock, spinTrylock, spinUnlock } from './lock.ts';
import { checkWalk, installsDone, tableInstalled, upperInstalled } from './protocol.ts';
import { violation } from './report.ts';
import {
  LEVEL_PMD,
  LEVEL_PTE,
  LEVEL_PUD,
  PT_LIVE,
  ptdescOfEntry,
  tableAlloc,
  tableFree,
} from './table.ts';
import { count, COUNTER_TABLES_LINKED, COUNTER_TABLES_UNLINKED } from './stats.ts';
import { add, compareExchange, load, peek, store, sub } from './word.ts';

/** Address of the PGD entry of `vpn`. */
export function pgdOffset(mm: u32, vpn: u32): u32 {
  return tableAddress(peek(mm + MM_PGD)) + ((vpn >>> PGD_SHIFT) << 2);
}

/** Address of the table that an upper entry names: what every walk waits for, so it shifts once where it can. */
function tableOf(entry: u32): u32 {
  if (TABLE_BITS < 6) return tableAddress(entryNumber(entry));
  return TABLES + (((entry & ~0xff) << (TABLE_BITS - 6)) >>> 0);
}

/** Bytes into a table at which the entry for `vpn` stands; `shift`, below PGD_SHIFT, is that of the table's level. */
function entryOffset(vpn: u32, shift: u32): u32 {
  return ((vpn << 2) >>> shift) & ((TABLE_ENTRIES - 1) << 2);
}

/** Address, in the PUD table that the PGD value `pgd` names, of the entry of `vpn`. */
export function pudOffset(pgd: u32, vpn: u32): u32 {
  return tableOf(pgd) + entryOffset(vpn, PUD_SHIFT);
}

/** Address, in the PMD table that the PUD value `pud` names, of the entry of `vpn`. */
export function pmdOffset(pud: u32, vpn: u32): u32 {
  return tableOf(pud) + entryOffset(vpn, PMD_SHIFT);
}

/** Address, in the PTE table that the PMD value `pmd` names, of the entry of `vpn`. */
export function pteOffset(pmd: u32, vpn: u32): u32 {
  return tableOf(pmd) + entryOffset(vpn, 0);
}

/** Address of the PUD entry of `vpn`, 0 when there is no PUD table. Precondition: something keeps upper tables alive. */
export function pudFind(mm: u32, vpn: u32): u32 {
  if (CHECK >= 2) checkWalk(mm);
  const pgd = load(pgdOffset(mm, vpn));
  return entryPresent(pgd) ? pudOffset(pgd, vpn) : 0;
}

/** Address of the PMD entry of `vpn`, 0 when an upper table is missing. Precondition as for pudFind. */
export function pmdFind(mm: u32, vpn: u32): u32 {
  if (CHECK >= 2) checkWalk(mm);
  return pmdOf(mm, vpn);
}

/** As pmdFind, for whoever asks where nobody else is about: reports and tests. */
export function pmdOf(mm: u32, vpn: u32): u32 {
  const pgd = load(pgdOffset(mm, vpn));
  if (!entryPresent(pgd)) return 0;
  const pud = load(pudOffset(pgd, vpn));
  return entryPresent(pud) ? pmdOffset(pud, vpn) : 0;
}

/** Counts one table of `level` (LEVEL_PTE to LEVEL_PUD) more in `mm`. Before the table is published. */
export function mmIncTables(mm: u32, level: u32): void {
  count(COUNTER_TABLES_LINKED);
  add(mm + MM_TABLES_BY_LEVEL + ((level - LEVEL_PTE) << 2), 1);
  const now: u32 = add(mm + MM_TABLES, 1) + 1;
  let peak = load(mm + MM_TABLES_PEAK);
  while (peak < now) {
    const seen = compareExchange(mm + MM_TABLES_PEAK, peak, now);
    if (seen === peak) break;
    peak = seen;
  }
}

/** Counts one table of `level` less in `mm`. After it was detached. */
export function mmDecTables(mm: u32, level: u32): void {
  count(COUNTER_TABLES_UNLINKED);
  sub(mm + MM_TABLES_BY_LEVEL + ((level - LEVEL_PTE) << 2), 1);
  sub(mm + MM_TABLES, 1);
}

/** Takes the lock of the PMD table that holds the PMD entry at `pmd`. */
export function pmdLock(pmd: u32): void {
  spinLock(ptdescOfEntry(pmd) + PT_LOCK, LC_PMD);
}

/** Takes the PMD lock if it is free; whether it did. */
export function pmdTrylock(pmd: u32): boolean {
  return spinTrylock(ptdescOfEntry(pmd) + PT_LOCK, LC_PMD);
}

/** Releases the PMD lock. */
export function pmdUnlock(pmd: u32): void {
  spinUnlock(ptdescOfEntry(pmd) + PT_LOCK, LC_PMD);
}

/**
 * Makes the none entry at `entry` name a new table of `level` (for `first` and what follows), unless another CPU does first.
 * `lock` protects the entry. Returns 1 when the entry names a table on return, 0 when there was no memory.
 */
function installTable(mm: u32, entry: u32, level: u32, first: u32, lock: u32, lockClass: u32): u32 {
  if (load(entry) !== 0) return 1;
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
  }
  spinUnlock(lock, lockClass);
  if (!won) tableFree(table);
  return 1;
}

/** As pudFind, but allocates the PUD table; 0: no memory. Precondition: mmap_lock or the VMA lock, any mode. */
export function pudAlloc(mm: u32, vpn: u32): u32 {
  if (CHECK >= 2) checkWalk(mm);
  const pgd = pgdOffset(mm, vpn);
  const first: u32 = ((vpn >>> PGD_SHIFT) << PGD_SHIFT) >>> 0;
  if (installTable(mm, pgd, LEVEL_PUD, first, mm + MM_PAGE_TABLE_LOCK, LC_PAGE_TABLE) === 0)
    return 0;
  return pudOffset(load(pgd), vpn);
}

/** As pmdFind, but allocates the upper tables; 0: no memory. Precondition as for pudAlloc. */
export function pmdAlloc(mm: u32, vpn: u32): u32 {
  const pud = pudAlloc(mm, vpn);
  if (pud === 0) return 0;
  const first: u32 = ((vpn >>> PUD_SHIFT) << PUD_SHIFT) >>> 0;
  if (installTable(mm, pud, LEVEL_PMD, first, mm + MM_PAGE_TABLE_LOCK, LC_PAGE_TABLE) === 0)
    return 0;
  return pmdOffset(load(pud), vpn);
}

/** Installs a PTE table when the PMD entry at `pmd` is none. Returns 1, or 0 when there is no memory. Precondition as for pudAlloc. */
export function pteAlloc(mm: u32, pmd: u32, vpn: u32): u32 {
  const first: u32 = ((vpn >>> PMD_SHIFT) << PMD_SHIFT) >>> 0;
  return installTable(mm, pmd, LEVEL_PTE, first, ptdescOfEntry(pmd) + PT_LOCK, LC_PMD);
}

/** PTE, PMD and PUD tables of `mm`: VmPTE in units of 4 KiB. */
export function mmTables(mm: u32): u32 {
  return load(mm + MM_TABLES);
}
