/** `ptlab replay FILE`: an mm script or a recorded program, on a machine of one's choice. */
import { CPUS_MAX } from '../kernel/abi.ts';
import { CpuDiedError } from '../machine/death.ts';
import type { MachineOptions } from '../machine/options.ts';
import { deathLines } from '../report/deathReport.ts';
import { eventLines } from '../report/eventReport.ts';
import { formatCount, formatDuration, formatShare } from '../report/format.ts';
import {
  comparisonLines,
  replayChart,
  replayHeading,
  replaySummary,
  vmpteSeries,
} from '../report/replayReport.ts';
import { axesLine, checksLines, lockTable, totalsLines } from '../report/runReport.ts';
import { violationsReport } from '../report/violationReport.ts';
import { loadTrace, readText } from '../trace/load.ts';
import type { Trace } from '../trace/load.ts';
import { eachLines } from '../trace/replay.ts';
import type { ReplayProgress } from '../trace/replay.ts';
import { FRAMES_MAX, replayMachine } from '../trace/sizes.ts';
import { compareVmpte, loadVmpte } from '../trace/vmpte.ts';
import type { VmpteFile } from '../trace/vmpte.ts';
import {
  ASYNC_OPTIONS,
  AXIS_OPTIONS,
  CHECK_OPTION,
  CPU_OPTION,
  machineOptions,
  OUTPUT_OPTIONS,
  progressOf,
  RECORD_OPTIONS,
  SIZE_OPTIONS,
  TIMEOUT_OPTION,
} from './axes.ts';
import { defineCommand } from './command.ts';
import { SUMMARIES } from './summaries.ts';
import { UsageError } from './exit.ts';
import { stopper } from './interrupt.ts';
import type { CommandSpec } from './options.ts';
import { commandLine } from './outcome.ts';
import { replayDocument, runReplay } from './replayRun.ts';
import { writeJson, writeLines } from './write.ts';

const WASTE_SLOTS = 65_536;

const SPEC = {
  name: 'replay',
  summary: SUMMARIES.replay,
  usage: 'ptlab replay FILE [options]',
  positionals: { name: 'FILE', min: 1, max: 1 },
  options: {
    cpus: {
      ...CPU_OPTION,
      help: `CPUs (default: those that a script names; one for each thread of a recorded program, at most ${CPUS_MAX}); threads are spread over them`,
    },
    ...AXIS_OPTIONS,
    ...ASYNC_OPTIONS,
    check: { ...CHECK_OPTION, help: 'oracles: full, fast or off (default full)' },
    each: {
      kind: 'flag',
      help: 'print one JSON line per operation; the report goes to stderr',
    },
    against: {
      kind: 'text',
      value: 'FILE.vmpte',
      help: "hold the kernel's own samples, taken while the program was recorded, against the replay",
    },
    pid: {
      kind: 'integer',
      value: 'N',
      min: 1,
      max: 2 ** 31,
      help: 'process of the recording (default: the one that called exec and has most events)',
    },
    children: {
      kind: 'flag',
      help: "replay the children that the recorded process forked as well, each until it exec'd or exited",
    },
    swap: {
      kind: 'integer',
      value: 'N',
      min: 0,
      max: FRAMES_MAX,
      help: 'pages of simulated swap (default 0: as on a system without swap, pageout writes nothing out)',
    },
    ...RECORD_OPTIONS,
    ...SIZE_OPTIONS,
    timeout: TIMEOUT_OPTION,
    ...OUTPUT_OPTIONS,
  },
  notes: [
    'FILE, plain or .gz, is an mm script (mmap, munmap, touch, madvise, mremap, mprotect; one operation a line, "N:" in front runs it on CPU N, "barrier" waits for all; "fork" makes process 1, 2, ..., "@P" in front, behind "N:", says whose operation it is, "exit" ends one) or what perf script printed of a recorded program.',
    'The last page below 16T cannot be mapped, as at the end of every Linux address space.',
    'On several CPUs each thread keeps its order; conflicting operations of a recorded program keep theirs, those of a script race unless a barrier stands between them.',
  ],
} as const satisfies CommandSpec;

interface Input {
  trace: Trace;
  against: VmpteFile | null;
}

function load(
  file: string,
  values: { cpus?: number; pid?: number; against?: string; children?: boolean },
): Input {
  const trace = loadTrace(file, {
    cpus: values.cpus ?? CPUS_MAX,
    ...(values.pid === undefined ? {} : { pid: values.pid }),
    children: values.children === true,
  });
  const limit = values.cpus ?? CPUS_MAX;
  if (trace.cpus > limit) {
    const option = values.cpus === undefined ? '' : ` (--cpus ${limit})`;
    throw new UsageError(
      `${file}:${lineOfCpu(file, limit)}: CPU ${trace.cpus - 1} is no CPU of the machine; allowed: 0 to ${limit - 1}${option}`,
    );
  }
  if (values.against === undefined) return { trace, against: null };
  if (trace.kind === 'script') {
    throw new UsageError(
      `ptlab replay: --against: ${file} is an mm script, which has no times; allowed: a recorded program`,
    );
  }
  return { trace, against: loadVmpte(values.against) };
}

