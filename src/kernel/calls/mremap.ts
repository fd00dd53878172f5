/**
 * mremap: shrink, grow, move and duplicate mappings.
 *
 * Protocol. mmap_lock for write throughout, but for a shrink in place, which downgrades it as munmap does.
 *  - To a fixed place, same length: every piece of a VMA in the range moves on its own, from left to right; gaps
 *    between them keep their size. An error ends the series; pieces moved so far stay moved.
 *  - To a fixed place, other length: one VMA. What is at the destination is unmapped first, then what a shrink cuts
 *    off.
 *  - A move: a VMA for the destination (merged with neighbours there where possible), tables moved (moveTables.ts),
 *    source unmapped, which frees tables that stayed behind. If a table cannot be allocated, what was moved goes back
 *    and the destination goes.
 *  - Old length 0 duplicates a shared mapping: nothing is moved, nothing unmapped.
 *
 * Lock order: mmap_lock, VMA write locks; page-table locks in moveTables.ts and munmap.ts.
 * Source: Linux 6.18 mm/mremap.c (do_mremap, remap_move, check_prep_vma, mremap_to, mremap_at, move_vma,
 * copy_vma_and_data), mm/vma.c (copy_vma).
 */

import { inodeGet } from '../rmap/inode.ts';
import { mmapWriteLock, mmapWriteUnlock } from '../sleep/mmapLock.ts';
import { findVma, findVmaIntersection, vmaLookup } from '../space/vma.ts';
import { vmaStartWrite } from '../space/vmaLock.ts';
import { movePageTables } from '../vma/moveTables.ts';
import { unmapRange } from '../vma/munmap.ts';
import { vmaMap, vmaMergeNew } from '../vma/vmaMerge.ts';
import { VM_UFFD_FLAGS } from '../watch/uffdRange.ts';
import {
  EFAULT,
  EINVAL,
  ENOMEM,
  MAP_COUNT_MAX,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  TASK_END,
  VM_SHARED,
} from '../word/config.ts';
import {
  MM_MAP_COUNT,
  VMA_ANON,
  VMA_END,
  VMA_FLAGS,
  VMA_INODE,
  VMA_PGOFF,
  VMA_START,
} from '../word/layout.ts';
import { load, peek, store } from '../word/word.ts';

/**
 * Gives [old, old + oldPages) the length `newPages`, at `new_` with MREMAP_FIXED in `flags`. Without it: in place when
 * it shrinks or keeps its length, when `new_` is `old`, or without MREMAP_MAYMOVE; else it moves to `new_`, which the
 * caller chose as a kernel would. Returns 0; EINVAL (no new length, beyond the address space, the ranges overlap,
 * MREMAP_FIXED without MREMAP_MAYMOVE, a private mapping to duplicate); EFAULT (no mapping, or it ends before the range
 * does); ENOMEM (no room to grow, no VMA or table left, too many mappings).
 */
export function doMremap(
  mm: Mm,
  old: Vpn,
  oldPages: u32,
  new_: Vpn,
  newPages: u32,
  flags: u32,
): u32 {
  if (newPages === 0 || newPages > TASK_END) return EINVAL;
  const inPlace =
    (flags & MREMAP_FIXED) === 0 &&
    (new_ === old || newPages <= oldPages || (flags & MREMAP_MAYMOVE) === 0);
  // Nothing is mapped beyond the end of the address space.
  const length = oldPages > TASK_END - old ? TASK_END - old : oldPages;
  if (!inPlace) {
    if (new_ > TASK_END - newPages || (flags & MREMAP_MAYMOVE) === 0) return EINVAL;
    if (old + length > new_ && new_ + newPages > old) return EINVAL;
  }
  mmapWriteLock(mm);
  if (peek(mm + MM_MAP_COUNT) + 4 > MAP_COUNT_MAX) {
    mmapWriteUnlock(mm);
    return ENOMEM;
  }
  let error: u32 = 0;
  if (inPlace) {
    const vma = vmaLookup(mm, old);
    if (vma === 0) {
      error = EFAULT;
    } else if (newPages < oldPages) {
      error = cutOff(mm, old, oldPages, newPages, true);
      if (error === 0) return 0;
    } else if (newPages > oldPages) {
      error = growInPlace(mm, vma, old, oldPages, newPages);
    }
  } else if (oldPages === newPages) {
    error = moveSeries(mm, old, length, new_);
  } else {
    error = moveOne(mm, vmaLookup(mm, old), old, oldPages, new_, newPages);
  }
  mmapWriteUnlock(mm);
  return error;
}

/** Whether [old, old + oldPages) of `vma` can become `newPages` long: 0, EFAULT or EINVAL (check_prep_vma). */
function checkResize(vma: Vma, old: Vpn, oldPages: u32, newPages: u32): u32 {
  if (vma === 0) return EFAULT;
  if (oldPages === 0 && (load(vma + VMA_FLAGS) & VM_SHARED) === 0) return EINVAL;
  const kept = newPages < oldPages ? newPages : oldPages;
  return kept > load(vma + VMA_END) - old ? EFAULT : 0;
}

