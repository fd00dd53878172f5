/**
 * Two faults on one page that is in swap: each brings the page in on its own; one of them is mapped.
 *
 * From: Linux mm/memory.c (do_swap_page: pte_same under the lock).
 * Expected: no violation; one page is mapped, and its swap slot free once.
 */

import {
  anonPages,
  doMadvise,
  expect,
  MADV_PAGEOUT,
  newSpace,
  PMD_PAGES,
  touchPages,
  userFault,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'two faults on one page that is in swap',
  source: 'Linux mm/memory.c (do_swap_page)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_PAGEOUT) === 0, 'set-up: paged out');
}

function fault(): void {
  expect(userFault(mm, 0, 1) === 0, 'the fault succeeds');
}

export const cpus = [fault, fault];

export function finish(): void {
  expect(anonPages(mm) === 1, 'one page is mapped');
}
