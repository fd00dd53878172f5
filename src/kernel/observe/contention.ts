/**
 * What is remembered of each wait for a lock when contention is measured (LOCK_STAT_CONTENTION): who waited for whom,
 * doing what, for which lock, at which addresses, how long. Waits come here by the log (waitLog.ts), when the operation
 * that had them is over. Off, nothing here is reached: only a contended acquisition and the end of an operation look
 * whether it is on.
 *
 * All of it is in the CPU's own measuring region, which nobody else writes; reports add the regions up. Memory is
 * bounded:
 *   - Who waited for whom: a cell for each holder that the waiter saw when it began to wait: a CPU, the readers of a
 *     reader-writer lock, or nobody, when the lock was free again by then or does not say whose it is.
 *   - Points: waits by the operation of the waiter and of the holder, for each class (lock_stat's contention points are
 *     call sites).
 *   - Worst locks: a table of INSTANCE_SETS sets of INSTANCE_WAYS. A lock that finds its set full takes the place of
 *     the one with the least total and begins with that total, kept as its error: a lock's true total is between total
 *     - error and total, and one that was waited for longer than any in its set is never missing (Metwally et al. 2005,
 *       Space-Saving, per set).
 *   - Heat: for each level of locks HEAT_COLUMNS cells over an aligned block of pages. An address outside doubles the
 *     block, pairs of cells becoming one, until it is inside; so blocks of two CPUs are of one binary tree and reports
 *     bring them to the coarser.
 *
 * A lock is named with the first page that it protected at the time, since tables and VMAs are freed and used again
 * under other names.
 * Source: Linux kernel/locking/lockdep.c (lock_contended, lock_acquired), Documentation/locking/lockstat.rst.
 */

import { PMD_SHIFT } from '../word/config.ts';
import {
  H_MEASURE_BASE,
  M_HEAT,
  M_HEAT_ROWS,
  M_HISTOGRAM_BYTES,
  M_HISTOGRAMS,
  M_INSTANCES,
  M_POINTS,
  M_WAITED,
  MEASURE_SHIFT,
  W_CLASS,
  W_END,
  W_FIRST,
  W_HOLDER,
  W_HOLDER_OP,
  W_LOCK,
  W_MM,
  W_NS,
  W_OP,
  W_PAGE,
} from '../word/layout.ts';
import { cpuId } from '../word/percpu.ts';
import { runLockStat } from '../word/run.ts';
import { peek, poke } from '../word/word.ts';
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
import { addLong, LOCK_STAT_CONTENTION } from './lockStat.ts';

/** Whom a waiter saw: 0 nobody, a CPU's number + 1, or readers. */
export const HOLDER_NOBODY: u32 = 0;
export const HOLDER_READERS: u32 = 33;
export const HOLDERS: u32 = 34;

/**
 * Histograms of a region by number: grace periods, synchronizeRcu, waits for interrupts; then waits of each lock class.
 */
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

/**
 * Whether contention is measured.
 * @inline
 */
export function contentionMeasured(): boolean {
  return (runLockStat() & LOCK_STAT_CONTENTION) !== 0;
}

/** Counts a duration of the given kind (MEASURED_). Precondition: contention is measured. */
export function measureDuration(kind: u32, ns: u32): void {
  histogramCount(region() + M_HISTOGRAMS + kind * M_HISTOGRAM_BYTES, ns);
}

/** Counts the wait whose record (W_) is at `wait`. */
export function countWaitAt(wait: u32): void {
  const at = region();
  const cls = peek(wait + W_CLASS);
  const ns = peek(wait + W_NS);
  const holder = peek(wait + W_HOLDER);
  histogramCount(at + M_HISTOGRAMS + (MEASURED_LOCK + cls) * M_HISTOGRAM_BYTES, ns);
  addToCell(at + M_WAITED + (holder << 4), ns);
  countPoint(at + M_POINTS, cls, peek(wait + W_OP));
  if (holder !== HOLDER_NOBODY && holder !== HOLDER_READERS)
    countPoint(at + M_POINTS + POINT_OPS * 128, cls, peek(wait + W_HOLDER_OP));
  countInstance(at + M_INSTANCES, wait);
  const row = heatRow(cls);
  if (row < HEAT_ROWS) addToCell(heatCell(at, row, peek(wait + W_PAGE)), ns);
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

function countInstance(instances: u32, wait: u32): void {
  const lock = peek(wait + W_LOCK);
  const cls = peek(wait + W_CLASS);
  const first = peek(wait + W_FIRST);
  const ns = peek(wait + W_NS);
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
  poke(found + I_END, peek(wait + W_END));
  poke(found + I_MM, peek(wait + W_MM));
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
