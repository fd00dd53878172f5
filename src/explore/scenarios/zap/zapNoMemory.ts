/**
 * madvise(MADV_DONTNEED) whose every allocation may fail, under a lockless walker: no batch page for frames means a
 * flush in the middle, no batch page for tables means that the table is freed by itself, by the RCU head in its
 * descriptor.
 *
 * From: Linux mm/mmu_gather.c (tlb_next_batch, tlb_remove_table: the table freed one by one), "x86: mm: free page table
 * pages by RCU instead of semi RCU".
 * Expected: madvise succeeds all the same; the walker never reads a freed table.
 */

import {
  anonPages,
  doMadvise,
  expect,
  MADV_DONTNEED,
  mmTables,
  newSpace,
  PMD_PAGES,
  rcuBarrier,
  touchPages,
  walkLockless,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a zap whose every allocation may fail, under a lockless walker',
  source: 'Linux mm/mmu_gather.c (tlb_next_batch, tlb_remove_table)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
  choices: { allocation: 2 },
};

let mm: u32 = 0;
let upperTables: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 2);
  upperTables = mmTables(mm) - 1;
}

function zap(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'madvise succeeds');
  rcuBarrier();
}

function walk(): void {
  walkLockless(mm, 1);
}

export const cpus = [zap, walk];

export function finish(): void {
  expect(anonPages(mm) === 0, 'no page is mapped');
  expect(mmTables(mm) === upperTables, 'the empty table is gone');
}
