/**
 * Reclaim protocol `pt-rwsem`: a second reader-writer lock per address space protects the shape of its page tables,
 * which mmap_lock is relieved of. Who has it for writing may free empty tables of every level.
 *
 * Guarantee: between walkBegin and walkEnd no table of the address space goes, of any level; what pmdFind and pmdAlloc
 * gave stays. A table is removed only when all its entries are none.
 *
 *  Walk: every operation that walks tables down (fault, zap, madvise, mprotect, mremap, pageout, GUP's slow path, rmap
 *    walks) holds the lock for reading: two atomics per operation, not per table. mmap_lock or a VMA's lock still say
 *    what is mapped there.
 *  Reclaim, when madvise(MADV_DONTNEED) has dropped its locks:
 *   1. Lock for reading: look for an empty table (emptiness.ts: by scan or by count). None: done. Drop the lock; what
 *      was seen may change.
 *   2. Lock for writing: from there on, SPANS PMD entries at most: detach the PTE table if it is empty *now*; with the
 *      last PMD entry of a PMD table, that table if it is empty, then its PUD table. No mmap_lock: nobody can be in a
 *      walk, and the VMAs do not matter to an empty table.
 *   3. Drop the lock, flush (paging-structure caches, too), free by RCU; go on at 1 behind what was done.
 *  munmap, exit, and mremap's moves of whole tables take tables out as well, and hold the lock for writing while they
 *  do.
 *
 * The lock does not keep out: GUP-fast, lockless walks, the hardware. RCU and flushes protect those (gather.ts), upper
 * tables like PTE tables. Nor speculative faults, which commit under the PTE lock; so PTE tables are detached under PMD
 * and PTE lock, whose holder looks at the PMD again.
 *
 * Oracle (full checks): who finds or allocates an upper entry, or maps a PTE table, without this lock, outside of RCU
 * sections and with interrupts enabled, is a `lock-order` violation (`checkWalk`).
 *
 * Lock order: anon_vma, this lock, page_table_lock, PMD lock, PTE lock. Cost: two atomics per walk operation on one
 * cache line per address space; a removal stops all walks of the address space. Cannot free: tables that became empty
 * otherwise than by MADV_DONTNEED, until one covers them.
 *
 * Source: Gunthorpe in the thread of "Free user PTE page table pages" (2021).
 */

import { LEVEL_PMD, LEVEL_PUD, ptdescOfEntry } from '../alloc/table.ts';
import { syncPoint } from '../cpu/syncPoint.ts';
import { LC_PT_READ } from '../observe/lockOrder.ts';
import { violation } from '../observe/report.ts';
import {
  count,
  COUNTER_RECLAIM_ABORTED,
  COUNTER_TABLES_RECLAIMED_FOUND,
  COUNTER_UPPER_TABLES_RECLAIMED,
} from '../observe/stats.ts';
import {
  rwsemReadLock,
  rwsemReadLockNested,
  rwsemReadUnlock,
  rwsemWriteHeld,
  rwsemWriteLock,
  rwsemWriteUnlock,
} from '../sleep/rwsem.ts';
import {
  countCleared,
  countInstalled,
  detachEmpty,
  handOver,
  nextEmpty,
  tableEmpty,
} from '../tables/emptiness.ts';
import { freeEntry } from '../tables/freeTables.ts';
import { gatherFinish, gatherStart } from '../tables/gather.ts';
import { pgdOffset, pudOffset, spanEnd } from '../tables/offsets.ts';
import { pmdFind } from '../tables/walk.ts';
import { ORACLE_LOCK_ORDER, PGD_PAGES, PGD_SHIFT, PMD_PAGES, PUD_PAGES } from '../word/config.ts';
import { entryNamesTable, entryNumber } from '../word/entry.ts';
import {
  C_IRQ_DEPTH,
  C_PT_WALK,
  C_PT_WALK_SECOND,
  C_RCU_NESTING,
  MM_PT_LOCK,
  PT_MM,
  tableAddress,
} from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { load, peek, poke } from '../word/word.ts';

export const about = {
  name: 'pt-rwsem',
  summary:
    'a second reader-writer lock per address space: walks take it for read; its writer frees empty tables of every level',
  emptiness: ['scan', 'count'],
  frees: 'upper',
  demo: true,
};

/** PMD entries that are looked at under one hold of the lock for writing. */
const SPANS: u32 = 64;

/** A walk of the tables of `mm` begins: none of them goes until `walkEnd`. */
export function walkBegin(mm: Mm): void {
  rwsemReadLock(mm + MM_PT_LOCK, LC_PT_READ);
  // The state says how many readers there are, this word that this CPU is one of them.
  poke(thisCpu() + C_PT_WALK, mm);
}

export function walkEnd(mm: Mm): void {
  poke(thisCpu() + C_PT_WALK, 0);
  rwsemReadUnlock(mm + MM_PT_LOCK, LC_PT_READ);
}

