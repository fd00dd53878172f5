/**
 * What is remembered of each wait for a lock when contention is measured (LOCK_STAT_CONTENTION): who waited for whom, doing what, for
 * which lock, at which addresses, how long. Off, nothing here is reached: only a contended acquisition looks whether it is on.
 *
 * All of it is in the CPU's own measuring region, which nobody else writes; reports add the regions up. Memory is bounded:
 *   - Who waited for whom: a cell for each holder that the waiter saw when it began to wait: a CPU, the readers of a reader-writer lock, or
 *     nobody, when the lock was free again by then.
 *   - Points: waits by the operation of the waiter and of the holder, for each class (lock_stat's contention points are call sites).
 *   - Worst locks: a table of INSTANCE_SETS sets of INSTANCE_WAYS. A lock that finds its set full takes the place of the one with the least
 *     total and begins with that total, kept as its error: a lock's true total is between total - error and total, and one that was waited for
 *     longer than any in its set is never missing (Metwally et al. 2005, Space-Saving, per set).
 *   - Heat: for each level of locks HEAT_COLUMNS cells over an aligned block of pages. An address outside doubles the block, pairs of cells
 *     becoming one, until it is inside; so blocks of two CPUs are of one binary tree and reports bring them to the coarser.
 *
 * A lock is named with the first page that it protected at the time, since tables and VMAs are freed and used again under other names.
 * Source: Linux kernel/locking/lockdep.c (lock_contended, lock_acquired), Documentation/locking/lockstat.rst.
 */

import { PMD_SHIFT } from './config.ts';
import {
  C_OP,
  C_OP_B,
  cpuArea,
  H_LOCK_STAT,
  H_MEASURE_BASE,
  M_HEAT,
  M_HEAT_ROWS,
  M_HISTOGRAM_BYTES,
  M_HISTOGRAMS,
  M_INSTANCES,
  M_POINTS,
  M_WAITED,
  MEASURE_SHIFT,
  MM_LOCK,
  MM_PAGE_TABLE_LOCK,
  PT_FIRST,
  PT_LOCK,
  PT_MM,
  VMA_END,
  VMA_MM,
  VMA_REF,
  VMA_START,
} from './layout.ts';
import { histogramCount } from './histogram.ts';
import {
  LC_MMAP_READ,
  LC_MMAP_WRITE,
  LC_PAGE_TABLE,
  LC_PMD,
  LC_PTE,
  LC_VMA_READ,
  LC_VMA_WRITE,
} from './lockOrder.ts';
import { addLong, countWait, LOCK_STAT_CONTENTION } from './lockStat.ts';
import { cpuId, thisCpu } from './percpu.ts';
import { EVENT_LOCK_WAITED, event } from './report.ts';
import { clockNs, load, peek, poke } from './word.ts';

/** Whom a waiter saw: 0 nobody, a CPU's number + 1, or readers. */
export const HOLDER_NOBODY: u32 = 0;
export const HOLDER_READERS: u32 = 33;
export const HOLDERS: u32 = 34;

/** Histograms of a region by number: grace periods, synchronizeRcu, waits for interrupts; then waits of each lock class. */
export const MEASURED_GRACE_PERIOD: u32 = 0;
export const MEASURED_SYNCHRONIZE: u32 = 1;
export const MEASURED_INTERRUPT: u32 = 2;
export const MEASURED_LOCK: u32 = 8;
export const MEASURED: u32 = 40;

/** Operations (OP_) that points tell apart; those beyond count as the last. */
export const POINT_OPS: u32 = 32;

export const INSTANCE_SETS: u32 = 64;
export const INSTANCE_WAYS: u32 = 8;
export const INSTANCE_BYTES: u32 = 64;
/** Words of an instance; a time total or error is two words, low then high, nanoseconds. */
export const I_LOCK: u32 = 0; // the lock's address; 0: empty
export const I_CLASS: u32 = 4;
export const I_FIRST: u32 = 8; // first page protected, of table and VMA locks
export const I_END: u32 = 12; // page after the last, of VMA locks
export const I_MM: u32 = 16; // address space, 0: none
export const I_WAITS: u32 = 20;
export const I_TOTAL: u32 = 24;
export const I_ERROR: u32 = 32;
export const I_MAX: u32 = 40;
export const I_WAITS_ERROR: u32 = 44;

