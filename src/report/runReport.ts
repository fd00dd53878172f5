/** Parts that the reports of all runs have: the axes, what the machine counted, what was checked. */
import type { AuditReport } from '../machine/audit/index.ts';
import { folioSizesText } from '../machine/foliosOption.ts';
import type { ResolvedOptions } from '../machine/options.ts';
import type { LockStatistics, MachineStatistics } from '../machine/statistics.ts';
import { formatCount, formatDuration, formatPlural, formatShare } from './format.ts';
import { table } from './table.ts';

const FINDINGS_SHOWN = 10;

/** The axes of a run in one line. */
export function axesLine(options: ResolvedOptions): string {
  const { protocol, emptiness, free, fault, zap, mthp, thp, lock, execution, check, cpus } =
    options;
  const counts = emptiness === 'count' ? ' by count' : '';
  return (
    (options.mutant === null ? '' : `MUTANT ${options.mutant}, wrong on purpose: `) +
    `protocol ${protocol}${counts}, free ${free}, fault ${fault}, zap ${zap}, ` +
    (mthp.length === 0 ? '' : `mthp ${folioSizesText(mthp)}, `) +
    (thp === 'never' ? '' : `thp ${thp}, `) +
    (options.zeroPage ? '' : 'no zero page, ') +
    `lock ${lock}, ${execution}, check ${check}, ` +
    formatPlural(cpus, 'CPU')
  );
}

/** What the machine did with tables, in a line or two. */
export function totalsLines(statistics: MachineStatistics): string[] {
  const { counters, tables } = statistics;
  const count = (name: string): string => formatCount(counters[name] ?? 0);
  return [
    `tables  ${count('tablesAllocated')} allocated out of ${formatCount(tables.everUsed)} ever used, ${count('tablesFreed')} freed ` +
      `(${count('tablesReclaimedFast')} reclaimed on the fast path, ${count('tablesReclaimedSlow')} on the slow), ` +
      `${formatCount(tables.heldBack)} held back; ${count('gracePeriods')} grace periods`,
    ...candidateLines(statistics),
    ...khugepagedLines(statistics),
    ...deferredLines(statistics),
  ];
}

/** What came of the tables that were noted as perhaps empty, if any were. */
function candidateLines({ counters, candidates }: MachineStatistics): string[] {
  const count = (name: string): string => formatCount(counters[name] ?? 0);
  if ((counters['candidatesNoted'] ?? 0) === 0) return [];
  return [
    `daemon  ${count('candidatesNoted')} tables noted as perhaps empty (${count('candidatesLost')} more lost), ${count('candidatesScanned')} looked at: ` +
      `${count('tablesReclaimedAsync')} freed, ${count('candidatesKept')} in use again, ${count('candidatesGone')} gone, ${count('candidatesPostponed')} put off; ` +
      `${count('upperTablesReclaimed')} upper tables freed, ${count('zeroPagesDropped')} zero pages dropped`,
    `        ${formatCount(candidates.heldBackKb)} kB at most held back now, ${formatCount(candidates.heldBackPeakKb)} kB at the peak; ${count('tablesWasted')} tables freed for nothing`,
  ];
}

/** Reasons for which khugepaged leaves a span as it is, by their counters without `khugepaged`, and in words. */
const SPANS_LEFT = {
  PmdMapped: 'huge already',
  PmdNull: 'no table',
  PmdNone: 'no table',
  ExceedNonePte: 'too many pages missing',
  ExceedSwapPte: 'too many swapped out',
  ExceedSharedPte: 'too many shared',
  PteNonPresent: 'entries of other kinds',
  PteUffdWp: 'write-protected by a userfaultfd',
  LackReferencedPage: 'not accessed',
  PageCount: 'pinned',
  PageAnon: 'not anonymous',
  PageCompound: 'part of a folio',
  VmaCheck: 'mapping changed',
  AllocHugePageFail: 'no folio',
  Truncated: 'truncated',
  PteMappedHugepage: 'one folio already',
  PageLock: 'folio locked',
  PageNull: 'not cached',
  PageDirty: 'written to',
  Fail: 'other',
} as const;

/** What khugepaged did, if it ran. */
function khugepagedLines({ counters }: MachineStatistics): string[] {
  const value = (name: string): number => counters[`khugepaged${name}`] ?? 0;
  if (value('Passes') === 0) return [];
  const left = new Map<string, number>();
  for (const [name, words] of Object.entries(SPANS_LEFT))
    if (value(name) > 0) left.set(words, (left.get(words) ?? 0) + value(name));
  const most = [...left].toSorted((a, b) => b[1] - a[1]);
  const reasons = most.map(([words, count]) => `${formatCount(count)} ${words}`).join(', ');
  return [
    `khugepaged  ${formatPlural(value('Passes'), 'pass', 'passes')}, ${formatCount(value('FullScans'))} times through all address spaces (${formatCount(value('Locked'))} passed over, being locked): ` +
      `${formatCount(value('Collapsed'))} spans made huge${reasons === '' ? '' : `; left: ${reasons}`}`,
  ];
}

