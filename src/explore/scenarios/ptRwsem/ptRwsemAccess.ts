/**
 * Protocol `pt-rwsem` against the hardware: a CPU has entries of every level in its paging-structure caches. Once the
 * tables that they name are freed it must have none of them any more; it would go on walking from the lowest one that
 * it has.
 *
 * From: Intel SDM 3A, 4.10.3 (caches of PML4, PDPT and PD entries); Linux arch/x86/mm/tlb.c (freed_tables).
 * Expected: no violation, though nothing but the flush stands between a table and its end: no walker needs a grace
 * period here.
 */

import {
  access,
  AWAIT_EQUALS,
  awaitWord,
  doMadvise,
  expect,
  MADV_DONTNEED,
  mmTables,
  newSpace,
  PMD_PAGES,
  scratchWord,
  store,
  touchOnCpu,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'tables of every level are freed that a CPU has cached entries of',
  source: 'Intel SDM 3A, 4.10.3; Linux arch/x86/mm/tlb.c (freed_tables)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', protocol: 'pt-rwsem', free: 'immediate' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let freed: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchOnCpu(1, mm, 1);
  freed = scratchWord(0);
}

function zap(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'madvise succeeds');
  store(freed, 1);
}

function use(): void {
  expect(access(mm, 1, 0) === 0, 'the access succeeds');
  awaitWord(freed, 0xffffffff, AWAIT_EQUALS, 1, 0);
  expect(access(mm, 0, 0) === 0, 'the access succeeds');
}

export const cpus = [zap, use];

export function finish(): void {
  expect(mmTables(mm) === 3, 'the tables of the last access');
}
