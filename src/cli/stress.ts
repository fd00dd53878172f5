/** `ptlab stress`: all CPUs hammer shared page tables for a time or a count; the oracles watch. */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import { MIX_NAMES } from '../experiment/mixNames.ts';
import { findWorkload, WORKLOAD_NAMES } from '../experiment/workloads/index.ts';
import { findMutant, MUTANT_NAMES, stressMachine, type Mutant } from '../explore/mutants/index.ts';
import { CPUS_MAX } from '../kernel/abi.ts';
import { CpuDiedError } from '../machine/death.ts';
import { boot } from '../boot/boot.ts';
import type { RunOptions, RunReport } from '../machine/machine.ts';
import type { MachineOptions } from '../machine/options.ts';
import { DEFAULT_PROTOCOL } from '../machine/protocols.ts';
import { deathLines } from '../report/deathReport.ts';
import { eventLines } from '../report/eventReport.ts';
import { formatDuration, formatSi } from '../report/format.ts';
import type { Progress } from '../report/progress.ts';
import { axesLine, checksLines, cpuTable, lockTable, totalsLines } from '../report/runReport.ts';
import { StressMonitor } from '../report/stressView.ts';
import { violationCount, violationsReport } from '../report/violationReport.ts';
import {
  ASYNC_OPTIONS,
  DAEMON_OPTIONS,
  AXIS_OPTIONS,
  CHECK_OPTION,
  CPU_OPTION,
  machineOptions,
  OUTPUT_OPTIONS,
  progressOf,
  RECORD_OPTIONS,
  SEED_OPTION,
  SIZE_OPTIONS,
  TIMEOUT_OPTION,
} from './axes.ts';
import { defineCommand } from './command.ts';
import { SUMMARIES } from './summaries.ts';
import { UsageError } from './exit.ts';
import { INJECTIONS, parseInject } from './inject.ts';
import { stopper } from './interrupt.ts';
import type { Stopper } from './interrupt.ts';
import { checkChoice } from './options.ts';
import type { CommandSpec } from './options.ts';
import { fromStressLines, searchFromStress } from './fromStress.ts';
import { commandLine, outcome } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import { writeJson, writeLines } from './write.ts';

const DEFAULT_SECONDS = 10;
const PROGRESS_MS = 250;
const EVENTS_TO_EXPLORE = 1024;

const SPEC = {
  name: 'stress',
  summary: SUMMARIES.stress,
  usage: 'ptlab stress [--cpus N] [--seconds S | --ops N] [--mix NAME] [axes] [--inject ...]',
  positionals: { name: 'argument', min: 0, max: 0 },
  options: {
    cpus: { ...CPU_OPTION, help: 'CPUs, each a thread (default: one per core)' },
    seconds: {
      kind: 'number',
      value: 'S',
      min: 0.001,
      max: 1_000_000,
      help: `how long (default ${DEFAULT_SECONDS})`,
    },
    ops: {
      kind: 'integer',
      value: 'N',
      min: 1,
      max: Number.MAX_SAFE_INTEGER,
      help: 'operations of each CPU, instead of a time',
    },
    seed: SEED_OPTION,
    mix: { kind: 'choice', allowed: MIX_NAMES, help: 'what the CPUs do (default all)' },
    workload: {
      kind: 'text',
      value: 'NAME|FILE',
      help: 'instead of a mix: a workload (ptlab list workloads), or a module that exports run',
    },
    ...AXIS_OPTIONS,
    ...ASYNC_OPTIONS,
    check: { ...CHECK_OPTION, help: 'oracles: full, fast or off (default full)' },
    inject: {
      kind: 'text',
      value: 'NAME=N,...',
      help: 'faults, storms, delays and deaths; see below',
    },
    mutant: {
      kind: 'text',
      value: 'NAME',
      help: 'run a kernel that is wrong on purpose in one place (ptlab list mutants); JavaScript only',
    },
    ...RECORD_OPTIONS,
    explore: {
      kind: 'text',
      value: 'FOLDER',
      help: 'after a violation: write scenarios of the last operations into FOLDER and explore them; --events is 1024 unless given',
    },
    ...SIZE_OPTIONS,
    ...DAEMON_OPTIONS,
    timeout: TIMEOUT_OPTION,
    ...OUTPUT_OPTIONS,
  },
  notes: [
    '--inject takes a list such as table=100,batch=50,frame=1000,delay=200,storm=500,resched=10,stalled-readers=1,death=exit@1/5000:',
    ...Object.entries(INJECTIONS).map(([name, help]) => `  ${name}: ${help}`),
    'With --mutant, what is not given is what gives that mutant a chance: its mix, axes and injected trouble.',
  ],
} as const satisfies CommandSpec;

/** What a stress run came to; `report` is partial when it ended early, null when a CPU died before the run began. */
interface StressResult {
  report: RunReport | null;
  failure: CpuDiedError | null;
  end: Outcome;
}

/**
 * Boots a machine, runs `mix`, the name of a mix or workload or a module's URL, on it with the live block on stderr,
 * shuts it down.
 */
