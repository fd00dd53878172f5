/**
 * Page tables and their descriptors (ptdesc): allocation, generations, poison, the checks at freeing.
 *
 * Guarantee: a table handed out holds only zeroes, belongs to nobody else, and has an odd generation until it is freed.
 *
 *  1. allocate: from this CPU's list, refilled from the global list or from numbers never used; zero it; generation
 *     odd;
 *  2. publish: the caller stores an upper entry that names it, under the lock of that entry (walk.ts);
 *  3. detach: the caller clears that entry and calls `tableDetach` (state DETACHED) under the same locks;
 *  4. free: after the grace period or interrupt that the freeing mode asks for; poison it; generation even.
 *
 * Descriptors and their locks outlive the tables: a late locker or reader meets a changed generation, never other
 * memory. Batch pages of gathers are tables too (LEVEL_BATCH), as Linux takes both from the page allocator.
 *
 * A PTE table may be set aside between 2 and 3, with no upper entry naming it: deposited with a huge PMD
 * (hugeDeposit.ts).
 *
 * Lock order: G_TABLE_LOCK is innermost. Source: Linux include/linux/mm.h (pagetable_alloc, pagetable_free),
 * mm/pgtable-generic.c.
 */

import { checkTableFree } from '../word/hooks.ts';
import { LC_PTE, LC_TABLES, lockOwner, spinLock, spinUnlock } from '../lock/lock.ts';
import { injectFailure, injectNth } from '../observe/inject.ts';
import {
  event,
  EVENT_TABLE_ALLOC,
  EVENT_TABLE_DETACH,
  EVENT_TABLE_FREE,
  violation,
} from '../observe/report.ts';
import { count, COUNTER_TABLES_ALLOCATED, COUNTER_TABLES_FREED } from '../observe/stats.ts';
import { CHECK } from '../word/check.ts';
import {
  ORACLE_ACCOUNTING,
  ORACLE_NONEMPTY_TABLE_FREED,
  ORACLE_TABLE_USE_AFTER_FREE,
  POISON_TABLE,
  TABLE_BITS,
  TABLE_CACHE_BATCH,
  TABLE_CACHE_HIGH,
  TABLE_ENTRIES,
} from '../word/config.ts';
import {
  C_OP,
  C_TABLE_COUNT,
  C_TABLE_HEAD,
  G_RCU_GP_SEQ,
  G_TABLE_BUMP,
  G_TABLE_FREE,
  G_TABLE_LOCK,
  G_TABLES_HELD,
  H_INJECT_BATCH,
  H_INJECT_TABLE,
  H_PTDESCS,
  H_TABLES,
  LOCK_AUX,
  LOCK_LAST,
  LOCK_OWNER,
  LOCK_WORD,
  PT_COUNT,
  PT_FIRST,
  PT_GEN,
  PT_LOCK,
  PT_MM,
  PT_NEXT,
  PT_OP,
  PT_RETIRED_GP,
  PT_STATE,
  PT_UPPER,
  PTDESC_SHIFT,
  tableAddress,
  TABLES,
} from '../word/layout.ts';
import { cpuId, thisCpu } from '../word/percpu.ts';
import { add, fillWords, load, peek, poke, store, sub } from '../word/word.ts';

/** States, bits 0-7 of PT_STATE. */
export const PT_FREE: u32 = 0;
export const PT_LIVE: u32 = 1;
export const PT_DETACHED: u32 = 2;
/** Set aside: a PTE table that no upper entry names, but will again (hugeDeposit.ts). */
export const PT_DEPOSITED: u32 = 3;

/** Levels, bits 8-15 of PT_STATE. */
export const LEVEL_PTE: u32 = 1;
export const LEVEL_PMD: u32 = 2;
export const LEVEL_PUD: u32 = 3;
export const LEVEL_PGD: u32 = 4;
export const LEVEL_BATCH: u32 = 5;

/** Address of a table's descriptor. */
export function ptdescOf(table: TableNumber): Ptdesc {
  return peek(H_PTDESCS) + (table << PTDESC_SHIFT);
}

/** Number of the table that holds the entry at `entryAddress`. */
export function tableOfEntry(entryAddress: TableEntry): TableNumber {
  return ((entryAddress - TABLES) >>> 0) >>> (TABLE_BITS + 2);
}

/** Address of the descriptor of the table that holds the entry at `entryAddress`. */
export function ptdescOfEntry(entryAddress: TableEntry): Ptdesc {
  return ptdescOf(tableOfEntry(entryAddress));
}

/**
 * Moves up to TABLE_CACHE_BATCH tables from the global list, then from numbers never used, to this CPU's empty list.
 */
