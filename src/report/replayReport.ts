import type { ReplayResult } from '../trace/replay.ts';
import type { Trace } from '../trace/load.ts';
import { FIELD_TIME_S, OP_FIELDS } from '../trace/operation.ts';
import { TABLE_KB } from '../trace/replay.ts';
import { NOT_RUN, SPACE_WORDS } from '../trace/replayCpu.ts';
import type { VmpteComparison, VmpteSample, VmpteSeries } from '../trace/vmpte.ts';
import { chart } from './chart.ts';
import type { Series } from './chart.ts';
import { formatCount, formatDuration, formatPlural } from './format.ts';
import { table } from './table.ts';

/**
 * Page-table memory after an operation: of a script all processes', of a recording that of the process it is of,
 * without its children.
 */
function vmpteOfFirst(trace: Trace, result: ReplayResult, op: number): number {
  if (trace.kind === 'script' || result.processes === 1) return result.vmpteKbs[op]!;
  return Math.max(0, result.spaces[op * result.processes * SPACE_WORDS]!) * TABLE_KB;
}

/**
 * Page-table memory over the time of a recording, of the recorded process: the operations that ran, in the order of
 * their times.
 */
export function vmpteSeries(trace: Trace, result: ReplayResult): VmpteSeries {
  const timesS: number[] = [];
  const vmpteKb: number[] = [];
  for (let op = 0; op < result.operations; op++) {
    if (result.errnos[op] === NOT_RUN) continue;
    timesS.push(trace.operations[op * OP_FIELDS + FIELD_TIME_S]!);
    vmpteKb.push(vmpteOfFirst(trace, result, op));
  }
  return { timesS, vmpteKb };
}

/** The first lines of a replay's report: what was replayed, on what. */
export function replayHeading(trace: Trace, result: ReplayResult): string[] {
  const ran =
    `${formatPlural(result.finished, 'operation')}` +
    (result.finished < result.operations ? ` of ${formatCount(result.operations)}` : '') +
    ` in ${formatDuration(result.durationMs)} on ${formatPlural(result.cpus, 'CPU')}`;
  if (trace.kind === 'script') return [`${trace.file}: mm script`, ran];
  const lost = trace.lostEvents > 0 ? `, ${formatCount(trace.lostEvents)} LOST` : '';
  return [
    `${trace.file}: recorded program, pid ${trace.pid}, ${formatPlural(trace.threads.length, 'thread')}, ` +
      `${formatPlural(trace.events, 'event')}${lost}`,
    ...trace.notes.map((note) => `  ${note}`),
    ran,
  ];
}

/** Table memory of ptlab over the recording's time, or over a script's operations; the kernel's samples beside it. */
export function replayChart(
  trace: Trace,
  result: ReplayResult,
  kernel: readonly VmpteSample[],
  columns = 72,
): string[] {
  if (trace.kind === 'script') {
    const series = vmpteSeries(trace, result);
    const x = Array.from(series.timesS, (_, at) => at);
    const one: Series = { name: 'ptlab', mark: '*', x, y: series.vmpteKb };
    return chart([one], { columns, yUnit: 'kB', xUnit: 'operations' });
  }
  const series = vmpteSeries(trace, result);
  const startS = trace.startS;
  const inside = kernel.filter((one) => one.timeS >= startS && one.timeS <= trace.endS);
  const lines: Series[] = [
    {
      name: 'ptlab',
      mark: '*',
      x: Array.from(series.timesS, (timeS) => timeS - startS),
      y: series.vmpteKb,
    },
  ];
  if (inside.length > 0) {
    lines.push({
      name: "the kernel's samples",
      mark: '+',
      x: inside.map((sample) => sample.timeS - startS),
      y: inside.map((sample) => sample.vmpteKb),
    });
  }
  return chart(lines, { columns, yUnit: 'kB', xUnit: 's' });
}

/** The comparison with the kernel's samples. */
export function comparisonLines(comparison: VmpteComparison, startS: number): string[] {
  const { agreeing, compared, outside, agreeingPercent } = comparison;
  if (agreeingPercent === null) {
    return [`kernel's samples: none of ${formatCount(outside)} lies within the recording`];
  }
  const lines = [
    `kernel's samples: ${formatCount(agreeing)} of ${formatCount(compared)} agree (${agreeingPercent.toFixed(2)} %), ` +
      `a value within 5 ms being within 16 kB or 1 %; ${formatCount(outside)} outside the recording`,
  ];
  if (comparison.worst.length === 0) return lines;
  const rows = comparison.worst.map((one) => [
    `${(one.timeS - startS).toFixed(3)} s`,
    formatCount(one.kernelKb),
    formatCount(one.ptlabKb),
  ]);
  const columns = ['farthest off at', 'kernel kB', 'ptlab kB'].map((title) => ({
    title,
    align: 'right' as const,
  }));
  return [...lines, ...table(columns, rows, '  ')];
}

/** Page-table memory and errors in a few lines. */
export function replaySummary(result: ReplayResult): string[] {
  const errors = Object.entries(result.errors)
    .map(([name, times]) => `${name} ${formatCount(times)}`)
    .join(', ');
  return [
    `VmPTE   ${formatCount(result.vmptePeakKb)} kB at its peak, ${formatCount(result.vmpteKb)} kB at the end`,
    `pages   ${formatCount(result.anonPages)} anonymous at the end`,
    `errors  ${errors === '' ? 'none' : errors}`,
  ];
}
