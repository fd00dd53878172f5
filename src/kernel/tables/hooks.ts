/**
 * The reclaim protocols' hooks: every place where the rest of the kernel asks or tells the protocol of the run something. This
 * file is the list of protocols; what a protocol does is in its own file. A hook that a protocol does not name does nothing.
 *
 *     hook              called                                                       under
 *     walkBegin, End    around every operation that walks page tables down           mmap_lock, VMA or rmap lock
 *     reshapeBegin, End around what takes tables out that need not be empty          mmap_lock (munmap, exit, mremap)
 *     tableInstalled    a new PTE table is about to be published                     PMD lock
 *     tableUnlink       munmap or exit takes a table away                            reshapeBegin's, no spinlock
 *     tableGet, Put     around every mapping of a PTE table (pteMap.ts)              RCU section; Put: no spinlock
 *     entryInstalled    an entry goes from none to something                         PTE lock
 *     entriesCleared    entries went to none                                         PTE lock
 *     upperInstalled    an upper entry went from none to something                   its table's lock, or reshapeBegin's
 *     upperCleared      an upper entry went to none                                  the same
 *     zapEligible       before a zap of a piece that one PMD entry covers            as a zap
 *     zapEmptied        the piece is zapped, its PTE lock held throughout            PTE lock
 *     zapDone           the piece is zapped                                          as a zap, no spinlock
 *     rangeZapped       madvise(MADV_DONTNEED) has zapped a range                    nothing
 *     upperMoved        mremap has moved a table, PT_FIRST says where                the locks of both entries
 *     tableLeft         a PTE table may be empty though no entry was cleared now     mmap_lock or VMA lock
 *     upperLeft         the same of an upper table                                   mmap_lock
 *
 * What is found by pmdFind or pmdAlloc may not be kept across walkEnd. Walks do not nest. Lockless walks (GUP-fast, pteOffsetMap
 * without a lock, the hardware) are not announced: RCU and flushes protect them.
 */

import { LEVEL_PTE, ptdescOfEntry, tableDetach } from '../alloc/table.ts';
import {
  asyncEntriesCleared,
  asyncEntryInstalled,
  asyncTableLeft,
  asyncUpperCleared,
  asyncUpperLeft,
} from '../protocols/async/asyncNotes.ts';
import { tableMoved } from '../protocols/async/candidates.ts';
import { reclaimUnderMmapWrite } from '../protocols/mmapWrite.ts';
import {
  checkPtLock,
  ptReadLock,
  ptReadLockSecond,
  ptReadUnlock,
  ptReadUnlockSecond,
  ptWriteLock,
  ptWriteUnlock,
  reclaimUnderPtLock,
} from '../protocols/ptRwsem.ts';
import {
  refcountCleared,
  refcountInstall,
  refcountInstalled,
  refcountPut,
  refcountPutInstalled,
  refcountTryGet,
  refcountUnlink,
} from '../protocols/pteRefcount.ts';
import {
  detachedTable,
  reclaimEligible,
  reclaimLocked,
  reclaimUnlocked,
} from '../protocols/sync.ts';
import {
  PROTOCOL_ASYNC,
  PROTOCOL_MMAP_WRITE,
  PROTOCOL_PT_RWSEM,
  PROTOCOL_PTE_REFCOUNT,
  PROTOCOL_SYNC,
} from '../word/config.ts';
import { entryNumber } from '../word/entry.ts';
import { H_ASYNC_EAGER, H_PROTOCOL, PT_MM } from '../word/layout.ts';
import { load, peek, store } from '../word/word.ts';
import { countCleared, countInstalled } from './emptiness.ts';

function ptRwsem(): boolean {
  return peek(H_PROTOCOL) === PROTOCOL_PT_RWSEM;
}

function counted(): boolean {
  return peek(H_PROTOCOL) === PROTOCOL_PTE_REFCOUNT;
}

/** An operation that walks the page tables of `mm` begins. No lock held that comes after the rmap locks, no RCU section. */
export function walkBegin(mm: u32): void {
  if (ptRwsem()) ptReadLock(mm);
}

/** It ends. No spinlock held. */
export function walkEnd(mm: u32): void {
  if (ptRwsem()) ptReadUnlock(mm);
  installsDone();
}

/**
 * A walk of a second address space begins, within that of its parent (fork): only walks of the rmap can reach it yet.
 */
export function walkBeginSecond(mm: u32): void {
  if (ptRwsem()) ptReadLockSecond(mm);
}

/** It ends. */
export function walkEndSecond(mm: u32): void {
  if (ptRwsem()) ptReadUnlockSecond(mm);
}

/** Tables of `mm`, of any level, are about to be taken out of their places, be they empty or not. As walkBegin; includes a walk. */
export function reshapeBegin(mm: u32): void {
  if (ptRwsem()) ptWriteLock(mm);
}

/** They have been. */
export function reshapeEnd(mm: u32): void {
  if (ptRwsem()) ptWriteUnlock(mm);
  installsDone();
}

/** This CPU has mapped, or will not map, the PTE table that it installed last. In the walk that did, no spinlock held. */
export function installsDone(): void {
  if (counted()) refcountPutInstalled();
}

