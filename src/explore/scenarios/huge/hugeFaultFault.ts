/**
 * Two write faults in one span where nothing is mapped, with huge pages on: both prepare a folio and a table to
 * deposit, one of them wins the PMD entry, the other gives back what it has.
 *
 * From: Linux mm/huge_memory.c (__do_huge_pmd_anonymous_page: the look at the PMD under its lock).
 * Expected: no violation. One folio is mapped, one table deposited; the audit counts both.
 */

import {
  access,
  anonPages,
  expect,
  mmTables,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'two huge faults in one span',
  source: 'Linux mm/huge_memory.c (__do_huge_pmd_anonymous_page)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', thp: 'always' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES * 2);
  touchPages(mm, PMD_PAGES, PMD_PAGES + 1);
}

function fault(cpu: u32): void {
  expect(access(mm, cpu, 1) === 0, 'the access succeeds');
}

export const cpus = [fault, fault];

export function finish(): void {
  expect(anonPages(mm) === PMD_PAGES * 2, 'both spans are mapped, once');
  expect(mmTables(mm) === 4, 'two tables are deposited, beside one PMD and one PUD table');
}
