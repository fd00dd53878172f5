/**
 * `ptlab contend`: measures workloads over protocols, lock kinds and CPU counts, and shows who waits for whom, and
 * where.
 */
import { availableParallelism } from 'node:os';
import { MIX_NAMES } from '../experiment/mixNames.ts';
import { measureCost, type Cost } from '../measure/cost.ts';
import { measureInTurn, RECORDED } from '../measure/measure.ts';
import type { MeasureOptions, Samples } from '../measure/measure.ts';
import { WORKLOAD_NAMES } from '../experiment/workloads/index.ts';
import { CPUS_MAX } from '../kernel/abi.ts';
import { CpuDiedError } from '../machine/death.ts';
import { LOCK_KINDS, PROTOCOLS, resolveOptions } from '../machine/options.ts';
import { DEFAULT_PROTOCOL } from '../machine/protocols.ts';
import type { LockKind, MachineOptions, Protocol } from '../machine/options.ts';
import { refusalOf } from '../machine/refusals.ts';
import { contentionLines, rateNotes, ratesTable } from '../report/contendReport.ts';
import { costLines } from '../report/costReport.ts';
import { deathLines } from '../report/deathReport.ts';
import { formatCount } from '../report/format.ts';
import { violationCount, violationsReport } from '../report/violationReport.ts';
import {
  AXIS_OPTIONS,
  CHECK_OPTION,
  machineOptions,
  OUTPUT_OPTIONS,
  progressOf,
  SEED_OPTION,
  SIZE_OPTIONS,
  TIMEOUT_OPTION,
} from './axes.ts';
import { defineCommand } from './command.ts';
import { SUMMARIES } from './summaries.ts';
import { UsageError } from './exit.ts';
import { stopper } from './interrupt.ts';
import { checkChoice, parseNumber } from './options.ts';
import type { CommandSpec } from './options.ts';
import { commandLine, outcome } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import { contendDocument } from './contendDocument.ts';
import { writeJson, writeLines } from './write.ts';

const DEFAULT_WORKLOAD = 'page_fault1_threads';
const ALL = 'all';
const { protocol: _protocol, lock: _lock, ...OTHER_AXES } = AXIS_OPTIONS;

const SPEC = {
  name: 'contend',
  summary: SUMMARIES.contend,
  usage:
    'ptlab contend [--workload W,...] [--protocol P,...|all] [--lock K,...|all] [--cpus N,...]',
  positionals: { name: 'argument', min: 0, max: 0 },
  options: {
    workload: {
      kind: 'text',
      value: 'W,...',
      help: `what the CPUs do (default ${DEFAULT_WORKLOAD}; ptlab list workloads), or ${RECORDED}FILE`,
    },
    protocol: {
      kind: 'text',
      value: 'P,...',
      help: `reclaim protocols, or all (default ${DEFAULT_PROTOCOL}): ${PROTOCOLS.join(', ')}`,
    },
    lock: {
      kind: 'text',
      value: 'K,...',
      help: `kinds of the page-table locks, or all (default adaptive): ${LOCK_KINDS.join(', ')}`,
    },
    cpus: {
      kind: 'text',
      value: 'N,...',
      help: 'numbers of CPUs, each a thread (default: one per core)',
    },
    ...OTHER_AXES,
    samples: { kind: 'integer', value: 'N', min: 1, max: 10_000, help: 'samples (default 5)' },
    'sample-seconds': {
      kind: 'number',
      value: 'S',
      min: 0.01,
      max: 3600,
      help: 'seconds of each (default 1)',
    },
    warmup: {
      kind: 'number',
      value: 'S',
      min: 0,
      max: 3600,
      help: 'seconds before the first sample (default 1)',
    },
    cost: {
      kind: 'flag',
      help: 'measure what measuring costs: the same with it on and off, in turn',
    },
    brief: { kind: 'flag', help: 'only the table of all combinations' },
    locks: {
      kind: 'integer',
      value: 'N',
      min: 0,
      max: 512,
      help: 'worst locks shown of each combination (default 8)',
    },
    'lock-stat': {
      kind: 'flag',
      help: 'time every hold, not some; that costs much more than the rest',
    },
    seed: SEED_OPTION,
    check: { ...CHECK_OPTION, help: 'oracles: full, fast or off (default off)' },
    ...SIZE_OPTIONS,
    timeout: TIMEOUT_OPTION,
    ...OUTPUT_OPTIONS,
  },
  notes: [
    'Combinations of one workload and number of CPUs are measured in turn, one sample of each after the other; then comes the next group. Waits and holds are those of all samples.',
    'A combination that is not meant to work is left out where all are asked for, and refused where it is named.',
  ],
} as const satisfies CommandSpec;

/** The words of a list such as `a,b`; `all` stands for every one of `allowed`. */
function listOf<T extends string>(option: string, text: string, allowed: readonly T[]): T[] {
  if (text === ALL) return [...allowed];
  const words = text.split(',');
  for (const word of words) checkChoice('contend', option, word, [...allowed, ALL]);
  return [...new Set(words)] as T[];
}

/** Workloads by name, or `recorded:FILE`, whose path may have commas when it is the only one. */
function workloadsOf(text: string): string[] {
  if (text.startsWith(RECORDED)) return [text];
  const words = [...new Set(text.split(','))];
  for (const word of words)
    if (!word.startsWith(RECORDED))
      checkChoice('contend', '--workload', word, [
        ...WORKLOAD_NAMES,
        ...MIX_NAMES,
        `${RECORDED}FILE`,
      ]);
  return words;
}

