/**
 * Which tables are empty, and the removal of an empty PTE table: what the protocols share that look for empty tables,
 * instead of noticing in a zap that a table became empty.
 *
 * Guarantee: `detachEmpty` detaches a PTE table only when all its entries are none and no entry can be installed into
 * it afterwards. Whoever maps it meanwhile sees an empty table; whoever locks it sees that the PMD changed
 * (pteOffsetMapLock).
 *
 * Two ways to know (machine option `emptiness`):
 *   scan    read the entries, up to the first that is not none. A table that is used costs nothing for it.
 *   count   PT_COUNT of every table: its entries that are not none, of any level. One load and one store more for every
 *           entry installed and for every stretch cleared, under the lock under which the entry changes: the PTE lock;
 *           the PMD lock for entries of PMD tables; page_table_lock for those of PUD tables and the PGD; or whatever
 *           keeps everybody else out of the table.
 * Without that lock both answers are hints: entries come and go. With full checks a count is compared with a scan
 * wherever it is relied on. A hint about a PTE table is had in an RCU section: mmap_lock and a VMA keep upper tables,
 * but retraction (retract.ts), which has i_mmap alone, takes empty PTE tables away at any moment.
 *
 * Lock order: PMD lock, PTE lock. Source: Linux 6.14 mm/pt_reclaim.c (try_to_free_pte); the thread of "Free user PTE
 * page table pages" (2021), in which both ways were proposed.
 */

import { LEVEL_PTE, PT_FREE, PT_LIVE, ptdescOfEntry, tableDetach } from '../alloc/table.ts';
import { violation } from '../observe/report.ts';
import { rcuReadLock, rcuReadUnlock } from '../rcu/rcu.ts';
import { CHECK } from '../word/check.ts';
import {
  EMPTINESS_COUNT,
  ORACLE_ACCOUNTING,
  ORACLE_TABLE_USE_AFTER_FREE,
  PGD_PAGES,
  PMD_PAGES,
  PUD_PAGES,
  TABLE_ENTRIES,
} from '../word/config.ts';
import { entryNamesTable, entryNumber } from '../word/entry.ts';
import { PT_COUNT, PT_STATE, tableAddress } from '../word/layout.ts';
import { runEmptiness } from '../word/run.ts';
import { load, store } from '../word/word.ts';
import { pteFreeTlb } from './gather.ts';
import {
  mmDecTables,
  pgdOffset,
  pmdLock,
  pmdOffset,
  pmdUnlock,
  pudOffset,
  spanEnd,
} from './offsets.ts';
import { pteLockNested, pteOffsetMapRwNolock, pteUnlock, pteUnmap } from './pteMap.ts';
import { noteTableReclaimed } from './wastedFrees.ts';

/**
 * Notes that the entry at `entry`, of any level, goes from none to something. Its table's lock is held. No pair:
 * without it the count is a hint.
 */
export function countInstalled(entry: TableEntry): void {
  if (runEmptiness() !== EMPTINESS_COUNT) return;
  const word = ptdescOfEntry(entry) + PT_COUNT;
  store(word, load(word) + 1);
}

/**
 * Notes that `n` entries of the table that holds the one at `entry` went to none. Its lock is held. No pair: without it
 * the count is a hint.
 */
export function countCleared(entry: TableEntry, n: u32): void {
  if (runEmptiness() !== EMPTINESS_COUNT) return;
  const word = ptdescOfEntry(entry) + PT_COUNT;
  const before = load(word);
  if (CHECK >= 1 && before < n) violation(ORACLE_ACCOUNTING, entry, before, n);
  store(word, before - n);
}

/** Whether every entry of the table at `address` was none when it was read. */
function scanEmpty(address: TableEntry): boolean {
  let i: u32 = 0;
  while (i < TABLE_ENTRIES && load(address + (i << 2)) === 0) i += 1;
  return i === TABLE_ENTRIES;
}

/** Whether the table at `address`, below the PGD, seems empty. */
function seemsEmpty(address: TableEntry): boolean {
  if (runEmptiness() !== EMPTINESS_COUNT) return scanEmpty(address);
  return load(ptdescOfEntry(address) + PT_COUNT) === 0;
}

/**
 * Complains if the table that holds the word at `address`, which somebody keeps or so the caller thinks, is detached or
 * free.
 */
function checkStays(address: TableEntry): void {
  const state = load(ptdescOfEntry(address) + PT_STATE);
  if ((state & 0xff) !== PT_LIVE) violation(ORACLE_TABLE_USE_AFTER_FREE, address, state, 0);
}

/** What the entry at a PMD names: no PTE table; one that is used; one that looks empty. */
const LEAF_NONE: u32 = 0;
const LEAF_USED: u32 = 1;
const LEAF_EMPTY: u32 = 2;

/**
 * Looks at the PTE table that the PMD entry at `pmd` names, if any; a hint. Returns a LEAF_ code. Precondition: `pmd`
 * stays.
 */
