/**
 * A zapper of two pages, one after the other, and a CPU that has both in its TLB: the second request for a flush is
 * written where the first one stood.
 *
 * From: Linux kernel/smp.c (smp_call_function_many_cond: csd_lock_wait), arch/x86/mm/tlb.c (flush_tlb_func).
 * Expected: no violation; a request is not read any more once it has been acknowledged.
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
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'two zaps one after the other against a CPU that has both pages in its TLB',
  source: 'Linux kernel/smp.c (smp_call_function_many_cond), arch/x86/mm/tlb.c (flush_tlb_func)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', protocol: 'none' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchOnCpu(1, mm, 0);
  touchOnCpu(1, mm, 1);
}

function zap(): void {
  expect(doMadvise(mm, 0, 1, MADV_DONTNEED) === 0, 'madvise succeeds');
  expect(doMadvise(mm, 1, 1, MADV_DONTNEED) === 0, 'madvise succeeds');
}

function use(): void {
  condResched();
  expect(access(mm, 0, 1) === 0, 'the page can be written');
}

export const cpus = [zap, use];
