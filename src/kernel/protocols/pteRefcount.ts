/**
 * Reclaim protocol `pte-refcount`: a PTE table counts what it is needed for, and whoever drops the last count frees it.
 *
 * Guarantee: a table that a visitor maps stays linked until the visitor has left, unless the whole range is being
 * unmapped or collapsed; a linked table whose count is zero has no entry, never gets one again, is unlinked exactly
 * once, and is freed after a flush of its range and a grace period.
 *
 * PT_COUNT of a linked table = its non-none entries + visitors: mappings (pteMap.ts), and the CPU that installed it
 * until its walk ends. PT_UPPER is the way back to the PMD entry. GUP-fast and the hardware count nothing: the grace
 * period and the flush are for them.
 *
 *  get     in an RCU section, one read of the PMD: none and huge are no table. Else one more, unless the count is zero:
 *          then the table is on its way out. A reader takes that for none, which it is; a locker waits until the PMD
 *          entry changes (pteOffsetMapRwNolock) and looks again.
 *  entry   one more when an entry goes from none to anything, under the PTE lock. Entries cleared are gathered under
 *          the PTE lock.
 *  put     with the PTE lock dropped, one atomic for the visit and the entries that it cleared.
 *  zero    the PMD lock that PT_UPPER leads to, and PT_UPPER again, as mremap may have moved the table; clear the PMD
 *          entry, if it still names the table. Zero is final for as long as a table is linked: nobody looks at the
 *          entries. Then, with no lock held: into the gather of the zap under way; without one, flush the range and
 *          hand the table to RCU by its own head.
 *  unmap   munmap and exit, which nobody but lockless readers can meet, do not ask for the count. Whoever clears the
 *          PMD entry, under the PMD lock, frees the table: the last put of a reader, or the CPU whose put it is that
 *          has not come to the PMD lock yet, finds it unlinked and is done.
 *  deposit A collapse unlinks a table as a visitor, clears its entries and deposits it, perhaps with readers inside,
 *          whose puts then find it unlinked. A split fills and links it again: a reader whose put made the count zero
 *          while the table was deposited, and which comes to the PMD lock now, would take it away with its entries.
 *          Hence one second look, at the count, under the PMD lock. (The series needed none: all its visitors held
 *          locks.)
 *
 * Why the RCU section: the get touches a descriptor found through the PMD entry, the put at zero one whose table munmap
 * may have unlinked: neither is another table's meanwhile. A locker waits inside its section, too: else the table could
 * come back at the same place, and the PMD never seem to change.
 *
 * A put may flush, which waits for interrupts, and takes the PMD lock: no spinlock is held at pteUnmap. A zap, which
 * has a gather, flushes later.
 *
 * Lock order: mmap_lock, VMA lock or RCU section; PMD lock. A get under the PMD lock is not allowed to meet zero.
 * Cost: two atomics a map, one an installed entry; the PMD lock and, without a gather, a flush for each table freed.
 * Not freed: upper tables; tables that hold the zero page, swap entries or markers. A table that empties and is filled
 * again at once is freed for nothing.
 *
 * Source: "Free user PTE page table pages" v3, November 2021 (pte_ref.h, pte_ref.c: pte_try_get, pte_put_many,
 * free_pte_table).
 */

import { LEVEL_PTE, ptdescOf, ptdescOfEntry, tableDetach, tableOfEntry } from '../alloc/table.ts';
import { pollInterrupts } from '../cpu/irq.ts';
import { syncPoint } from '../cpu/syncPoint.ts';
import { violation } from '../observe/report.ts';
import { count, COUNTER_COUNT_ZERO_MET, COUNTER_TABLES_FREED_BY_COUNT } from '../observe/stats.ts';
import { rcuReadLock, rcuReadUnlock } from '../rcu/rcu.ts';
import { freeTableAlone, gatherOf, pteFreeTlb } from '../tables/gather.ts';
import { mmDecTables, pmdLock, pmdUnlock } from '../tables/offsets.ts';
import { CHECK } from '../word/check.ts';
import { ORACLE_ACCOUNTING, ORACLE_TABLE_USE_AFTER_FREE } from '../word/config.ts';
import { entryNamesTable, entryNumber } from '../word/entry.ts';
import {
  C_CLEARED,
  C_CLEARED_TABLE,
  C_INSTALLED,
  PT_COUNT,
  PT_FIRST,
  PT_MM,
  PT_OP,
  PT_UPPER,
} from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { add, compareExchange, load, peek, poke, store, sub } from '../word/word.ts';

export const about = {
  name: 'pte-refcount',
  summary:
    'each PTE table counts its entries and visitors; whoever drops the last count frees it (v3, November 2021)',
  tableCount: 'visits',
  frees: 'part',
};

/**
 * A visitor's count for the table that the PMD value `value` names. Returns false when the count is zero. Precondition:
 * `value` was read in the RCU section that this CPU is in.
 */
export function tableGet(value: Entry): boolean {
  const word = ptdescOf(entryNumber(value)) + PT_COUNT;
  syncPoint();
  pollInterrupts();
  let seen = load(word);
  while (seen !== 0) {
    // Pairs with the sub in `drop`: of the two, the one that comes second sees the other.
    const found = compareExchange(word, seen, seen + 1);
    if (found === seen) return true;
    seen = found;
  }
  count(COUNTER_COUNT_ZERO_MET);
  return false;
}

