/**
 * Two zaps of one table, of one half each. Neither of them covers the table, and with the last entry the table is gone
 * all the same: what a count can do that looking at one's own range cannot.
 *
 * From: zap_pte_range in "Free user PTE page table pages" v3, November 2021.
 * Expected: no violation; the table is gone.
 */

import {
  anonPages,
  doMadvise,
  expect,
  MADV_DONTNEED,
  mmTables,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'two zaps of half a counted table each',
  source: '"Free user PTE page table pages" v3, November 2021 (zap_pte_range)',
  expected: 'passes',
  machine: { protocol: 'pte-refcount', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let upperTables: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 2);
  upperTables = mmTables(mm) - 1;
}

function zap(cpu: u32): void {
  expect(doMadvise(mm, cpu, 1, MADV_DONTNEED) === 0, 'madvise succeeds');
}

export const cpus = [zap, zap];

export function finish(): void {
  expect(anonPages(mm) === 0, 'no page is mapped');
  expect(mmTables(mm) === upperTables, 'the table is gone');
}
