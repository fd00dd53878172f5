/**
 * Two CPUs that flush a page each, at once, and a third that has both in its TLB: it carries the requests out one by
 * one, or both at once, in an order of its own.
 *
 * From: Linux arch/x86/mm/tlb.c (flush_tlb_func: a partial flush only when no generation is skipped).
 * Expected: when a flush has returned, no CPU has what it flushed.
 */

import {
  AWAIT_EQUALS,
  awaitWord,
  expect,
  flushTlbRange,
  newSpace,
  peek,
  PMD_PAGES,
  scratchWord,
  store,
  touchOnCpu,
} from '../../portable/scenarioApi.ts';
import { C_TLB_EPOCH } from '../../../kernel/word/layout.ts';
import { thisCpu } from '../../../kernel/word/percpu.ts';
import { TLB_ENTRY, TLB_EPOCH, tlbSlot } from '../../../kernel/cpu/tlb.ts';

export const about = {
  summary: 'two flushes at once of two pages that a third CPU has in its TLB',
  source: 'Linux arch/x86/mm/tlb.c (flush_tlb_func, flush_tlb_multi)',
  expected: 'passes',
  kernel: 'pairs',
};

let mm: u32 = 0;
let done: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchOnCpu(2, mm, 0);
  touchOnCpu(2, mm, 1);
  done = scratchWord(0);
}

function flush(cpu: u32): void {
  flushTlbRange(mm, cpu, cpu + 1, false);
  store(done + (cpu << 2), 1);
}

function look(): void {
  for (let page: u32 = 0; page < 2; page++) {
    awaitWord(done + (page << 2), 0xffffffff, AWAIT_EQUALS, 1, 0);
    const slot = tlbSlot(page);
    const current = peek(slot + TLB_EPOCH) === peek(thisCpu() + C_TLB_EPOCH);
    expect(!current || peek(slot + TLB_ENTRY) === 0, 'what was flushed is gone');
  }
}

export const cpus = [flush, flush, look];
