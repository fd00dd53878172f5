/**
 * munmap: takes ranges out of an address space, with their pages and every table that nobody else can use.
 *
 * Protocol.
 *  1. mmap_lock for write. Split the VMAs that cross the ends.
 *  2. Write-lock each VMA of the range, take it out of the list, detach it: no fault and no reader of a VMA lock can
 *     find or hold it afterwards.
 *  3. Note floor and ceiling: the end of the mapping before and the start of the one after; tables that reach beyond
 *     them are shared with a neighbour and stay.
 *  4. munmap itself and brk downgrade mmap_lock to read: faults elsewhere go on; who would make a new neighbour has to
 *     wait. mmap over old mappings and mremap stay at write.
 *  5. One gather: zap the pages of each VMA, which walks of the rmap may still find; then hide the VMAs from the rmap,
 *     and free the tables of each run of VMAs that lie at most one PMD apart; flush.
 *  6. Drop inode references, free the VMAs by RCU, release mmap_lock.
 *
 * Lock order: mmap_lock, VMA write locks, i_mmap and anon_vma; zap and table freeing take page-table locks on their
 * own.
 * Source: Linux 6.18 mm/vma.c (do_vmi_munmap, vms_gather_munmap_vmas, vms_complete_munmap_vmas, unmap_region),
 * mm/memory.c (unmap_vmas, free_pgtables).
 */

import { inodePut } from '../rmap/inode.ts';
import {
  mmapReadUnlock,
  mmapWriteDowngrade,
  mmapWriteLock,
  mmapWriteUnlock,
} from '../sleep/mmapLock.ts';
import { unlinkAnonVmas } from '../space/anonVma.ts';
import { unlinkFileVma } from '../space/iMmap.ts';
import {
  findVma,
  findVmaIntersection,
  vmaFree,
  vmaNext,
  vmaPrev,
  vmaUnlink,
} from '../space/vma.ts';
import { vmaMarkDetached, vmaStartWrite } from '../space/vmaLock.ts';
import { freePgdRange } from '../tables/freeTables.ts';
import { gatherFinish, gatherStart } from '../tables/gather.ts';
import { reshapeBegin, reshapeEnd } from '../word/hooks.ts';
import { EINVAL, ENOMEM, PMD_PAGES, TASK_END } from '../word/config.ts';
import { C_UNMAPPING, VMA_END, VMA_FREE, VMA_INODE, VMA_START } from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { load, peek, poke } from '../word/word.ts';
import { unmapVmaPages } from '../zap/zap.ts';
import { mapCountAllowsHole, vmaSplit } from './vmaMerge.ts';

/** Step 1: makes `start` and `end` bounds of VMAs. Returns 0 or ENOMEM; a split already made stays. */
function splitEnds(mm: Mm, start: Vpn, end: Vpn): u32 {
  const first = findVmaIntersection(mm, start, end);
  if (first === 0) return 0;
  if (load(first + VMA_START) < start) {
    if (mapCountAllowsHole(mm, first, start, end) !== 0) return ENOMEM;
    if (vmaSplit(first, start) === 0) return ENOMEM;
  }
  const last = findVma(mm, end - 1);
  if (last !== 0 && load(last + VMA_START) < end && load(last + VMA_END) > end) {
    if (vmaSplit(last, end) === 0) return ENOMEM;
  }
  return 0;
}

/**
 * Step 2 for VMAs that start in [start, end). Returns the first one; they are linked by VMA_FREE in order of address.
 */
function detachRange(mm: Mm, start: Vpn, end: Vpn): Vma {
  let head: Vma = 0;
  let tail: u32 = 0;
  let vma = findVma(mm, start);
  while (vma !== 0 && load(vma + VMA_START) < end) {
    const next = vmaNext(vma);
    vmaStartWrite(vma);
    vmaUnlink(mm, vma);
    vmaMarkDetached(vma);
    poke(vma + VMA_FREE, 0);
    if (head === 0) head = vma;
    else poke(tail + VMA_FREE, vma);
    tail = vma;
    vma = next;
  }
  return head;
}

