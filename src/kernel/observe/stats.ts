/**
 * Event counters of each CPU: words of its own area that nobody else writes, summed by whoever reports. They wrap
 * modulo 2^32; a report that samples often enough takes differences.
 */

import { C_COUNTERS } from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { peek, poke } from '../word/word.ts';

export const COUNTER_OPS: u32 = 0;
export const COUNTER_FAULTS: u32 = 1;
export const COUNTER_FAULT_RETRIES: u32 = 2;
export const COUNTER_PTE_MAP_RETRIES: u32 = 3;
export const COUNTER_TABLES_ALLOCATED: u32 = 4;
export const COUNTER_TABLES_FREED: u32 = 5;
export const COUNTER_TABLES_RECLAIMED_FAST: u32 = 6;
export const COUNTER_TABLES_RECLAIMED_SLOW: u32 = 7;
export const COUNTER_RECLAIM_ABORTED: u32 = 8;
export const COUNTER_TLB_FLUSHES: u32 = 9;
export const COUNTER_INTERRUPTS_HANDLED: u32 = 10;
export const COUNTER_GRACE_PERIODS: u32 = 11;
export const COUNTER_CALLBACKS_INVOKED: u32 = 12;
export const COUNTER_GUP_FAST: u32 = 13;
export const COUNTER_GUP_SLOW: u32 = 14;
export const COUNTER_WALKS: u32 = 15;
export const COUNTER_ZAPPED_PAGES: u32 = 16;
export const COUNTER_CALLBACKS_QUEUED: u32 = 17;
export const COUNTER_INJECTED_FAILURES: u32 = 18;
export const COUNTER_TLB_FULL_FLUSHES: u32 = 19;
export const COUNTER_TLB_INTERRUPTS: u32 = 20;
export const COUNTER_GATHER_FULL: u32 = 21;
export const COUNTER_TABLES_FREED_SINGLY: u32 = 22;
export const COUNTER_TEST_CALLBACKS: u32 = 23;
export const COUNTER_FAULTS_VMA_LOCK: u32 = 24;
export const COUNTER_SWAP_INS: u32 = 25;
export const COUNTER_COPIES: u32 = 26;
export const COUNTER_ZAP_BREAKS: u32 = 27;
export const COUNTER_PAGED_OUT: u32 = 28;
export const COUNTER_ACCESSES: u32 = 29;
export const COUNTER_TLB_MISSES: u32 = 30;
export const COUNTER_TABLES_LINKED: u32 = 31;
export const COUNTER_TABLES_UNLINKED: u32 = 32;
/** The deferred-split queue: acquisitions of its lock, additions, removals. */
export const COUNTER_DEFERRED_LOCKS: u32 = 48;
export const COUNTER_DEFERRED_QUEUED: u32 = 49;
export const COUNTER_DEFERRED_REMOVED: u32 = 50;
/** Folios of several pages: faulted in; asked for and not to be had; split; splits given up. */
export const COUNTER_LARGE_FAULTS: u32 = 51;
export const COUNTER_LARGE_FALLBACKS: u32 = 52;
export const COUNTER_FOLIOS_SPLIT: u32 = 53;
export const COUNTER_SPLITS_FAILED: u32 = 54;
/** Passes over the deferred-split queue that found a folio; folios that they tried to split, and split. */
export const COUNTER_DEFERRED_PASSES: u32 = 55;
export const COUNTER_DEFERRED_TRIED: u32 = 56;
export const COUNTER_DEFERRED_SPLIT: u32 = 57;
export const COUNTER_HUGE_FAULTS: u32 = 33;
export const COUNTER_HUGE_FALLBACKS: u32 = 34;
export const COUNTER_HUGE_ZAPS: u32 = 35;
export const COUNTER_HUGE_SPLITS: u32 = 36;
export const COUNTER_COLLAPSED: u32 = 37;
export const COUNTER_COLLAPSE_FAILED: u32 = 38;
export const COUNTER_TABLES_RETRACTED: u32 = 39;
/** Speculative faults: tried, committed, and ended without effect: why. */
export const COUNTER_SPECULATIVE_ATTEMPTS: u32 = 60;
export const COUNTER_SPECULATIVE_COMMITS: u32 = 61;
/** A writer held mmap_lock, or came before the commit. */
export const COUNTER_SPECULATIVE_ABORTS_WRITER: u32 = 62;
export const COUNTER_SPECULATIVE_ABORTS_SEQUENCE: u32 = 63;
/** No VMA; one that faults on may not be speculative, or the access is not within its rights. */
export const COUNTER_SPECULATIVE_ABORTS_VMA: u32 = 64;
export const COUNTER_SPECULATIVE_ABORTS_KIND: u32 = 65;
/** A table was missing; the page is in swap. */
export const COUNTER_SPECULATIVE_ABORTS_TABLE: u32 = 66;
export const COUNTER_SPECULATIVE_ABORTS_SWAP: u32 = 67;
/** The PTE lock was not free; the PMD, or the entry, had changed. */
export const COUNTER_SPECULATIVE_ABORTS_LOCK: u32 = 68;
export const COUNTER_SPECULATIVE_ABORTS_PMD: u32 = 69;
export const COUNTER_SPECULATIVE_ABORTS_ENTRY: u32 = 70;
export const COUNTER_SPECULATIVE_ABORTS_MEMORY: u32 = 71;
/** Faults that a userfaultfd was told of: on missing pages, and on those that it write-protected. */
export const COUNTER_USERFAULTS_MISSING: u32 = 72;
export const COUNTER_USERFAULTS_WP: u32 = 73;
/**
 * Pages that UFFDIO_COPY and _ZEROPAGE brought, and that UFFDIO_MOVE moved; its attempts that met a change and began
 * again.
 */