/** Drops `n` counts of a table; the last one unlinks and frees it. In an RCU section, no spinlock held. */
function drop(table: TableNumber, n: u32): void {
  // Pairs with the compare-and-exchange in `tableGet`.
  const old = sub(ptdescOf(table) + PT_COUNT, n);
  if (CHECK >= 1 && old < n) violation(ORACLE_ACCOUNTING, table, old, n);
  if (old === n) freeEmptyTable(table);
}

/**
 * Takes the lock of the PMD entry that names, or named last, the table of descriptor `desc`. Returns the entry's
 * address. In an RCU section.
 */
function lockUpper(desc: Ptdesc): Pmd {
  let upper = load(desc + PT_UPPER);
  pmdLock(upper);
  // mremap changes it under the locks of the old and the new place.
  while (load(desc + PT_UPPER) !== upper) {
    pmdUnlock(upper);
    upper = load(desc + PT_UPPER);
    pmdLock(upper);
  }
  return upper;
}

/** Unlinks and frees a table whose count this CPU made zero. In an RCU section, no spinlock held. */
function freeEmptyTable(table: TableNumber): void {
  const desc = ptdescOf(table);
  const mm = peek(desc + PT_MM);
  syncPoint();
  const upper = lockUpper(desc);
  const value = load(upper);
  const linked = entryNamesTable(value) && entryNumber(value) === table;
  // A table that was deposited when its last visit ended may have come back, with entries.
  const dead = linked && load(desc + PT_COUNT) === 0;
  if (dead) {
    // Pairs with the waiters in pteOffsetMapRwNolock, and with the loads of lockless walkers.
    store(upper, 0);
    tableDetach(table);
  }
  // mremap changes it under this lock, and moves a table that it finds linked only.
  const first = load(desc + PT_FIRST);
  pmdUnlock(upper);
  if (!dead) return;
  mmDecTables(mm, LEVEL_PTE);
  count(COUNTER_TABLES_FREED_BY_COUNT);
  const gather = gatherOf(mm);
  if (gather !== 0) pteFreeTlb(gather, table, first);
  else freeTableAlone(mm, table, first);
}

/** The count of a new PTE table, its installer's. Before it is published, under the PMD lock. */
export function tableInstalled(table: TableNumber): void {
  poke(ptdescOf(table) + PT_COUNT, 1);
  poke(thisCpu() + C_INSTALLED, table);
}

/**
 * Drops the count of the table that this CPU installed last, if it has not yet. No spinlock held; the lock that the
 * table was installed under is.
 */
export function installsDone(): void {
  const table = peek(thisCpu() + C_INSTALLED);
  if (table === 0) return;
  poke(thisCpu() + C_INSTALLED, 0);
  rcuReadLock();
  drop(table, 1);
  rcuReadUnlock();
}

/**
 * Counts an entry that went from none to something. PTE lock held. No pair: this CPU's visit keeps the count from zero.
 */
export function entryInstalled(pte: Pte, value: Entry): void {
  const cpu = thisCpu();
  if (peek(cpu + C_CLEARED) !== 0 && peek(cpu + C_CLEARED_TABLE) === tableOfEntry(pte))
    poke(cpu + C_CLEARED, peek(cpu + C_CLEARED) - 1);
  else add(ptdescOfEntry(pte) + PT_COUNT, 1);
}

/**
 * Gathers `n` entries of one table that went to none, to be dropped with the visit. PTE lock held, the table mapped.
 */
export function entriesCleared(pte: Pte, n: u32): void {
  const cpu = thisCpu();
  const table = tableOfEntry(pte);
  const before = peek(cpu + C_CLEARED);
  if (before === 0 || peek(cpu + C_CLEARED_TABLE) === table) {
    poke(cpu + C_CLEARED_TABLE, table);
    poke(cpu + C_CLEARED, before + n);
    return;
  }
  // Of two tables that are mapped at once one keeps its gathered count. No pair: the visit keeps the other from zero.
  sub(ptdescOf(table) + PT_COUNT, n);
}

/** Ends a visit of the table that holds the entry at `pte`. In the RCU section of the mapping, no spinlock held. */
export function tablePut(pte: Pte): void {
  const cpu = thisCpu();
  const table = tableOfEntry(pte);
  let n: u32 = 1;
  if (peek(cpu + C_CLEARED) !== 0 && peek(cpu + C_CLEARED_TABLE) === table) {
    n += peek(cpu + C_CLEARED);
    poke(cpu + C_CLEARED, 0);
  }
  drop(table, n);
}

/**
 * munmap's clearing of a PMD entry and that of the last put exclude each other by the PMD lock: whoever clears it frees
 * the table.
 */
export function unlinksUnderLock(level: u32): boolean {
  return level === LEVEL_PTE;
}

export function walkEnd(mm: Mm): void {
  installsDone();
}

export function reshapeEnd(mm: Mm): void {
  installsDone();
}

export function emptyTableGoes(): boolean {
  return true;
}

/** Nobody may be on a visit any more. */
export function checkTableFree(table: TableNumber): void {
  const desc = ptdescOf(table);
  const visitors = load(desc + PT_COUNT);
  if (visitors !== 0) violation(ORACLE_TABLE_USE_AFTER_FREE, table, visitors, load(desc + PT_OP));
}
