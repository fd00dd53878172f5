/**
 * Mapping a PTE table: how a reader or a locker gets at entries of a table that may be detached at any moment.
 *
 * Guarantee: between a mapping and its unmapping the table is not freed (it may become empty and detached). A mapping
 * *with its lock* is of the table that the PMD entry names, for as long as the lock is held.
 *
 *  pteOffsetMap            RCU section; one read of the PMD; the entry's address, or 0 when the PMD names no table.
 *  pteOffsetMapLock        the same; lock of the table that was read; the PMD again: on a change unlock, unmap, and
 *                          start over.
 *  pteOffsetMapRwNolock    the same as pteOffsetMap, and the PMD value that was read (`mappedPmd`). The caller takes
 *                          the lock by `pteLock` and proves that nothing moved: the entry is the same and not none, or
 *                          the PMD is the same.
 *
 * The RCU section pairs with the grace period between tableDetach and tableFree (gather.ts). With checks, each mapping
 * notes the table's generation, and unmapping compares: a table freed in between is a `table-use-after-free`.
 *
 * Lock order: PMD lock, PTE lock. Source: Linux mm/pgtable-generic.c (___pte_offset_map, pte_offset_map_lock,
 * pte_offset_map_rw_nolock).
 */

import { LEVEL_PTE, PT_LIVE, ptdescOf, ptdescOfEntry, tableOfEntry } from '../alloc/table.ts';
import { spinFor } from '../cpu/wait.ts';
import { LC_PTE, spinLock, spinLockNested, spinTrylock, spinUnlock } from '../lock/lock.ts';
import { violation } from '../observe/report.ts';
import { count, COUNTER_PTE_MAP_RETRIES } from '../observe/stats.ts';
import { rcuReadLock, rcuReadUnlock } from '../rcu/rcu.ts';
import { CHECK } from '../word/check.ts';
import {
  AWAIT_DIFFERS,
  ORACLE_ACCOUNTING,
  ORACLE_BAD_UPPER_ENTRY,
  ORACLE_LOST_ENTRY,
  ORACLE_TABLE_USE_AFTER_FREE,
} from '../word/config.ts';
import { entryNamesTable, entryNumber } from '../word/entry.ts';
import {
  C_MAP,
  C_MAP_DEPTH,
  C_MAPPED_PMD,
  MAPS_MAX,
  PT_GEN,
  PT_LOCK,
  PT_STATE,
} from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { exchange, load, peek, poke, store } from '../word/word.ts';
import {
  checkWalkFrom,
  entriesCleared,
  entryInstalled,
  tableGet,
  tablePut,
} from '../word/hooks.ts';
import { pteOffset } from './offsets.ts';

/** Notes the generation of the table that the PMD value `value`, read from `pmd`, names. */
function checkMap(pmd: Pmd, value: Entry): void {
  const table = entryNumber(value);
  const generation = load(ptdescOf(table) + PT_GEN);
  if ((generation & 1) === 0 || load(ptdescOf(table) + PT_STATE) >>> 8 !== LEVEL_PTE)
    violation(
      load(pmd) === value ? ORACLE_BAD_UPPER_ENTRY : ORACLE_TABLE_USE_AFTER_FREE,
      pmd,
      value,
      generation,
    );
  const cpu = thisCpu();
  const depth = peek(cpu + C_MAP_DEPTH);
  poke(cpu + C_MAP_DEPTH, depth + 1);
  if (depth >= MAPS_MAX) {
    violation(ORACLE_ACCOUNTING, pmd, value, depth);
    return;
  }
  poke(cpu + C_MAP + (depth << 3), table);
  poke(cpu + C_MAP + (depth << 3) + 4, generation);
}

/** Takes back the newest note of checkMap: the table was not mapped. */
function forgetMap(): void {
  const depth = thisCpu() + C_MAP_DEPTH;
  poke(depth, peek(depth) - 1);
}

/** Compares the generation of the table mapped last. */
function checkUnmap(pte: Pte): void {
  const cpu = thisCpu();
  const depth: u32 = peek(cpu + C_MAP_DEPTH) - 1;
  poke(cpu + C_MAP_DEPTH, depth);
  if (depth >= MAPS_MAX) return;
  const table = peek(cpu + C_MAP + (depth << 3));
  const generation = peek(cpu + C_MAP + (depth << 3) + 4);
  if (table !== tableOfEntry(pte)) violation(ORACLE_ACCOUNTING, pte, table, depth);
  const now = load(ptdescOf(table) + PT_GEN);
  if (now !== generation) violation(ORACLE_TABLE_USE_AFTER_FREE, table, generation, now);
}

/**
 * Asks the protocol for the table that `value`, read from `pmd` in this RCU section, names. Its generation is noted as
 * of that reading, so that a table freed before the protocol has it is noticed, too.
 * @inline
 */