function lookAtLeaf(pmd: Pmd): u32 {
  let seen: u32 = LEAF_NONE;
  rcuReadLock();
  const value = load(pmd);
  if (entryNamesTable(value)) {
    const address = tableAddress(entryNumber(value));
    seen = seemsEmpty(address) ? LEAF_EMPTY : LEAF_USED;
    if (CHECK >= 2) {
      const state = load(ptdescOfEntry(address) + PT_STATE);
      if ((state & 0xff) === PT_FREE) violation(ORACLE_TABLE_USE_AFTER_FREE, address, state, 0);
    }
  }
  rcuReadUnlock();
  if (CHECK >= 2) checkStays(pmd);
  return seen;
}

/** Whether the PMD entry at `pmd` names a PTE table that looks empty; a hint. Precondition: `pmd` stays. */
export function leafLooksEmpty(pmd: Pmd): boolean {
  return lookAtLeaf(pmd) === LEAF_EMPTY;
}

/**
 * Whether the table at `address`, below the PGD, looks empty; without its lock a hint. Precondition: the table stays.
 */
function looksEmpty(address: TableEntry): boolean {
  if (CHECK >= 2) checkStays(address);
  return seemsEmpty(address);
}

/** Whether the table at `address`, below the PGD, is empty. Precondition: its lock, or nobody else can get at it. */
export function tableEmpty(address: TableEntry): boolean {
  const empty = looksEmpty(address);
  if (CHECK >= 2 && runEmptiness() === EMPTINESS_COUNT && scanEmpty(address) !== empty)
    violation(ORACLE_ACCOUNTING, address, load(ptdescOfEntry(address) + PT_COUNT), 0);
  return empty;
}

/**
 * First page of [from, end) whose PTE table looks empty; with `upper` also one that has no PTE table because a PMD or
 * PUD table above it looks empty. `end`: there is none. Precondition: the upper tables of the range stay.
 */
export function nextEmpty(mm: Mm, from: Vpn, end: Vpn, upper: boolean): Vpn {
  let vpn = from;
  while (vpn !== end) {
    const pgd = load(pgdOffset(mm, vpn));
    let pages = PGD_PAGES;
    // The lowest upper table on the way to the page.
    let lowest: Entry = pgd;
    let leaf: u32 = LEAF_NONE;
    if (entryNamesTable(pgd)) {
      const pud = load(pudOffset(pgd, vpn));
      pages = PUD_PAGES;
      if (entryNamesTable(pud)) {
        pages = PMD_PAGES;
        lowest = pud;
        leaf = lookAtLeaf(pmdOffset(pud, vpn));
      }
    }
    if (leaf === LEAF_EMPTY) return vpn;
    // An upper table is looked at once: at its first page in the range.
    const entered = vpn === from || (vpn & (pages * TABLE_ENTRIES - 1)) === 0;
    if (
      upper &&
      entered &&
      leaf === LEAF_NONE &&
      entryNamesTable(lowest) &&
      looksEmpty(tableAddress(entryNumber(lowest)))
    )
      return vpn;
    vpn = spanEnd(vpn, pages, end);
  }
  return end;
}

/**
 * Clears the PMD entry at `pmd` and marks the table that it named; returns the table. PMD and PTE lock held, the table
 * known to be empty.
 */
export function detachLocked(pmd: Pmd): TableNumber {
  const table = entryNumber(load(pmd));
  // Pairs with the second look of pteOffsetMapLock and with the loads of lockless walkers.
  store(pmd, 0);
  countCleared(pmd, 1);
  tableDetach(table);
  return table;
}

/**
 * Detaches the PTE table that the PMD at `pmd`, that of `vpn`, names, if it is empty. Returns its number, for
 * `handOver`; 0: it is not empty, or there is none. No spinlock held; `pmd` stays.
 */
export function detachEmpty(pmd: Pmd, vpn: Vpn): TableNumber {
  pmdLock(pmd);
  const pte = pteOffsetMapRwNolock(pmd, vpn);
  let table: TableNumber = 0;
  if (pte !== 0) {
    pteLockNested(pte);
    // The PMD lock keeps the PMD at the value that was mapped.
    const empty = tableEmpty(tableAddress(entryNumber(load(pmd))));
    if (empty) table = detachLocked(pmd);
    pteUnlock(pte);
    pteUnmap(pte);
  }
  pmdUnlock(pmd);
  return table;
}

/**
 * Counts a detached PTE table, which mapped from the PMD entry's first page before `vpn` on, and hands it to the
 * gather. No spinlock held.
 */
export function handOver(gather: Gather, mm: Mm, table: TableNumber, vpn: Vpn): void {
  const first: Vpn = (vpn & ~(PMD_PAGES - 1)) >>> 0;
  mmDecTables(mm, LEVEL_PTE);
  noteTableReclaimed(mm, first);
  pteFreeTlb(gather, table, first);
}
