/**
 * The address spaces that khugepaged scans: a list, and the place in it where the next pass goes on.
 *
 * Guarantee: an address space is in the list once, from the first time that a huge page is allowed in it until it ends;
 * while it is, or a pass is in it, the mm is held (MM_COUNT): nobody makes another address space of it. A pass may be
 * in an mm whose address space ends meanwhile, or has ended: it finds no VMA under mmap_lock then.
 *
 *  khugepagedEnter   by a fault that a huge page could answer, MADV_HUGEPAGE, and fork
 *  slotBegin         by a pass: the mm whose turn it is becomes the one that the pass is in (G_KHUGEPAGED_BUSY)
 *  slotEnd           by the pass: it is in no mm any more; the turn goes on. The mm leaves the list if its address
 *                    space has ended
 *  khugepagedExit    by the last user's mmPut, before anything is unmapped: takes the mm out of the list, unless a pass
 *                    is in it: that does so, then. The end of the address space waits for the pass by mmap_lock alone
 *
 * Either slotEnd sees that the users are gone, or khugepagedExit that no pass is in the mm: the users go before the
 * lock is taken.
 *
 * Lock order: G_KHUGEPAGED_LOCK is taken under anything but its like; nothing is taken under it. What it covers is in
 * layout.ts.
 * Source: Linux 6.18 mm/khugepaged.c (__khugepaged_enter, __khugepaged_exit, khugepaged_scan_mm_slot, collect_mm_slot),
 * include/linux/khugepaged.h.
 */

import { spinLock, spinUnlock } from '../lock/lock.ts';
import { LC_KHUGEPAGED } from '../observe/lockOrder.ts';
import { violation } from '../observe/report.ts';
import { count, COUNTER_KHUGEPAGED_FULL_SCANS } from '../observe/stats.ts';
import { mmDrop, mmGrab } from '../space/mm.ts';
import { CHECK } from '../word/check.ts';
import { ORACLE_ACCOUNTING, THP_NEVER } from '../word/config.ts';
import {
  G_KHUGEPAGED_AT,
  G_KHUGEPAGED_BUSY,
  G_KHUGEPAGED_FIRST,
  G_KHUGEPAGED_LAST,
  G_KHUGEPAGED_LOCK,
  G_KHUGEPAGED_MM,
  H_THP,
  MM_KHUGEPAGED,
  MM_KHUGEPAGED_NEXT,
  MM_KHUGEPAGED_PREV,
  MM_USERS,
} from '../word/layout.ts';
import { load, peek, poke, store } from '../word/word.ts';

/** Has khugepaged scan `mm` from now on. Precondition: the caller uses it; option `thp` is not `never`. */
export function khugepagedEnter(mm: Mm): void {
  if (load(mm + MM_KHUGEPAGED) !== 0) return;
  mmGrab(mm);
  spinLock(G_KHUGEPAGED_LOCK, LC_KHUGEPAGED);
  // Another fault may have been faster.
  const first = load(mm + MM_KHUGEPAGED) === 0;
  if (first) {
    const last = peek(G_KHUGEPAGED_LAST);
    poke(mm + MM_KHUGEPAGED_PREV, last);
    poke(mm + MM_KHUGEPAGED_NEXT, 0);
    if (last === 0) store(G_KHUGEPAGED_FIRST, mm);
    else poke(last + MM_KHUGEPAGED_NEXT, mm);
    poke(G_KHUGEPAGED_LAST, mm);
    store(mm + MM_KHUGEPAGED, 1);
  }
  spinUnlock(G_KHUGEPAGED_LOCK, LC_KHUGEPAGED);
  if (!first) mmDrop(mm);
}

/** Has khugepaged scan `child` if it scans the address space that it is a copy of. */
export function khugepagedFork(child: Mm, mm: Mm): void {
  if (peek(H_THP) !== THP_NEVER && load(mm + MM_KHUGEPAGED) !== 0) khugepagedEnter(child);
}

