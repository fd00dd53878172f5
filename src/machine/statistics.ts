/** Reads a machine's counters from its shared memory, at any time and from any thread. */
import {
  LOCK_STAT_HOLDS,
  LS_ACQUIRED,
  LS_BOUNCES,
  LS_CONTENDED,
  LS_CONTENDED_BOUNCES,
  LS_HOLD_MAX,
  LS_HOLD_MIN,
  LS_HOLD_TOTAL,
  LS_HOLDS,
  LS_NEXT_HOLD,
  LS_WAIT_HISTOGRAM,
  LS_WAIT_MAX,
  LS_WAIT_MIN,
  LS_WAIT_TOTAL,
  RSS_ANON,
} from '../kernel/abi.ts';
import * as layout from '../kernel/abi.ts';
import { COUNTER_NAMES, LOCK_CLASS_NAMES, OPERATION_NAMES } from './codes.ts';

const TABLE_KB = 4;
const HISTOGRAM_WORDS = 32;
const RSS_LINE_BYTES = 64;

/** Columns of the kernel's lock_stat for one lock class, all CPUs. Times in nanoseconds. */
export interface LockStatistics {
  acquired: number;
  contended: number;
  /**
   * Acquisitions, and contended ones, by another CPU than the last; 0 unless contention is measured (option
   * `contention`).
   */
  bounces: number;
  contendedBounces: number;
  waitTotalNs: number;
  waitMinNs: number;
  waitMaxNs: number;
  /** Half of the waits, and 99 in 100, were no longer than this, as far as the histogram tells; 0 without waits. */
  waitP50Ns: number;
  waitP99Ns: number;
  /**
   * Holds that were timed: all of them with the option `lockStat`, one in about 64 with `contention` alone, else none.
   * Never any of `vmaWrite`, whose holds end with mmap_lock's.
   */
  holdsTimed: number;
  /** Of all holds: that of the timed ones, scaled where those are not all. */
  holdTotalNs: number;
  /** Of the timed ones. */
  holdMinNs: number;
  holdMaxNs: number;
  /** Number of waits of 2^n to 2^(n+1) - 1 ns, n from 0 to 31. */
  waitHistogramLog2Ns: number[];
}

/** Counters of one CPU since boot; they wrap at 2^32. */
export interface CpuStatistics {
  cpu: number;
  /** Name of the operation under way, `none` between operations. */
  operation: string;
  /** Values by counter name, such as `faults`. */
  counters: Record<string, number>;
  /** Time spent waiting for locks, nanoseconds. */
  lockWaitNs: number;
  violations: number;
}

/** Page tables and pages of one address space. */
export interface SpaceStatistics {
  id: number;
  handle: number;
  /** 4 KiB for every PTE, PMD and PUD table, as Linux counts VmPTE. */
  vmpteKb: number;
  pteTables: number;
  pmdTables: number;
  pudTables: number;
  /** Greatest number of PTE, PMD and PUD tables so far. */
  tablesPeak: number;
  anonPages: number;
  vmas: number;
}

/** Everything that a machine counts. */
export interface MachineStatistics {
  /** Since boot. */
  elapsedMs: number;
  cpus: CpuStatistics[];
  /** Sums over the CPUs. */
  counters: Record<string, number>;
  /** By lock class, such as `pte`. */
  locks: Record<string, LockStatistics>;
  /** Latencies of grace periods: number of 2^n to 2^(n+1) - 1 ns. */
  gracePeriodHistogramLog2Ns: number[];
  /** Callbacks queued and not invoked yet. */
  callbacksPending: number;
  tables: {
    /** Tables there are, in use or free. */
    total: number;
    /** PTE, PMD and PUD tables of all address spaces. */
    inUse: number;
    /** Detached, not freed yet. */
    heldBack: number;
    /** Sum of the address spaces' peaks. */
    peak: number;
    /** Numbers ever handed out; what is above was never touched. */
    everUsed: number;
  };
  /**
   * Tables that wait for a daemon's look, as they may be empty (protocol `async`): at most this much memory is held
   * back.
   */
  candidates: { waiting: number; heldBackKb: number; heldBackPeakKb: number };
  addressSpaces: SpaceStatistics[];
  violations: number;
}

const load = (words: Uint32Array, address: number): number => Atomics.load(words, address >>> 2);
const long = (words: Uint32Array, low: number): number =>
  load(words, low) + load(words, low + 4) * 2 ** 32;

