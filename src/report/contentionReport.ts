/**
 * Contention as terminals show it: lock_stat's columns, contention points, worst locks, who waited for whom, latencies.
 */
import type { Contention, LockInstance, Waits } from '../machine/contention.ts';
import { quantilesOf, type Histogram } from '../machine/histogram.ts';
import type { LockStatistics } from '../machine/statistics.ts';
import { formatCount } from './format.ts';
import { table } from './table.ts';

const POINTS_SHOWN = 4;
const right = 'right' as const;

/** Class names where Linux's differ from ours; reader-writer locks have a line for each mode, as in lock_stat. */
const CLASS_NAMES: Readonly<Record<string, string>> = {
  pte: 'pte lock',
  pmd: 'pmd lock',
  pageTable: 'page_table_lock',
  mmapRead: 'mmap_lock-R',
  mmapWrite: 'mmap_lock-W',
  vmaRead: 'vma lock-R',
  vmaWrite: 'vma lock-W',
};

/** A lock class as reports name it. */
function className(name: string): string {
  const known = CLASS_NAMES[name];
  if (known !== undefined) return known;
  const words = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return words.replace(/_read$/, '-R').replace(/_write$/, '-W');
}

/** Microseconds with two decimals, as lock_stat prints times. */
function us(ns: number): string {
  return (ns / 1000).toFixed(2);
}

const average = (totalNs: number, count: number): string => us(count === 0 ? 0 : totalNs / count);

/** lock_stat's columns of every class that was taken, the most contended first. */
export function lockStatTable(locks: Readonly<Record<string, LockStatistics>>): string[] {
  const taken = Object.entries(locks)
    .filter(([, lock]) => lock.acquired > 0)
    .toSorted(([, one], [, other]) => other.contended - one.contended);
  if (taken.length === 0) return [];
  type Cell = (lock: LockStatistics) => string;
  const columns: [string, Cell][] = [
    ['con-bounces', (lock) => String(lock.contendedBounces)],
    ['contentions', (lock) => String(lock.contended)],
    ['waittime-min', (lock) => us(lock.waitMinNs)],
    ['waittime-max', (lock) => us(lock.waitMaxNs)],
    ['waittime-total', (lock) => us(lock.waitTotalNs)],
    ['waittime-avg', (lock) => average(lock.waitTotalNs, lock.contended)],
    ['acq-bounces', (lock) => String(lock.bounces)],
    ['acquisitions', (lock) => String(lock.acquired)],
    ['holdtime-min', (lock) => us(lock.holdMinNs)],
    ['holdtime-max', (lock) => us(lock.holdMaxNs)],
    ['holdtime-total', (lock) => us(lock.holdTotalNs)],
    ['holdtime-avg', (lock) => average(lock.holdTotalNs, lock.holdsTimed > 0 ? lock.acquired : 0)],
  ];
  return table(
    [{ title: 'class name', align: right }, ...columns.map(([title]) => ({ title, align: right }))],
    taken.map(([name, lock]) => [`${className(name)}:`, ...columns.map(([, cell]) => cell(lock))]),
  );
}

/** The most frequent operations. */
function top(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .toSorted(([, one], [, other]) => other - one)
    .slice(0, POINTS_SHOWN)
    .map(([operation, count]) => `${operation} ${formatCount(count)}`)
    .join(', ');
}

/** For each class the operations that waited most often, and those of the CPUs that held the lock. */
export function pointLines({ points }: Contention): string[] {
  return Object.entries(points).map(([name, { waiting, holding }]) => {
    const held = top(holding);
    return `  ${className(name)}: waiting: ${top(waiting)}${held === '' ? '' : `; holding: ${held}`}`;
  });
}

/** An address as /proc/PID/maps writes one, without what 44 bits leave 0. */
function hex(address: number): string {
  return address.toString(16).padStart(11, '0');
}

/** What a lock protects. */
function protects({ start, end, space }: LockInstance): string {
  const of = space === null ? '' : `mm ${space}`;
  return start === null || end === null ? of : `${of} ${hex(start)}-${hex(end)}`;
}

/** The `count` locks that were waited for longest. */
export function instanceTable({ instances }: Contention, count: number): string[] {
  if (instances.length === 0 || count === 0) return [];
  const shown = instances.slice(0, count);
  const inexact = shown.some((instance) => instance.errorNs > 0);
  const rows = shown.map((instance) => [
    className(instance.lock),
    instance.name,
    protects(instance),
    formatCount(instance.waits),
    us(instance.totalNs),
    us(instance.maxNs),
    ...(inexact ? [us(instance.errorNs)] : []),
  ]);
  return table(
    [
      { title: 'class' },
      { title: 'lock' },
      { title: 'protects' },
      { title: 'waits', align: right },
      { title: 'total us', align: right },
      { title: 'max us', align: right },
      ...(inexact ? [{ title: 'error us', align: right }] : []),
    ],
    rows,
    '  ',
  );
}

function waitCell({ waits, totalNs }: Waits): string {
  return waits === 0 ? '.' : `${(totalNs / 1e6).toFixed(2)} / ${formatCount(waits)}`;
}

/** Milliseconds that each CPU waited, and how often, by the CPU it waited for. */
export function matrixTable({ matrix }: Contention): string[] {
  const cpus = matrix.length;
  const any = (of: (row: Contention['matrix'][number]) => Waits): boolean =>
    matrix.some((row) => of(row).waits > 0);
  const readers = any((row) => row.forReaders);
  const nobody = any((row) => row.forNobody);
  const rows = matrix.map((row) => [
    `CPU ${row.cpu}`,
    ...row.forCpus.map(waitCell),
    ...(readers ? [waitCell(row.forReaders)] : []),
    ...(nobody ? [waitCell(row.forNobody)] : []),
  ]);
  return table(
    [
      { title: '' },
      ...Array.from({ length: cpus }, (_, cpu) => ({ title: `for CPU ${cpu}`, align: right })),
      ...(readers ? [{ title: 'for readers', align: right }] : []),
      ...(nobody ? [{ title: 'nobody seen', align: right }] : []),
    ],
    rows,
    '  ',
  );
}

/** Quantiles of grace periods, of waits for interrupts, and of waits by lock class, as far as there were any. */
export function latencyTable(
  { histograms }: Contention,
  waits: Readonly<Record<string, LockStatistics>>,
): string[] {
  const { gracePeriod, synchronize, interrupt, locks } = histograms;
  const named: [string, Histogram, number | undefined][] = [
    ['grace period', gracePeriod, undefined],
    ['synchronizeRcu', synchronize, undefined],
    ['interrupt acknowledged', interrupt, undefined],
    ...Object.entries(locks).map(([name, histogram]): [string, Histogram, number | undefined] => [
      className(name),
      histogram,
      waits[name]?.waitMaxNs,
    ]),
  ];
  const rows = named
    .map(([name, histogram, maxNs]) => ({ name, quantiles: quantilesOf(histogram, maxNs) }))
    .filter(({ quantiles }) => quantiles.count > 0)
    .map(({ name, quantiles }) => [
      name,
      formatCount(quantiles.count),
      us(quantiles.p50Ns),
      us(quantiles.p90Ns),
      us(quantiles.p99Ns),
      us(quantiles.p999Ns),
      us(quantiles.maxNs),
    ]);
  if (rows.length === 0) return [];
  return table(
    [
      { title: '' },
      ...['count', 'p50 us', 'p90', 'p99', 'p99.9', 'max'].map((title) => ({
        title,
        align: right,
      })),
    ],
    rows,
    '  ',
  );
}
