/**
 * Two page faults on the same page of a mapping that has no PTE table there yet: both allocate a table and a page; one
 * of each is installed, the other given back.
 *
 * From: __pte_alloc and do_anonymous_page in Linux mm/memory.c (pmd_install; the second look at the entry,
 * vmf_pte_changed).
 * Expected: no violation; one page is mapped, in one table.
 */

import {
  anonPages,
  doMadvise,
  expect,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  touchPages,
  userFault,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'two faults on one page where there is no PTE table yet',
  source: 'Linux mm/memory.c (__pte_alloc, do_anonymous_page)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'set-up: zapped, the table gone');
}

function fault(): void {
  expect(userFault(mm, 0, 1) === 0, 'the fault succeeds');
}

export const cpus = [fault, fault];

export function finish(): void {
  expect(anonPages(mm) === 1, 'one page is mapped');
}
