/**
 * Reclaim of upper tables (PMD and PUD tables) that became empty, for protocol `async`.
 *
 * Guarantee: an upper table is detached only when all its entries are none and nobody holds, or can come by, the
 * address of one of them, but lockless walkers, who leave within a grace period, and hardware, which is flushed.
 *
 * Which lock makes that right? Not those under which PTE tables go. An empty PTE table may vanish under mmap_lock for
 * read since whoever maps one is in an RCU section, and whoever locks one looks at the PMD again. Upper tables have
 * neither: pmdFind and pmdAlloc give a bare address, which a fault keeps over allocations and waits, a zap over
 * flushes; its only protection is mmap_lock, the VMA's lock, or the lock of an rmap, any of them for reading. Under
 * mmap_lock for read and page_table_lock the entry could be cleared, but a fault that came by its PMD address before
 * would take the lock of a detached PMD table and put a PTE table there: lost. (To allow that, every walker would have
 * to look at every level again after each wait.) So all three kinds of readers are kept out:
 *
 *  1. No lock, an RCU section: has the table an entry? Then watch it, done: nearly always.
 *  2. mmap_lock for write, by trylock; a daemon does not make others wait for it: later.
 *  3. Write-lock every VMA that overlaps the table's span (vmaStartWrite waits for its readers), and take the rmap
 *     locks of the one that has any; more than UPPER_VMAS_MAX VMAs, or two whose rmap locks differ, which have no
 *     order: leave it.
 *  4. Scan again. Nobody can fill it now. Clear the upper entry, under page_table_lock as all changes of it; mark the
 *     table.
 *  5. Drop the rmap locks; downgrade mmap_lock, which ends the VMA locks: faults go on, and allocate a new table.
 *  6. Flush, with upper levels, then RCU, by a gather; release mmap_lock. Is the table above empty now? It becomes a
 *     candidate.
 *
 * Lock order: mmap_lock for write, VMA write locks, i_mmap, anon_vma, page_table_lock. Source: Linux mm/memory.c
 * (free_pgtables, whose reasons these are), Documentation/mm/process_addrs.rst (page table freeing).
 */

import { LEVEL_PMD, LEVEL_PUD, tableDetach, tableOfEntry } from '../../alloc/table.ts';
import { syncPoint } from '../../cpu/syncPoint.ts';
import { LC_PAGE_TABLE, spinLock, spinUnlock } from '../../lock/lock.ts';
import {
  count,
  COUNTER_CANDIDATES_GONE,
  COUNTER_CANDIDATES_KEPT,
  COUNTER_UPPER_TABLES_RECLAIMED,
} from '../../observe/stats.ts';
import { rcuReadLock, rcuReadUnlock } from '../../rcu/rcu.ts';
import {
  mmapReadUnlock,
  mmapWriteDowngrade,
  mmapWriteTrylock,
  mmapWriteUnlock,
} from '../../sleep/mmapLock.ts';
import { dropRmapLocks, takeRmapLocks } from '../../space/rmapLocks.ts';
import { findVma, vmaNext } from '../../space/vma.ts';
import { vmaStartWrite } from '../../space/vmaLock.ts';
import { gatherFinish, gatherStart, gatherTable } from '../../tables/gather.ts';
import { mmDecTables, pgdOffset } from '../../tables/offsets.ts';
import { pudFind } from '../../tables/walk.ts';
import { PGD_PAGES, PUD_PAGES, TABLE_ENTRIES, UPPER_VMAS_MAX } from '../../word/config.ts';
import {
  MM_PAGE_TABLE_LOCK,
  tableAddress,
  VMA_ANON,
  VMA_INODE,
  VMA_START,
} from '../../word/layout.ts';
import { load, store } from '../../word/word.ts';
import {
  CANDIDATE_LEVEL_MASK,
  candidateAgain,
  candidateBegin,
  noteIfEmptied,
  tableNamed,
  watchEntry,
} from './candidates.ts';

/** Number of the first entry of table number `table` that is there, TABLE_ENTRIES: none. */
function firstEntry(table: TableNumber): u32 {
  const address = tableAddress(table);
  let i: u32 = 0;
  while (i < TABLE_ENTRIES && load(address + (i << 2)) === 0) i += 1;
  return i;
}

/** Pages that a table of `level` spans. */
function spanOf(level: u32): u32 {
  return level === LEVEL_PMD ? PUD_PAGES : PGD_PAGES;
}

/**
 * Step 1: number of the table if it is a candidate and empty, as far as one can see; else 0. In both cases it is no
 * candidate any more.
 */
