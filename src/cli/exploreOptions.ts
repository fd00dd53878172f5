/** Options of `ptlab explore`, and what they say about scenarios and searches. */
import { existsSync, readFileSync } from 'node:fs';
import { parseScheduleFile, scheduleIn } from '../explore/failure/scheduleFile.ts';
import { SAMPLING_STRATEGIES } from '../explore/strategies/pickers.ts';
import { SCENARIO_CHOICES, type ScenarioRequest } from '../explore/scenario.ts';
import { parseSchedule } from '../explore/scheduleText.ts';
import type { Schedule, Verdict } from '../explore/verdict.ts';
import { STRATEGIES, type SearchSettings, type Strategy } from '../explore/searchSettings.ts';
import { MEASURES } from '../explore/worst/measures.ts';
import { AXIS_OPTIONS, OUTPUT_OPTIONS, SEED_OPTION } from './axes.ts';
import { SUMMARIES } from './summaries.ts';
import { UsageError } from './exit.ts';
import {
  checkChoice,
  parseNumber,
  quoted,
  type CommandSpec,
  type ParsedCommand,
} from './options.ts';

const { protocol, free, fault, zap, emptiness, thp, lock } = AXIS_OPTIONS;
const COUNT_MAX = Number.MAX_SAFE_INTEGER;

export const SPEC = {
  name: 'explore',
  summary: SUMMARIES.explore,
  usage: 'ptlab explore [SCENARIO...] [axes] [--strategy NAME] [--replay SCHEDULE]',
  positionals: { name: 'SCENARIO', min: 0, max: 1000 },
  options: {
    protocol,
    free,
    fault,
    zap,
    emptiness,
    thp,
    lock,
    mutant: {
      kind: 'text',
      value: 'NAME',
      help: 'a kernel that is wrong on purpose in one place (ptlab list mutants); without SCENARIO in the one where it shows first',
    },
    strategy: {
      kind: 'choice',
      allowed: Object.keys(STRATEGIES) as Strategy[],
      help: 'how to search; see below (default dpor)',
    },
    preemptions: {
      kind: 'integer',
      value: 'K',
      min: 0,
      max: 1000,
      help: 'explore only what at most K preemptions lead to; chooses the strategy dfs',
    },
    worst: {
      kind: 'choice',
      allowed: Object.keys(MEASURES),
      help: 'find the greatest value of a measure, and a schedule that shows it; see below',
    },
    seed: { ...SEED_OPTION, help: 'seed of samples (default 1)' },
    depth: {
      kind: 'integer',
      value: 'D',
      min: 1,
      max: 100,
      help: 'depth of the bugs that pct aims at (default 3)',
    },
    executions: {
      kind: 'integer',
      value: 'N',
      min: 1,
      max: COUNT_MAX,
      help: 'stop after N executions (default: samples 10,000, others when complete)',
    },
    seconds: {
      kind: 'number',
      value: 'S',
      min: 0.001,
      max: 10_000_000,
      help: 'stop a scenario after S seconds (default: no limit)',
    },
    steps: {
      kind: 'integer',
      value: 'N',
      min: 1,
      max: COUNT_MAX,
      help: 'an execution of N steps counts as endless (default 100,000)',
    },
    ordered: {
      kind: 'flag',
      help: 'steps whose results are unused do not commute',
    },
    symmetric: {
      kind: 'flag',
      help: 'CPUs that run the same function are alike: try one order of their beginnings',
    },
    choices: {
      kind: 'text',
      value: 'NAME=N,...',
      help: 'trouble that may happen, at most N times on each CPU; see below',
    },
    constants: {
      kind: 'text',
      value: 'NAME=N,...',
      help: 'other values for constants of the scenario or of the kernel',
    },
    workers: {
      kind: 'integer',
      value: 'N',
      min: 1,
      max: 1024,
      help: 'threads to search with (default: one per core); the result does not depend on it',
    },
    checkpoint: {
      kind: 'text',
      value: 'FILE',
      help: 'write what the search can go on from to FILE, every 30 s and when it is stopped',
    },
    resume: { kind: 'text', value: 'FILE', help: 'go on from a checkpoint of the same search' },
    replay: {
      kind: 'text',
      value: 'SCHEDULE',
      help: 'run one schedule: a file that --save wrote, or a line as printed with a failure',
    },
    from: {
      kind: 'text',
      value: 'SCHEDULE',
      help: 'explore only executions that begin with the steps of a schedule',
    },
    save: {
      kind: 'text',
      value: 'FILE',
      help: 'write the schedule of a failure to FILE, for --replay; of one scenario',
    },
    'as-found': { kind: 'flag', help: 'do not shrink and explain failures' },
    width: {
      kind: 'integer',
      value: 'N',
      min: 40,
      max: 1000,
      help: 'columns of the drawing of a failure (default: the terminal, or 100)',
    },
    'find-again': {
      kind: 'flag',
      help: 'with --replay FILE: look for the same failure in a program that has changed since; --save keeps its schedule',
    },
    threads: {
      kind: 'flag',
      help: 'with --replay: on real threads, which take their steps in the order of the schedule',
    },
    ...OUTPUT_OPTIONS,
  },
  notes: [
    'SCENARIO is a name (ptlab list scenarios) or the path of a module of your own; without it all of ours are explored.',
    'Strategies:',
    ...Object.entries(STRATEGIES).map(([name, what]) => `  ${name}: ${what}`),
    'Measures of --worst:',
    ...Object.values(MEASURES).map(({ name, shows }) => `  ${name}: ${shows}`),
    '--choices, such as batch=1,resched=2:',
    ...Object.entries(SCENARIO_CHOICES).map(([name, what]) => `  ${name}: ${what}`),
  ],
} as const satisfies CommandSpec;

