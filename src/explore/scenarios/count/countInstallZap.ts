/**
 * A page fault installs a table that a zap meets before there is an entry in it. The table begins with its installer's
 * count, so the zap's visit is not the last one, and the fault finds the table where it put it.
 *
 * From: pte_alloc_get and zap_pte_range in "Free user PTE page table pages" v3, November 2021.
 * Expected: no violation; a fault that comes back has mapped its page, which may have been zapped since.
 */

import {
  anonPages,
  doMadvise,
  entryAt,
  expect,
  MADV_DONTNEED,
  mmTables,
  newSpace,
  PMD_PAGES,
  touchPages,
  userFault,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a fault installs a counted table that a zap meets while it is still empty',
  source: '"Free user PTE page table pages" v3, November 2021 (pte_alloc_get, zap_pte_range)',
  expected: 'passes',
  machine: { protocol: 'pte-refcount', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let others: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES * 2);
  touchPages(mm, PMD_PAGES, PMD_PAGES + 1);
  others = mmTables(mm);
}

function fault(): void {
  expect(userFault(mm, 1, 1) === 0, 'the fault succeeds');
}

function zap(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'madvise succeeds');
}

export const cpus = [fault, zap];

export function finish(): void {
  const mapped: u32 = entryAt(mm, 1) === 0 ? 0 : 1;
  expect(anonPages(mm) === 1 + mapped, 'the page of the fault, if it is still there');
  expect(mmTables(mm) === others + mapped, 'a table for it, or none');
}
