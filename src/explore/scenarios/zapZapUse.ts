/**
 * Two zappers of two pages, whose flushes overlap, and a CPU that has both pages in its TLB: it carries the requests out in either
 * order, or one for both.
 *
 * From: Linux arch/x86/mm/tlb.c (flush_tlb_func: a partial flush only when no generation is skipped).
 * Expected: no violation; no translation is used after the page that it names has been freed.
 */

import {
  access,
  condResched,
  doMadvise,
  expect,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  touchOnCpu,
  touchPages,
} from '../scenarioApi.ts';

export const about = {
  summary: 'two zappers whose flushes overlap on a CPU that has both pages in its TLB',
  source: 'Linux arch/x86/mm/tlb.c (flush_tlb_func)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', protocol: 'none' },
  constants: { TABLE_BITS: 1, PGD_BITS: 1, TASK_END: 15, CHECK_SECTIONS: 0 },
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, PMD_PAGES);
  touchOnCpu(2, mm, 0);
  touchOnCpu(2, mm, 1);
}

function zap(cpu: u32): void {
  expect(doMadvise(mm, cpu, 1, MADV_DONTNEED) === 0, 'madvise succeeds');
}

function use(): void {
  condResched();
  expect(access(mm, 0, 1) === 0 && access(mm, 1, 1) === 0, 'the pages can be written');
}

export const cpus = [zap, zap, use];
