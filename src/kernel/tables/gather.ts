/**
 * The mmu_gather: what a zap or an unmapping has taken out of the page tables and may free only after the TLBs forgot
 * it.
 *
 * Guarantee: no table and no frame that was put into a gather is freed before a flush of its range, and no table before
 * the readers that the freeing mode waits for.
 *
 *  1. gatherStart: one more gather open in the mm.
 *  2. The caller clears entries and notes them: `gatherNoteRange`, `gatherPage` for each frame, `gatherTable` for each
 *     table.
 *  3. Flush (`gatherFlush`, also when the gather is full): TLBs first; then the batch of tables to RCU; then the
 *     frames.
 *  4. gatherFinish: if another gather of the mm is open, its clearings may have been skipped over here as "already
 *     none" while the TLBs still hold them, so this one flushes the whole mm, tables included. Then step 3, and one
 *     gather less.
 *
 * Tables are collected in a batch page. How they are freed (axis `free`):
 *
 *     mode       full or flushed batch      no batch page could be allocated
 *     rcu        callRcu on the batch       callRcu on the head inside the table's own descriptor
 *     semi-rcu   callRcu on the batch       interrupt every CPU, wait, free: waits only for walkers with interrupts off
 *     immediate  free at once: wrong on purpose
 *
 * A gather belongs to one CPU; all its words are in that CPU's area. Lock order: none held when flushing, but for a
 * forced flush of the TLBs alone under a PTE lock. Source: Linux mm/mmu_gather.c (__tlb_remove_page_size,
 * tlb_remove_table, tlb_finish_mmu).
 */

import { folioPut } from '../alloc/frame.ts';
import { freeTableBatch, LEVEL_BATCH, ptdescOf, tableAlloc, tableFree } from '../alloc/table.ts';
import { flushTlbRange } from '../cpu/flush.ts';
import { interruptAll } from '../cpu/ipi.ts';
import { IPI_SYNC } from '../cpu/irq.ts';
import { violation } from '../observe/report.ts';
import { count, COUNTER_GATHER_FULL, COUNTER_TABLES_FREED_SINGLY } from '../observe/stats.ts';
import { callRcu } from '../rcu/rcu.ts';
import { RCU_FREE_BATCH, RCU_FREE_TABLE } from '../rcu/rcuCallbacks.ts';
import { CHECK } from '../word/check.ts';
import {
  FREE_IMMEDIATE,
  FREE_SEMI_RCU,
  GATHER_BUNDLE,
  GATHER_NEST,
  ORACLE_ACCOUNTING,
  PMD_PAGES,
  TASK_END,
} from '../word/config.ts';
import {
  C_GATHER_DEPTH,
  C_GATHERS,
  GATHER_BYTES,
  H_BATCH_COUNT,
  H_BATCH_ENTRIES,
  MM_TLB_PENDING,
  PT_COUNT,
  PT_NEXT,
  PT_RCU,
  tableAddress,
} from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { runFree } from '../word/run.ts';
import { add, load, peek, poke, sub } from '../word/word.ts';

const GATHER_MM: u32 = 0;
/** Range cleared since the last flush; empty when start is not below end. */
const GATHER_START: u32 = 4;
const GATHER_END: u32 = 8;
/** 1: upper entries were cleared since the last flush. */
const GATHER_TABLES: u32 = 12;
/** 1: the next flush is of the whole mm. */
const GATHER_FULL_MM: u32 = 16;
/** Frames in the bundle. */
const GATHER_COUNT: u32 = 20;
/** First and newest batch page of frames (table numbers), and how many there are. */
const GATHER_FIRST: u32 = 24;
const GATHER_LAST: u32 = 28;
const GATHER_BATCHES: u32 = 32;
/** Batch page of tables, 0: none. */
const GATHER_TABLE_BATCH: u32 = 36;
/** What a zap does about userfaultfd markers: MARKERS_. */
const GATHER_MARKERS: u32 = 40;
const GATHER_FRAMES: u32 = 64;

/**
 * Markers go with all else (the default); they stay; and one takes the place of each page that is write-protected for a
 * userfaultfd.
 */
export const MARKERS_DROP: u32 = 0;
export const MARKERS_KEEP: u32 = 1;
export const MARKERS_MAKE: u32 = 2;

