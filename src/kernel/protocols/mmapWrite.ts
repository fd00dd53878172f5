/**
 * Reclaim protocol `mmap-write`: after madvise(MADV_DONTNEED), empty PTE tables go with everybody kept out.
 *
 * Guarantee: while a table is unlinked nobody walks to it but without locks. An operation that holds mmap_lock or a
 * VMA's lock never sees a table go; it needs no second look at the PMD.
 *
 *  1. mmap_lock for read: look for an empty table in the VMAs of the range. None: done. Drop the lock.
 *  2. mmap_lock for write. For each PMD entry from there on, SPANS at most, whose table looks empty: write-lock every
 *     VMA that the table can map, since faults and madvise on VMA locks do not take mmap_lock; then PMD and PTE lock,
 *     for speculative faults, which hold neither; scan *again*; clear the PMD; the table goes to the gather.
 *  3. Drop the lock, which ends the VMA locks; flush and free (gather.ts); go on at 1 behind what was done.
 *
 * Lock order: mmap_lock, VMA write locks, PMD lock, PTE lock. Cost: every fault of the address space waits while tables
 * go. Cannot free: upper tables; tables that became empty otherwise than by MADV_DONTNEED, until one covers them.
 *
 * Source: Hildenbrand in the thread of "Free user PTE page table pages" (July 2021); Linux 6.1 mm/khugepaged.c
 * (collapse_and_free_pmd).
 */

import { syncPoint } from '../cpu/syncPoint.ts';
import {
  count,
  COUNTER_RECLAIM_ABORTED,
  COUNTER_TABLES_RECLAIMED_FOUND,
} from '../observe/stats.ts';
import { mmapReadLock, mmapReadUnlock, mmapWriteLock, mmapWriteUnlock } from '../sleep/mmapLock.ts';
import { findVma, vmaNext } from '../space/vma.ts';
import { vmaStartWrite } from '../space/vmaLock.ts';
import { detachEmpty, handOver, leafLooksEmpty, nextEmpty } from '../tables/emptiness.ts';
import { gatherFinish, gatherStart } from '../tables/gather.ts';
import { spanEnd } from '../tables/offsets.ts';
import { pmdFind } from '../tables/walk.ts';
import { PMD_PAGES } from '../word/config.ts';
import { VMA_END, VMA_START } from '../word/layout.ts';
import { load } from '../word/word.ts';

export const about = {
  name: 'mmap-write',
  summary: 'looks for empty tables under mmap_lock for read, frees them under mmap_lock for write',
  frees: 'part',
};

/** PMD entries that are looked at under one hold of mmap_lock for write. */
const SPANS: u32 = 64;

/** Step 1: first page of [start, end) whose PTE table looks empty, or `end`. Only in VMAs: munmap frees beside them. */
function nextCandidate(mm: Mm, start: Vpn, end: Vpn): Vpn {
  let vma = findVma(mm, start);
  while (vma !== 0 && load(vma + VMA_START) < end) {
    const from = load(vma + VMA_START) < start ? start : load(vma + VMA_START);
    const stop = load(vma + VMA_END) < end ? load(vma + VMA_END) : end;
    const found = nextEmpty(mm, from, stop, false);
    if (found !== stop) return found;
    vma = vmaNext(vma);
  }
  return end;
}

/** Write-locks every VMA that the PTE table of `vpn` can map. */
function lockSpan(mm: Mm, vpn: Vpn): void {
  const first: Vpn = (vpn & ~(PMD_PAGES - 1)) >>> 0;
  let vma = findVma(mm, first);
  while (vma !== 0 && load(vma + VMA_START) <= first + (PMD_PAGES - 1)) {
    vmaStartWrite(vma);
    vma = vmaNext(vma);
  }
}

/** Step 2 for one PMD entry, that of `vpn`. mmap_lock held for write. */
function unlink(gather: Gather, mm: Mm, vpn: Vpn): void {
  const pmd = pmdFind(mm, vpn);
  if (pmd === 0 || !leafLooksEmpty(pmd)) return;
  lockSpan(mm, vpn);
  const table = detachEmpty(pmd, vpn);
  count(table === 0 ? COUNTER_RECLAIM_ABORTED : COUNTER_TABLES_RECLAIMED_FOUND);
  if (table !== 0) handOver(gather, mm, table, vpn);
}

/** Frees the empty PTE tables of [start, end). No lock held. */
export function rangeZapped(mm: Mm, start: Vpn, end: Vpn): void {
  let vpn = start;
  while (vpn !== end) {
    mmapReadLock(mm);
    vpn = nextCandidate(mm, vpn, end);
    mmapReadUnlock(mm);
    syncPoint();
    if (vpn !== end) {
      mmapWriteLock(mm);
      const gather = gatherStart(mm);
      for (let left = SPANS; left > 0 && vpn !== end; left -= 1) {
        unlink(gather, mm, vpn);
        vpn = spanEnd(vpn, PMD_PAGES, end);
      }
      mmapWriteUnlock(mm);
      gatherFinish(gather);
    }
  }
}
