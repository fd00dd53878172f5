/**
 * The reclaim protocols' hooks: every place where the rest of the kernel asks or tells the protocol of the run something. This
 * file is the list of protocols; what a protocol does is in its own file. A hook that a protocol does not name does nothing.
 *
 *     hook              called                                                       under
 *     walkBegin, End    around every operation that walks page tables down           mmap_lock, VMA or rmap lock
 *     entryInstalled    an entry goes from none to something                         PTE lock
 *     entriesCleared    entries went to none                                         PTE lock
 *     zapEligible       before a zap of a piece that one PMD entry covers            as a zap
 *     zapEmptied        the piece is zapped, its PTE lock held throughout            PTE lock
 *     zapDone           the piece is zapped                                          as a zap, no spinlock
 *     rangeZapped       madvise(MADV_DONTNEED) has zapped a range                    nothing
 *     upperCleared      entries of an upper table may have gone to none              what keeps that table
 *     upperMoved        mremap has moved a table, PT_FIRST says where                the locks of both entries
 *     tableLeft         a PTE table may be empty though no entry was cleared now     mmap_lock or VMA lock
 *
 * What is found by pmdFind or pmdAlloc may not be kept across walkEnd. Walks do not nest. Lockless walks (GUP-fast, pteOffsetMap
 * without a lock, the hardware) are not announced: RCU and flushes protect them.
 */

import {
  asyncEntriesCleared,
  asyncEntryInstalled,
  asyncTableLeft,
  asyncUpperCleared,
} from './asyncNotes.ts';
import { tableMoved } from './candidates.ts';
import { PROTOCOL_ASYNC, PROTOCOL_SYNC } from './config.ts';
import { H_ASYNC_EAGER, H_PROTOCOL } from './layout.ts';
import { detachedTable, reclaimEligible, reclaimLocked, reclaimUnlocked } from './ptReclaim.ts';
import { peek } from './word.ts';

/** An operation that walks the page tables of `mm` begins. No spinlock held, no RCU section. */
export function walkBegin(_mm: u32): void {}

/** It ends. */
export function walkEnd(_mm: u32): void {}

/** The entry at `pte` is about to become `entry`; it was none. PTE lock held. */
export function entryInstalled(pte: u32, entry: u32): void {
  if (peek(H_PROTOCOL) === PROTOCOL_ASYNC) asyncEntryInstalled(pte, entry);
}

/** `entries` entries of the table that holds the one at `pte` were set to none. Their PTE lock is held. */
export function entriesCleared(pte: u32, _entries: u32): void {
  if (peek(H_PROTOCOL) === PROTOCOL_ASYNC) asyncEntriesCleared(pte);
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
  upperCleared(pmd);
}

/** madvise(MADV_DONTNEED) has zapped [start, end) of `mm` and holds no lock any more. */
export function rangeZapped(_mm: u32, _start: u32, _end: u32): void {}

/** Entries of the upper table that holds the one at `upper` may have been cleared. What keeps that table is held. */
export function upperCleared(upper: u32): void {
  if (peek(H_PROTOCOL) === PROTOCOL_ASYNC) asyncUpperCleared(upper);
}

/** mremap has moved table number `table`. The locks of both upper entries are held. */
export function upperMoved(table: u32): void {
  if (peek(H_PROTOCOL) === PROTOCOL_ASYNC) tableMoved(table);
}

/**
 * The table that the PMD entry at `pmd` names, if any, may be empty: munmap leaves it to a neighbour, or it was allocated and is not used after all.
 * mmap_lock or VMA lock held.
 */
export function tableLeft(pmd: u32): void {
  if (peek(H_PROTOCOL) === PROTOCOL_ASYNC) asyncTableLeft(pmd);
}