/** Text of a script, by line; its lines count from 1. */
function scriptLines(file: string): string[] {
  return ['', ...readText(file).toString('utf8').split('\n')];
}

/** Line of a script that names the highest of the CPUs from `limit` on. */
function lineOfCpu(file: string, limit: number): number {
  let line = 0;
  let highest = limit - 1;
  for (const [at, text] of scriptLines(file).entries()) {
    const cpu = Number(/^\s*(\d+)\s*:/.exec(text)?.[1] ?? -1);
    if (cpu > highest) [highest, line] = [cpu, at];
  }
  return line;
}

/** The machine that a trace needs: given values first, then what the list asks for, then the defaults. */
function sizedOptions(trace: Trace, values: Readonly<Record<string, unknown>>): MachineOptions {
  return {
    ...replayMachine(trace),
    swapPages: (values['swap'] as number | undefined) ?? 0,
    // Daemons run between operations, by the recording's time.
    daemonCpu: false,
    wasteSlots: WASTE_SLOTS,
    ...machineOptions(values),
    cpus: (values['cpus'] as number | undefined) ?? trace.cpus,
  };
}

function progressView(file: string, progress: ReplayProgress) {
  const { finished, operations, durationMs, finishedByCpu } = progress;
  const rate = durationMs > 0 ? (finished / durationMs) * 1000 : 0;
  const line = `${file}: ${formatCount(finished)} of ${formatCount(operations)} operations (${formatShare(finished / operations)}) in ${formatDuration(durationMs)}, ${formatCount(rate)}/s`;
  return {
    block: () =>
      finishedByCpu.length === 1
        ? [line]
        : [line, ...finishedByCpu.map((done, cpu) => `  CPU ${cpu}  ${formatCount(done)}`)],
    line: () => line,
  };
}

export const replay = defineCommand(SPEC, async (values, positionals) => {
  const { trace, against } = load(positionals[0]!, values as Parameters<typeof load>[1]);
  using stop = stopper(values.timeout);
  const progress = progressOf(values);
  const run = await runReplay(trace, sizedOptions(trace, values), stop, {
    conflicts: trace.kind === 'recording',
    onProgress: (now) => {
      if (progress.due) progress.update(progressView(trace.file, now));
    },
  }).finally(() => progress.clear());
  const { result, options, violations, audit, end } = run;
  const timed = trace.kind === 'recording';
  const rerun = commandLine(SPEC, { ...values, cpus: options.cpus }, positionals);
  const comparison =
    against === null || trace.kind === 'script'
      ? null
      : compareVmpte(vmpteSeries(trace, result), against.samples, {
          startS: trace.startS,
          endS: trace.endS,
        });
  if (values.json) {
    await writeJson({
      command: 'replay',
      rerun,
      file: trace.file,
      input: inputDocument(trace),
      ...replayDocument(run),
      comparison,
      ...(values.each
        ? {
            each: Array.from(
              eachLines(trace, result, timed),
              (line) => JSON.parse(line) as unknown,
            ),
          }
        : {}),
    });
    return end.exitCode;
  }
  const lines = [
    ...replayHeading(trace, result),
    axesLine(options),
    '',
    ...replaySummary(result),
    ...totalsLines(run.statistics),
    ...(options.lockStat ? ['', ...lockTable(run.statistics, true)] : []),
    '',
    ...replayChart(trace, result, against?.samples ?? []),
    ...(comparison === null || trace.kind === 'script'
      ? []
      : ['', ...comparisonLines(comparison, trace.startS)]),
    '',
    ...checksLines(options, audit),
    ...violationsReport(violations, audit, rerun),
    ...eventLines(run.events),
    ...(result.failure instanceof CpuDiedError ? deathLines(result.failure) : []),
    `verdict: ${end.summary}`,
  ];
  if (values.each) {
    await writeLines(eachLines(trace, result, timed));
    if (!values.quiet || end.exitCode !== 0) process.stderr.write(`${lines.join('\n')}\n`);
  } else await writeLines(lines);
  return end.exitCode;
});

function inputDocument(trace: Trace): Record<string, unknown> {
  if (trace.kind === 'script') return { kind: 'script' };
  const { pid, threads, events, lostEvents, foreignEvents, startS, endS, notes } = trace;
  return {
    kind: 'recording',
    pid,
    threads,
    events,
    lostEvents,
    foreignEvents,
    startS,
    endS,
    notes,
  };
}
