/**
 * Reads what CPUs remember of their waits for locks (option `contention`; src/kernel/observe/contention.ts says what):
 * the regions of all CPUs added up, or what came to them since an earlier reading. At any time and from any thread; a
 * CPU's newest wait may be missing or half there.
 */
import {
  HEAT_CELL_SHIFT,
  HEAT_COLUMNS,
  HEAT_FIRST,
  HEAT_ROWS,
  HEAT_SHIFT,
  HEAT_USED,
  HOLDER_NOBODY,
  HOLDER_READERS,
  INSTANCE_BYTES,
  INSTANCE_SETS,
  INSTANCE_WAYS,
  I_CLASS,
  I_END,
  I_ERROR,
  I_FIRST,
  I_LOCK,
  I_MAX,
  I_MM,
  I_TOTAL,
  I_WAITS,
  I_WAITS_ERROR,
  LC_PMD,
  LC_PTE,
  MEASURED_GRACE_PERIOD,
  MEASURED_INTERRUPT,
  MEASURED_LOCK,
  MEASURED_SYNCHRONIZE,
  PAGE_BYTES,
  PMD_PAGES,
  POINT_OPS,
  PUD_PAGES,
} from '../kernel/abi.ts';
import * as layout from '../kernel/abi.ts';
import { describeAddress } from './addresses.ts';
import { LOCK_CLASS_NAMES, OPERATION_NAMES } from './codes.ts';
import { addHistogram, emptyHistogram, type Histogram } from './histogram.ts';

/** A number of waits and their time. */
export interface Waits {
  waits: number;
  totalNs: number;
}

/** Waits of one CPU by what it saw when it began to wait. */
export interface WaitsOfCpu {
  cpu: number;
  /** By the CPU that held the lock. */
  forCpus: Waits[];
  /** For readers of a reader-writer lock. */
  forReaders: Waits;
  /** The lock had been released by the time the waiter looked, or does not say who holds it. */
  forNobody: Waits;
}

/** One lock, by what it protected when it was waited for. */
export interface LockInstance extends Waits {
  /** Address in the machine's memory. */
  address: number;
  /** Class, such as `pte`. */
  lock: string;
  /** What it is, such as `lock of table 12`. */
  name: string;
  /** Id of the address space; null when it belongs to none. */
  space: number | null;
  /** What it protects, bytes; null when that is no range. */
  start: number | null;
  end: number | null;
  maxNs: number;
  /** The true figures are up to so much less, since the table of instances is bounded. */
  errorNs: number;
  errorWaits: number;
}

/** Waits by address, of one level of locks: `cells[i]` are those at `start + i * cellBytes` and the bytes after. */
export interface HeatRow {
  level: string;
  start: number;
  cellBytes: number;
  cells: Waits[];
}

/** Waits of a class by the operation of the waiter, and of the CPU that held the lock. */
interface Points {
  waiting: Record<string, number>;
  holding: Record<string, number>;
}

/** Everything that CPUs remembered. */
export interface Contention {
  matrix: WaitsOfCpu[];
  /** Longest total first. */
  instances: LockInstance[];
  /** From the PTE level upwards; levels without waits are missing. */
  heat: HeatRow[];
  points: Record<string, Points>;
  histograms: {
    gracePeriod: Histogram;
    /** synchronizeRcu, from its call to its return. */
    synchronize: Histogram;
    /** Waits for another CPU to handle an interrupt. */
    interrupt: Histogram;
    /** Waits by lock class. */
    locks: Record<string, Histogram>;
  };
}

/** Levels of the heat map, by row. */
const HEAT_LEVELS = ['PTE', 'PMD', 'page_table_lock', 'VMA', 'mmap_lock'] as const;

/** A view of one CPU's region that reads words. */
class Region {
  readonly #words: Uint32Array;
  readonly #base: number;

  constructor(words: Uint32Array, cpu: number) {
    this.#words = words;
    this.#base = Atomics.load(words, layout.H_MEASURE_BASE >>> 2) + cpu * layout.MEASURE_BYTES;
  }

  address(offset: number): number {
    return this.#base + offset;
  }

