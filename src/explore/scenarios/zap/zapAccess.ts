/**
 * A zap against a program that uses the page all the while through its TLB: the entry is cleared, the flush asks the
 * other CPU by an interrupt, and only then page and table are freed.
 *
 * From: Linux mm/mmu_gather.c (tlb_flush_mmu), arch/x86/mm/tlb.c (flush_tlb_mm_range); Intel SDM 3A, 4.10.
 * Expected: no access through a translation or a cached upper entry that a completed flush had to remove.
 */

import {
  access,
  expect,
  newSpace,
  PMD_PAGES,
  pollInterrupts,
  touchOnCpu,
  zapAndReclaim,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a zap against a CPU that uses the page through its TLB',
  source: 'Linux mm/mmu_gather.c (tlb_flush_mmu), arch/x86/mm/tlb.c (flush_tlb_mm_range)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchOnCpu(1, mm, 0);
}

function zap(): void {
  zapAndReclaim(mm, 0, PMD_PAGES);
}

function use(): void {
  expect(access(mm, 0, 0) === 0, 'the access succeeds');
  pollInterrupts();
  expect(access(mm, 0, 1) === 0, 'the access succeeds');
}

export const cpus = [zap, use];
