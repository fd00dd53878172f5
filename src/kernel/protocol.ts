/**
 * The reclaim protocols' hooks: every place where the rest of the kernel asks or tells the protocol of the run something. This
 * file is the list of protocols; what a protocol does is in its own file. A hook that a protocol does not name does nothing.
 *
 *     hook              called                                                       under
 *     walkBegin, End    around every operation that walks page tables down           mmap_lock, VMA or rmap lock
 *     tableInstalled    a new PTE table is about to be published                     PMD lock
 *     installsDone      whoever may have installed tables is done with them          as a walk, no spinlock
 *     tableUnlink       munmap or exit takes a PMD entry's table away                as munmap, no spinlock
 *     tableGet, Put     around every mapping of a PTE table (pteMap.ts)              RCU section; no spinlock
 *     entryInstalled    an entry went from none to something                         PTE lock
 *     entriesCleared    entries went to none                                         PTE lock
 *     zapEligible       before a zap of a piece that one PMD entry covers            as a zap
 *     zapEmptied        the piece is zapped, its PTE lock held throughout            PTE lock
 *     zapDone           the piece is zapped                                          as a zap, no spinlock
 *     rangeZapped       madvise(MADV_DONTNEED) has zapped a range                    nothing
 *
 * What is found by pmdFind or pmdAlloc may not be kept across walkEnd. Walks do not nest. Lockless walks (GUP-fast, pteOffsetMap
 * without a lock, the hardware) are not announced by walkBegin: RCU and flushes protect them.
 */

import { PROTOCOL_PTE_REFCOUNT, PROTOCOL_SYNC } from './config.ts';
import { entryNumber } from './entry.ts';
import { H_PROTOCOL } from './layout.ts';
import {
  refcountCleared,
  refcountInstall,
  refcountInstalled,
  refcountPut,
  refcountPutInstalled,
  refcountTryGet,
  refcountUnlink,
} from './pteRefcount.ts';
import { detachedTable, reclaimEligible, reclaimLocked, reclaimUnlocked } from './ptReclaim.ts';
import { tableDetach } from './table.ts';
import { load, peek, store } from './word.ts';

/** An operation that walks the page tables of `mm` begins. No spinlock held, no RCU section. */
export function walkBegin(_mm: u32): void {}

/** It ends. */
export function walkEnd(_mm: u32): void {
  installsDone();
}

/** Whether PTE tables are counted (pteRefcount.ts). */
function counted(): boolean {
  return peek(H_PROTOCOL) === PROTOCOL_PTE_REFCOUNT;
}

/** The new PTE table `table` is about to be published. PMD lock held. */
export function tableInstalled(table: u32): void {
  if (counted()) refcountInstall(table);
}

/** This CPU has mapped, or will not map, what it installed. No spinlock held; whatever lock let it install is. */
export function installsDone(): void {
  if (counted()) refcountPutInstalled();
}

/**
 * Clears the PMD entry at `pmd`, whose whole span nobody uses any more, and detaches the table that it names. Returns the table, 0: it names none by
 * now. Precondition: that of freeTables.ts.
 */
export function tableUnlink(pmd: u32): u32 {
  if (counted()) return refcountUnlink(pmd);
  const table = entryNumber(load(pmd));
  // Pairs with the loads of lockless walkers.
  store(pmd, 0);
  tableDetach(table);
  return table;
}

/**
 * Asks to map the PTE table that the PMD value `value`, read in the RCU section under way, names. False: the table is on its way out, none of its
 * entries is left, and the PMD entry is about to change.
 */
export function tableGet(value: u32): boolean {
  return !counted() || refcountTryGet(value);
}

/** Ends a mapping of the table that holds the entry at `pte`, in its RCU section. No spinlock held. */
export function tablePut(pte: u32): void {
  if (counted()) refcountPut(pte);
}

/** The entry at `pte` is about to be set; it was none. PTE lock held. */
export function entryInstalled(pte: u32): void {
  if (counted()) refcountInstalled(pte);
}

/** `entries` entries of the table that holds the one at `pte` were set to none. Their PTE lock is held, the table is mapped. */
export function entriesCleared(pte: u32, entries: u32): void {
  if (counted()) refcountCleared(pte, entries);
}

/** Whether a zap of [start, end), which one PMD entry covers, may detach that entry's table when it finds it empty. */
export function zapEligible(start: u32, end: u32): boolean {
  return peek(H_PROTOCOL) === PROTOCOL_SYNC && reclaimEligible(start, end);
}

/**
 * A zap of an eligible piece leaves nothing in the table of the PMD entry at `pmd`, whose PTE lock it has held since before it looked at the
 * first entry. Returns whether the table is detached now.
 */
export function zapEmptied(pmd: u32): boolean {
  return peek(H_PROTOCOL) === PROTOCOL_SYNC && reclaimLocked(pmd);
}

/** A zap of an eligible piece from `start` on is done; `detached`: what zapEmptied returned. */
export function zapDone(gather: u32, mm: u32, pmd: u32, start: u32, detached: boolean): void {
  if (peek(H_PROTOCOL) !== PROTOCOL_SYNC) return;
  if (detached) detachedTable(gather, mm, start);
  else reclaimUnlocked(gather, mm, pmd, start);
}

/** madvise(MADV_DONTNEED) has zapped [start, end) of `mm` and holds no lock any more. */
export function rangeZapped(_mm: u32, _start: u32, _end: u32): void {}