/** What came of folios on the deferred-split queue, if a daemon looked at any. */
function deferredLines({ counters }: MachineStatistics): string[] {
  const value = (name: string): number => counters[`deferred${name}`] ?? 0;
  if (value('Passes') === 0) return [];
  return [
    `splitter  ${formatPlural(value('Passes'), 'pass', 'passes')} over the deferred-split queue: ${formatCount(value('Split'))} folios split of ${formatCount(value('Tried'))} tried`,
  ];
}

/** Operations, retries and lock waits of each CPU. `operations`: null for a CPU that could not say. */
export function cpuTable(
  statistics: MachineStatistics,
  operations: readonly (number | null)[],
  durationMs: number,
): string[] {
  const right = 'right' as const;
  const rows = statistics.cpus.map((cpu, at) => {
    const done = operations[at] ?? cpu.counters['ops'] ?? NaN;
    return [
      at < operations.length ? String(at) : `${at} daemons`,
      formatCount(done),
      formatCount((done / durationMs) * 1000),
      formatCount(cpu.counters['faults'] ?? 0),
      formatCount((cpu.counters['faultRetries'] ?? 0) + (cpu.counters['pteMapRetries'] ?? 0)),
      formatShare(cpu.lockWaitNs / (durationMs * 1e6)),
      formatCount(cpu.counters['tablesFreed'] ?? 0),
    ];
  });
  return table(
    ['CPU', 'operations', 'per second', 'faults', 'retries', 'lock wait', 'tables freed'].map(
      (title) => ({ title, align: right }),
    ),
    rows,
  );
}

/** A duration in microseconds, with a decimal while it is short. */
function us(ns: number): string {
  return ns < 100_000 ? (ns / 1000).toFixed(1) : formatCount(ns / 1000);
}

/**
 * The lock classes that were taken at all, as lock_stat shows them; with `lockStat` also quantiles of waits, and holds.
 */
export function lockTable(statistics: MachineStatistics, lockStat: boolean): string[] {
  const taken = Object.entries(statistics.locks).filter(([, lock]) => lock.acquired > 0);
  if (taken.length === 0) return [];
  type Cell = (lock: LockStatistics) => string;
  const columns: [string, Cell][] = [
    ['acquired', (lock) => formatCount(lock.acquired)],
    ['contended', (lock) => formatCount(lock.contended)],
    ['wait total us', (lock) => us(lock.waitTotalNs)],
    ['wait max us', (lock) => us(lock.waitMaxNs)],
  ];
  const measured: [string, Cell][] = [
    ['p50 us', (lock) => us(lock.waitP50Ns)],
    ['p99 us', (lock) => us(lock.waitP99Ns)],
    ['hold total us', (lock) => us(lock.holdTotalNs)],
    ['hold max us', (lock) => us(lock.holdMaxNs)],
  ];
  const shown = lockStat ? [...columns, ...measured] : columns;
  const right = 'right' as const;
  return table(
    [{ title: 'lock' }, ...shown.map(([title]) => ({ title, align: right }))],
    taken.map(([name, lock]) => [name, ...shown.map(([, cell]) => cell(lock))]),
  );
}

/** Which oracles watched the run, and what the audit at its end found. */
export function checksLines(options: ResolvedOptions, audit: AuditReport | null): string[] {
  const level = `check ${options.check}`;
  if (audit === null) return [`${level}; no audit: the run did not come to its end`];
  const walked = `${formatPlural(audit.tables, 'table')}, ${formatPlural(audit.vmas, 'VMA')}, ${formatPlural(audit.mappedPages, 'mapped page')}`;
  if (audit.ok)
    return [`${level}; audit: ${walked}: balanced (${formatDuration(audit.durationMs)})`];
  const found = audit.findings.slice(0, FINDINGS_SHOWN);
  return [
    `${level}; audit: ${walked}: ${formatPlural(audit.findingsTotal, 'finding')}`,
    ...found.map((finding) => `  ${finding.oracle}: ${finding.message}`),
    ...(audit.findingsTotal > found.length
      ? [`  and ${formatCount(audit.findingsTotal - found.length)} more`]
      : []),
  ];
}