export async function runStress(
  mix: string,
  machineOptionsGiven: MachineOptions,
  run: Pick<RunOptions, 'durationMs' | 'operations'>,
  title: string,
  progress: Progress,
  stop: Stopper,
): Promise<StressResult> {
  let report: RunReport | null = null;
  let failure: CpuDiedError | null = null;
  try {
    await using machine = await boot(machineOptionsGiven);
    const monitor = new StressMonitor(title, run.durationMs ?? null);
    monitor.sample(machine.statistics(), 0);
    report = await machine.run(mix, {
      ...run,
      signal: stop.signal,
      progressMs: PROGRESS_MS,
      onProgress: (statistics, elapsedMs) => {
        monitor.sample(statistics, elapsedMs);
        if (progress.due) progress.update(monitor);
      },
    });
  } catch (error) {
    if (!(error instanceof CpuDiedError)) throw error;
    failure = error;
    report = error.report;
  } finally {
    progress.clear();
  }
  const end = outcome({
    violations: report === null ? 0 : violationCount(report.violations, report.audit),
    failure: failure === null ? null : failure.message,
    stopped: report?.ended === 'interrupted' || failure !== null ? stop.reason : null,
  });
  return { report, failure, end };
}

/** The lines of a stress run's report. */
export function stressReport(result: StressResult, rerun: string): string[] {
  const { report, failure, end } = result;
  const death = failure === null ? [] : deathLines(failure);
  if (report === null) return [...death, `verdict: ${end.summary}`];
  const { statistics, durationMs, operations, operationsPerCpu } = report;
  const done = operationsPerCpu.every((count) => count !== null)
    ? operations
    : (statistics.counters['ops'] ?? operations);
  const perSecond = formatSi((done / durationMs) * 1000);
  return [
    `stress ${report.workload}, seed ${report.seed}: ${formatSi(done)} operations in ${formatDuration(durationMs)}, ${perSecond}/s`,
    axesLine(report.options),
    '',
    ...cpuTable(statistics, operationsPerCpu, durationMs),
    '',
    ...lockTable(statistics, report.options.lockStat),
    '',
    ...totalsLines(statistics),
    ...checksLines(report.options, report.audit),
    ...violationsReport(report.violations, report.audit, rerun),
    ...eventLines(report.events),
    ...death,
    `verdict: ${end.summary}`,
  ];
}

/** What --json prints of a stress run. */
export function stressDocument(result: StressResult, rerun: string): Record<string, unknown> {
  const { verdict, exitCode, summary } = result.end;
  const failure = result.failure === null ? null : result.failure.death;
  return { verdict, exitCode, summary, rerun, ...result.report, failure };
}

/** A named workload, or the URL of a module's file. Throws UsageError. */
function workloadCalled(text: string): string {
  if (findWorkload(text) !== null) return text;
  if (!existsSync(text)) checkChoice('stress', '--workload', text, [...WORKLOAD_NAMES, 'FILE']);
  return pathToFileURL(text).href;
}

/** The mutant called `name`. Throws UsageError. */
function mutantCalled(name: string): Mutant {
  checkChoice('stress', '--mutant', name, MUTANT_NAMES);
  return findMutant(name)!;
}

export const stress = defineCommand(SPEC, async (values) => {
  if (values.seconds !== undefined && values.ops !== undefined) {
    throw new UsageError(
      'ptlab stress: --seconds and --ops exclude each other; allowed: one of them',
    );
  }
  const cpus = values.cpus ?? Math.min(availableParallelism(), CPUS_MAX);
  const mutant = values.mutant === undefined ? null : mutantCalled(values.mutant);
  if (mutant !== null && values.execution === 'wasm') {
    throw new UsageError(
      'ptlab stress: --execution "wasm" cannot run a mutant, which is a patch to the JavaScript kernel; allowed: js',
    );
  }
  const advice = mutant === null ? {} : stressMachine(mutant);
  if (values.mix !== undefined && values.workload !== undefined)
    throw new UsageError(
      'ptlab stress: --mix and --workload exclude each other; allowed: one of them',
    );
  const workload = values.workload === undefined ? null : workloadCalled(values.workload);
  const mix = workload === null ? (values.mix ?? mutant?.stress.mix ?? 'all') : undefined;
  const inject =
    values.inject === undefined
      ? (advice.inject ?? {})
      : parseInject('stress', values.inject, cpus);
  const seconds = values.ops === undefined ? (values.seconds ?? DEFAULT_SECONDS) : undefined;
  const options: MachineOptions = {
    ...findWorkload(workload ?? '')?.sizes(cpus),
    ...advice,
    ...machineOptions(values),
    cpus,
    inject,
    ...(mutant !== null && { mutant: mutant.name }),
  };
  const rerun = commandLine(SPEC, { ...values, cpus, mix, seconds, seed: values.seed ?? 1 }, []);
  if (values.explore !== undefined) options.eventsPerCpu ??= EVENTS_TO_EXPLORE;
  using stop = stopper(values.timeout);
  const limits =
    values.ops === undefined
      ? { durationMs: Math.max(1, Math.round(seconds! * 1000)) }
      : { operations: values.ops };
  const title = `stress ${values.workload ?? mix}${mutant === null ? '' : `  mutant ${mutant.name}`}  ${values.protocol ?? DEFAULT_PROTOCOL}/${values.free ?? 'rcu'}  seed ${values.seed ?? 1}`;
  const result = await runStress(
    workload ?? mix!,
    options,
    limits,
    title,
    progressOf(values),
    stop,
  );
  if (!values.json) await writeLines(stressReport(result, rerun));
  const found =
    values.explore !== undefined && (result.report?.violations.length ?? 0) > 0
      ? searchFromStress(result.report!, values.explore)
      : null;
  if (!values.json) {
    if (found !== null) await writeLines(fromStressLines(found));
    return result.end.exitCode;
  }
  await writeJson({ command: 'stress', ...stressDocument(result, rerun), explored: found });
  return result.end.exitCode;
});
