/**
 * Flushes of TLBs and the switch of address spaces: the sender's side of the protocol that tlb.ts states.
 *
 * Guarantee: as tlb.ts. The request's words (C_FLUSH_...) are this CPU's own, and constant until every target has
 * acknowledged.
 *
 * Source: Linux arch/x86/mm/tlb.c (flush_tlb_mm_range, switch_mm_irqs_off).
 */

import { event, EVENT_FLUSH } from '../observe/report.ts';
import { count, COUNTER_TLB_FLUSHES, COUNTER_TLB_INTERRUPTS } from '../observe/stats.ts';
import {
  C_FLUSH_END,
  C_FLUSH_GEN,
  C_FLUSH_MM,
  C_FLUSH_START,
  C_FLUSH_TABLES,
  C_IPI_WAIT,
  C_MM,
  C_TLB_GEN,
  MM_CPUMASK,
  MM_TLB_GEN,
} from '../word/layout.ts';
import { cpuId, thisCpu } from '../word/percpu.ts';
import { add, and, load, or, peek, poke } from '../word/word.ts';
import { waitInterrupt } from './ipi.ts';
import { sendTlbInterrupt } from './irq.ts';
import { tlbFlushLocalAll, tlbHandleFlush } from './tlb.ts';

/** Makes `mm` (0: none) the address space whose translations this CPU caches. */
export function switchMm(mm: Mm): void {
  const cpu = thisCpu();
  const old = peek(cpu + C_MM);
  if (old === mm) return;
  const bit: u32 = (1 << cpuId()) >>> 0;
  if (mm !== 0) {
    // Pairs with flushTlbRange, which reads the mask after it has moved the generation on: it sees the bit, or this CPU
    // the generation.
    or(mm + MM_CPUMASK, bit);
    poke(cpu + C_TLB_GEN, load(mm + MM_TLB_GEN));
  }
  tlbFlushLocalAll();
  poke(cpu + C_MM, mm);
  // No pair: nothing of the old one is cached here by now; whoever still sees the bit interrupts for nothing.
  if (old !== 0) and(old + MM_CPUMASK, ~bit >>> 0);
}

/**
 * Invalidates translations of [start, end) of `mm` on every CPU, with `freedTables` upper entries as well.
 * Precondition: the page-table entries are cleared or changed already; interrupts are enabled. Locks may be held: a CPU
 * that spins on one answers interrupts.
 */
export function flushTlbRange(mm: Mm, start: Vpn, end: Vpn, freedTables: boolean): void {
  const cpu = thisCpu();
  // Pairs with switchMm, which reads the generation after it has set its bit in the mask, and with the reads of tlb.ts.
  const generation: u32 = (add(mm + MM_TLB_GEN, 1) + 1) >>> 0;
  poke(cpu + C_FLUSH_MM, mm);
  poke(cpu + C_FLUSH_START, start);
  poke(cpu + C_FLUSH_END, end);
  poke(cpu + C_FLUSH_TABLES, freedTables ? 1 : 0);
  poke(cpu + C_FLUSH_GEN, generation);
  tlbHandleFlush(cpuId());
  count(COUNTER_TLB_FLUSHES);
  event(EVENT_FLUSH, start, end);
  const own = cpuId();
  let targets: u32 = (load(mm + MM_CPUMASK) & ~(1 << own)) >>> 0;
  let waited: u32 = 0;
  for (let target: u32 = 0; targets !== 0; target += 1) {
    if ((targets & 1) !== 0) {
      poke(cpu + C_IPI_WAIT + (target << 2), sendTlbInterrupt(target));
      waited = (waited | (1 << target)) >>> 0;
      count(COUNTER_TLB_INTERRUPTS);
    }
    targets = targets >>> 1;
  }
  for (let target: u32 = 0; waited !== 0; target += 1) {
    if ((waited & 1) !== 0) waitInterrupt(target, peek(cpu + C_IPI_WAIT + (target << 2)));
    waited = waited >>> 1;
  }
}
