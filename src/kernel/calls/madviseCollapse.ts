/**
 * madvise(MADV_COLLAPSE): makes every whole span of a range huge, now.
 *
 * The axis `thp` does not matter; only MADV_NOHUGEPAGE forbids it. Spans are collapsed from left to right; one that
 * cannot be for a reason of its own (a page that is pinned, say) is passed over, any other reason ends the call
 * (`passedOver`). 0 if every span is huge at the end, or there is none (but EINVAL for a range strictly inside of one);
 * else the last reason as an error: ENOMEM no folio, EBUSY too many entries are none, EAGAIN it may work later, EINVAL
 * it will not.
 *
 * Each collapse drops mmap_lock, so nothing found before it is used after it.
 *
 * Lock order: collapse.ts. Source: Linux mm/khugepaged.c (madvise_collapse, madvise_collapse_errno).
 */

import { hugeAllowed, spanSuitable } from '../fault/hugeFault.ts';
import { count, COUNTER_COLLAPSE_FAILED } from '../observe/stats.ts';
import { condResched } from '../rcu/rcu.ts';
import { inodeGet, inodePut } from '../rmap/inode.ts';
import { mmapReadLock, mmapReadUnlock } from '../sleep/mmapLock.ts';
import { linearPageIndex } from '../space/vma.ts';
import { hugeFirst } from '../tables/offsets.ts';
import { EAGAIN, EBUSY, EINVAL, ENOMEM, PMD_PAGES } from '../word/config.ts';
import { VMA_ANON, VMA_END, VMA_FLAGS, VMA_INODE } from '../word/layout.ts';
import { load, peek } from '../word/word.ts';
import { collapseAnon, collapsibleVma, objectAligned } from './collapse.ts';
import { collapseFile, collapsePteMapped } from './collapseFile.ts';
import {
  BY_MADVISE,
  SCAN_ALLOC_HUGE_PAGE_FAIL,
  SCAN_EXCEED_NONE_PTE,
  SCAN_PAGE_COMPOUND,
  SCAN_PAGE_COUNT,
  SCAN_PAGE_LOCK,
  SCAN_PMD_MAPPED,
  SCAN_PMD_NULL,
  SCAN_PTE_MAPPED_HUGEPAGE,
  SCAN_PTE_NON_PRESENT,
  SCAN_PTE_UFFD_WP,
  SCAN_SUCCEED,
  SCAN_VMA_CHECK,
} from './collapseScan.ts';

/** Whether the call goes on after a span that could not be collapsed for this reason. */
function passedOver(result: u32): boolean {
  return (
    result === SCAN_PMD_NULL ||
    result === SCAN_PTE_NON_PRESENT ||
    result === SCAN_PTE_UFFD_WP ||
    result === SCAN_PAGE_COUNT ||
    result === SCAN_PAGE_LOCK ||
    result === SCAN_PAGE_COMPOUND
  );
}

/** The error number of a reason. */
function errnoOf(result: u32): u32 {
  if (result === SCAN_ALLOC_HUGE_PAGE_FAIL) return ENOMEM;
  if (result === SCAN_EXCEED_NONE_PTE) return EBUSY;
  if (result === SCAN_PAGE_COUNT || result === SCAN_PAGE_LOCK) return EAGAIN;
  return EINVAL;
}

/** Whether `vma` has a whole span, and may be collapsed at all. */
function eligible(vma: Vma): boolean {
  if (!hugeAllowed(load(vma + VMA_FLAGS), true)) return false;
  const end = load(vma + VMA_END);
  if (end < PMD_PAGES || !spanSuitable(vma, hugeFirst(end - PMD_PAGES))) return false;
  return peek(vma + VMA_INODE) === 0 ? load(vma + VMA_ANON) !== 0 : objectAligned(vma);
}

/** Collapses the span at `first` of `vma`. mmap_lock held for read, before and after. Returns a SCAN_ result. */
function collapseSpan(mm: Mm, vma: Vma, first: Vpn): u32 {
  const inode = peek(vma + VMA_INODE);
  if (inode === 0) {
    const result = collapseAnon(mm, vma, first);
    mmapReadLock(mm);
    return result;
  }
  const index = linearPageIndex(vma, first);
  inodeGet(inode);
  mmapReadUnlock(mm);
  const result = collapseFile(inode, index);
  mmapReadLock(mm);
  inodePut(inode);
  return result === SCAN_PTE_MAPPED_HUGEPAGE ? collapsePteMapped(mm, first, true) : result;
}

/**
 * MADV_COLLAPSE on [start, end) of `vma`. Precondition: mmap_lock held for read, no spinlock. mmap_lock is held on
 * return, but has been dropped: `vma` may be gone. Results above.
 */
export function madviseCollapse(mm: Mm, vma: Vma, start: Vpn, end: Vpn): u32 {
  if (!eligible(vma)) return EINVAL;
  const before = start - hugeFirst(start);
  const skip: u32 = before === 0 ? 0 : PMD_PAGES - before;
  // As Linux, whose first whole span then starts behind the end of the last.
  if (skip > end - start) return EINVAL;
  let at = start + skip;
  let failed = SCAN_SUCCEED;
  let goOn = true;
  while (goOn && end - at >= PMD_PAGES) {
    let result = SCAN_VMA_CHECK;
    const here = collapsibleVma(mm, at, BY_MADVISE);
    if (here !== 0) result = collapseSpan(mm, here, at);
    if (result !== SCAN_SUCCEED && result !== SCAN_PMD_MAPPED) {
      count(COUNTER_COLLAPSE_FAILED);
      failed = result;
      goOn = passedOver(result);
    }
    at += PMD_PAGES;
    condResched();
  }
  return failed === SCAN_SUCCEED ? 0 : errnoOf(failed);
}
