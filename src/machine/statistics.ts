/** Reads a machine's counters from its shared memory, at any time and from any thread. */
import {
  LS_ACQUIRED,
  LS_CONTENDED,
  LS_HOLD_MAX,
  LS_HOLD_TOTAL,
  LS_WAIT_HISTOGRAM,
  LS_WAIT_MAX,
  LS_WAIT_TOTAL,
} from '../kernel/lockStat.ts';
import * as layout from '../kernel/layout.ts';
import { RSS_ANON } from '../kernel/rss.ts';
import { COUNTER_NAMES, LOCK_CLASS_NAMES, OPERATION_NAMES } from './codes.ts';

const TABLE_KB = 4;
const HISTOGRAM_WORDS = 32;
const RSS_LINE_BYTES = 64;

/** Columns of the kernel's lock_stat for one lock class, all CPUs. Times in nanoseconds. */
export interface LockStatistics {
  acquired: number;
  contended: number;
  waitTotalNs: number;
  waitMaxNs: number;
  /** Half of the waits, and 99 in 100, were no longer than this, as far as the histogram tells; 0 without waits. */
  waitP50Ns: number;
  waitP99Ns: number;
  /** 0 unless the machine measures hold times (option `lockStat`); never measured for `vmaWrite`, whose holds end with mmap_lock's. */
  holdTotalNs: number;
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
  /** Tables that wait for a daemon's look, as they may be empty (protocol `async`): at most this much memory is held back. */
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
      waitTotalNs: long(words, at + LS_WAIT_TOTAL),
      waitMaxNs: load(words, at + LS_WAIT_MAX),
      waitP50Ns: 0,
      waitP99Ns: 0,
      holdTotalNs: long(words, at + LS_HOLD_TOTAL),
      holdMaxNs: load(words, at + LS_HOLD_MAX),
      waitHistogramLog2Ns: histogram(words, at + LS_WAIT_HISTOGRAM),
    });
  }
  return locks;
}

function histogram(words: Uint32Array, address: number): number[] {
  return Array.from({ length: HISTOGRAM_WORDS }, (_, bit) => load(words, address + bit * 4));
}

function addLocks(to: LockStatistics, from: LockStatistics): void {
  to.acquired += from.acquired;
  to.contended += from.contended;
  to.waitTotalNs += from.waitTotalNs;
  to.waitMaxNs = Math.max(to.waitMaxNs, from.waitMaxNs);
  to.holdTotalNs += from.holdTotalNs;
  to.holdMaxNs = Math.max(to.holdMaxNs, from.holdMaxNs);
  from.waitHistogramLog2Ns.forEach((count, bit) => (to.waitHistogramLog2Ns[bit]! += count));
}

/**
 * What a `share` (0 to 1) of the durations counted in a histogram by their highest set bit did not exceed: the upper end of
 * a power of two, or `maxNs`, the greatest of all, where that is less. 0 when nothing was counted.
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
  for (const lock of Object.values(locks)) {
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

/** Statistics of every live address space. */
export function readSpaces(words: Uint32Array): SpaceStatistics[] {
  const spaces: SpaceStatistics[] = [];
  for (let i = 0; i < load(words, layout.H_MMS); i++) {
    const mm = load(words, layout.H_MM_BASE) + i * layout.MM_BYTES;
    if (load(words, mm + layout.MM_STATE) === 1) spaces.push(readSpace(words, mm));
  }
  return spaces;
}