function getMapped(pmd: Pmd, value: Entry): boolean {
  if (CHECK >= 1) checkMap(pmd, value);
  if (tableGet(value)) return true;
  if (CHECK >= 1) forgetMap();
  return false;
}

/**
 * Maps the PTE table that the PMD entry at `pmd` names and returns the address of the entry of `vpn`; the caller is
 * then inside an RCU section until `pteUnmap`. Returns 0, and leaves the section, when the PMD is none, huge, or
 * migrating, or when the protocol says that the table, which is empty, is on its way out.
 * @inline
 */
export function pteOffsetMap(pmd: Pmd, vpn: Vpn): Pte {
  if (CHECK >= 2) checkWalkFrom(pmd);
  rcuReadLock();
  const value = load(pmd);
  if (!entryNamesTable(value) || !getMapped(pmd, value)) {
    rcuReadUnlock();
    return 0;
  }
  return pteOffset(value, vpn);
}

/**
 * Ends a mapping. No spinlock held: what the reclaim protocol does then may need one.
 * @inline
 */
export function pteUnmap(pte: Pte): void {
  if (CHECK >= 1) checkUnmap(pte);
  tablePut(pte);
  rcuReadUnlock();
}

/** Address of the lock of the table that holds the entry at `pte`. */
export function pteLockOf(pte: Pte): u32 {
  return ptdescOfEntry(pte) + PT_LOCK;
}

/** As pteOffsetMap, with the table's lock held and the PMD known to name it still; 0 as there, with nothing held. */
export function pteOffsetMapLock(pmd: Pmd, vpn: Vpn): Pte {
  let pte: Pte = 0;
  let settled = false;
  while (!settled) {
    pte = pteOffsetMapRwNolock(pmd, vpn);
    if (pte === 0) return 0;
    spinLock(pteLockOf(pte), LC_PTE);
    settled = load(pmd) === mappedPmd();
    if (!settled) {
      pteUnmapUnlock(pte);
      count(COUNTER_PTE_MAP_RETRIES);
    }
  }
  return pte;
}

/**
 * Releases the lock and ends the mapping.
 * @inline
 */
export function pteUnmapUnlock(pte: Pte): void {
  spinUnlock(pteLockOf(pte), LC_PTE);
  pteUnmap(pte);
}

/**
 * As pteOffsetMap, but waits for a table on its way out to be gone, so not under the PMD lock; `mappedPmd` then returns
 * the PMD value that was read, until this CPU maps again.
 */
export function pteOffsetMapRwNolock(pmd: Pmd, vpn: Vpn): Pte {
  if (CHECK >= 2) checkWalkFrom(pmd);
  rcuReadLock();
  let value = load(pmd);
  while (entryNamesTable(value) && !getMapped(pmd, value)) {
    // Still in the section, so that the table cannot come back here meanwhile: the PMD entry is sure to be seen
    // changed.
    spinFor(pmd, AWAIT_DIFFERS, value);
    value = load(pmd);
  }
  if (!entryNamesTable(value)) {
    rcuReadUnlock();
    return 0;
  }
  poke(thisCpu() + C_MAPPED_PMD, value);
  return pteOffset(value, vpn);
}

/** The PMD value that this CPU's last pteOffsetMapRwNolock or pteOffsetMapLock read. */
export function mappedPmd(): Entry {
  return peek(thisCpu() + C_MAPPED_PMD);
}

/** Takes the lock of a mapped table. */
export function pteLock(pte: Pte): void {
  spinLock(pteLockOf(pte), LC_PTE);
}

/** Takes the lock of a mapped table if it is free; whether it did. */
export function pteTrylock(pte: Pte): boolean {
  return spinTrylock(pteLockOf(pte), LC_PTE);
}

/** Takes the lock of a second mapped table while one is held; the caller fixes the order of the two. */
export function pteLockNested(pte: Pte): void {
  spinLockNested(pteLockOf(pte), LC_PTE);
}

/** Releases the lock of a mapped table. */
export function pteUnlock(pte: Pte): void {
  spinUnlock(pteLockOf(pte), LC_PTE);
}

/**
 * Stores a non-none entry. Precondition: the PTE lock is held, and the entry is none: the caller has seen it, or
 * cleared it. An entry written into a detached table would be lost with it.
 * @inline
 */
export function setPte(pte: Pte, entry: Entry): void {
  if (CHECK >= 1 && (load(ptdescOfEntry(pte) + PT_STATE) & 0xff) !== PT_LIVE)
    violation(ORACLE_LOST_ENTRY, pte, entry, load(ptdescOfEntry(pte) + PT_STATE));
  entryInstalled(pte, entry);
  store(pte, entry);
}

/**
 * Sets a non-none entry to none, atomically with respect to walkers that set accessed and dirty, and returns what it
 * was. Precondition: the PTE lock is held. Pairs with GUP-fast's second look.
 */
export function clearPte(pte: Pte): Entry {
  const entry = exchange(pte, 0);
  entriesCleared(pte, 1);
  return entry;
}