/** Moves the turn on to the address space behind `mm`. Lock held. */
function moveOn(mm: Mm): void {
  const next = peek(mm + MM_KHUGEPAGED_NEXT);
  poke(G_KHUGEPAGED_MM, next);
  poke(G_KHUGEPAGED_AT, 0);
  if (next === 0) count(COUNTER_KHUGEPAGED_FULL_SCANS);
}

/** Takes `mm`, which is in the list and whose turn it is not, out of it. Lock held. */
function unlink(mm: Mm): void {
  const before = peek(mm + MM_KHUGEPAGED_PREV);
  const after = peek(mm + MM_KHUGEPAGED_NEXT);
  if (before === 0) store(G_KHUGEPAGED_FIRST, after);
  else poke(before + MM_KHUGEPAGED_NEXT, after);
  if (after === 0) poke(G_KHUGEPAGED_LAST, before);
  else poke(after + MM_KHUGEPAGED_PREV, before);
  store(mm + MM_KHUGEPAGED, 0);
}

/** The address space of `mm` has no user any more and is about to end. No spinlock held. */
export function khugepagedExit(mm: Mm): void {
  if (peek(H_THP) === THP_NEVER || load(mm + MM_KHUGEPAGED) === 0) return;
  spinLock(G_KHUGEPAGED_LOCK, LC_KHUGEPAGED);
  const leaves = load(mm + MM_KHUGEPAGED) !== 0 && peek(G_KHUGEPAGED_BUSY) !== mm;
  if (leaves) {
    if (peek(G_KHUGEPAGED_MM) === mm) moveOn(mm);
    unlink(mm);
  }
  spinUnlock(G_KHUGEPAGED_LOCK, LC_KHUGEPAGED);
  if (leaves) mmDrop(mm);
}

/** Whether there is anything to scan. */
export function slotsThere(): boolean {
  return load(G_KHUGEPAGED_FIRST) !== 0;
}

/**
 * The mm whose turn it is, which the pass is in from here on; 0: there is none. Precondition: the caller's pass is the
 * one under way.
 */
export function slotBegin(): Mm {
  spinLock(G_KHUGEPAGED_LOCK, LC_KHUGEPAGED);
  if (CHECK >= 1 && peek(G_KHUGEPAGED_BUSY) !== 0)
    violation(ORACLE_ACCOUNTING, G_KHUGEPAGED_BUSY, peek(G_KHUGEPAGED_BUSY), 0);
  let mm = peek(G_KHUGEPAGED_MM);
  if (mm === 0) {
    mm = load(G_KHUGEPAGED_FIRST);
    poke(G_KHUGEPAGED_MM, mm);
    poke(G_KHUGEPAGED_AT, 0);
  }
  poke(G_KHUGEPAGED_BUSY, mm);
  spinUnlock(G_KHUGEPAGED_LOCK, LC_KHUGEPAGED);
  return mm;
}

/** Page at which the scan of slotBegin's mm goes on. Nobody else writes the word while a pass is in the mm. */
export function slotAt(): Vpn {
  return peek(G_KHUGEPAGED_AT);
}

/**
 * The pass leaves slotBegin's mm, at page `at`; `done`: it is through with it. Returns whether it was the last one of
 * the list.
 */
export function slotEnd(mm: Mm, at: u32, done: boolean): boolean {
  spinLock(G_KHUGEPAGED_LOCK, LC_KHUGEPAGED);
  poke(G_KHUGEPAGED_BUSY, 0);
  const ended = load(mm + MM_USERS) === 0;
  if (done || ended) moveOn(mm);
  else poke(G_KHUGEPAGED_AT, at);
  if (ended) unlink(mm);
  const through = peek(G_KHUGEPAGED_MM) === 0;
  spinUnlock(G_KHUGEPAGED_LOCK, LC_KHUGEPAGED);
  if (ended) mmDrop(mm);
  return through;
}