/** Opens a gather in `mm` on this CPU and returns its address. GATHER_NEST may be open at once. */
export function gatherStart(mm: Mm): Gather {
  const cpu = thisCpu();
  const depth = peek(cpu + C_GATHER_DEPTH);
  if (CHECK >= 1 && depth >= GATHER_NEST) violation(ORACLE_ACCOUNTING, mm, depth, 0);
  const gather = cpu + C_GATHERS + depth * GATHER_BYTES;
  poke(cpu + C_GATHER_DEPTH, depth + 1);
  poke(gather + GATHER_MM, mm);
  poke(gather + GATHER_FULL_MM, 0);
  poke(gather + GATHER_COUNT, 0);
  poke(gather + GATHER_FIRST, 0);
  poke(gather + GATHER_LAST, 0);
  poke(gather + GATHER_BATCHES, 0);
  poke(gather + GATHER_TABLE_BATCH, 0);
  poke(gather + GATHER_MARKERS, MARKERS_DROP);
  resetRange(gather);
  add(mm + MM_TLB_PENDING, 1);
  return gather;
}

/** Says what zaps into this gather do about markers, from here on. */
export function gatherSetMarkers(gather: Gather, markers: u32): void {
  poke(gather + GATHER_MARKERS, markers);
}

/** What was said by gatherSetMarkers. */
export function gatherMarkers(gather: Gather): u32 {
  return peek(gather + GATHER_MARKERS);
}

function resetRange(gather: Gather): void {
  poke(gather + GATHER_START, TASK_END);
  poke(gather + GATHER_END, 0);
  poke(gather + GATHER_TABLES, 0);
}

/** Notes that entries of [start, end) were cleared. */
export function gatherNoteRange(gather: Gather, start: Vpn, end: Vpn): void {
  if (start < peek(gather + GATHER_START)) poke(gather + GATHER_START, start);
  if (end > peek(gather + GATHER_END)) poke(gather + GATHER_END, end);
}

/** Adds a batch page for frames; whether there is one now. */
function nextBatch(gather: Gather): boolean {
  if (peek(gather + GATHER_BATCHES) >= peek(H_BATCH_COUNT)) return false;
  const batch = tableAlloc(LEVEL_BATCH, 0, 0, 0);
  if (batch === 0) return false;
  const last = peek(gather + GATHER_LAST);
  if (last === 0) poke(gather + GATHER_FIRST, batch);
  else poke(ptdescOf(last) + PT_NEXT, batch);
  poke(gather + GATHER_LAST, batch);
  poke(gather + GATHER_BATCHES, peek(gather + GATHER_BATCHES) + 1);
  return true;
}

/**
 * Hands the reference that a cleared entry held on `frame` to the gather. Returns true when the gather is full now: the
 * caller must flush it before it hands over another frame.
 */
export function gatherPage(gather: Gather, frame: Frame): boolean {
  const batch = peek(gather + GATHER_LAST);
  if (batch === 0) {
    const held = peek(gather + GATHER_COUNT);
    poke(gather + GATHER_FRAMES + (held << 2), frame);
    poke(gather + GATHER_COUNT, held + 1);
    if (held + 1 < GATHER_BUNDLE) return false;
  } else {
    const desc = ptdescOf(batch);
    const held = peek(desc + PT_COUNT);
    poke(tableAddress(batch) + (held << 2), frame);
    poke(desc + PT_COUNT, held + 1);
    if (held + 1 < peek(H_BATCH_ENTRIES)) return false;
  }
  if (nextBatch(gather)) return false;
  count(COUNTER_GATHER_FULL);
  return true;
}

/** Flushes the TLBs for what was noted since the last flush. */
export function gatherFlushTlb(gather: Gather): void {
  const mm = peek(gather + GATHER_MM);
  const start = peek(gather + GATHER_START);
  const end = peek(gather + GATHER_END);
  const tables = peek(gather + GATHER_TABLES);
  if (peek(gather + GATHER_FULL_MM) !== 0) {
    flushTlbRange(mm, 0, TASK_END, true);
    poke(gather + GATHER_FULL_MM, 0);
  } else if (start < end) flushTlbRange(mm, start, end, tables !== 0);
  resetRange(gather);
}

/** Hands the batch of tables, if any, to whoever frees it. Precondition: nothing; flushes the TLBs first. */
function flushTables(gather: Gather): void {
  const batch = peek(gather + GATHER_TABLE_BATCH);
  if (batch === 0) return;
  gatherFlushTlb(gather);
  poke(gather + GATHER_TABLE_BATCH, 0);
  if (runFree() === FREE_IMMEDIATE) freeTableBatch(batch);
  else callRcu(ptdescOf(batch) + PT_RCU, RCU_FREE_BATCH);
}