/** Rows of the heat map: locks of PTE tables, PMD tables, page_table_locks, VMA locks, mmap_locks. */
export const HEAT_ROWS: u32 = 5;
export const HEAT_COLUMNS: u32 = 512;
export const HEAT_CELL_SHIFT: u32 = 4;
export const HEAT_USED: u32 = 0;
export const HEAT_FIRST: u32 = 4;
export const HEAT_SHIFT: u32 = 8;

function region(): u32 {
  return peek(H_MEASURE_BASE) + (cpuId() << MEASURE_SHIFT);
}

/** Whether contention is measured. */
export function contentionMeasured(): boolean {
  return (peek(H_LOCK_STAT) & LOCK_STAT_CONTENTION) !== 0;
}

/** Counts a duration of the given kind (MEASURED_). Precondition: contention is measured. */
export function measureDuration(kind: u32, ns: u32): void {
  histogramCount(region() + M_HISTOGRAMS + kind * M_HISTOGRAM_BYTES, ns);
}

/**
 * This CPU has just got the lock at `lock` of class `cls` after a wait that began at `startNs`, when it saw `holder` (HOLDER_, or a CPU's
 * number + 1). The lock's last holder stands at `last` still.
 */
export function lockWaited(lock: u32, cls: u32, last: u32, startNs: u32, holder: u32): void {
  const ns = (clockNs() - startNs) >>> 0;
  countWait(cls, ns, last);
  event(EVENT_LOCK_WAITED, lock, ns);
  if (contentionMeasured()) noteContention(lock, cls, ns, holder);
}

function noteContention(lock: u32, cls: u32, ns: u32, holder: u32): void {
  const at = region();
  histogramCount(at + M_HISTOGRAMS + (MEASURED_LOCK + cls) * M_HISTOGRAM_BYTES, ns);
  addToCell(at + M_WAITED + (holder << 4), ns);
  countPoint(at + M_POINTS, cls, peek(thisCpu() + C_OP));
  if (holder !== HOLDER_NOBODY && holder !== HOLDER_READERS)
    countPoint(at + M_POINTS + POINT_OPS * 128, cls, load(cpuArea(holder - 1) + C_OP));
  const first = firstPage(lock, cls);
  countInstance(at + M_INSTANCES, lock, cls, first, ns);
  const row = heatRow(cls);
  if (row < HEAT_ROWS) {
    const page = cls === LC_PTE || cls === LC_PMD ? first : peek(thisCpu() + C_OP_B);
    addToCell(heatCell(at, row, page), ns);
  }
}

/** A cell is {count, ns low, ns high}. */
function addToCell(cell: u32, ns: u32): void {
  poke(cell, peek(cell) + 1);
  addLong(cell + 4, ns);
}

function countPoint(points: u32, cls: u32, op: u32): void {
  const at = points + ((cls * POINT_OPS + (op < POINT_OPS ? op : POINT_OPS - 1)) << 2);
  poke(at, peek(at) + 1);
}

/** First page that the lock protects, as far as its class has one. The words may be changing: then either value is one that it had. */
function firstPage(lock: u32, cls: u32): u32 {
  if (cls === LC_PTE || cls === LC_PMD) return load(lock - PT_LOCK + PT_FIRST);
  if (cls === LC_VMA_READ || cls === LC_VMA_WRITE) return load(lock - VMA_REF + VMA_START);
  return 0;
}

function endPage(lock: u32, cls: u32): u32 {
  if (cls === LC_VMA_READ || cls === LC_VMA_WRITE) return load(lock - VMA_REF + VMA_END);
  return 0;
}

function addressSpace(lock: u32, cls: u32): u32 {
  if (cls === LC_PTE || cls === LC_PMD) return load(lock - PT_LOCK + PT_MM);
  if (cls === LC_PAGE_TABLE) return lock - MM_PAGE_TABLE_LOCK;
  if (cls === LC_MMAP_READ || cls === LC_MMAP_WRITE) return lock - MM_LOCK;
  if (cls === LC_VMA_READ || cls === LC_VMA_WRITE) return load(lock - VMA_REF + VMA_MM);
  return 0;
}