/** The new PTE table `table` is about to be published. PMD lock held. */
export function tableInstalled(table: u32): void {
  if (counted()) refcountInstall(table);
}

/**
 * Clears the upper entry at `entry`, whose whole span nobody uses any more, and detaches the table of `level` that it names. Returns the table, 0: it
 * names none by now. Precondition: that of freeTables.ts.
 */
export function tableUnlink(entry: u32, level: u32): u32 {
  if (level === LEVEL_PTE && counted()) return refcountUnlink(entry);
  const table = entryNumber(load(entry));
  // Pairs with the loads of lockless walkers.
  store(entry, 0);
  upperCleared(entry);
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

/** Full checks: a locked or an allocating walk of the tables of `mm` is under way here. */
export function checkWalk(mm: u32): void {
  if (ptRwsem()) checkPtLock(mm);
}

/** Full checks: the same, at the PMD entry at `pmd`. */
export function checkWalkFrom(pmd: u32): void {
  if (ptRwsem()) checkPtLock(peek(ptdescOfEntry(pmd) + PT_MM));
}

/** The entry at `pte` is about to become `value`; it was none. PTE lock held. */
export function entryInstalled(pte: u32, value: u32): void {
  if (ptRwsem()) countInstalled(pte);
  else if (counted()) refcountInstalled(pte);
  else if (peek(H_PROTOCOL) === PROTOCOL_ASYNC) asyncEntryInstalled(pte, value);
}

/** `entries` entries of the table that holds the one at `pte` were set to none. Their PTE lock is held, the table is mapped. */
export function entriesCleared(pte: u32, entries: u32): void {
  if (ptRwsem()) countCleared(pte, entries);
  else if (counted()) refcountCleared(pte, entries);
  else if (peek(H_PROTOCOL) === PROTOCOL_ASYNC) asyncEntriesCleared(pte);
}

/** The upper entry at `entry` is about to be set; it was none. */
export function upperInstalled(entry: u32): void {
  if (ptRwsem()) countInstalled(entry);
}

/** The upper entry at `entry` was set to none. */
export function upperCleared(entry: u32): void {
  const protocol = peek(H_PROTOCOL);
  if (protocol === PROTOCOL_PT_RWSEM) countCleared(entry, 1);
  else if (protocol === PROTOCOL_ASYNC) asyncUpperCleared(entry);
}

/** Whether a zap of [start, end), which one PMD entry covers, may detach that entry's table when it finds it empty. */
export function zapEligible(start: u32, end: u32): boolean {
  return detachesWhenZapped() && reclaimEligible(start, end);
}

/** Whether madvise(MADV_DONTNEED) itself detaches tables, as `sync` does. */
function detachesWhenZapped(): boolean {
  const protocol = peek(H_PROTOCOL);
  return protocol === PROTOCOL_SYNC || (protocol === PROTOCOL_ASYNC && peek(H_ASYNC_EAGER) !== 0);
}

/**
 * A zap of an eligible piece leaves nothing in the table of the PMD entry at `pmd`, whose PTE lock it has held since before it looked at the
 * first entry. Returns whether the table is detached now.
 */
export function zapEmptied(pmd: u32): boolean {
  return detachesWhenZapped() && reclaimLocked(pmd);
}

/** A zap of an eligible piece from `start` on is done; `detached`: what zapEmptied returned. */
export function zapDone(gather: u32, mm: u32, pmd: u32, start: u32, detached: boolean): void {
  if (!detachesWhenZapped()) return;
  if (detached) detachedTable(gather, mm, start);
  else reclaimUnlocked(gather, mm, pmd, start);
  if (peek(H_PROTOCOL) === PROTOCOL_ASYNC) asyncUpperCleared(pmd);
}

/** madvise(MADV_DONTNEED) has zapped [start, end) of `mm` and holds no lock any more. */
export function rangeZapped(mm: u32, start: u32, end: u32): void {
  const protocol = peek(H_PROTOCOL);
  if (protocol === PROTOCOL_PT_RWSEM) reclaimUnderPtLock(mm, start, end);
  else if (protocol === PROTOCOL_MMAP_WRITE) reclaimUnderMmapWrite(mm, start, end);
}

/** mremap has moved table number `table`. The locks of both upper entries are held. */
export function upperMoved(table: u32): void {
  if (peek(H_PROTOCOL) === PROTOCOL_ASYNC) tableMoved(table);
}

/** munmap leaves the upper table that holds the entry at `upper` to a neighbour; it may be empty. mmap_lock held. */
export function upperLeft(upper: u32): void {
  if (peek(H_PROTOCOL) === PROTOCOL_ASYNC) asyncUpperLeft(upper);
}

/**
 * The table that the PMD entry at `pmd` names, if any, may be empty: munmap leaves it to a neighbour, or it was allocated and is not used after all.
 * mmap_lock or VMA lock held.
 */
export function tableLeft(pmd: u32): void {
  if (peek(H_PROTOCOL) === PROTOCOL_ASYNC) asyncTableLeft(pmd);
}