/** The newest gather that this CPU has open, if it is one in `mm`; else 0. */
export function gatherOf(mm: Mm): Gather {
  const cpu = thisCpu();
  const depth = peek(cpu + C_GATHER_DEPTH);
  if (depth === 0) return 0;
  const gather: Gather = cpu + C_GATHERS + (depth - 1) * GATHER_BYTES;
  return peek(gather + GATHER_MM) === mm ? gather : 0;
}

/**
 * Vpn after a table's range of `pages` from `first` on (`pages` 0: to the top). The sum would wrap for the last table
 * of the address space.
 */
function tableEnd(first: Vpn, pages: u32): u32 {
  return pages === 0 || pages > TASK_END - first ? TASK_END : first + pages;
}

/** Frees one detached table after a grace period, by the head in its descriptor. */
function freeTableByRcu(table: TableNumber): void {
  callRcu(ptdescOf(table) + PT_RCU, RCU_FREE_TABLE);
}

/**
 * Frees a detached PTE table, which mapped from `first` on, without a gather: flushes its range, and hands it to RCU in
 * every mode but `immediate`. No spinlock held.
 */
export function freeTableAlone(mm: Mm, table: TableNumber, first: Vpn): void {
  flushTlbRange(mm, first, tableEnd(first, PMD_PAGES), true);
  count(COUNTER_TABLES_FREED_SINGLY);
  if (runFree() === FREE_IMMEDIATE) tableFree(table);
  else freeTableByRcu(table);
}

/** Frees one table for which there was no room in a batch. */
function freeTableSingly(gather: Gather, table: TableNumber): void {
  gatherFlushTlb(gather);
  count(COUNTER_TABLES_FREED_SINGLY);
  const mode = runFree();
  if (mode === FREE_IMMEDIATE) {
    tableFree(table);
  } else if (mode === FREE_SEMI_RCU) {
    interruptAll(IPI_SYNC);
    tableFree(table);
  } else {
    freeTableByRcu(table);
  }
}

/**
 * Takes over a detached table that mapped from `first` on `pages` pages (0: to the top). Precondition: no spinlock
 * held, since a failed batch allocation flushes at once.
 */
export function gatherTable(gather: Gather, table: TableNumber, first: Vpn, pages: u32): void {
  gatherNoteRange(gather, first, tableEnd(first, pages));
  poke(gather + GATHER_TABLES, 1);
  let batch = peek(gather + GATHER_TABLE_BATCH);
  if (batch === 0) {
    batch = tableAlloc(LEVEL_BATCH, 0, 0, 0);
    if (batch === 0) {
      freeTableSingly(gather, table);
      return;
    }
    poke(gather + GATHER_TABLE_BATCH, batch);
  }
  const desc = ptdescOf(batch);
  const held = peek(desc + PT_COUNT);
  poke(tableAddress(batch) + (held << 2), table);
  poke(desc + PT_COUNT, held + 1);
  if (held + 1 >= peek(H_BATCH_ENTRIES)) flushTables(gather);
}

/** As gatherTable for a PTE table, whose range is one PMD entry's. */
export function pteFreeTlb(gather: Gather, table: TableNumber, first: Vpn): void {
  gatherTable(gather, table, first, PMD_PAGES);
}

/** Flushes: TLBs, then tables, then frames; the gather is empty afterwards. No spinlock held. */
export function gatherFlush(gather: Gather): void {
  gatherFlushTlb(gather);
  flushTables(gather);
  const bundled = peek(gather + GATHER_COUNT);
  for (let i: u32 = 0; i < bundled; i += 1) folioPut(peek(gather + GATHER_FRAMES + (i << 2)));
  poke(gather + GATHER_COUNT, 0);
  let batch = peek(gather + GATHER_FIRST);
  while (batch !== 0) {
    const next = peek(ptdescOf(batch) + PT_NEXT);
    const frames = peek(ptdescOf(batch) + PT_COUNT);
    for (let i: u32 = 0; i < frames; i += 1) folioPut(peek(tableAddress(batch) + (i << 2)));
    tableFree(batch);
    batch = next;
  }
  poke(gather + GATHER_FIRST, 0);
  poke(gather + GATHER_LAST, 0);
  poke(gather + GATHER_BATCHES, 0);
}

/** Flushes and closes this CPU's newest gather. No spinlock held. */
export function gatherFinish(gather: Gather): void {
  const mm = peek(gather + GATHER_MM);
  if (load(mm + MM_TLB_PENDING) > 1) poke(gather + GATHER_FULL_MM, 1);
  gatherFlush(gather);
  sub(mm + MM_TLB_PENDING, 1);
  const cpu = thisCpu();
  poke(cpu + C_GATHER_DEPTH, peek(cpu + C_GATHER_DEPTH) - 1);
}