export const COUNTER_USERFAULT_FILLED: u32 = 74;
export const COUNTER_USERFAULT_MOVED: u32 = 75;
export const COUNTER_USERFAULT_MOVE_RETRIES: u32 = 76;
/** Pages moved to another frame; address spaces copied; pages that fork copied because they were pinned. */
export const COUNTER_MIGRATIONS: u32 = 77;
export const COUNTER_FORKS: u32 = 78;
export const COUNTER_FORK_COPIES: u32 = 79;
export const COUNTER_VMA_LOCK_REFUSALS: u32 = 96;
export const COUNTER_INTERRUPTS_SENT: u32 = 97;
export const COUNTER_ITERATIONS: u32 = 98;
/** PTE tables freed that were looked for, and upper tables (emptiness.ts). */
export const COUNTER_TABLES_RECLAIMED_FOUND: u32 = 100;
export const COUNTER_UPPER_TABLES_RECLAIMED: u32 = 101;
/**
 * Candidates for asynchronous reclaim (candidates.ts), what came of them, and tables freed for nothing
 * (wastedFrees.ts).
 */
export const COUNTER_CANDIDATES_NOTED: u32 = 86;
export const COUNTER_CANDIDATES_LOST: u32 = 87;
export const COUNTER_CANDIDATES_SCANNED: u32 = 88;
export const COUNTER_CANDIDATES_GONE: u32 = 89;
export const COUNTER_CANDIDATES_KEPT: u32 = 90;
export const COUNTER_CANDIDATES_POSTPONED: u32 = 91;
export const COUNTER_TABLES_RECLAIMED_ASYNC: u32 = 92;
export const COUNTER_ZERO_PAGES_DROPPED: u32 = 93;
export const COUNTER_TABLES_WASTED: u32 = 94;
/** PTE tables freed by a count that became zero, and visitors that met such a count. */
export const COUNTER_TABLES_FREED_BY_COUNT: u32 = 84;
export const COUNTER_COUNT_ZERO_MET: u32 = 85;
/**
 * Passes of khugepaged; times that it was through with all address spaces; address spaces passed over because mmap_lock
 * was not free.
 */
export const COUNTER_KHUGEPAGED_PASSES: u32 = 102;
export const COUNTER_KHUGEPAGED_FULL_SCANS: u32 = 103;
export const COUNTER_KHUGEPAGED_LOCKED: u32 = 104;
/** Spans that it looked at, by what came of it: the first of these, and the SCAN_ code (collapseScan.ts). */
export const COUNTER_KHUGEPAGED_COLLAPSED: u32 = 105;
export const COUNTER_KHUGEPAGED_PMD_MAPPED: u32 = 106;
export const COUNTER_KHUGEPAGED_PMD_NULL: u32 = 107;
export const COUNTER_KHUGEPAGED_PMD_NONE: u32 = 108;
export const COUNTER_KHUGEPAGED_EXCEED_NONE_PTE: u32 = 109;
export const COUNTER_KHUGEPAGED_EXCEED_SWAP_PTE: u32 = 110;
export const COUNTER_KHUGEPAGED_EXCEED_SHARED_PTE: u32 = 111;
export const COUNTER_KHUGEPAGED_PTE_NON_PRESENT: u32 = 112;
export const COUNTER_KHUGEPAGED_PTE_UFFD_WP: u32 = 113;
export const COUNTER_KHUGEPAGED_LACK_REFERENCED_PAGE: u32 = 114;
export const COUNTER_KHUGEPAGED_PAGE_COUNT: u32 = 115;
export const COUNTER_KHUGEPAGED_PAGE_ANON: u32 = 116;
export const COUNTER_KHUGEPAGED_PAGE_COMPOUND: u32 = 117;
export const COUNTER_KHUGEPAGED_VMA_CHECK: u32 = 118;
export const COUNTER_KHUGEPAGED_ALLOC_HUGE_PAGE_FAIL: u32 = 119;
export const COUNTER_KHUGEPAGED_TRUNCATED: u32 = 120;
export const COUNTER_KHUGEPAGED_PTE_MAPPED_HUGEPAGE: u32 = 121;
export const COUNTER_KHUGEPAGED_PAGE_LOCK: u32 = 122;
export const COUNTER_KHUGEPAGED_PAGE_NULL: u32 = 123;
export const COUNTER_KHUGEPAGED_PAGE_DIRTY: u32 = 124;
export const COUNTER_KHUGEPAGED_FAIL: u32 = 125;
/** One more than the last counter. */
export const COUNTERS: u32 = 126;

/** Counts one event. */
export function count(counter: u32): void {
  countBy(counter, 1);
}

/** Counts `n` events. */
export function countBy(counter: u32, n: u32): void {
  const address = thisCpu() + C_COUNTERS + (counter << 2);
  poke(address, peek(address) + n);
}

/** Value of one of this CPU's counters. */
export function counterValue(counter: u32): u32 {
  return peek(thisCpu() + C_COUNTERS + (counter << 2));
}