/** Reads the counters of the address space whose mm is at `mm`. */
export function readSpace(words: Uint32Array, mm: number): SpaceStatistics {
  const cpus = load(words, layout.H_CPUS);
  let anonPages = 0;
  for (let cpu = 0; cpu < cpus; cpu++)
    anonPages = (anonPages + load(words, mm + layout.MM_RSS + cpu * RSS_LINE_BYTES + RSS_ANON)) | 0;
  return {
    id: load(words, mm + layout.MM_ID),
    handle: mm,
    vmpteKb: load(words, mm + layout.MM_TABLES) * TABLE_KB,
    pteTables: load(words, mm + layout.MM_TABLES_BY_LEVEL),
    pmdTables: load(words, mm + layout.MM_TABLES_BY_LEVEL + 4),
    pudTables: load(words, mm + layout.MM_TABLES_BY_LEVEL + 8),
    tablesPeak: load(words, mm + layout.MM_TABLES_PEAK),
    anonPages,
    vmas: load(words, mm + layout.MM_MAP_COUNT),
  };
}

function readLocks(words: Uint32Array, area: number): Map<string, LockStatistics> {
  const locks = new Map<string, LockStatistics>();
  for (const [code, name] of LOCK_CLASS_NAMES) {
    const at = area + layout.C_LOCK_STAT + code * layout.LOCK_STAT_BYTES;
    locks.set(name, {
      acquired: load(words, at + LS_ACQUIRED),
      contended: load(words, at + LS_CONTENDED),
      bounces: load(words, at + LS_BOUNCES),
      contendedBounces: load(words, at + LS_CONTENDED_BOUNCES),
      waitTotalNs: long(words, at + LS_WAIT_TOTAL),
      waitMinNs: load(words, at + LS_WAIT_MIN),
      waitMaxNs: load(words, at + LS_WAIT_MAX),
      waitP50Ns: 0,
      waitP99Ns: 0,
      holdsTimed: load(words, at + LS_HOLDS),
      holdTotalNs: long(words, at + LS_HOLD_TOTAL),
      holdMinNs: load(words, at + LS_HOLD_MIN),
      holdMaxNs: load(words, at + LS_HOLD_MAX),
      waitHistogramLog2Ns: histogram(words, at + LS_WAIT_HISTOGRAM),
    });
  }
  return locks;
}

function histogram(words: Uint32Array, address: number): number[] {
  return Array.from({ length: HISTOGRAM_WORDS }, (_, bit) => load(words, address + bit * 4));
}

/** The lesser of two minima, each of so many values. */
function least(count: number, value: number, otherCount: number, other: number): number {
  if (count === 0 || otherCount === 0) return count === 0 ? other : value;
  return Math.min(value, other);
}

function addLocks(to: LockStatistics, from: LockStatistics): void {
  to.waitMinNs = least(to.contended, to.waitMinNs, from.contended, from.waitMinNs);
  to.holdMinNs = least(to.holdsTimed, to.holdMinNs, from.holdsTimed, from.holdMinNs);
  to.acquired += from.acquired;
  to.contended += from.contended;
  to.bounces += from.bounces;
  to.contendedBounces += from.contendedBounces;
  to.waitTotalNs += from.waitTotalNs;
  to.waitMaxNs = Math.max(to.waitMaxNs, from.waitMaxNs);
  to.holdsTimed += from.holdsTimed;
  to.holdTotalNs += from.holdTotalNs;
  to.holdMaxNs = Math.max(to.holdMaxNs, from.holdMaxNs);
  from.waitHistogramLog2Ns.forEach((count, bit) => (to.waitHistogramLog2Ns[bit]! += count));
}

/**
 * What a `share` (0 to 1) of the durations counted in a histogram by their highest set bit did not exceed: the upper
 * end of a power of two, or `maxNs`, the greatest of all, where that is less. 0 when nothing was counted.
 */
export function quantileNs(
  histogramLog2Ns: readonly number[],
  share: number,
  maxNs: number,
): number {
  const wanted = share * histogramLog2Ns.reduce((sum, count) => sum + count, 0);
  if (wanted === 0) return 0;
  let counted = 0;
  const bit = histogramLog2Ns.findIndex((count) => (counted += count) >= wanted);
  return Math.min(2 ** (bit + 1) - 1, maxNs);
}

