/**
 * khugepaged's own scan: spans that faults mapped page by page become huge in the background, without anybody asking
 * for each.
 *
 * Guarantee: as collapse.ts and collapseFile.ts: a span is either huge with all that was in it, or as it was. One pass
 * looks at H_PAGES_TO_SCAN pages at most, and holds no address space, lock or RCU section at its end. A span is looked
 * at again each time that its address space's turn comes.
 *
 *  A pass (one at a time) goes on where the last one ended, (mm, page) (khugepagedSlots.ts), and for each mm:
 *    1. mmap_lock for read, by trying: a busy address space is passed over. An mm whose address space has ended has no
 *       VMA: so this is all that its end and a pass that is late need of each other, beside that the mm is held.
 *    2. each span of each VMA in which huge pages are allowed:
 *         anonymous memory   scanSpan looks at the table under its lock; when it is worth it, drop mmap_lock, and
 *                            collapseHugePage
 *         an object          hold the inode, drop mmap_lock; scanFile looks at its pages in the cache; when it is worth
 *                            it, collapseFile makes them one folio and retracts tables; when they are one already,
 *                            mmap_lock for read again, and collapsePteMapped clears what maps it by PTEs here, so that
 *                            the next fault maps it by a huge PMD
 *       What drops mmap_lock ends the look at the mm: the VMA may be gone. The pass begins at 1 with the next span.
 *  The pass ends when its pages are used up, after the last address space of the list, or when no folio is to be had.
 *
 * Lock order: mmap_lock; then collapse.ts, collapseFile.ts. Source: Linux 6.18 mm/khugepaged.c (khugepaged_do_scan,
 * khugepaged_scan_mm_slot, hpage_collapse_scan_file).
 */

import { collapseHugePage, objectAligned } from '../calls/collapse.ts';
import { collapseFile, collapsePteMapped, scanFile } from '../calls/collapseFile.ts';
import {
  BY_KHUGEPAGED,
  SCAN_ALLOC_HUGE_PAGE_FAIL,
  SCAN_PTE_MAPPED_HUGEPAGE,
  SCAN_SUCCEED,
  scanSpan,
} from '../calls/collapseScan.ts';
import { hugeAllowed, spanSuitable } from '../fault/hugeFault.ts';
import { slotAt, slotBegin, slotEnd, slotsThere } from '../huge/khugepagedSlots.ts';
import { beginOperation, endOperation } from '../observe/operation.ts';
import { OP_KHUGEPAGED } from '../observe/report.ts';
import {
  count,
  COUNTER_KHUGEPAGED_COLLAPSED,
  COUNTER_KHUGEPAGED_LOCKED,
  COUNTER_KHUGEPAGED_PASSES,
  counterValue,
} from '../observe/stats.ts';
import { condResched } from '../rcu/rcu.ts';
import { inodeGet, inodePut } from '../rmap/inode.ts';
import { mmapReadLock, mmapReadTrylock, mmapReadUnlock } from '../sleep/mmapLock.ts';
import { daemonClock } from '../space/daemonClock.ts';
import { findVma, linearPageIndex, vmaNext } from '../space/vma.ts';
import { hugeFirst } from '../tables/offsets.ts';
import { PMD_PAGES, THP_NEVER } from '../word/config.ts';
import {
  G_KHUGEPAGED_ENDED,
  G_KHUGEPAGED_NEXT,
  G_KHUGEPAGED_OWNER,
  H_PAGES_TO_SCAN,
  H_SCAN_SLEEP_NS,
  H_THP,
  VMA_END,
  VMA_FLAGS,
  VMA_INODE,
  VMA_START,
} from '../word/layout.ts';
import { cpuId } from '../word/percpu.ts';
import { compareExchange, load, peek, poke, store } from '../word/word.ts';

/** G_KHUGEPAGED_NEXT when the scan is through with the mm. */
const THROUGH: u32 = 0xffffffff;

/** Counter of what came of a span. */
function counterOf(result: u32): u32 {
  return COUNTER_KHUGEPAGED_COLLAPSED + result;
}

/** Whether spans of `vma` may become huge at all. */
function eligible(vma: Vma): boolean {
  if (!hugeAllowed(load(vma + VMA_FLAGS), false)) return false;
  return peek(vma + VMA_INODE) === 0 || objectAligned(vma);
}

