/**
 * Two visits of an empty table end at the same time, and a third CPU reads it without a lock. One of the three is the
 * last, and only that one unlinks and frees the table.
 *
 * From: pte_put and free_pte_table in "Free user PTE page table pages" v3, November 2021.
 * Expected: no violation; the table is gone.
 */

import {
  doMadvise,
  expect,
  MADV_DONTNEED,
  mmTables,
  newSpace,
  PMD_PAGES,
  pteUnmap,
  touchPages,
  visitOnCpu,
  walkLockless,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'two visits of an empty, counted table end while a third CPU reads it',
  source: '"Free user PTE page table pages" v3, November 2021 (pte_put, free_pte_table)',
  expected: 'passes',
  machine: { protocol: 'pte-refcount' },
  constants: { CHECK_SECTIONS: 0 },
};

let mm: u32 = 0;
let first: u32 = 0;
let second: u32 = 0;
let upperTables: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
  upperTables = mmTables(mm) - 1;
  first = visitOnCpu(1, mm, 1);
  second = visitOnCpu(2, mm, 2);
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'set-up: zapped');
}

function walk(): void {
  walkLockless(mm, 3);
}

function leaveFirst(): void {
  pteUnmap(first);
}

function leaveSecond(): void {
  pteUnmap(second);
}

export const cpus = [walk, leaveFirst, leaveSecond];

export function finish(): void {
  expect(mmTables(mm) === upperTables, 'the table is gone');
}