function refillTableCache(cpu: CpuArea): void {
  spinLock(G_TABLE_LOCK, LC_TABLES);
  let head: TableNumber = peek(G_TABLE_FREE);
  let first: TableNumber = 0;
  let taken: u32 = 0;
  while (taken < TABLE_CACHE_BATCH && head !== 0) {
    const table = head;
    head = peek(ptdescOf(table) + PT_NEXT);
    poke(ptdescOf(table) + PT_NEXT, first);
    first = table;
    taken += 1;
  }
  poke(G_TABLE_FREE, head);
  const tables = peek(H_TABLES);
  let bump = peek(G_TABLE_BUMP);
  while (taken < TABLE_CACHE_BATCH && bump < tables) {
    poke(ptdescOf(bump) + PT_NEXT, first);
    first = bump;
    bump += 1;
    taken += 1;
  }
  poke(G_TABLE_BUMP, bump);
  spinUnlock(G_TABLE_LOCK, LC_TABLES);
  poke(cpu + C_TABLE_HEAD, first);
  poke(cpu + C_TABLE_COUNT, taken);
}

/** Gives all but `keep` of this CPU's free tables back to the global list. */
export function drainTableCache(keep: u32): void {
  const cpu = thisCpu();
  let left: u32 = peek(cpu + C_TABLE_COUNT);
  let head: TableNumber = peek(cpu + C_TABLE_HEAD);
  if (left <= keep) return;
  spinLock(G_TABLE_LOCK, LC_TABLES);
  let free: TableNumber = peek(G_TABLE_FREE);
  while (left > keep) {
    const next = peek(ptdescOf(head) + PT_NEXT);
    poke(ptdescOf(head) + PT_NEXT, free);
    free = head;
    head = next;
    left -= 1;
  }
  poke(G_TABLE_FREE, free);
  spinUnlock(G_TABLE_LOCK, LC_TABLES);
  poke(cpu + C_TABLE_HEAD, head);
  poke(cpu + C_TABLE_COUNT, left);
}

/** Checks that nobody touched a free table or its lock; `generation` is its even generation. */
function checkFreeTable(table: TableNumber, generation: u32): void {
  const desc = ptdescOf(table);
  if ((generation & 1) !== 0)
    violation(ORACLE_ACCOUNTING, table, generation, load(desc + PT_STATE));
  if (lockOwner(desc + PT_LOCK, LC_PTE) !== 0 || (load(desc + PT_STATE) & 0xff) !== PT_FREE)
    violation(ORACLE_TABLE_USE_AFTER_FREE, table, generation, load(desc + PT_OP));
  const expected = generation === 0 ? 0 : POISON_TABLE;
  const address = tableAddress(table);
  for (let i: u32 = 0; i < TABLE_ENTRIES; i += 1) {
    const word = peek(address + (i << 2));
    if (word !== expected) {
      violation(ORACLE_TABLE_USE_AFTER_FREE, table, i, word);
      return;
    }
  }
}

/**
 * Allocates a zeroed table of `level` for the mm at address `mm` (0 for batch pages) that is to map `first` and what
 * follows, named by the upper entry at `upper`. Returns its number, 0 when there is none or an injected failure asks
 * for one. What is written here is published by the store of the upper entry (step 2); a batch page stays its gather's.
 */
export function tableAlloc(level: u32, mm: Mm, first: Vpn, upper: Upper): TableNumber {
  if (injectNth()) return 0;
  if (injectFailure(level === LEVEL_BATCH ? H_INJECT_BATCH : H_INJECT_TABLE)) return 0;
  const cpu = thisCpu();
  if (peek(cpu + C_TABLE_COUNT) === 0) refillTableCache(cpu);
  const table = peek(cpu + C_TABLE_HEAD);
  if (table === 0) return 0;
  const desc = ptdescOf(table);
  poke(cpu + C_TABLE_HEAD, peek(desc + PT_NEXT));
  poke(cpu + C_TABLE_COUNT, peek(cpu + C_TABLE_COUNT) - 1);
  const generation = load(desc + PT_GEN);
  if (CHECK >= 2) checkFreeTable(table, generation);
  if (generation !== 0) fillWords(tableAddress(table), TABLE_ENTRIES, 0);
  poke(desc + PT_LOCK + LOCK_WORD, 0);
  poke(desc + PT_LOCK + LOCK_AUX, 0);
  poke(desc + PT_LOCK + LOCK_OWNER, 0);
  poke(desc + PT_LOCK + LOCK_LAST, 0);
  poke(desc + PT_MM, mm);
  poke(desc + PT_FIRST, first);
  poke(desc + PT_UPPER, upper);
  poke(desc + PT_COUNT, 0);
  poke(desc + PT_NEXT, 0);
  store(desc + PT_STATE, (level << 8) | PT_LIVE);
  store(desc + PT_GEN, (generation + 1) >>> 0);
  count(COUNTER_TABLES_ALLOCATED);
  event(EVENT_TABLE_ALLOC, (level << 24) | table, first);
  return table;
}

