/** `ptlab explore`: every interleaving of scenarios, samples of them, or one schedule again. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Checkpoint } from '../explore/parallel/checkpoint.ts';
import { openScenario, scenarioNames, type Scenario } from '../explore/scenario.ts';
import { formatScheduleFile } from '../explore/failure/scheduleFile.ts';
import { explain, search, type SearchHooks, type SearchOutcome } from '../explore/search.ts';
import { exploredLines, type Explored } from '../report/exploreReport.ts';
import { ExploreMonitor } from '../report/exploreView.ts';
import type { Progress } from '../report/progress.ts';
import { progressOf } from './axes.ts';
import { defineCommand } from './command.ts';
import { EXIT_INTERRUPTED, EXIT_RIGHT, EXIT_VIOLATION, UsageError } from './exit.ts';
import {
  requestOf,
  settingsOf,
  SPEC,
  verdictDocument,
  widthOf,
  type ExploreValues,
} from './exploreOptions.ts';
import { replayOne } from './exploreReplay.ts';
import { stopper } from './interrupt.ts';
import { commandLine } from './outcome.ts';
import { writeJson, writeLines } from './write.ts';

/** Longest that shrinking a failure may last, milliseconds. */
const SHRINK_MS = 30_000;

function exploredDocument({
  scenario,
  result,
  failure,
  asExpected,
}: Explored): Record<string, unknown> {
  const { verdict, statistics, checkpoint: _, ...rest } = result;
  return {
    scenario: scenario.name,
    request: scenario.request,
    expected: scenario.about.expected,
    asExpected,
    ...rest,
    ...statistics,
    verdict: verdictDocument(verdict),
    failure,
  };
}

function again(scenario: Scenario, values: ExploreValues): string {
  const given = {
    ...values,
    replay: undefined,
    save: undefined,
    width: undefined,
    threads: false,
    checkpoint: undefined,
    resume: undefined,
  };
  return commandLine(SPEC, given, [scenario.request.scenario]);
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
  for (const option of ['checkpoint', 'resume', 'save', 'from'] as const)
    if (values[option] !== undefined && scenarios !== 1)
      throw new UsageError(`ptlab explore: --${option} with ${scenarios} scenarios; allowed: one`);
  for (const option of ['checkpoint', 'resume'] as const) {
    if (values[option] === undefined) continue;
    const other =
      values.worst !== undefined
        ? '--worst'
        : values.from !== undefined
          ? '--from'
          : strategy !== 'dpor'
            ? `--strategy ${strategy}`
            : null;
    if (other !== null)
      throw new UsageError(
        `ptlab explore: --${option} with ${other}; allowed: an exhaustive search by dpor`,
      );
  }
}

/** Explores one scenario, with progress on stderr. */
async function exploreOne(
  scenario: Scenario,
  values: ExploreValues,
  position: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<Explored> {
  const monitor = new ExploreMonitor(`explore ${scenario.name}`, position);
  const hooks = hooksOf(values, signal, progress, monitor);
  let result: SearchOutcome;
  try {
    result = await search(scenario.request, settingsOf(values), hooks);
  } finally {
    progress.clear();
  }
  const { checkpoint, verdict } = result;
  if (values.checkpoint !== undefined && checkpoint !== null)
    writeFileSync(values.checkpoint, JSON.stringify(checkpoint));
  const fails = verdict.kind !== 'passes' && !(verdict.kind === 'violation' && result.worst);
  const failure =
    fails && !values['as-found'] && !signal.aborted
      ? await explain(scenario.request, verdict.schedule, { shrink: { maxMs: SHRINK_MS } }, signal)
      : null;
  if (values.save !== undefined && failure !== null)
    writeFileSync(values.save, formatScheduleFile(failure.file));
  return { scenario, result, failure, asExpected: expectedOf(scenario, result) };
}

export const explore = defineCommand(SPEC, async (values, positionals) => {
  const settings = settingsOf(values);
  if (values.threads && values.replay === undefined)
    throw new UsageError('ptlab explore: --threads without --replay; allowed: both');
  if (values.replay !== undefined) return replayOne(values, positionals);
  checkTogether(values, positionals.length, settings.strategy ?? 'dpor');
  const names = positionals.length > 0 ? positionals : scenarioNames();
  const scenarios = names.map((name) => openScenario(requestOf(name, values)));
  const progress = progressOf(values);
  using stop = stopper();
  const all: Explored[] = [];
  for (const [at, scenario] of scenarios.entries()) {
    if (stop.signal.aborted) break;
    const position = scenarios.length === 1 ? '' : `${at + 1} of ${scenarios.length}`;
    const explored = await exploreOne(scenario, values, position, progress, stop.signal);
    all.push(explored);
    if (values.json) continue;
    const saved = explored.failure === null ? null : (values.save ?? null);
    const rerun = again(scenario, values);
    await writeLines(exploredLines(explored, { width: widthOf(values), rerun, saved }));
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