/** Step 2 for a span of an object. mmap_lock held for read, and *released*. Returns a SCAN_ result. */
function scanObject(mm: Mm, vma: Vma, first: Vpn): u32 {
  const inode = peek(vma + VMA_INODE);
  const index = linearPageIndex(vma, first);
  inodeGet(inode);
  mmapReadUnlock(mm);
  let result = scanFile(inode, index);
  if (result === SCAN_SUCCEED) {
    result = collapseFile(inode, index);
    // Its tables have been retracted: the next fault maps it.
    if (result === SCAN_PTE_MAPPED_HUGEPAGE) result = SCAN_SUCCEED;
  } else if (result === SCAN_PTE_MAPPED_HUGEPAGE) {
    mmapReadLock(mm);
    result = collapsePteMapped(mm, first, false);
    mmapReadUnlock(mm);
  }
  inodePut(inode);
  return result;
}

/** Step 2 for the span at `first` of `vma`. mmap_lock held for read. Returns whether it still is. */
function scanHere(mm: Mm, vma: Vma, first: Vpn): boolean {
  let held = false;
  let result: u32 = SCAN_SUCCEED;
  if (peek(vma + VMA_INODE) !== 0) {
    result = scanObject(mm, vma, first);
  } else {
    result = scanSpan(mm, vma, first, BY_KHUGEPAGED);
    held = result !== SCAN_SUCCEED;
    if (!held) {
      mmapReadUnlock(mm);
      result = collapseHugePage(mm, first, BY_KHUGEPAGED);
    }
  }
  count(counterOf(result));
  return held;
}

/** First page from which a span of `vma` can be looked at, not before `at`; may lie behind the VMA. */
function firstSpan(vma: Vma, at: Vpn): Vpn {
  const start = load(vma + VMA_START);
  return hugeFirst((at < start ? start : at) + (PMD_PAGES - 1));
}

/**
 * Steps 1 and 2 for `mm` from page `at` on, until `most` pages are used up, or mmap_lock has been dropped. Returns how
 * many were used, 1 at least; G_KHUGEPAGED_NEXT says where to go on.
 */
function scanMm(mm: Mm, at: Vpn, most: u32): u32 {
  poke(G_KHUGEPAGED_NEXT, THROUGH);
  if (!mmapReadTrylock(mm)) {
    count(COUNTER_KHUGEPAGED_LOCKED);
    return 1;
  }
  let used: u32 = 0;
  let held = true;
  let vma = findVma(mm, at);
  while (vma !== 0) {
    const able = eligible(vma);
    let first = firstSpan(vma, at);
    let next: u32 = 0;
    if (able)
      while (held && used < most && spanSuitable(vma, first)) {
        condResched();
        held = scanHere(mm, vma, first);
        used += PMD_PAGES;
        first += PMD_PAGES;
      }
    used += 1;
    if (!held || (able && spanSuitable(vma, first))) poke(G_KHUGEPAGED_NEXT, first);
    else if (used < most) next = vmaNext(vma);
    else poke(G_KHUGEPAGED_NEXT, load(vma + VMA_END));
    vma = next;
  }
  if (held) mmapReadUnlock(mm);
  return used + 1;
}

/** One turn of `mm`, which slotBegin gave. Returns the pages used, `most` when the pass is to end. */
function scanSlot(mm: Mm, most: u32): u32 {
  const failed = counterValue(counterOf(SCAN_ALLOC_HUGE_PAGE_FAIL));
  const at = slotAt();
  beginOperation(OP_KHUGEPAGED, mm, at);
  const used = scanMm(mm, at, most);
  endOperation();
  const next = peek(G_KHUGEPAGED_NEXT);
  const last = slotEnd(mm, next, next === THROUGH);
  if (last || counterValue(counterOf(SCAN_ALLOC_HUGE_PAGE_FAIL)) !== failed) return most;
  return used < most ? used : most;
}

/** Whether a pass is due: there is something to scan, and the last one ended long enough ago. */
export function khugepagedDue(): boolean {
  if (peek(H_THP) === THP_NEVER || !slotsThere()) return false;
  return (daemonClock() - load(G_KHUGEPAGED_ENDED)) >>> 0 >= peek(H_SCAN_SLEEP_NS);
}

/**
 * One pass. Returns how many spans it made huge; 0 also while another CPU's pass is under way. No lock held, no RCU
 * section.
 */
export function khugepagedPass(): u32 {
  if (!slotsThere() || compareExchange(G_KHUGEPAGED_OWNER, 0, cpuId() + 1) !== 0) return 0;
  count(COUNTER_KHUGEPAGED_PASSES);
  const before = counterValue(COUNTER_KHUGEPAGED_COLLAPSED);
  let left = peek(H_PAGES_TO_SCAN);
  while (left !== 0) {
    condResched();
    const mm = slotBegin();
    left -= mm === 0 ? left : scanSlot(mm, left);
  }
  store(G_KHUGEPAGED_ENDED, daemonClock());
  store(G_KHUGEPAGED_OWNER, 0);
  return counterValue(COUNTER_KHUGEPAGED_COLLAPSED) - before;
}
