/**
 * A page that is in swap, faulted in by two CPUs at once while a third zaps it: each fault prepares a frame without a
 * lock and then has to find the swap entry unchanged; two of the three come too late for it.
 *
 * From: Linux mm/memory.c (do_swap_page: pte_same under the PTE lock; zap_nonpresent_ptes).
 * Expected: the swap slot is freed once, a frame that came too late is given back, and at most one page is mapped.
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
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'two faults on a page in swap, and a zap of it',
  source: 'Linux mm/memory.c (do_swap_page, zap_nonpresent_ptes)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', protocol: 'none' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_PAGEOUT) === 0, 'set-up: paged out');
}

function fault(): void {
  expect(userFault(mm, 1, 1) === 0, 'the fault succeeds');
}

function zap(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'madvise succeeds');
}

export const cpus = [fault, fault, zap];

export function finish(): void {
  expect(anonPages(mm) <= 1, 'at most the page of a fault is mapped');
}
