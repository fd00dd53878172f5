/**
 * Where the entry of a page stands in each level's table, the PMD lock, and how many tables an address space has: what
 * needs no protocol.
 *
 *     44-bit address   43     39 38    30 29    21 20    12 11      0
 *                      [ PGD:5  ][ PUD:9 ][ PMD:9 ][ PTE:9 ][ offset ]
 *
 * An entry is passed by its address, as Linux passes `pmd_t *`. Nothing here keeps a table alive: walk.ts and pteMap.ts
 * say what does.
 *
 * MM_TABLES and MM_TABLES_BY_LEVEL are changed by atomics alone: before a table is published, after it was detached. So
 * a reader may see one too many, never one too few; at rest they are exact, and the audit compares.
 *
 * Lock order: PMD lock before PTE lock. Source: Linux include/linux/pgtable.h (pgd_offset and the like),
 * include/linux/mm.h (pmd_lock, mm_inc_nr_ptes).
 */

import { LEVEL_PTE, ptdescOfEntry } from '../alloc/table.ts';
import { LC_PMD, spinLock, spinTrylock, spinUnlock } from '../lock/lock.ts';
import { count, COUNTER_TABLES_LINKED, COUNTER_TABLES_UNLINKED } from '../observe/stats.ts';
import {
  PGD_SHIFT,
  PMD_PAGES,
  PMD_SHIFT,
  PUD_SHIFT,
  TABLE_BITS,
  TABLE_ENTRIES,
} from '../word/config.ts';
import { entryNumber, entryPresent } from '../word/entry.ts';
import {
  MM_PGD,
  MM_TABLES,
  MM_TABLES_BY_LEVEL,
  MM_TABLES_PEAK,
  PT_LOCK,
  tableAddress,
  TABLES,
} from '../word/layout.ts';
import { add, compareExchange, load, peek, sub } from '../word/word.ts';

/** First page of the span that holds `vpn`. */
export function hugeFirst(vpn: Vpn): Vpn {
  return (vpn & ~(PMD_PAGES - 1)) >>> 0;
}

/** Address of the PGD entry of `vpn`. */
export function pgdOffset(mm: Mm, vpn: Vpn): Pgd {
  return tableAddress(peek(mm + MM_PGD)) + ((vpn >>> PGD_SHIFT) << 2);
}

/** Address of the table that an upper entry names: what every walk waits for, so it shifts once where it can. */
function tableOf(entry: Entry): u32 {
  if (TABLE_BITS < 6) return tableAddress(entryNumber(entry));
  return TABLES + (((entry & ~0xff) << (TABLE_BITS - 6)) >>> 0);
}

/** Bytes into a table at which the entry for `vpn` stands; `shift`, below PGD_SHIFT, is that of the table's level. */
function entryOffset(vpn: Vpn, shift: u32): u32 {
  return ((vpn << 2) >>> shift) & ((TABLE_ENTRIES - 1) << 2);
}

/** Address, in the PUD table that the PGD value `pgd` names, of the entry of `vpn`. */
export function pudOffset(pgd: Entry, vpn: Vpn): Pud {
  return tableOf(pgd) + entryOffset(vpn, PUD_SHIFT);
}

/** Address, in the PMD table that the PUD value `pud` names, of the entry of `vpn`. */
export function pmdOffset(pud: Entry, vpn: Vpn): Pmd {
  return tableOf(pud) + entryOffset(vpn, PMD_SHIFT);
}

/** Address, in the PTE table that the PMD value `pmd` names, of the entry of `vpn`. */
export function pteOffset(pmd: Entry, vpn: Vpn): Pte {
  return tableOf(pmd) + entryOffset(vpn, 0);
}

/** As pmdFind, for whoever asks where nobody else is about: reports and tests. */
export function pmdOf(mm: Mm, vpn: Vpn): Pmd {
  const pgd = load(pgdOffset(mm, vpn));
  if (!entryPresent(pgd)) return 0;
  const pud = load(pudOffset(pgd, vpn));
  return entryPresent(pud) ? pmdOffset(pud, vpn) : 0;
}

/**
 * Counts one table of `level` (LEVEL_PTE to LEVEL_PUD) more in `mm`. Before the table is published: the store that
 * publishes it publishes the counts. No pair for the peak.
 */
export function mmIncTables(mm: Mm, level: u32): void {
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

/**
 * Counts one table of `level` less in `mm`. After it was detached. No pair: nobody relies on the counts but at rest.
 */
export function mmDecTables(mm: Mm, level: u32): void {
  count(COUNTER_TABLES_UNLINKED);
  sub(mm + MM_TABLES_BY_LEVEL + ((level - LEVEL_PTE) << 2), 1);
  sub(mm + MM_TABLES, 1);
}

/** Takes the lock of the PMD table that holds the PMD entry at `pmd`. */
export function pmdLock(pmd: Upper): void {
  spinLock(ptdescOfEntry(pmd) + PT_LOCK, LC_PMD);
}

/** Takes the PMD lock if it is free; whether it did. */
export function pmdTrylock(pmd: Upper): boolean {
  return spinTrylock(ptdescOfEntry(pmd) + PT_LOCK, LC_PMD);
}

/** Releases the PMD lock. */
export function pmdUnlock(pmd: Upper): void {
  spinUnlock(ptdescOfEntry(pmd) + PT_LOCK, LC_PMD);
}

/** PTE, PMD and PUD tables of `mm`: VmPTE in units of 4 KiB. */
export function mmTables(mm: Mm): u32 {
  return load(mm + MM_TABLES);
}

/** First vpn after `vpn` at a multiple of `pages`, at most `end`. */
export function spanEnd(vpn: Vpn, pages: u32, end: Vpn): Vpn {
  const next: u32 = (((vpn & ~(pages - 1)) >>> 0) + pages) >>> 0;
  return next === 0 || next > end ? end : next;
}
