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
  /** 0 unless the machine measures hold times (option `lockStat`). */
  holdTotalNs: number;
  holdMaxNs: number;
  /** Number of waits of 2^n to 2^(n+1) - 1 ns, n from 0 to 31. */
  waitHistogram: number[];
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
  gracePeriodHistogram: number[];
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
      holdTotalNs: long(words, at + LS_HOLD_TOTAL),
      holdMaxNs: load(words, at + LS_HOLD_MAX),
      waitHistogram: histogram(words, at + LS_WAIT_HISTOGRAM),
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
  from.waitHistogram.forEach((count, bit) => (to.waitHistogram[bit]! += count));
}

/** Reads everything. `elapsedMs` is the machine's age. */
export function readStatistics(words: Uint32Array, elapsedMs: number): MachineStatistics {
  const cpus: CpuStatistics[] = [];
  const counters: Record<string, number> = {};
  const locks: Record<string, LockStatistics> = {};
  const gracePeriodHistogram = Array.from({ length: HISTOGRAM_WORDS }, () => 0);
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
      (count, bit) => (gracePeriodHistogram[bit]! += count),
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
  const addressSpaces = readSpaces(words);
  const sum = (value: (space: SpaceStatistics) => number): number =>
    addressSpaces.reduce((total, space) => total + value(space), 0);
  return {
    elapsedMs,
    cpus,
    counters,
    locks,
    gracePeriodHistogram,
    callbacksPending,
    tables: {
      total: load(words, layout.H_TABLES) - 1,
      inUse: sum((space) => space.pteTables + space.pmdTables + space.pudTables),
      heldBack: load(words, layout.G_TABLES_HELD),
      peak: sum((space) => space.tablesPeak),
      everUsed: load(words, layout.G_TABLE_BUMP) - 1,
    },
    addressSpaces,
    violations: load(words, layout.H_VIOLATIONS),
  };
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
