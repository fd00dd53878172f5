/**
 * Paging out drops the last page of a table, which the program declared unneeded, while a lockless reader is on its way
 * to it and a hardware walker has the table cached. No zap is under way: whoever ends its visit last flushes the range,
 * upper entries included, and hands the table to RCU by itself.
 *
 * From: try_to_unmap_one and free_pte_table in "Free user PTE page table pages" v3, November 2021.
 * Expected: no violation; the table is gone, and from every cache.
 */

import {
  access,
  anonPages,
  doMadvise,
  expect,
  MADV_FREE,
  MADV_PAGEOUT,
  mmTables,
  newSpace,
  PMD_PAGES,
  setThisCpu,
  touchPages,
  walkLockless,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'the last page of a counted table is paged out under a lockless reader',
  source: '"Free user PTE page table pages" v3, November 2021; Linux mm/rmap.c (try_to_unmap_one)',
  expected: 'passes',
  machine: { protocol: 'pte-refcount', fault: 'mmap-lock', lock: 'tas' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let upperTables: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
  upperTables = mmTables(mm) - 1;
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_FREE) === 0, 'set-up: declared unneeded');
  setThisCpu(1);
  expect(access(mm, 1, 0) === 0, 'set-up: read, and cached');
  setThisCpu(0);
}

function pageout(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_PAGEOUT) === 0, 'madvise succeeds');
}

function walk(): void {
  walkLockless(mm, 0);
}

export const cpus = [pageout, walk];

export function finish(): void {
  expect(anonPages(mm) === 0, 'no page is mapped');
  expect(mmTables(mm) === upperTables, 'the table is gone');
}