/** Reads everything. `elapsedMs` is the machine's age. */
export function readStatistics(words: Uint32Array, elapsedMs: number): MachineStatistics {
  const cpus: CpuStatistics[] = [];
  const counters: Record<string, number> = {};
  const locks: Record<string, LockStatistics> = {};
  const gracePeriodHistogramLog2Ns = Array.from({ length: HISTOGRAM_WORDS }, () => 0);
  let callbacksPending = 0;
  for (let cpu = 0; cpu < load(words, layout.H_CPUS); cpu++) {
    const area = layout.cpuArea(cpu);
    const own: Record<string, number> = {};
    for (const [code, name] of COUNTER_NAMES) {
      own[name] = load(words, area + layout.C_COUNTERS + code * 4);
      counters[name] = (counters[name] ?? 0) + own[name];
    }
    let lockWaitNs = 0;
    for (const [name, columns] of readLocks(words, area)) {
      lockWaitNs += columns.waitTotalNs;
      const sum = locks[name];
      if (sum === undefined) locks[name] = columns;
      else addLocks(sum, columns);
    }
    histogram(words, area + layout.C_RCU_HISTOGRAM).forEach(
      (count, bit) => (gracePeriodHistogramLog2Ns[bit]! += count),
    );
    callbacksPending +=
      (load(words, area + layout.C_RCU_QUEUED) - load(words, area + layout.C_RCU_INVOKED)) >>> 0;
    cpus.push({
      cpu,
      operation: OPERATION_NAMES.get(load(words, area + layout.C_OP)) ?? 'unknown',
      counters: own,
      lockWaitNs,
      violations: load(words, area + layout.C_VIOLATIONS),
    });
  }
  const everyHold = (load(words, layout.H_LOCK_STAT) & LOCK_STAT_HOLDS) !== 0;
  for (const lock of Object.values(locks)) {
    if (!everyHold && lock.holdsTimed > 0) lock.holdTotalNs *= lock.acquired / lock.holdsTimed;
    lock.waitP50Ns = quantileNs(lock.waitHistogramLog2Ns, 0.5, lock.waitMaxNs);
    lock.waitP99Ns = quantileNs(lock.waitHistogramLog2Ns, 0.99, lock.waitMaxNs);
  }
  const addressSpaces = readSpaces(words);
  const sum = (value: (space: SpaceStatistics) => number): number =>
    addressSpaces.reduce((total, space) => total + value(space), 0);
  return {
    elapsedMs,
    cpus,
    counters,
    locks,
    gracePeriodHistogramLog2Ns,
    callbacksPending,
    tables: {
      total: load(words, layout.H_TABLES) - 1,
      inUse: sum((space) => space.pteTables + space.pmdTables + space.pudTables),
      heldBack: load(words, layout.G_TABLES_HELD),
      peak: sum((space) => space.tablesPeak),
      everUsed: load(words, layout.G_TABLE_BUMP) - 1,
    },
    candidates: readCandidates(words),
    addressSpaces,
    violations: load(words, layout.H_VIOLATIONS),
  };
}

function readCandidates(words: Uint32Array): MachineStatistics['candidates'] {
  let waiting = 0;
  for (let cpu = 0; cpu < load(words, layout.H_CPUS); cpu++) {
    const area = layout.cpuArea(cpu);
    waiting +=
      (load(words, area + layout.C_CANDIDATE_TAIL) -
        load(words, area + layout.C_CANDIDATE_HEAD)) >>>
      0;
  }
  const peak = Math.max(waiting, load(words, layout.G_SCAN_PEAK));
  return { waiting, heldBackKb: waiting * TABLE_KB, heldBackPeakKb: peak * TABLE_KB };
}

/** Forgets waits, holds and grace periods, counters not. The CPUs must be idle: the words are theirs. */
export function clearLockStatistics(words: Uint32Array): void {
  for (let cpu = 0; cpu < load(words, layout.H_CPUS); cpu++) {
    const area = layout.cpuArea(cpu);
    const clear = (offset: number, bytes: number): void => {
      words.fill(0, (area + offset) >>> 2, (area + offset + bytes) >>> 2);
    };
    clear(layout.C_LOCK_STAT, layout.LOCK_CLASSES_MAX * layout.LOCK_STAT_BYTES);
    clear(layout.C_RCU_HISTOGRAM, HISTOGRAM_WORDS * 4);
  }
  timeFirstHolds(words);
}

/**
 * When holds are to be timed: makes the next of each class on each CPU one that is. Before the CPUs start, or while
 * they are idle.
 */
export function timeFirstHolds(words: Uint32Array): void {
  if (load(words, layout.H_LOCK_STAT) === 0) return;
  for (let cpu = 0; cpu < load(words, layout.H_CPUS); cpu++)
    for (let cls = 0; cls < layout.LOCK_CLASSES_MAX; cls++) {
      const at = layout.cpuArea(cpu) + layout.C_LOCK_STAT + cls * layout.LOCK_STAT_BYTES;
      words[(at + LS_NEXT_HOLD) >>> 2] = words[(at + LS_ACQUIRED) >>> 2]! + 1;
    }
}

/** Statistics of every live address space. */
function readSpaces(words: Uint32Array): SpaceStatistics[] {
  const spaces: SpaceStatistics[] = [];
  for (let i = 0; i < load(words, layout.H_MMS); i++) {
    const mm = load(words, layout.H_MM_BASE) + i * layout.MM_BYTES;
    if (load(words, mm + layout.MM_STATE) === 1) spaces.push(readSpace(words, mm));
  }
  return spaces;
}
