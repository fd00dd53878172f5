/** `ptlab demo`, which `npm start` runs: the main job in four parts, each with its verdict, in less than a minute. */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { CPUS_MAX } from '../kernel/abi.ts';
import type { MachineOptions, Protocol } from '../machine/options.ts';
import { aboutProtocol, PROTOCOLS } from '../machine/protocols.ts';
import { openScenario } from '../explore/scenario.ts';
import { exploredLines, type Explored } from '../report/exploreReport.ts';
import { formatCount, formatDuration, formatPlural, formatShare } from '../report/format.ts';
import { Progress } from '../report/progress.ts';
import {
  comparisonLines,
  replayChart,
  replayHeading,
  replaySummary,
  vmpteSeries,
} from '../report/replayReport.ts';
import { checksLines } from '../report/runReport.ts';
import { table } from '../report/table.ts';
import { violationsReport } from '../report/violationReport.ts';
import { loadTrace } from '../trace/load.ts';
import type { ReplayProgress } from '../trace/replay.ts';
import { compareVmpte, loadVmpte } from '../trace/vmpte.ts';
import { OUTPUT_OPTIONS } from './axes.ts';
import { defineCommand } from './command.ts';
import { SUMMARIES } from './summaries.ts';
import { EXIT_RIGHT } from './exit.ts';
import { stopper } from './interrupt.ts';
import type { Stopper } from './interrupt.ts';
import type { CommandSpec } from './options.ts';
import { exploredDocument, exploreOne } from './exploreRun.ts';
import { outcome, type Outcome } from './outcome.ts';
import { replayDocument, runReplay } from './replayRun.ts';
import type { ReplayRun } from './replayRun.ts';
import { reproducer } from './reproducer.ts';
import { runStress, stressDocument, stressReport } from './stress.ts';
import { writeJson, writeLines } from './write.ts';

const LOOP_GIB = 50;
/** Protocols that the loop runs under. */
const SHOWN: readonly Protocol[] = PROTOCOLS.filter((name) => aboutProtocol(name).demo);
const STRESS_SECONDS = 8;
const DRAWING_COLUMNS = 100;
const RECORDINGS = new URL('../../../src/trace/recordings/', import.meta.url);

const SPEC = {
  name: 'demo',
  summary: SUMMARIES.demo,
  usage: 'ptlab demo [--json] [--quiet]',
  positionals: { name: 'argument', min: 0, max: 0 },
  options: { json: OUTPUT_OPTIONS.json, quiet: OUTPUT_OPTIONS.quiet },
} as const satisfies CommandSpec;

/** What a part of the demonstration came to. */
interface Part {
  ends: readonly Outcome[];
  /** What --json prints of it, and under which key. */
  key: string;
  document: unknown;
}

/** How a part shows itself: lines of its report, and progress. */
interface Screen {
  write(lines: readonly string[]): Promise<void>;
  quiet: boolean;
}

interface Loop extends ReplayRun {
  protocol: Protocol;
}

async function showLoop({ write, quiet }: Screen, stop: Stopper): Promise<Part> {
  await write([
    `1. The cover letter's loop: map ${LOOP_GIB} GiB; for each 2 MiB touch all of it, then MADV_DONTNEED.`,
    '',
  ]);
  const progress = new Progress(process.stderr, { quiet });
  const shares = new Map<Protocol, string>();
  const view = {
    block: () => SHOWN.map((name) => `  ${name.padEnd(14)}${shares.get(name) ?? 'starting'}`),
    line: () => SHOWN.map((name) => `${name} ${shares.get(name) ?? '-'}`).join(', '),
  };
  const runs = await Promise.all(
    SHOWN.map(async (protocol): Promise<Loop> => {
      const options: MachineOptions = { cpus: 1, protocol, check: 'fast' };
      const onProgress = ({ finished, operations }: ReplayProgress): void => {
        shares.set(protocol, formatShare(finished / operations));
        progress.update(view);
      };
      return {
        protocol,
        ...(await runReplay(reproducer(LOOP_GIB), options, stop, { onProgress })),
      };
    }),
  );
  progress.clear();
  const right = 'right' as const;
  const rows: [string, (run: Loop) => string][] = [
    ['table memory before', (run) => `${formatCount(run.result.vmpteKbs[0] ?? 0)} kB`],
    ['table memory at its peak', (run) => `${formatCount(run.result.vmptePeakKb)} kB`],
    ['table memory after', (run) => `${formatCount(run.result.vmpteKb)} kB`],
    [
      'tables allocated, batch pages included',
      (run) => formatCount(run.statistics.counters['tablesAllocated'] ?? 0),
    ],
    ['out of, as freed ones are used again', (run) => formatCount(run.statistics.tables.everUsed)],
    ['page faults', (run) => formatCount(run.statistics.counters['faults'] ?? 0)],
    ['time', (run) => formatDuration(run.result.durationMs)],
    ['verdict', (run) => run.end.summary],
  ];
  await write([
    ...table(
      [{ title: 'protocol' }, ...runs.map((run) => ({ title: run.protocol, align: right }))],
      rows.map(([name, cell]) => [name, ...runs.map(cell)]),
      '  ',
    ),
    ...runs.flatMap((run) => violationsReport(run.violations, run.audit, 'ptlab demo')),
    '',
  ]);
  return {
    ends: runs.map((run) => run.end),
    key: 'loop',
    document: runs.map(({ protocol, ...run }) => ({
      protocol,
      gib: LOOP_GIB,
      vmpteBeforeKb: run.result.vmpteKbs[0] ?? 0,
      ...replayDocument(run),
    })),
  };
}