/**
 * Marks a table that no upper entry names any more; a PMD table has no deposited tables left. Precondition: the caller
 * cleared the entry, under the locks that its freeing path asks for; nobody can install an entry afterwards without a
 * `lost-entry`.
 * No pair: what lets walkers see that the table goes is the store that cleared the entry; checks, audits and the
 * freeing CPU look at the state.
 */
export function tableDetach(table: TableNumber): void {
  const desc = ptdescOf(table);
  const state = load(desc + PT_STATE);
  if (CHECK >= 1 && state >>> 8 === LEVEL_PMD && peek(desc + PT_NEXT) !== 0)
    violation(ORACLE_ACCOUNTING, table, state, peek(desc + PT_NEXT));
  store(desc + PT_STATE, (state & 0xff00) | PT_DETACHED);
  poke(desc + PT_RETIRED_GP, load(G_RCU_GP_SEQ));
  poke(desc + PT_OP, ((cpuId() << 8) | peek(thisCpu() + C_OP)) >>> 0);
  add(G_TABLES_HELD, 1);
  tableEvent(EVENT_TABLE_DETACH, table);
}

/**
 * Writes an event of `kind` about a table whose state this CPU has just changed, and nobody else can change before it
 * is free.
 */
function tableEvent(kind: u32, table: TableNumber): void {
  const desc = ptdescOf(table);
  event(kind, ((peek(desc + PT_STATE) >>> 8) << 24) | table, peek(desc + PT_FIRST));
}

/** Checks what must hold of a table that is about to be freed. */
function checkTableAtFree(table: TableNumber, state: u32): void {
  const desc = ptdescOf(table);
  if ((load(desc + PT_GEN) & 1) === 0 || (state & 0xff) === PT_FREE)
    violation(ORACLE_ACCOUNTING, table, state, load(desc + PT_OP));
  if (state >>> 8 === LEVEL_BATCH) return;
  const holder = lockOwner(desc + PT_LOCK, LC_PTE);
  if (holder !== 0)
    violation(ORACLE_TABLE_USE_AFTER_FREE, desc + PT_LOCK, holder, load(desc + PT_OP));
  const address = tableAddress(table);
  for (let i: u32 = 0; i < TABLE_ENTRIES; i += 1) {
    const entry = load(address + (i << 2));
    if (entry !== 0) {
      violation(ORACLE_NONEMPTY_TABLE_FREED, table, i, entry);
      return;
    }
  }
  if (state >>> 8 === LEVEL_PTE) checkTableFree(table);
}

/**
 * Frees a table to this CPU's list. Precondition: detached (or never published, or a batch page), and every walker that
 * could have read its number has left.
 * No pair: nobody else knows the table, and the next to have it is this CPU, or takes it from the global list under
 * G_TABLE_LOCK.
 */
export function tableFree(table: TableNumber): void {
  const desc = ptdescOf(table);
  const state = load(desc + PT_STATE);
  if (CHECK >= 1) checkTableAtFree(table, state);
  if ((state & 0xff) === PT_DETACHED) sub(G_TABLES_HELD, 1);
  tableEvent(EVENT_TABLE_FREE, table);
  store(desc + PT_STATE, PT_FREE);
  store(desc + PT_GEN, (load(desc + PT_GEN) + 1) >>> 0);
  if (CHECK >= 1) fillWords(tableAddress(table), TABLE_ENTRIES, POISON_TABLE);
  const cpu = thisCpu();
  poke(desc + PT_NEXT, peek(cpu + C_TABLE_HEAD));
  poke(cpu + C_TABLE_HEAD, table);
  poke(cpu + C_TABLE_COUNT, peek(cpu + C_TABLE_COUNT) + 1);
  count(COUNTER_TABLES_FREED);
  if (peek(cpu + C_TABLE_COUNT) > TABLE_CACHE_HIGH)
    drainTableCache(TABLE_CACHE_HIGH - TABLE_CACHE_BATCH);
}

/** Frees the tables of a batch page and the page itself. Called when no walker can be inside any of them. */
export function freeTableBatch(batch: TableNumber): void {
  const address = tableAddress(batch);
  const tables = peek(ptdescOf(batch) + PT_COUNT);
  for (let i: u32 = 0; i < tables; i += 1) tableFree(peek(address + (i << 2)));
  tableFree(batch);
}
