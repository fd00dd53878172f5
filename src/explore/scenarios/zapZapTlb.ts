/**
 * Two zappers of one page, each with its translation in the TLB: whoever finds the entry cleared by the other must not return
 * before the other's flush is as good as done, since the caller takes its page for gone.
 *
 * From: Linux mm/mmu_gather.c (tlb_finish_mmu: mm_tlb_flush_nested), "mm: fix MADV_[FREE|DONTNEED] TLB flush miss problem", 2017.
 * Expected: no violation; after its own madvise a CPU does not reach the page that was there before.
 */

import {
  doMadvise,
  expect,
  MADV_DONTNEED,
  newSpace,
  peek,
  PMD_PAGES,
  touchOnCpu,
} from '../scenarioApi.ts';
import { C_TLB_EPOCH } from '../../kernel/layout.ts';
import { thisCpu } from '../../kernel/percpu.ts';
import { TLB_ENTRY, TLB_EPOCH, tlbSlot } from '../../kernel/tlb.ts';

export const about = {
  summary: 'two zappers of a page that both have in their TLBs',
  source: 'Linux mm/mmu_gather.c (tlb_finish_mmu, mm_tlb_flush_nested)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  constants: { TABLE_BITS: 1, PGD_BITS: 1, TASK_END: 15, CHECK_SECTIONS: 0 },
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchOnCpu(0, mm, 0);
  touchOnCpu(1, mm, 0);
}

function zap(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'madvise succeeds');
  const cached =
    peek(tlbSlot(0) + TLB_EPOCH) === peek(thisCpu() + C_TLB_EPOCH) &&
    peek(tlbSlot(0) + TLB_ENTRY) !== 0;
  expect(!cached, 'what madvise dropped is out of the TLB');
}

export const cpus = [zap, zap];
