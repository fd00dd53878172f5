/**
 * The last visit of an empty table ends while a page fault gets at it. Either the fault's visit counts first, and the
 * table stays, or the count is zero first, and the fault waits until the table is unlinked and takes another.
 *
 * From: race of pte_try_get with pte_put in "Free user PTE page table pages" v3, November 2021.
 * Expected: no violation; the page is mapped, if not by the first fault, whose table may go before it comes to map it,
 * then by the second.
 */

import {
  doMadvise,
  entryAt,
  expect,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  pteUnmap,
  touchPages,
  userFault,
  visitOnCpu,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'the last visit of an empty, counted table ends while a fault gets at it',
  source: '"Free user PTE page table pages" v3, November 2021 (pte_try_get, pte_put)',
  expected: 'passes',
  machine: { protocol: 'pte-refcount', fault: 'mmap-lock' },
  constants: { CHECK_SECTIONS: 0 },
};

let mm: u32 = 0;
let visited: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
  visited = visitOnCpu(1, mm, 1);
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'set-up: zapped');
}

function fault(): void {
  expect(userFault(mm, 2, 1) === 0, 'the fault succeeds');
  expect(userFault(mm, 2, 1) === 0, 'the fault succeeds again');
}

function leave(): void {
  pteUnmap(visited);
}

export const cpus = [fault, leave];

export function finish(): void {
  expect(entryAt(mm, 2) !== 0, 'the page is mapped');
}
