/**
 * Two gathers open at once in one address space: the second zapper finds an entry already none that the first has
 * cleared and not yet flushed. When the second's madvise returns, its program must not see the old page any more, so it
 * flushes the whole address space.
 *
 * From: Linux mm/mmu_gather.c (tlb_finish_mmu: mm_tlb_flush_nested); "mm: fix MADV_[FREE|DONTNEED] TLB flush miss
 * problem".
 * Expected: after its own madvise a CPU's access faults; nobody uses a page after it was freed.
 */

import {
  access,
  doMadvise,
  expect,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  touchOnCpu,
} from '../../portable/scenarioApi.ts';
import { COUNTER_FAULTS, counterValue } from '../../../kernel/observe/stats.ts';

export const about = {
  summary:
    'two gathers at once in one address space: an access after madvise must not find the old page',
  source: 'Linux mm/mmu_gather.c (tlb_finish_mmu, mm_tlb_flush_nested)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
  constants: { GATHER_BUNDLE: 4 },
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchOnCpu(1, mm, 0);
}

function zap(): void {
  expect(doMadvise(mm, 0, 1, MADV_DONTNEED) === 0, 'madvise succeeds');
}

function zapAndLook(): void {
  expect(doMadvise(mm, 0, 1, MADV_DONTNEED) === 0, 'madvise succeeds');
  const before = counterValue(COUNTER_FAULTS);
  expect(access(mm, 0, 0) === 0, 'the access succeeds');
  expect(counterValue(COUNTER_FAULTS) > before, 'the access after madvise faults');
}

export const cpus = [zap, zapAndLook];
