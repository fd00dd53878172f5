/**
 * A counted table that is freed by interrupt (semi-RCU), with a lockless reader on its way to it. The count keeps
 * whoever is in the table; but the reader has read the PMD entry before it counts, and answers interrupts in between.
 * It then counts itself into a table that has been freed and is another by now.
 *
 * From: the reason for rcu_read_lock around pte_try_get in "Free user PTE page table pages" v3, November 2021.
 * Expected: a violation, table-use-after-free.
 */

import {
  doMadvise,
  expect,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  touchPages,
  userFault,
  walkLockless,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a counted table freed by interrupt: the count comes too late for a reader without RCU',
  source: '"Free user PTE page table pages" v3, November 2021 (pte_try_get)',
  expected: 'violation',
  machine: { protocol: 'pte-refcount', free: 'semi-rcu', fault: 'mmap-lock', inject: { batch: 1 } },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES * 2);
  touchPages(mm, 1, 2);
}

function zap(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'madvise succeeds');
  expect(userFault(mm, PMD_PAGES, 1) === 0, 'the table is used again, elsewhere');
}

function walk(): void {
  walkLockless(mm, 1);
}

export const cpus = [zap, walk];
