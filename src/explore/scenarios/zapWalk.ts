/**
 * A zapper against a lockless walker: the table that the walker reads is found empty, detached and freed. The walker is inside an RCU
 * section all the time, so the table's memory must stay until it has left.
 *
 * From: pagemap and GUP-slow walks against Linux mm/pt_reclaim.c; Documentation/mm/process_addrs.rst (page table freeing).
 * Expected: no violation when tables are freed by RCU; table-use-after-free when they are freed at once.
 */

import {
  doMadvise,
  expect,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  rcuBarrier,
  touchPages,
  walkLockless,
} from '../portable/scenarioApi.ts';

export const about = {
  summary: 'a zapper that frees a table against a lockless walker in it',
  source: 'Linux mm/pt_reclaim.c; Documentation/mm/process_addrs.rst (page table freeing)',
  expected: 'passes',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
}

function zap(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'madvise succeeds');
  rcuBarrier();
}

function walk(): void {
  walkLockless(mm, 1);
}

export const cpus = [zap, walk];
