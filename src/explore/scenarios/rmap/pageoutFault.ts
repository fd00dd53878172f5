/**
 * Paging out against a fault that swaps the page in again. Whichever comes last, the page is somewhere.
 *
 * From: Linux mm/vmscan.c (reclaim_folio_list), mm/memory.c (do_swap_page, zap_nonpresent_ptes).
 * Expected: nothing is lost or freed twice: pages, swap slots and counts balance at the end.
 */

import {
  doMadvise,
  entryAt,
  expect,
  MADV_PAGEOUT,
  newSpace,
  PMD_PAGES,
  touchPages,
  userFault,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'paging out against a fault that swaps in',
  source: 'Linux mm/vmscan.c (reclaim_folio_list), mm/memory.c (do_swap_page, zap_nonpresent_ptes)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
}

function pageout(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_PAGEOUT) === 0, 'madvise succeeds');
}

function fault(): void {
  expect(userFault(mm, 1, 1) === 0, 'the fault succeeds');
}

export const cpus = [pageout, fault];

export function finish(): void {
  expect(entryAt(mm, 1) !== 0, 'the page is mapped, or in swap');
}
