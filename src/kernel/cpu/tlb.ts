/**
 * The software TLB and paging-structure cache of each CPU, and their invalidation.
 *
 * Guarantee: when `flushTlbRange` returns, no CPU uses a translation of the range that was cached before the call; with
 * `freedTables` no CPU uses a cached upper entry either. Translations of an mm are cached only by CPUs in its
 * MM_CPUMASK.
 *
 *  Flush: 1. MM_TLB_GEN of the mm + 1; 2. write the request into this CPU's area, invalidate locally; 3. read
 *  MM_CPUMASK, interrupt each other CPU in it; 4. wait for every acknowledgement.
 *  Handler: if the request is the next generation and the newest, invalidate its range; else everything. Either way
 *  this CPU's generation becomes the newest read.
 *  Idle: an idle CPU is not waited for (irq.ts) and ignores requests; on leaving it invalidates everything if the
 *    generation has moved. Its hardware does not walk meanwhile: it is as if no address space were loaded, and the
 *    translations kept by a PCID. (A CPU that stays in its address space while lazy could cache entries of freed
 *    tables; Linux therefore interrupts lazy CPUs, too, when tables are freed.)
 *  Switch of mm: mask bit of the new mm, then its generation, then the local invalidation, then the old mm's bit goes.
 *
 * The mask and the generation: a flusher moves the generation on before it reads the mask; a CPU sets its bit before it
 * reads the generation. In the one order of all atomics, either the flusher sees the bit, or the CPU sees the
 * generation, and fills its empty TLB from entries that were cleared before.
 *
 * Requests are plain words: they are constant while their sender waits, and a target reads them only after an atomic of
 * the sender's (irq.ts). Source: Linux arch/x86/mm/tlb.c (flush_tlb_func, switch_mm_irqs_off, tlb_is_not_lazy); Intel
 * SDM 3A, 4.10 (caching translation information).
 */

import { count, COUNTER_TLB_FULL_FLUSHES } from '../observe/stats.ts';
import {
  PGD_SHIFT,
  PMD_SHIFT,
  PSC_BITS,
  PUD_SHIFT,
  TABLE_BITS,
  TLB_BITS,
  TLB_FLUSH_CEILING,
} from '../word/config.ts';
import {
  C_FLUSH_END,
  C_FLUSH_GEN,
  C_FLUSH_MM,
  C_FLUSH_START,
  C_FLUSH_TABLES,
  C_MM,
  C_PSC,
  C_TLB,
  C_TLB_EPOCH,
  C_TLB_GEN,
  C_TLB_LAZY,
  cpuArea,
  MM_TLB_GEN,
  PSC_BYTES,
} from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { load, peek, poke } from '../word/word.ts';

/** Words of a TLB entry: vpn, page-table entry (0: invalid), the frame's generation, the epoch it belongs to. */
export const TLB_VPN: u32 = 0;
export const TLB_ENTRY: u32 = 4;
export const TLB_STAMP: u32 = 8;
export const TLB_EPOCH: u32 = 12;

/**
 * Words of a paging-structure-cache entry, of which each level (PMD_SHIFT, PUD_SHIFT, PGD_SHIFT) has its own: vpn >>>
 * shift, the upper entry (0: invalid), the generation of the table that it names, the epoch.
 */
export const PSC_TAG: u32 = 0;
export const PSC_ENTRY: u32 = 4;
export const PSC_GENERATION: u32 = 8;
export const PSC_EPOCH: u32 = 12;

/** Address of the TLB entry in which `vpn` is cached, if at all. */
export function tlbSlot(vpn: Vpn): u32 {
  return thisCpu() + C_TLB + ((vpn & ((1 << TLB_BITS) - 1)) << 4);
}

/**
 * Address of the paging-structure-cache entry in which the upper entry for `vpn` at the level of `shift` is cached, if
 * at all.
 */
export function pscSlot(vpn: Vpn, shift: u32): u32 {
  const level = thisCpu() + C_PSC + (shift / TABLE_BITS - 1) * PSC_BYTES;
  return level + (((vpn >>> shift) & ((1 << PSC_BITS) - 1)) << 4);
}

/** Invalidates the upper entry for `vpn` that is cached here at the level of `shift`, if one is. */
function forgetUpper(vpn: Vpn, shift: u32): void {
  const slot = pscSlot(vpn, shift);
  if (peek(slot + PSC_TAG) === vpn >>> shift) poke(slot + PSC_ENTRY, 0);
}

/** Invalidates everything that is cached here on the way to page `vpn`. */
export function forgetTranslation(vpn: Vpn): void {
  const slot = tlbSlot(vpn);
  if (peek(slot + TLB_VPN) === vpn) poke(slot + TLB_ENTRY, 0);
  forgetUpper(vpn, PMD_SHIFT);
  forgetUpper(vpn, PUD_SHIFT);
  forgetUpper(vpn, PGD_SHIFT);
}

/** Invalidates every translation and upper entry cached here. */
export function tlbFlushLocalAll(): void {
  const cpu = thisCpu();
  poke(cpu + C_TLB_EPOCH, (peek(cpu + C_TLB_EPOCH) + 1) >>> 0);
  count(COUNTER_TLB_FULL_FLUSHES);
}

/** Invalidates translations of [start, end) cached here, with `tables` the upper entries of that range too. */
function tlbFlushLocal(start: Vpn, end: Vpn, tables: boolean): void {
  if (end - start > TLB_FLUSH_CEILING) {
    tlbFlushLocalAll();
    return;
  }
  for (let vpn = start; vpn !== end; vpn += 1) {
    if (tables) forgetTranslation(vpn);
    else if (peek(tlbSlot(vpn) + TLB_VPN) === vpn) poke(tlbSlot(vpn) + TLB_ENTRY, 0);
  }
}

/** Interrupt handler: does what CPU `from` requests of this one. */
export function tlbHandleFlush(from: Cpu): void {
  const cpu = thisCpu();
  if (peek(cpu + C_TLB_LAZY) !== 0) return;
  const request = cpuArea(from);
  const mm = peek(request + C_FLUSH_MM);
  if (mm !== peek(cpu + C_MM)) return;
  const seen = load(mm + MM_TLB_GEN);
  const local = peek(cpu + C_TLB_GEN);
  if (seen === local) return;
  const wanted = peek(request + C_FLUSH_GEN);
  if (wanted === seen && wanted === (local + 1) >>> 0)
    tlbFlushLocal(
      peek(request + C_FLUSH_START),
      peek(request + C_FLUSH_END),
      peek(request + C_FLUSH_TABLES) !== 0,
    );
  else tlbFlushLocalAll();
  poke(cpu + C_TLB_GEN, seen);
}

/** Before this CPU becomes idle: from here on flush requests are left for `tlbLeaveLazy`. */
export function tlbEnterLazy(): void {
  poke(thisCpu() + C_TLB_LAZY, 1);
}

/** After this CPU left the idle state, and before anything else: catches up with the flushes it was not waited for. */
export function tlbLeaveLazy(): void {
  const cpu = thisCpu();
  poke(cpu + C_TLB_LAZY, 0);
  const mm = peek(cpu + C_MM);
  if (mm === 0) return;
  const seen = load(mm + MM_TLB_GEN);
  if (seen === peek(cpu + C_TLB_GEN)) return;
  tlbFlushLocalAll();
  poke(cpu + C_TLB_GEN, seen);
}