export type ExploreValues = ParsedCommand<typeof SPEC.options>['values'];

/** Parses `NAME=N,...`. Throws UsageError. */
function numbers(
  option: string,
  text: string,
  allowed?: readonly string[],
): Record<string, number> {
  return Object.fromEntries(
    text.split(',').map((part) => {
      const at = part.indexOf('=');
      if (at <= 0)
        throw new UsageError(
          `ptlab explore: --${option} ${quoted(part)} is not NAME=N; for example ${option === 'choices' ? 'batch=1' : 'TABLE_BITS=1'}`,
        );
      const name = part.slice(0, at);
      if (allowed !== undefined) checkChoice('explore', `--${option}`, name, allowed);
      const bounds = { kind: 'integer', min: 0, max: 0xffff_ffff } as const;
      return [name, parseNumber('explore', `--${option} ${name}`, part.slice(at + 1), bounds)];
    }),
  );
}

/** The request that the options make of a scenario. Throws UsageError. */
export function requestOf(scenario: string, values: ExploreValues): ScenarioRequest {
  const machine = Object.fromEntries(
    (['protocol', 'free', 'fault', 'zap', 'emptiness', 'thp', 'lock'] as const)
      .filter((axis) => values[axis] !== undefined)
      .map((axis) => [axis, values[axis]]),
  );
  return {
    scenario,
    ...(values.mutant !== undefined && { mutant: values.mutant }),
    ...(Object.keys(machine).length > 0 && { machine }),
    ...(values.choices !== undefined && {
      choices: numbers('choices', values.choices, Object.keys(SCENARIO_CHOICES)),
    }),
    ...(values.constants !== undefined && { constants: numbers('constants', values.constants) }),
  };
}

/** A schedule as an option gives it: the path of a file, or a line. Throws ScheduleError, ScheduleFileError. */
function scheduleOption(text: string): Schedule {
  return existsSync(text)
    ? scheduleIn(parseScheduleFile(readFileSync(text, 'utf8')))
    : parseSchedule(text);
}

/** The search that the options ask for. Throws UsageError. */
export function settingsOf(values: ExploreValues): SearchSettings {
  const bounded = values.preemptions !== undefined;
  if (bounded && values.strategy !== undefined && values.strategy !== 'dfs')
    throw new UsageError(
      `ptlab explore: --preemptions with --strategy ${values.strategy}; allowed: dfs`,
    );
  const strategy = bounded ? 'dfs' : (values.strategy ?? 'dpor');
  if (values.worst !== undefined && (strategy === 'dfs' || strategy === 'cache'))
    throw new UsageError(
      `ptlab explore: --worst with --strategy ${strategy}; allowed: dpor, random, pct, urw`,
    );
  const samples = SAMPLING_STRATEGIES.some((sampling) => sampling === strategy);
  const executions =
    values.executions ?? (samples && values.seconds === undefined ? 10_000 : undefined);
  if (values.from !== undefined && (strategy === 'dfs' || strategy === 'cache'))
    throw new UsageError(
      `ptlab explore: --from with --strategy ${strategy}; allowed: dpor, random, pct, urw`,
    );
  return {
    strategy,
    ...(values.from !== undefined && { from: scheduleOption(values.from) }),
    commuting: !values.ordered,
    symmetric: values.symmetric,
    seed: values.seed ?? 1,
    ...(values.worst !== undefined && { worst: values.worst }),
    ...(values.workers !== undefined && { workers: values.workers }),
    ...(bounded && { preemptions: values.preemptions! }),
    ...(values.depth !== undefined && { depth: values.depth }),
    ...(executions !== undefined && { maxExecutions: executions }),
    ...(values.seconds !== undefined && { maxMs: values.seconds * 1000 }),
    ...(values.steps !== undefined && { maxSteps: values.steps }),
  };
}

const WIDTH_DEFAULT = 100;

/** Columns to draw failures in. */
export function widthOf({ width }: ExploreValues): number {
  return width ?? process.stdout.columns ?? WIDTH_DEFAULT;
}

/** A verdict as JSON shows it. */
export function verdictDocument(verdict: Verdict): Record<string, unknown> {
  if (verdict.kind !== 'violation') return { ...verdict };
  const { error, ...rest } = verdict;
  return { ...rest, message: error.message };
}
