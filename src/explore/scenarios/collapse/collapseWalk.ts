/**
 * A lockless walker in a table that is collapsed, deposited, and freed with the huge page: the walker has no lock that
 * collapse would wait for, and polls interrupts, so neither does collapse's interrupt. What keeps the table is the
 * grace period that zapping a huge page gives its deposited table.
 *
 * From: Linux mm/khugepaged.c (collapse_huge_page), mm/huge_memory.c (zap_deposited_table, which frees at once: there
 * every walker but GUP-fast holds a lock).
 * Expected: no violation.
 */

import {
  doMadvise,
  expect,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  rcuBarrier,
  touchPages,
  walkLockless,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a lockless walker in a table that is deposited and freed',
  source: 'Linux mm/khugepaged.c (collapse_huge_page), mm/huge_memory.c (zap_deposited_table)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
}

function collapseAndZap(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_COLLAPSE) === 0, 'the span is huge');
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'madvise succeeds');
  rcuBarrier();
}

function walk(): void {
  walkLockless(mm, 1);
}

export const cpus = [collapseAndZap, walk];
