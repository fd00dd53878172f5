/**
 * A zapper against a CPU that uses a page of the table by its TLB, is idle in between, perhaps, and uses it again:
 * flush, interrupts, the idle state and its lazy TLB.
 *
 * From: Linux arch/x86/mm/tlb.c (flush_tlb_mm_range, tlb_is_not_lazy, enter_lazy_tlb), mm/mmu_gather.c
 * (tlb_finish_mmu).
 * Expected: no violation; no translation is used after the page that it names has been freed.
 */

import {
  access,
  expect,
  newSpace,
  perhapsIdle,
  PMD_PAGES,
  touchOnCpu,
  zapAndReclaim,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a zapper against a CPU that has the page in its TLB and may be idle meanwhile',
  source: 'Linux arch/x86/mm/tlb.c (flush_tlb_mm_range, tlb_is_not_lazy)',
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
  perhapsIdle();
  expect(access(mm, 0, 1) === 0, 'the page can be written');
}

export const cpus = [zap, use];
