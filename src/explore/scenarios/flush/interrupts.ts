/**
 * Interrupts at any moment, from both sides, while both CPUs flush each other's TLB: a CPU that waits for an
 * acknowledgement answers meanwhile.
 *
 * From: Linux kernel/smp.c (smp_call_function_many_cond: waiting with interrupts enabled), arch/x86/mm/tlb.c
 * (flush_tlb_multi).
 * Expected: nobody waits for ever; every flush is done when its sender goes on. The sequence numbers of interrupts
 * wrap.
 */

import {
  expect,
  newSpace,
  peek,
  PMD_PAGES,
  syncPoint,
  touchOnCpu,
} from '../../portable/scenarioApi.ts';
import { flushTlbRange } from '../../../kernel/cpu/flush.ts';
import { TLB_ENTRY, TLB_EPOCH, tlbSlot } from '../../../kernel/cpu/tlb.ts';
import { C_TLB_EPOCH } from '../../../kernel/word/layout.ts';
import { thisCpu } from '../../../kernel/word/percpu.ts';

export const about = {
  summary: 'two CPUs that flush each other’s TLB, with interrupts at any moment',
  source: 'Linux kernel/smp.c (smp_call_function_many_cond), arch/x86/mm/tlb.c (flush_tlb_multi)',
  expected: 'passes',
  kernel: 'pairs',
  choices: { interrupt: 1 },
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchOnCpu(0, mm, 0);
  touchOnCpu(1, mm, 1);
}

function flush(cpu: u32): void {
  syncPoint();
  flushTlbRange(mm, cpu, cpu + 1, false);
  const slot = tlbSlot(cpu);
  expect(
    peek(slot + TLB_ENTRY) === 0 || peek(slot + TLB_EPOCH) !== peek(thisCpu() + C_TLB_EPOCH),
    'the own entry is gone',
  );
}

export const cpus = [flush, flush];