function emptyTableNamed(mm: Mm, level: u32, first: Vpn): TableNumber {
  rcuReadLock();
  const table = tableNamed(mm, level, first);
  if (table === 0 || !candidateBegin(table)) {
    rcuReadUnlock();
    count(COUNTER_CANDIDATES_GONE);
    return 0;
  }
  const index = firstEntry(table);
  if (index !== TABLE_ENTRIES) {
    watchEntry(table, index);
    count(COUNTER_CANDIDATES_KEPT);
  }
  rcuReadUnlock();
  return index === TABLE_ENTRIES ? table : 0;
}

/** What `writeLockSpan` found, beside the address of the VMA whose rmap locks it took. */
const SPAN_NO_RMAP: u32 = 0;
const SPAN_LEFT: u32 = 1;

/**
 * Whether the locks of an rmap that finds `one` are those of one that finds `other`: pieces of an anonymous mapping.
 */
function sameRmapLocks(one: Vma, other: Vma): boolean {
  return (
    (load(one + VMA_INODE) | load(other + VMA_INODE)) === 0 &&
    load(one + VMA_ANON) === load(other + VMA_ANON)
  );
}

/**
 * Step 3 for the VMAs that overlap [first, first + pages). Returns the one whose rmap locks are held, SPAN_NO_RMAP, or
 * SPAN_LEFT: not to be had. mmap_lock for write.
 */
function writeLockSpan(mm: Mm, first: Vpn, pages: u32): u32 {
  let locked: u32 = 0;
  let found: u32 = SPAN_NO_RMAP;
  let vma = findVma(mm, first);
  while (vma !== 0 && (load(vma + VMA_START) <= first || load(vma + VMA_START) - first < pages)) {
    if (locked === UPPER_VMAS_MAX) return SPAN_LEFT;
    vmaStartWrite(vma);
    locked += 1;
    // Write-locked, a VMA without an anon_vma gets none.
    if ((load(vma + VMA_INODE) | load(vma + VMA_ANON)) !== 0) {
      if (found !== SPAN_NO_RMAP && !sameRmapLocks(found, vma)) return SPAN_LEFT;
      found = vma;
    }
    vma = vmaNext(vma);
  }
  if (found !== SPAN_NO_RMAP) takeRmapLocks(found);
  return found;
}

/** Steps 3 and 4, mmap_lock held for write. Returns the number of the table of `level` that was detached, or 0. */
function detachUpper(mm: Mm, level: u32, first: Vpn): TableNumber {
  const found = writeLockSpan(mm, first, spanOf(level));
  if (found === SPAN_LEFT) return 0;
  const table = detachIfEmpty(mm, level, first);
  if (found !== SPAN_NO_RMAP) dropRmapLocks(found);
  return table;
}

/** Step 4, with everybody kept out of the span. Returns the table's number, or 0. */
function detachIfEmpty(mm: Mm, level: u32, first: Vpn): TableNumber {
  const upper = level === LEVEL_PMD ? pudFind(mm, first) : pgdOffset(mm, first);
  const table = tableNamed(mm, level, first);
  if (table === 0 || firstEntry(table) !== TABLE_ENTRIES) return 0;
  spinLock(mm + MM_PAGE_TABLE_LOCK, LC_PAGE_TABLE);
  // Pairs with the loads of lockless walkers.
  store(upper, 0);
  tableDetach(table);
  spinUnlock(mm + MM_PAGE_TABLE_LOCK, LC_PAGE_TABLE);
  mmDecTables(mm, level);
  if (level === LEVEL_PMD) noteIfEmptied(tableOfEntry(upper), LEVEL_PUD);
  return table;
}

/** Deals with the candidate (`what`, `generation`, `first`), an upper table of `mm`, which is pinned. No lock held. */
export function scanUpperTable(mm: Mm, what: u32, generation: u32, first: Vpn): void {
  const level = what & CANDIDATE_LEVEL_MASK;
  const empty = emptyTableNamed(mm, level, first);
  if (empty === 0) return;
  syncPoint();
  if (!mmapWriteTrylock(mm)) {
    candidateAgain(what, generation, first, empty);
    return;
  }
  const table = detachUpper(mm, level, first);
  if (table === 0) {
    mmapWriteUnlock(mm);
    count(COUNTER_CANDIDATES_KEPT);
    return;
  }
  mmapWriteDowngrade(mm);
  const gather = gatherStart(mm);
  gatherTable(gather, table, first, spanOf(level));
  gatherFinish(gather);
  mmapReadUnlock(mm);
  count(COUNTER_UPPER_TABLES_RECLAIMED);
}