/** Hides detached VMAs from every walk of the rmap. */
function hideVmas(head: Vma): void {
  for (let vma = head; vma !== 0; vma = peek(vma + VMA_FREE)) {
    unlinkAnonVmas(vma);
    unlinkFileVma(vma);
  }
}

/** Frees the tables of detached VMAs, run by run (free_pgtables). */
function freePgtables(g: Gather, mm: Mm, head: Vma, floor: Vpn, ceiling: Vpn): void {
  let vma = head;
  while (vma !== 0) {
    const start = load(vma + VMA_START);
    let next = peek(vma + VMA_FREE);
    while (next !== 0 && load(next + VMA_START) - load(vma + VMA_END) <= PMD_PAGES) {
      vma = next;
      next = peek(vma + VMA_FREE);
    }
    freePgdRange(
      g,
      mm,
      start,
      load(vma + VMA_END),
      floor,
      next === 0 ? ceiling : load(next + VMA_START),
    );
    vma = next;
  }
}

/** Step 5. `ceiling` 0: the top. */
function unmapDetached(mm: Mm, head: Vma, floor: Vpn, ceiling: Vpn): void {
  const g = gatherStart(mm);
  poke(thisCpu() + C_UNMAPPING, 1);
  for (let vma = head; vma !== 0; vma = peek(vma + VMA_FREE)) {
    unmapVmaPages(g, mm, vma, load(vma + VMA_START), load(vma + VMA_END));
  }
  hideVmas(head);
  reshapeBegin(mm);
  freePgtables(g, mm, head, floor, ceiling);
  reshapeEnd(mm);
  poke(thisCpu() + C_UNMAPPING, 0);
  gatherFinish(g);
}

/** Step 6 but for the lock. */
function removeVmas(head: Vma): void {
  let vma = head;
  while (vma !== 0) {
    const next = peek(vma + VMA_FREE);
    const inode = load(vma + VMA_INODE);
    if (inode !== 0) inodePut(inode);
    vmaFree(vma);
    vma = next;
  }
}

/**
 * Unmaps [start, end), with mmap_lock held for write. `unlock`: on success mmap_lock is released, and held for reading
 * only while pages and tables go. Returns 0, or ENOMEM with mmap_lock still held and everything still mapped.
 */
export function unmapRange(mm: Mm, start: Vpn, end: Vpn, unlock: boolean): u32 {
  const error = splitEnds(mm, start, end);
  if (error !== 0) return error;
  const head = detachRange(mm, start, end);
  if (head === 0) {
    if (unlock) mmapWriteUnlock(mm);
    return 0;
  }
  const prev = vmaPrev(mm, start);
  const next = findVma(mm, start);
  const floor = prev === 0 ? 0 : load(prev + VMA_END);
  const ceiling = next === 0 ? 0 : load(next + VMA_START);
  if (unlock) mmapWriteDowngrade(mm);
  unmapDetached(mm, head, floor, ceiling);
  removeVmas(head);
  if (unlock) mmapReadUnlock(mm);
  return 0;
}

/** Unmaps the whole address space. Precondition: mmap_lock for write. */
export function unmapEverything(mm: Mm): void {
  const head = detachRange(mm, 0, TASK_END);
  if (head === 0) return;
  unmapDetached(mm, head, 0, 0);
  removeVmas(head);
}

/** munmap. Returns 0, EINVAL (no pages, or beyond the address space) or ENOMEM (no VMA for a split, or too many). */
export function doMunmap(mm: Mm, start: Vpn, pages: u32): u32 {
  if (pages === 0 || start > TASK_END || pages > TASK_END - start) return EINVAL;
  mmapWriteLock(mm);
  const error = unmapRange(mm, start, start + pages, true);
  if (error !== 0) mmapWriteUnlock(mm);
  return error;
}