/** Unmaps what a shrink loses; `unlock` as for unmapRange. */
function cutOff(mm: Mm, old: Vpn, oldPages: u32, newPages: u32, unlock: boolean): u32 {
  if (oldPages > TASK_END - old) return EINVAL;
  return unmapRange(mm, old + newPages, old + oldPages, unlock);
}

/** Grows the end of `vma`; merges with what it then touches. */
function growInPlace(mm: Mm, vma: Vma, old: Vpn, oldPages: u32, newPages: u32): u32 {
  const error = checkResize(vma, old, oldPages, newPages);
  if (error !== 0) return error;
  const start = load(vma + VMA_START);
  const end = load(vma + VMA_END);
  const delta = newPages - oldPages;
  if (end - old !== oldPages || delta > TASK_END - end) return ENOMEM;
  if (findVmaIntersection(mm, end, end + delta) !== 0) return ENOMEM;
  const pgoff = (load(vma + VMA_PGOFF) + (end - start)) >>> 0;
  const flags = load(vma + VMA_FLAGS);
  const inode = load(vma + VMA_INODE);
  const anon = load(vma + VMA_ANON);
  return vmaMergeNew(mm, end, end + delta, flags, inode, pgoff, anon, 0) === 0 ? ENOMEM : 0;
}

/**
 * Moves every piece of a VMA in [old, old + pages) (remap_move). Memory that a userfaultfd watches moves only if it is
 * the only piece.
 */
function moveSeries(mm: Mm, old: Vpn, pages: u32, new_: Vpn): u32 {
  const end = old + pages;
  let vma = vmaLookup(mm, old);
  if (vma === 0) return EFAULT;
  while (vma !== 0 && load(vma + VMA_START) < end) {
    const vmaStart = load(vma + VMA_START);
    const vmaEnd = load(vma + VMA_END);
    const watched = (load(vma + VMA_FLAGS) & VM_UFFD_FLAGS) !== 0;
    if (watched && (vmaStart > old || vmaEnd < end)) return EFAULT;
    const from = vmaStart < old ? old : vmaStart;
    const length = (vmaEnd < end ? vmaEnd : end) - from;
    const error = moveOne(mm, vma, from, length, new_ + (from - old), length);
    if (error !== 0) return error;
    vma = findVma(mm, vmaEnd);
  }
  return 0;
}

/** Unmaps the destination, cuts off what a shrink loses, moves the rest (mremap_to). */
function moveOne(mm: Mm, found: Vma, old: Vpn, oldPages: u32, new_: Vpn, newPages: u32): u32 {
  let error = checkResize(found, old, oldPages, newPages);
  if (error !== 0) return error;
  error = unmapRange(mm, new_, new_ + newPages, false);
  if (error !== 0) return error;
  if (vmaLookup(mm, old) === 0) return EFAULT;
  let length = oldPages;
  if (newPages < oldPages) {
    error = cutOff(mm, old, oldPages, newPages, false);
    if (error !== 0) return error;
    if (vmaLookup(mm, old) === 0) return EFAULT;
    length = newPages;
  }
  return moveVma(mm, vmaLookup(mm, old), old, length, new_, newPages);
}

/** A userfaultfd that did not ask to hear of mremap does not watch the new place (mremap_userfaultfd_prep). */
function dropUserfault(vma: Vma): void {
  const flags = load(vma + VMA_FLAGS);
  if ((flags & VM_UFFD_FLAGS) === 0) return;
  vmaStartWrite(vma);
  store(vma + VMA_FLAGS, (flags & ~VM_UFFD_FLAGS) >>> 0);
}

/** The move itself, to a free destination (move_vma). */
function moveVma(mm: Mm, vma: Vma, old: Vpn, oldPages: u32, new_: Vpn, newPages: u32): u32 {
  if (peek(mm + MM_MAP_COUNT) + 2 > MAP_COUNT_MAX) return ENOMEM;
  vmaStartWrite(vma);
  const inode = load(vma + VMA_INODE);
  const anon = load(vma + VMA_ANON);
  let pgoff = (load(vma + VMA_PGOFF) + (old - load(vma + VMA_START))) >>> 0;
  // Without pages there is nothing whose offset must stay: the better for merging.
  if (inode === 0 && anon === 0) pgoff = new_;
  if (inode !== 0) inodeGet(inode);
  const copy = vmaMap(mm, new_, new_ + newPages, load(vma + VMA_FLAGS), inode, pgoff, vma);
  if (copy === 0) return ENOMEM;
  // A walk of the rmap comes to a new VMA after its source; one that it merged with may stand before it, or be the
  // source itself.
  const merged = load(copy + VMA_START) !== new_ || load(copy + VMA_END) !== new_ + newPages;
  const source = vmaLookup(mm, old);
  const moved = movePageTables(mm, source, copy, old, new_, oldPages, merged);
  if (moved < oldPages) {
    movePageTables(mm, copy, source, new_, old, moved, true);
    unmapRange(mm, new_, new_ + newPages, false);
    return ENOMEM;
  }
  dropUserfault(copy);
  if (oldPages !== 0) unmapRange(mm, old, old + oldPages, false);
  return 0;
}
