/** `ptlab explore`: every interleaving of scenarios, samples of them, or one schedule again. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Checkpoint } from '../explore/parallel/checkpoint.ts';
import { replaySchedule } from '../explore/replay.ts';
import { openScenario, scenarioNames, type Scenario } from '../explore/scenario.ts';
import { parseSchedule } from '../explore/scheduleText.ts';
import { search, type SearchHooks, type SearchOutcome } from '../explore/search.ts';
import { replayOnThreads, type ThreadReplay } from '../explore/threads/replayOnThreads.ts';
import type { Verdict } from '../explore/verdict.ts';
import { formatPlural } from '../report/format.ts';
import { exploredLines, verdictLines, type Explored } from '../report/exploreReport.ts';
import { ExploreMonitor } from '../report/exploreView.ts';
import type { Progress } from '../report/progress.ts';
import { progressOf } from './axes.ts';
import { defineCommand } from './command.ts';
import { EXIT_INTERRUPTED, EXIT_RIGHT, EXIT_VIOLATION, UsageError } from './exit.ts';
import { requestOf, settingsOf, SPEC, type ExploreValues } from './exploreOptions.ts';
import { stopper } from './interrupt.ts';
import { commandLine } from './outcome.ts';
import { writeJson, writeLines } from './write.ts';

function verdictDocument(verdict: Verdict): Record<string, unknown> {
  if (verdict.kind !== 'violation') return { ...verdict };
  const { error, ...rest } = verdict;
  return { ...rest, message: error.message };
}

function exploredDocument({ scenario, result, asExpected }: Explored): Record<string, unknown> {
  const { verdict, statistics, checkpoint: _, ...rest } = result;
  return {
    scenario: scenario.name,
    request: scenario.request,
    expected: scenario.about.expected,
    asExpected,
    ...rest,
    ...statistics,
    verdict: verdictDocument(verdict),
  };
}

function again(scenario: Scenario, values: ExploreValues): string {
  const given = {
    ...values,
    replay: undefined,
    threads: false,
    checkpoint: undefined,
    resume: undefined,
  };
  return commandLine(SPEC, given, [scenario.request.scenario]);
}

interface Replayed {
  steps: number;
  verdict: Verdict | null;
  /** What only real threads can tell. */
  threads: Pick<ThreadReplay, 'handOvers' | 'durationMs' | 'differences'> | null;
}

async function replayed(scenario: Scenario, values: ExploreValues): Promise<Replayed> {
  const schedule = parseSchedule(values.replay!);
  if (!values.threads) {
    const { execution, verdict } = replaySchedule(scenario.make, schedule);
    return { steps: execution.depth, verdict, threads: null };
  }
  const {
    memory: _,
    steps,
    verdict,
    ...threads
  } = await replayOnThreads(scenario.request, schedule);
  return { steps, verdict, threads };
}

async function replayOne(scenario: Scenario, values: ExploreValues): Promise<number> {
  const { steps, verdict, threads } = await replayed(scenario, values);
  if (values.json) {
    await writeJson({
      command: 'explore',
      scenario: scenario.name,
      steps,
      verdict: verdict === null ? null : verdictDocument(verdict),
      threads,
    });
  } else {
    const lines = verdict === null ? ['not over: some CPU can go on'] : verdictLines(verdict);
    const where =
      threads === null
        ? ''
        : ` on ${scenario.columns.length} threads, ${formatPlural(threads.handOvers, 'hand-over')}, memory ${threads.differences.length === 0 ? 'as in the explorer' : `different in ${formatPlural(threads.differences.length, 'word')}`}`;
    await writeLines([
      `${scenario.name}: ${formatPlural(steps, 'step')}${where}: ${lines[0]}`,
      ...lines.slice(1),
    ]);
  }
  return verdict === null || verdict.kind === 'passes' ? EXIT_RIGHT : EXIT_VIOLATION;
}

/** Whether a verdict is the expected one; one that is not complete can only be wrong by a failure. */
function expectedOf(scenario: Scenario, { verdict, complete }: SearchOutcome): boolean {
  const { expected } = scenario.about;
  return verdict.kind === expected || (verdict.kind === 'passes' && !complete);
}

function readCheckpoint(path: string): Checkpoint {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Checkpoint;
  } catch (error) {
    throw new UsageError(
      `ptlab explore: --resume ${path}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function hooksOf(
  values: ExploreValues,
  signal: AbortSignal,
  progress: Progress,
  monitor: ExploreMonitor,
): SearchHooks {
  const { checkpoint, resume } = values;
  return {
    signal,
    onProgress: (now) => {
      monitor.sample(now);
      progress.update(monitor);
    },
    ...(checkpoint !== undefined && {
      onCheckpoint: (state) => writeFileSync(checkpoint, JSON.stringify(state)),
    }),
    ...(resume !== undefined && { resume: readCheckpoint(resume) }),
  };
}

/** Throws UsageError unless the options go together. */
function checkTogether(values: ExploreValues, scenarios: number, strategy: string): void {
  for (const option of ['replay', 'checkpoint', 'resume'] as const)
    if (values[option] !== undefined && scenarios !== 1)
      throw new UsageError(`ptlab explore: --${option} with ${scenarios} scenarios; allowed: one`);
  for (const option of ['checkpoint', 'resume'] as const)
    if (values[option] !== undefined && (strategy !== 'dpor' || values.worst !== undefined))
      throw new UsageError(
        `ptlab explore: --${option} with ${values.worst === undefined ? `--strategy ${strategy}` : '--worst'}; allowed: the strategy dpor`,
      );
}

export const explore = defineCommand(SPEC, async (values, positionals) => {
  const settings = settingsOf(values);
  checkTogether(values, positionals.length, settings.strategy ?? 'dpor');
  if (values.threads && values.replay === undefined)
    throw new UsageError('ptlab explore: --threads without --replay; allowed: both');
  const names = positionals.length > 0 ? positionals : scenarioNames();
  const scenarios = names.map((name) => openScenario(requestOf(name, values)));
  if (values.replay !== undefined) return replayOne(scenarios[0]!, values);
  const progress = progressOf(values);
  using stop = stopper();
  const all: Explored[] = [];
  for (const [at, scenario] of scenarios.entries()) {
    if (stop.signal.aborted) break;
    const position = scenarios.length === 1 ? '' : `${at + 1} of ${scenarios.length}`;
    const monitor = new ExploreMonitor(`explore ${scenario.name}`, position);
    const hooks = hooksOf(values, stop.signal, progress, monitor);
    let result: SearchOutcome;
    try {
      result = await search(scenario.request, settings, hooks);
    } finally {
      progress.clear();
    }
    if (values.checkpoint !== undefined && result.checkpoint !== null)
      writeFileSync(values.checkpoint, JSON.stringify(result.checkpoint));
    const explored = { scenario, result, asExpected: expectedOf(scenario, result) };
    all.push(explored);
    if (!values.json) await writeLines(exploredLines(explored, again(scenario, values)));
  }
  const right = all.every(({ asExpected }) => asExpected);
  const exitCode = !right ? EXIT_VIOLATION : stop.signal.aborted ? EXIT_INTERRUPTED : EXIT_RIGHT;
  if (values.json)
    await writeJson({
      command: 'explore',
      exitCode,
      settings,
      explored: all.map(exploredDocument),
    });
  return exitCode;
});