function countInstance(instances: u32, lock: u32, cls: u32, first: u32, ns: u32): void {
  const mixed: u32 = (((lock >>> 4) ^ (first >>> PMD_SHIFT) ^ (cls << 3)) * 0x9e37) >>> 0;
  const set = instances + ((mixed >>> 7) & (INSTANCE_SETS - 1)) * INSTANCE_WAYS * INSTANCE_BYTES;
  let found: u32 = 0;
  let least = set;
  for (let way: u32 = 0; way < INSTANCE_WAYS && found === 0; way++) {
    const at = set + way * INSTANCE_BYTES;
    if (peek(at + I_LOCK) === lock && peek(at + I_CLASS) === cls && peek(at + I_FIRST) === first)
      found = at;
    else if (shorterTotal(at, least)) least = at;
  }
  if (found === 0) {
    found = least;
    poke(found + I_ERROR, peek(found + I_TOTAL));
    poke(found + I_ERROR + 4, peek(found + I_TOTAL + 4));
    poke(found + I_WAITS_ERROR, peek(found + I_WAITS));
    poke(found + I_LOCK, lock);
    poke(found + I_CLASS, cls);
    poke(found + I_FIRST, first);
    poke(found + I_MAX, 0);
  }
  poke(found + I_END, endPage(lock, cls));
  poke(found + I_MM, addressSpace(lock, cls));
  addToCell(found + I_WAITS, ns);
  if (ns > peek(found + I_MAX)) poke(found + I_MAX, ns);
}

function shorterTotal(one: u32, other: u32): boolean {
  const high = peek(one + I_TOTAL + 4);
  const otherHigh = peek(other + I_TOTAL + 4);
  if (high !== otherHigh) return high < otherHigh;
  return peek(one + I_TOTAL) < peek(other + I_TOTAL);
}

function heatRow(cls: u32): u32 {
  if (cls === LC_PTE) return 0;
  if (cls === LC_PMD) return 1;
  if (cls === LC_PAGE_TABLE) return 2;
  if (cls === LC_VMA_READ || cls === LC_VMA_WRITE) return 3;
  if (cls === LC_MMAP_READ || cls === LC_MMAP_WRITE) return 4;
  return HEAT_ROWS;
}

/** The cell of `page` in a row, whose block of pages is made large enough first. */
function heatCell(at: u32, row: u32, page: u32): u32 {
  const head = at + M_HEAT_ROWS + (row << 4);
  const cells = at + M_HEAT + row * (HEAT_COLUMNS << HEAT_CELL_SHIFT);
  if (peek(head + HEAT_USED) === 0) {
    poke(head + HEAT_USED, 1);
    poke(head + HEAT_SHIFT, PMD_SHIFT);
    poke(head + HEAT_FIRST, alignedFirst(page >>> PMD_SHIFT));
  }
  while (alignedFirst(page >>> peek(head + HEAT_SHIFT)) !== peek(head + HEAT_FIRST))
    coarsen(head, cells);
  const bucket = (page >>> peek(head + HEAT_SHIFT)) - peek(head + HEAT_FIRST);
  return cells + (bucket << HEAT_CELL_SHIFT);
}

/** First bucket of the aligned block of HEAT_COLUMNS buckets that `bucket` is in. */
function alignedFirst(bucket: u32): u32 {
  return (bucket - (bucket & (HEAT_COLUMNS - 1))) >>> 0;
}

/** Doubles the pages of a bucket: pairs of cells become one, in the half of the new block that the old one is. */
function coarsen(head: u32, cells: u32): void {
  const half: u32 = HEAT_COLUMNS >>> 1;
  const middle = peek(head + HEAT_FIRST) >>> 1;
  const first = alignedFirst(middle);
  const upper = middle !== first;
  for (let i: u32 = 0; i < half; i++) {
    // Towards the end that is kept, so that no cell is overwritten before it has been read.
    const from = upper ? half - 1 - i : i;
    mergeCells(cells, upper ? half + from : from, from << 1);
  }
  for (let i: u32 = 0; i < half; i++)
    clearCell(cells + ((upper ? i : half + i) << HEAT_CELL_SHIFT));
  poke(head + HEAT_FIRST, first);
  poke(head + HEAT_SHIFT, peek(head + HEAT_SHIFT) + 1);
}

/** Cell `to` becomes the sum of `from` and the one after it; `to` may be one of them. */
function mergeCells(cells: u32, to: u32, from: u32): void {
  const target = cells + (to << HEAT_CELL_SHIFT);
  const one = cells + (from << HEAT_CELL_SHIFT);
  const other = one + (1 << HEAT_CELL_SHIFT);
  const count = peek(one) + peek(other);
  const low = (peek(one + 4) + peek(other + 4)) >>> 0;
  const carry: u32 = low < peek(other + 4) ? 1 : 0;
  const high = peek(one + 8) + peek(other + 8) + carry;
  poke(target, count);
  poke(target + 4, low);
  poke(target + 8, high);
}

function clearCell(cell: u32): void {
  poke(cell, 0);
  poke(cell + 4, 0);
  poke(cell + 8, 0);
}