/**
 * As walkBegin, of a child of the address space in whose walk this CPU is (fork). Retraction of tables finds the child
 * through i_mmap and takes its lock for writing, but nobody waits for a parent's lock with a child's held.
 */
export function walkBeginSecond(mm: Mm): void {
  rwsemReadLockNested(mm + MM_PT_LOCK, LC_PT_READ);
  poke(thisCpu() + C_PT_WALK_SECOND, mm);
}

export function walkEndSecond(mm: Mm): void {
  poke(thisCpu() + C_PT_WALK_SECOND, 0);
  rwsemReadUnlock(mm + MM_PT_LOCK, LC_PT_READ);
}

/** Nobody but this CPU walks the tables of `mm` with locks until `reshapeEnd`. */
export function reshapeBegin(mm: Mm): void {
  rwsemWriteLock(mm + MM_PT_LOCK, LC_PT_READ);
}

export function reshapeEnd(mm: Mm): void {
  rwsemWriteUnlock(mm + MM_PT_LOCK, LC_PT_READ);
}

/** Complains if this CPU walks tables of `mm` that nothing keeps. */
export function checkWalk(mm: Mm): void {
  const cpu = thisCpu();
  if (peek(cpu + C_PT_WALK) === mm || peek(cpu + C_PT_WALK_SECOND) === mm) return;
  if (rwsemWriteHeld(mm + MM_PT_LOCK)) return;
  if (peek(cpu + C_IRQ_DEPTH) !== 0 || peek(cpu + C_RCU_NESTING) !== 0) return;
  violation(ORACLE_LOCK_ORDER, mm + MM_PT_LOCK, LC_PT_READ, peek(cpu + C_PT_WALK));
}

/** The same, at the PMD entry at `pmd`. */
export function checkWalkFrom(pmd: Pmd): void {
  checkWalk(peek(ptdescOfEntry(pmd) + PT_MM));
}

export function entryInstalled(pte: Pte, value: Entry): void {
  countInstalled(pte);
}

export function entriesCleared(pte: Pte, entries: u32): void {
  countCleared(pte, entries);
}

export function upperInstalled(entry: Upper): void {
  countInstalled(entry);
}

export function upperCleared(entry: Upper): void {
  countCleared(entry, 1);
}

/** Step 2 for the PMD and the PUD table on the way to `vpn`. Lock held for writing. */
function removeUpper(gather: Gather, mm: Mm, vpn: Vpn): void {
  const pgd = pgdOffset(mm, vpn);
  const puds = load(pgd);
  if (!entryNamesTable(puds)) return;
  const pud = pudOffset(puds, vpn);
  const pmds = load(pud);
  if (entryNamesTable(pmds)) {
    if (!tableEmpty(tableAddress(entryNumber(pmds)))) return;
    freeEntry(gather, mm, pud, LEVEL_PMD, (vpn & ~(PUD_PAGES - 1)) >>> 0, PUD_PAGES);
    count(COUNTER_UPPER_TABLES_RECLAIMED);
  }
  if (!tableEmpty(tableAddress(entryNumber(puds)))) return;
  freeEntry(gather, mm, pgd, LEVEL_PUD, ((vpn >>> PGD_SHIFT) << PGD_SHIFT) >>> 0, PGD_PAGES);
  count(COUNTER_UPPER_TABLES_RECLAIMED);
}

/** Step 2 for the PTE table of `vpn`. Lock held for writing. */
function removePteTable(gather: Gather, mm: Mm, vpn: Vpn): void {
  const pmd = pmdFind(mm, vpn);
  if (pmd === 0 || !entryNamesTable(load(pmd))) return;
  const table = detachEmpty(pmd, vpn);
  count(table === 0 ? COUNTER_RECLAIM_ABORTED : COUNTER_TABLES_RECLAIMED_FOUND);
  if (table !== 0) handOver(gather, mm, table, vpn);
}

/** Step 2: from `vpn` on; returns where it stopped, at most at `end`. */
function removeTables(gather: Gather, mm: Mm, vpn: Vpn, end: Vpn): Vpn {
  let at = vpn;
  for (let left = SPANS; left > 0 && at !== end; left -= 1) {
    removePteTable(gather, mm, at);
    const next = spanEnd(at, PMD_PAGES, end);
    if (next === end || left === 1 || (next & (PUD_PAGES - 1)) === 0) removeUpper(gather, mm, at);
    at = next;
  }
  return at;
}

/** Frees the empty tables of [start, end), of every level. No lock held. */
export function rangeZapped(mm: Mm, start: Vpn, end: Vpn): void {
  let vpn = start;
  while (vpn !== end) {
    walkBegin(mm);
    vpn = nextEmpty(mm, vpn, end, true);
    walkEnd(mm);
    syncPoint();
    if (vpn !== end) {
      reshapeBegin(mm);
      const gather = gatherStart(mm);
      vpn = removeTables(gather, mm, vpn, end);
      reshapeEnd(mm);
      gatherFinish(gather);
    }
  }
}
