/**
 * Truncating a file, or shared memory: its pages from some index on leave every address space and the page cache.
 *
 * Guarantee: when `doTruncate` returns, nothing maps a page beyond the new end, neither the cached page nor a private
 * copy made of one, the cache has none, and an access there is a SIGBUS, until the object grows again.
 *
 *  1. The inode's lock. Store the new size: faults that look from here on refuse.
 *  2. `unmapMappingRange`: through i_mmap, held for read, zap the range in each VMA: no mmap_lock, so faults go on
 *     beside it.
 *  3. Drop the pages from the cache, each under its folio lock; one that a fault mapped meanwhile, having looked at the
 *     size before 1, is unmapped there: the fault held the folio lock until it was mapped.
 *  4. Zap again: a private copy is made and mapped under the folio lock of the page that it is a copy of; so after 3
 *     none is on its way.
 *
 * The tables of a VMA in the list stay: munmap and exit take it out first. An empty table may be reclaimed meanwhile by
 * others; the zap does not reclaim.
 *
 * Lock order: inode lock; folio lock; i_mmap; PTE lock. Source: Linux mm/truncate.c (truncate_pagecache,
 * truncate_cleanup_folio), mm/memory.c (unmap_mapping_range_tree), mm/filemap.c (filemap_fault).
 */

import { condResched } from '../rcu/rcu.ts';
import { filemapTruncate } from '../rmap/filemap.ts';
import { inodeLock, inodeUnlock } from '../sleep/sleepLock.ts';
import { iMmapFirst, iMmapLockRead, iMmapNext, iMmapUnlockRead } from '../space/iMmap.ts';
import { gatherFinish, gatherStart } from '../tables/gather.ts';
import { INODE_PAGES, VMA_END, VMA_MM, VMA_PGOFF, VMA_START } from '../word/layout.ts';
import { load, store } from '../word/word.ts';
import { unmapPageRange } from '../zap/zap.ts';

/** Zaps what `vma` maps of its inode from index `first` on. i_mmap held. */
function unmapFrom(vma: Vma, first: PageIndex): void {
  const pgoff = load(vma + VMA_PGOFF);
  const start = load(vma + VMA_START);
  const end = load(vma + VMA_END);
  const skipped: u32 = first > pgoff ? first - pgoff : 0;
  if (skipped >= end - start) return;
  const mm = load(vma + VMA_MM);
  const gather = gatherStart(mm);
  unmapPageRange(gather, mm, start + skipped, end, false);
  gatherFinish(gather);
}

/**
 * Takes every page of `inode` from index `first` on out of all address spaces, private copies included. No lock held
 * that comes after i_mmap.
 */
export function unmapMappingRange(inode: Inode, first: PageIndex): void {
  iMmapLockRead(inode);
  let vma = iMmapFirst(inode);
  while (vma !== 0) {
    unmapFrom(vma, first);
    condResched();
    vma = iMmapNext(vma);
  }
  iMmapUnlockRead(inode);
}

/** Gives `inode`, of which the caller has a reference, a size of `pages` pages. No lock held. */
export function doTruncate(inode: Inode, pages: u32): void {
  inodeLock(inode);
  const shrinks = pages < load(inode + INODE_PAGES);
  // Pairs with the second look of faults, under the folio lock.
  store(inode + INODE_PAGES, pages);
  if (shrinks) {
    unmapMappingRange(inode, pages);
    filemapTruncate(inode, pages);
    unmapMappingRange(inode, pages);
  }
  inodeUnlock(inode);
}