function cpusOf(text: string | undefined): (number | undefined)[] {
  if (text === undefined) return [undefined];
  const spec = { kind: 'integer', min: 1, max: CPUS_MAX } as const;
  return [...new Set(text.split(',').map((word) => parseNumber('contend', '--cpus', word, spec)))];
}

/** A combination that is not meant to work. */
interface LeftOut {
  protocol: Protocol;
  lock: LockKind;
  reason: string;
}

interface Values {
  readonly [name: string]: unknown;
  workload?: string | undefined;
  protocol?: string | undefined;
  lock?: string | undefined;
  cpus?: string | undefined;
}

/** What is to be measured, in groups that are measured in turn. */
function groupsOf(values: Values): { groups: MeasureOptions[][]; leftOut: LeftOut[] } {
  const workloads = workloadsOf(values.workload ?? DEFAULT_WORKLOAD);
  const protocols = listOf('--protocol', values.protocol ?? DEFAULT_PROTOCOL, PROTOCOLS);
  const locks = listOf('--lock', values.lock ?? 'adaptive', LOCK_KINDS);
  const leftOut: LeftOut[] = [];
  const combinations = protocols.flatMap((protocol) =>
    locks.flatMap((lock) => {
      const { cpus: _, ...rest } = values;
      const machine: MachineOptions = { ...machineOptions(rest), protocol, lock };
      const refusal = refusalOf(resolveOptions(machine));
      if (refusal === null) return [machine];
      if (values.protocol !== ALL && values.lock !== ALL)
        throw new UsageError(
          `ptlab contend: --protocol ${protocol} with --lock ${lock}: ${refusal.reason}`,
        );
      leftOut.push({ protocol, lock, reason: refusal.reason });
      return [];
    }),
  );
  const groups = workloads.flatMap((workload) =>
    cpusOf(values.cpus).map((cpus) =>
      combinations.map((machine) => ({
        workload,
        machine: {
          ...machine,
          contention: true,
          ...(cpus !== undefined
            ? { cpus }
            : workload.startsWith(RECORDED)
              ? {}
              : { cpus: Math.min(availableParallelism(), CPUS_MAX) }),
        },
      })),
    ),
  );
  return { groups, leftOut };
}

export const contend = defineCommand(SPEC, async (values) => {
  const { groups, leftOut } = groupsOf(values);
  using stop = stopper(values.timeout);
  const progress = progressOf(values);
  const times = {
    samples: values.samples ?? 5,
    sampleMs: Math.max(1, Math.round((values['sample-seconds'] ?? 1) * 1000)),
    warmupMs: Math.round((values.warmup ?? 1) * 1000),
    signal: stop.signal,
  };
  const total = groups.reduce((sum, group) => sum + group.length * times.samples, 0);
  let done = 0;
  const tell = (workload: string): void => {
    done++;
    const line = `contend: ${formatCount(done)} of ${formatCount(total)} samples, ${workload}`;
    if (progress.due) progress.update({ block: () => [line], line: () => line });
  };
  const results: Samples[] = [];
  const costs: Cost[] = [];
  let failure: CpuDiedError | null = null;
  try {
    for (const group of groups) {
      if (stop.signal.aborted) break;
      const list = group.map((options) => ({ ...options, ...times }));
      if (values.cost)
        for (const options of list)
          costs.push(await measureCost(options, () => tell(options.workload)));
      else results.push(...(await measureInTurn(list, (at) => tell(list[at]!.workload))));
    }
  } catch (error) {
    if (!(error instanceof CpuDiedError)) throw error;
    failure = error;
  } finally {
    progress.clear();
  }
  const all = [...results, ...costs.flatMap(({ on, off }) => [...on, ...off])];
  const violations = all.reduce(
    (sum, result) => sum + violationCount(result.violations, result.audit),
    0,
  );
  const end = outcome({
    violations,
    failure: failure === null ? null : failure.message,
    stopped: stop.reason,
  });
  const rerun = commandLine(SPEC, { ...values }, []);
  if (values.json) await writeJson(contendDocument(results, costs, leftOut, end, failure, rerun));
  else await writeLines(report(results, costs, leftOut, end, failure, rerun, values));
  return end.exitCode;
});

function report(
  results: readonly Samples[],
  costs: readonly Cost[],
  leftOut: readonly LeftOut[],
  end: Outcome,
  failure: CpuDiedError | null,
  rerun: string,
  values: { brief: boolean; locks?: number | undefined },
): string[] {
  const lines: string[] = [];
  if (results.length > 0) lines.push(...ratesTable(results), '', ...rateNotes(results));
  for (const { protocol, lock, reason } of leftOut)
    lines.push(`left out: protocol ${protocol}, lock ${lock}: ${reason}`);
  if (!values.brief)
    for (const result of results) lines.push('', ...contentionLines(result, values.locks ?? 8));
  lines.push(...costLines(costs));
  for (const { violations, audit } of results)
    lines.push(...violationsReport(violations, audit, rerun));
  if (failure !== null) lines.push(...deathLines(failure));
  lines.push('', `verdict: ${end.summary}`);
  return lines;
}
