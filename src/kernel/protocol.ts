/**
 * The reclaim protocols' hooks: every place where the rest of the kernel asks or tells the protocol of the run something. This
 * file is the list of protocols; what a protocol does is in its own file. A hook that a protocol does not name does nothing.
 *
 *     hook              called                                                       under
 *     walkBegin, End    around every operation that walks page tables down           mmap_lock, VMA or rmap lock
 *     reshapeBegin, End around what takes tables out that need not be empty          mmap_lock (munmap, exit, mremap)
 *     entryInstalled    an entry went from none to something                         PTE lock
 *     entriesCleared    entries went to none                                         PTE lock
 *     upperInstalled    an upper entry went from none to something                   its table's lock, or reshapeBegin's
 *     upperCleared      an upper entry went to none                                  the same
 *     zapEligible       before a zap of a piece that one PMD entry covers            as a zap
 *     zapEmptied        the piece is zapped, its PTE lock held throughout            PTE lock
 *     zapDone           the piece is zapped                                          as a zap, no spinlock
 *     rangeZapped       madvise(MADV_DONTNEED) has zapped a range                    nothing
 *
 * What is found by pmdFind or pmdAlloc may not be kept across walkEnd. Walks do not nest. Lockless walks (GUP-fast, pteOffsetMap
 * without a lock, the hardware) are not announced: RCU and flushes protect them.
 */

import { PROTOCOL_MMAP_WRITE, PROTOCOL_PT_RWSEM, PROTOCOL_SYNC } from './config.ts';
import { countCleared, countInstalled } from './emptiness.ts';
import { H_PROTOCOL, PT_MM } from './layout.ts';
import { reclaimUnderMmapWrite } from './mmapWriteReclaim.ts';
import { detachedTable, reclaimEligible, reclaimLocked, reclaimUnlocked } from './ptReclaim.ts';
import {
  checkPtLock,
  ptReadLock,
  ptReadUnlock,
  ptWriteLock,
  ptWriteUnlock,
  reclaimUnderPtLock,
} from './ptRwsem.ts';
import { ptdescOfEntry } from './table.ts';
import { peek } from './word.ts';

function ptRwsem(): boolean {
  return peek(H_PROTOCOL) === PROTOCOL_PT_RWSEM;
}

/** An operation that walks the page tables of `mm` begins. No lock held that comes after the rmap locks, no RCU section. */
export function walkBegin(mm: u32): void {
  if (ptRwsem()) ptReadLock(mm);
}

/** It ends. */
export function walkEnd(mm: u32): void {
  if (ptRwsem()) ptReadUnlock(mm);
}

/** Tables of `mm`, of any level, are about to be taken out of their places, be they empty or not. As walkBegin; includes a walk. */
export function reshapeBegin(mm: u32): void {
  if (ptRwsem()) ptWriteLock(mm);
}

/** They have been. */
export function reshapeEnd(mm: u32): void {
  if (ptRwsem()) ptWriteUnlock(mm);
}

/** Full checks: a locked or an allocating walk of the tables of `mm` is under way here. */
export function checkWalk(mm: u32): void {
  if (ptRwsem()) checkPtLock(mm);
}

/** Full checks: the same, at the PMD entry at `pmd`. */
export function checkWalkFrom(pmd: u32): void {
  if (ptRwsem()) checkPtLock(peek(ptdescOfEntry(pmd) + PT_MM));
}

/** The entry at `pte` is about to be set; it was none. PTE lock held. */
export function entryInstalled(pte: u32): void {
  if (ptRwsem()) countInstalled(pte);
}

/** `entries` entries of the table that holds the one at `pte` were set to none. Their PTE lock is held. */
export function entriesCleared(pte: u32, entries: u32): void {
  if (ptRwsem()) countCleared(pte, entries);
}

/** The upper entry at `entry` is about to be set; it was none. */
export function upperInstalled(entry: u32): void {
  if (ptRwsem()) countInstalled(entry);
}

/** The upper entry at `entry` was set to none. */
export function upperCleared(entry: u32): void {
  if (ptRwsem()) countCleared(entry, 1);
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
export function rangeZapped(mm: u32, start: u32, end: u32): void {
  const protocol = peek(H_PROTOCOL);
  if (protocol === PROTOCOL_PT_RWSEM) reclaimUnderPtLock(mm, start, end);
  else if (protocol === PROTOCOL_MMAP_WRITE) reclaimUnderMmapWrite(mm, start, end);
}