/** Path of a bundled file. */
function recording(name: string): string {
  return fileURLToPath(new URL(name, RECORDINGS));
}

async function showRecording({ write, quiet }: Screen, stop: Stopper): Promise<Part> {
  const trace = loadTrace(recording('redis.perf.gz'), { cpus: 1 });
  const kernel = loadVmpte(recording('redis.vmpte'));
  if (trace.kind !== 'recording') throw new Error('redis.perf.gz is no recording');
  await write([
    "2. A recorded program: Redis's page faults and memory calls, replayed; what Linux 6.18 said meanwhile beside it.",
    '',
  ]);
  const progress = new Progress(process.stderr, { quiet });
  const options: MachineOptions = { cpus: 1, check: 'full', swapPages: 0 };
  const run = await runReplay(trace, options, stop, {
    onProgress: ({ finished, operations }) => {
      const line = `  ${formatShare(finished / operations)}`;
      progress.update({ block: () => [line], line: () => line });
    },
  });
  progress.clear();
  const { result, violations, audit, end } = run;
  const comparison = compareVmpte(vmpteSeries(trace, result), kernel.samples, {
    startS: trace.startS,
    endS: trace.endS,
  });
  const [, ...heading] = replayHeading(trace, result);
  const lines = [
    ...heading,
    ...replaySummary(result),
    '',
    ...replayChart(trace, result, kernel.samples),
    '',
    ...comparisonLines(comparison, trace.startS),
    ...checksLines(run.options, audit),
    ...violationsReport(violations, audit, 'ptlab demo'),
    `verdict: ${end.summary}`,
  ];
  await write([...lines.map((line) => (line === '' ? '' : `  ${line}`)), '']);
  return { ends: [end], key: 'recording', document: { ...replayDocument(run), comparison } };
}

async function showStress({ write, quiet }: Screen, stop: Stopper): Promise<Part> {
  const cpus = Math.min(availableParallelism(), CPUS_MAX);
  await write([
    `3. A stress of ${STRESS_SECONDS} s on ${formatPlural(cpus, 'CPU')}, every oracle watching.`,
    '',
  ]);
  const run = { durationMs: STRESS_SECONDS * 1000 };
  const progress = new Progress(process.stderr, { quiet });
  const result = await runStress('all', { cpus }, run, 'stress all  sync/rcu', progress, stop);
  const rerun = `ptlab stress --cpus ${cpus} --seconds ${STRESS_SECONDS} --seed 1`;
  const lines = stressReport(result, rerun);
  await write([...lines.map((line) => (line === '' ? '' : `  ${line}`)), '']);
  return { ends: [result.end], key: 'stress', document: stressDocument(result, rerun) };
}

async function showExplorer({ write, quiet }: Screen, stop: Stopper): Promise<Part> {
  await write([
    '4. Every interleaving: a zap that frees a table, and a lockless walker in it; then the same with tables freed at once.',
    '',
  ]);
  const settings = { strategy: 'dpor' } as const;
  const all: Explored[] = [];
  for (const machine of [{}, { free: 'immediate' }] as const) {
    const scenario = openScenario({ scenario: 'zapWalk', machine });
    const progress = new Progress(process.stderr, { quiet });
    const hooks = { signal: stop.signal };
    const run = { settings, hooks, progress, position: '', explains: true };
    const explored = await exploreOne(scenario, run);
    all.push(explored);
    const free = 'free' in machine ? ` --free ${machine.free}` : '';
    const output = { width: DRAWING_COLUMNS, rerun: `ptlab explore zapWalk${free}`, saved: null };
    const lines = exploredLines(explored, output);
    await write([...lines.map((line) => `  ${line}`.trimEnd()), '']);
  }
  const [right, wrong] = all.map(({ result }) => result.verdict.kind);
  const violations = right === 'passes' && wrong === 'violation' ? 0 : 1;
  const ends = [outcome({ violations, failure: null, stopped: stop.reason })];
  return { ends, key: 'explored', document: all.map(exploredDocument) };
}

/** The first of `ends` that is not right, or else the first. */
function worst(ends: readonly Outcome[]): Outcome {
  return ends.find((end) => end.exitCode !== EXIT_RIGHT) ?? ends[0]!;
}

export const demo = defineCommand(SPEC, async ({ json, quiet }) => {
  using stop = stopper();
  const startMs = performance.now();
  const screen: Screen = { write: json ? async () => {} : writeLines, quiet };
  const parts: Part[] = [];
  for (const show of [showLoop, showRecording, showStress, showExplorer]) {
    if (stop.reason === null) parts.push(await show(screen, stop));
  }
  const end = worst(parts.flatMap((part) => part.ends));
  const durationMs = performance.now() - startMs;
  await screen.write([
    `All of it in ${formatDuration(durationMs)}: ${end.summary}.`,
    'Next: ptlab replay FILE --against FILE.vmpte, ptlab stress --help, ptlab explore --help, ptlab list.',
  ]);
  if (json)
    await writeJson({
      command: 'demo',
      verdict: end.verdict,
      exitCode: end.exitCode,
      summary: end.summary,
      durationMs,
      ...Object.fromEntries(parts.map((part) => [part.key, part.document])),
    });
  return end.exitCode;
});
