/** What `ptlab contend` prints: a table of all combinations, then the contention of each. */
import { QUANTILE_ERROR, quantilesOf } from '../machine/histogram.ts';
import { HOLD_EVERY } from '../kernel/abi.ts';
import type { Samples } from '../measure/measure.ts';
import { median } from '../measure/measure.ts';
import {
  instanceTable,
  latencyTable,
  lockStatTable,
  matrixTable,
  pointLines,
} from './contentionReport.ts';
import { formatCount, formatPlural, formatShare, formatSi } from './format.ts';
import { heatLines } from './heatMap.ts';
import { table } from './table.ts';

const right = 'right' as const;

/** The axes that combinations differ in, in the order of the table's columns. */
const AXES = ['protocol', 'fault', 'free', 'zap', 'lock', 'cpus'] as const;

/** A counter of all samples over their time, per second. */
function perSecond(result: Samples, ...names: string[]): number {
  const durationMs = result.samples.reduce((sum, sample) => sum + sample.durationMs, 0);
  const count = result.samples.reduce(
    (sum, sample) => sum + names.reduce((all, name) => all + (sample.counters[name] ?? 0), 0),
    0,
  );
  return durationMs === 0 ? 0 : (count / durationMs) * 1000;
}

const worst = (result: Samples, of: (sample: Samples['samples'][number]) => number): number =>
  Math.max(0, ...result.samples.map(of));

/** Axes in which the combinations differ, or whose value says most when there is only one. */
function shownAxes(results: readonly Samples[]): (typeof AXES)[number][] {
  return AXES.filter(
    (axis) =>
      axis === 'protocol' ||
      axis === 'lock' ||
      axis === 'cpus' ||
      new Set(results.map((result) => result.options[axis])).size > 1,
  );
}

/** One line for each combination. */
export function ratesTable(results: readonly Samples[]): string[] {
  const axes = shownAxes(results);
  const rows = results.map((result) => {
    const gracePeriods =
      result.contention === null ? null : quantilesOf(result.contention.histograms.gracePeriod);
    return [
      result.workload,
      ...axes.map((axis) => String(result.options[axis])),
      formatSi(result.perSecond),
      formatShare(result.perSecond === 0 ? NaN : result.perSecondMad / result.perSecond),
      formatShare(median(result.samples.map((sample) => sample.lockWaitShare))),
      formatSi(perSecond(result, 'pteMapRetries', 'faultRetries', 'vmaLockRefusals')),
      formatSi(perSecond(result, 'interruptsSent')),
      formatSi(perSecond(result, 'interruptsHandled')),
      formatSi(perSecond(result, 'tlbFlushes')),
      formatSi(perSecond(result, 'gracePeriods')),
      gracePeriods === null ? '-' : formatCount(gracePeriods.p50Ns / 1000),
      gracePeriods === null ? '-' : formatCount(gracePeriods.p99Ns / 1000),
      formatCount(worst(result, (sample) => sample.vmptePeakKb)),
      formatCount(median(result.samples.map((sample) => sample.vmpteKb))),
      formatCount(worst(result, (sample) => sample.heldBackPeakKb)),
    ];
  });
  const titles = [
    'per second',
    'spread',
    'lock wait',
    'retries/s',
    'IPIs sent/s',
    'handled/s',
    'flushes/s',
    'GPs/s',
    'GP p50 us',
    'p99 us',
    'tables kB peak',
    'end',
    'held back',
  ];
  return table(
    [
      { title: 'workload' },
      ...axes.map((axis) => ({ title: axis === 'cpus' ? 'CPUs' : axis })),
      ...titles.map((title) => ({ title, align: right })),
    ],
    rows,
  );
}

/** What the numbers of the table are. */
export function rateNotes(results: readonly Samples[]): string[] {
  const units = new Map(results.map(({ workload, unit }) => [workload, unit]));
  return [
    ...[...units].map(([workload, unit]) => `${workload} counts ${unit}.`),
    "Spread is the median distance from the median. Lock wait is the share of all CPUs' time. Retries: of PTE maps and of faults, and VMA locks refused.",
  ];
}

function retryLine(result: Samples): string {
  const rate = (name: string): string => formatSi(perSecond(result, name));
  return (
    `retries per second: PTE maps ${rate('pteMapRetries')}, faults ${rate('faultRetries')}, VMA locks refused ${rate('vmaLockRefusals')}; ` +
    `interrupts sent ${rate('interruptsSent')}, handled ${rate('interruptsHandled')}; TLB flushes ${rate('tlbFlushes')}, for ${rate('tlbInterrupts')} other CPUs, whole ${rate('tlbFullFlushes')}`
  );
}

/** A part with its heading, unless it is empty. */
function part(heading: string, body: readonly string[]): string[] {
  return body.length === 0 ? [] : ['', heading, ...body];
}

/** The contention of one combination; `instances` locks at most. */
export function contentionLines(result: Samples, instances: number): string[] {
  const { workload, options, contention, locks } = result;
  const title = `${workload}  protocol ${options.protocol}, fault ${options.fault}, free ${options.free}, zap ${options.zap}, lock ${options.lock}, ${formatPlural(options.cpus, 'CPU')}`;
  const lines = [title, '-'.repeat(title.length), retryLine(result), '', ...lockStatTable(locks)];
  if (contention === null) return lines;
  const holds = options.lockStat
    ? 'every hold is timed'
    : `one hold in about ${HOLD_EVERY} is timed, totals are scaled`;
  return [
    ...lines,
    `times in us; ${holds}`,
    ...part('contention points, by operation', pointLines(contention)),
    ...part('worst locks', instanceTable(contention, instances)),
    ...part('who waited for whom: ms / times', matrixTable(contention)),
    ...part('waits by level and address', heatLines(contention.heat)),
    ...part(
      `latencies; each at most ${(QUANTILE_ERROR * 100).toFixed(2)} % above the true one`,
      latencyTable(contention, locks),
    ),
  ];
}
