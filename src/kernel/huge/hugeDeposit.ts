/**
 * Deposited page tables: each huge PMD of anonymous memory keeps an empty PTE table in reserve, so that splitting it
 * never needs memory.
 *
 * Guarantee: a PMD table's list has as many tables as the PMD table has huge entries of anonymous memory or of the huge
 * zero page; each is empty, named by no upper entry, and counted in the mm's tables since it was deposited (Linux:
 * mm_inc_nr_ptes at the deposit).
 *
 *  1. deposit: the caller is about to store a huge entry into the PMD table and holds its lock. The table is new, or
 *     was the PTE table that collapse has emptied (collapse.ts).
 *  2. withdraw: under the same lock, by a split, which makes it the entry's PTE table; or by a zap, which frees it
 *     (`freeDeposited`).
 *
 * The list's head is PT_NEXT of the PMD table, its links PT_NEXT of the tables: which of them is withdrawn does not
 * matter. Moving a PMD table (mremap) moves its list along; moving a huge entry to another PMD table moves one table of
 * the list.
 *
 * A walker that relies on RCU alone may still be in a table that collapse deposited: nothing but a grace period ends
 * its walk. So `freeDeposited` goes through the gather. (In Linux every walker but GUP-fast holds a lock that collapse
 * takes for write, and the interrupt sent by collapse ends GUP-fast; zap_deposited_table frees at once.)
 *
 * Lock order: the PMD lock is held. Source: Linux mm/pgtable-generic.c (pgtable_trans_huge_deposit,
 * pgtable_trans_huge_withdraw), mm/huge_memory.c (zap_deposited_table).
 */

import {
  LEVEL_PTE,
  PT_DEPOSITED,
  PT_LIVE,
  ptdescOf,
  ptdescOfEntry,
  tableAlloc,
  tableDetach,
  tableFree,
} from '../alloc/table.ts';
import { violation } from '../observe/report.ts';
import { pteFreeTlb } from '../tables/gather.ts';
import { mmDecTables, mmIncTables } from '../tables/offsets.ts';
import { CHECK } from '../word/check.ts';
import { ORACLE_ACCOUNTING } from '../word/config.ts';
import { PT_FIRST, PT_NEXT, PT_STATE, PT_UPPER } from '../word/layout.ts';
import { load, peek, poke, store } from '../word/word.ts';

/** A new table to deposit for the span that starts at `first`, counted in `mm`; 0: no memory. */
export function depositAlloc(mm: Mm, first: Vpn): TableNumber {
  const table = tableAlloc(LEVEL_PTE, mm, first, 0);
  if (table !== 0) tableSetAside(table);
  return table;
}

/** Gives back a table of `depositAlloc` that was not deposited. */
export function depositCancel(table: TableNumber): void {
  tableFree(table);
}

/** Marks a PTE table that no upper entry names for the time being: an entry stored into it would be lost. */
export function tableSetAside(table: TableNumber): void {
  store(ptdescOf(table) + PT_STATE, (LEVEL_PTE << 8) | PT_DEPOSITED);
}

/** Makes a table that was set aside the PTE table of the span at `first` that the PMD at `pmd` is about to name. */
export function tableResume(table: TableNumber, pmd: Pmd, first: Vpn): void {
  const desc = ptdescOf(table);
  store(desc + PT_FIRST, first);
  store(desc + PT_UPPER, pmd);
  store(desc + PT_STATE, (LEVEL_PTE << 8) | PT_LIVE);
}

/** Deposits a new table with the PMD table that holds the entry at `pmd`, and counts it in `mm`. PMD lock held. */
export function depositNew(mm: Mm, pmd: Pmd, table: TableNumber): void {
  mmIncTables(mm, LEVEL_PTE);
  deposit(pmd, table);
}

/** Deposits a table that is counted already. PMD lock held; the table is empty and set aside. */
export function deposit(pmd: Pmd, table: TableNumber): void {
  const owner = ptdescOfEntry(pmd);
  poke(ptdescOf(table) + PT_NEXT, peek(owner + PT_NEXT));
  poke(owner + PT_NEXT, table);
}

/** Takes a table from the list of the PMD table that holds the entry at `pmd`. PMD lock held. */
export function withdraw(pmd: Pmd): TableNumber {
  const owner = ptdescOfEntry(pmd);
  const table = peek(owner + PT_NEXT);
  if (CHECK >= 1 && (table === 0 || (load(ptdescOf(table) + PT_STATE) & 0xff) !== PT_DEPOSITED)) {
    violation(ORACLE_ACCOUNTING, pmd, table, load(ptdescOf(table) + PT_STATE));
    return 0;
  }
  poke(owner + PT_NEXT, peek(ptdescOf(table) + PT_NEXT));
  poke(ptdescOf(table) + PT_NEXT, 0);
  return table;
}

/** Hands a withdrawn table (0: none) of the span at `first` to the gather, and counts it off. No spinlock held. */
export function freeDeposited(gather: Gather, mm: Mm, table: TableNumber, first: Vpn): void {
  if (table === 0) return;
  mmDecTables(mm, LEVEL_PTE);
  tableDetach(table);
  pteFreeTlb(gather, table, first);
}