  at(offset: number): number {
    return Atomics.load(this.#words, (this.#base + offset) >>> 2);
  }

  long(offset: number): number {
    return this.at(offset) + this.at(offset + 4) * 2 ** 32;
  }

  cell(offset: number): Waits {
    return { waits: this.at(offset), totalNs: this.long(offset + 4) };
  }
}

function addWaits(to: Waits, from: Waits): void {
  to.waits += from.waits;
  to.totalNs += from.totalNs;
}

const noWaits = (): Waits => ({ waits: 0, totalNs: 0 });

/** Reads everything, or null when the machine does not measure contention. */
export function readContention(words: Uint32Array): Contention | null {
  if (Atomics.load(words, layout.H_MEASURE_BASE >>> 2) === 0) return null;
  const cpus = Atomics.load(words, layout.H_CPUS >>> 2);
  const regions = Array.from({ length: cpus }, (_, cpu) => new Region(words, cpu));
  return {
    matrix: regions.map((region, cpu) => readRow(region, cpu, cpus)),
    instances: readInstances(words, regions),
    heat: HEAT_LEVELS.flatMap((level, row) => readHeat(regions, level, row)),
    points: readPoints(regions),
    histograms: readHistograms(words, regions),
  };
}

function readRow(region: Region, cpu: number, cpus: number): WaitsOfCpu {
  const cell = (holder: number): Waits => region.cell(layout.M_WAITED + holder * 16);
  return {
    cpu,
    forCpus: Array.from({ length: cpus }, (_, holder) => cell(holder + 1)),
    forReaders: cell(HOLDER_READERS),
    forNobody: cell(HOLDER_NOBODY),
  };
}

function readInstances(words: Uint32Array, regions: readonly Region[]): LockInstance[] {
  const found = new Map<string, LockInstance>();
  for (const region of regions)
    for (let slot = 0; slot < INSTANCE_SETS * INSTANCE_WAYS; slot++) {
      const instance = readInstance(words, region, layout.M_INSTANCES + slot * INSTANCE_BYTES);
      if (instance === null) continue;
      const key = `${instance.address} ${instance.lock} ${instance.start}`;
      const sum = found.get(key);
      if (sum === undefined) found.set(key, instance);
      else {
        addWaits(sum, instance);
        sum.maxNs = Math.max(sum.maxNs, instance.maxNs);
        sum.errorNs += instance.errorNs;
        sum.errorWaits += instance.errorWaits;
      }
    }
  return [...found.values()].toSorted((one, other) => other.totalNs - one.totalNs);
}

function readInstance(words: Uint32Array, region: Region, at: number): LockInstance | null {
  const address = region.at(at + I_LOCK);
  if (address === 0) return null;
  const cls = region.at(at + I_CLASS);
  const mm = region.at(at + I_MM);
  const first = region.at(at + I_FIRST);
  const pages =
    cls === LC_PTE ? PMD_PAGES : cls === LC_PMD ? PUD_PAGES : region.at(at + I_END) - first;
  const ranged = pages > 0;
  return {
    address,
    lock: LOCK_CLASS_NAMES.get(cls) ?? `class ${cls}`,
    name: describeAddress(words, address) ?? `0x${address.toString(16)}`,
    space: mm === 0 ? null : Atomics.load(words, (mm + layout.MM_ID) >>> 2),
    start: ranged ? first * PAGE_BYTES : null,
    end: ranged ? (first + pages) * PAGE_BYTES : null,
    waits: region.at(at + I_WAITS),
    totalNs: region.long(at + I_TOTAL),
    maxNs: region.at(at + I_MAX),
    errorNs: region.long(at + I_ERROR),
    errorWaits: region.at(at + I_WAITS_ERROR),
  };
}

/** One level's rows of all CPUs in the coarsest of their blocks, from the first cell with waits to the last. */
function readHeat(regions: readonly Region[], level: string, row: number): HeatRow[] {
  if (row >= HEAT_ROWS) return [];
  const head = layout.M_HEAT_ROWS + row * 16;
  const used = regions.filter((region) => region.at(head + HEAT_USED) !== 0);
  if (used.length === 0) return [];
  const cells = new Map<number, Waits>();
  const coarsest = Math.max(...used.map((region) => region.at(head + HEAT_SHIFT)));
  for (const region of used) {
    const shift = region.at(head + HEAT_SHIFT);
    const first = region.at(head + HEAT_FIRST);
    for (let column = 0; column < HEAT_COLUMNS; column++) {
      const at = layout.M_HEAT + ((row * HEAT_COLUMNS + column) << HEAT_CELL_SHIFT);
      const cell = region.cell(at);
      if (cell.waits === 0) continue;
      const bucket = Math.floor((first + column) / 2 ** (coarsest - shift));
      const sum = cells.get(bucket) ?? noWaits();
      addWaits(sum, cell);
      cells.set(bucket, sum);
    }
  }
  if (cells.size === 0) return [];
  const low = Math.min(...cells.keys());
  const high = Math.max(...cells.keys());
  const cellBytes = 2 ** coarsest * PAGE_BYTES;
  return [
    {
      level,
      start: low * cellBytes,
      cellBytes,
      cells: Array.from({ length: high - low + 1 }, (_, at) => cells.get(low + at) ?? noWaits()),
    },
  ];
}

function readPoints(regions: readonly Region[]): Record<string, Points> {
  const points: Record<string, Points> = {};
  for (const [cls, name] of LOCK_CLASS_NAMES) {
    const of = (side: number): Record<string, number> => {
      const counts: Record<string, number> = {};
      for (let op = 0; op < POINT_OPS; op++) {
        const at = layout.M_POINTS + side * POINT_OPS * 128 + (cls * POINT_OPS + op) * 4;
        const count = regions.reduce((sum, region) => sum + region.at(at), 0);
        if (count > 0) counts[OPERATION_NAMES.get(op) ?? `operation ${op}`] = count;
      }
      return counts;
    };
    const waiting = of(0);
    if (Object.keys(waiting).length > 0) points[name] = { waiting, holding: of(1) };
  }
  return points;
}

function readHistograms(words: Uint32Array, regions: readonly Region[]): Contention['histograms'] {
  const read = (kind: number): Histogram => {
    const sum = emptyHistogram();
    const at = layout.M_HISTOGRAMS + kind * layout.M_HISTOGRAM_BYTES;
    for (const region of regions) addHistogram(sum, words, region.address(at));
    return sum;
  };
  const locks: Record<string, Histogram> = {};
  for (const [cls, name] of LOCK_CLASS_NAMES) {
    const histogram = read(MEASURED_LOCK + cls);
    if (histogram.some((times) => times > 0)) locks[name] = histogram;
  }
  return {
    gracePeriod: read(MEASURED_GRACE_PERIOD),
    synchronize: read(MEASURED_SYNCHRONIZE),
    interrupt: read(MEASURED_INTERRUPT),
    locks,
  };
}

/** Forgets what all CPUs remember. They must be idle, or what they remember meanwhile is torn. */
export function clearContention(words: Uint32Array): void {
  const base = Atomics.load(words, layout.H_MEASURE_BASE >>> 2);
  if (base === 0) return;
  const cpus = Atomics.load(words, layout.H_CPUS >>> 2);
  words.fill(0, base >>> 2, (base + cpus * layout.MEASURE_BYTES) >>> 2);
}
