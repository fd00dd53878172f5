/**
 * Paging out against a fault that swaps the page in again, and then a zap that drops whatever is there: page, swap entry, or nothing.
 *
 * From: Linux mm/vmscan.c (reclaim_folio_list), mm/memory.c (do_swap_page, zap_nonpresent_ptes).
 * Expected: nothing is lost or freed twice: pages, swap slots and counts balance at the end.
 */

import {
  anonPages,
  doMadvise,
  expect,
  MADV_DONTNEED,
  MADV_PAGEOUT,
  newSpace,
  PMD_PAGES,
  touchPages,
  userFault,
} from '../portable/scenarioApi.ts';

export const about = {
  summary: 'paging out against a fault that swaps in, and then a zap',
  source: 'Linux mm/vmscan.c (reclaim_folio_list), mm/memory.c (do_swap_page, zap_nonpresent_ptes)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  constants: { TABLE_BITS: 1, PGD_BITS: 1, TASK_END: 15, CHECK_SECTIONS: 0 },
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
}

function pageout(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_PAGEOUT) === 0, 'madvise succeeds');
}

function faultAndZap(): void {
  expect(userFault(mm, 1, 1) === 0, 'the fault succeeds');
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'madvise succeeds');
}

export const cpus = [pageout, faultAndZap];

export function finish(): void {
  expect(anonPages(mm) === 0, 'no page is mapped');
}
