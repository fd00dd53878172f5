/**
 * A zapper against a lockless walker: the table that the walker reads is found empty, detached and freed. The walker is
 * inside an RCU section all the time, so the table's memory must stay until it has left.
 *
 * From: pagemap and GUP-slow walks against Linux mm/pt_reclaim.c; Documentation/mm/process_addrs.rst (page table
 * freeing).
 * Expected: no violation when tables are freed by RCU; table-use-after-free when they are freed at once.
 */

import {
  newSpace,
  PMD_PAGES,
  rcuBarrier,
  touchPages,
  walkLockless,
  zapAndReclaim,
} from '../../portable/scenarioApi.ts';

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
  zapAndReclaim(mm, 0, PMD_PAGES);
  rcuBarrier();
}

function walk(): void {
  walkLockless(mm, 1);
}

export const cpus = [zap, walk];
