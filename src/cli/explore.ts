/** `ptlab explore`: every interleaving of scenarios, samples of them, or one schedule again. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { findMutant, MUTANT_NAMES } from '../explore/mutants/index.ts';
import type { Checkpoint } from '../explore/parallel/checkpoint.ts';
import { openScenario, scenarioNames, type Scenario } from '../explore/scenario.ts';
import { formatScheduleFile } from '../explore/failure/scheduleFile.ts';
import { exploredLines, type Explored } from '../report/exploreReport.ts';
import { progressOf } from './axes.ts';
import { defineCommand } from './command.ts';
import { EXIT_INTERRUPTED, EXIT_RIGHT, EXIT_VIOLATION, UsageError } from './exit.ts';
import { requestOf, settingsOf, SPEC, widthOf, type ExploreValues } from './exploreOptions.ts';
import { replayOne } from './exploreReplay.ts';
import { exploredDocument, exploreOne, type ExploreRun } from './exploreRun.ts';
import { stopper } from './interrupt.ts';
import { checkChoice } from './options.ts';
import { commandLine } from './outcome.ts';
import { writeJson, writeLines } from './write.ts';

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

function readCheckpoint(path: string): Checkpoint {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Checkpoint;
  } catch (error) {
    throw new UsageError(
      `ptlab explore: --resume ${path}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function hooksOf(values: ExploreValues, signal: AbortSignal): ExploreRun['hooks'] {
  const { checkpoint, resume } = values;
  return {
    signal,
    ...(checkpoint !== undefined && {
      onCheckpoint: (state) => writeFileSync(checkpoint, JSON.stringify(state)),
    }),
    ...(resume !== undefined && { resume: readCheckpoint(resume) }),
  };
}

/** Writes what --checkpoint and --save ask for. */
function keep({ result, failure }: Explored, { checkpoint, save }: ExploreValues): void {
  if (checkpoint !== undefined && result.checkpoint !== null)
    writeFileSync(checkpoint, JSON.stringify(result.checkpoint));
  if (save !== undefined && failure !== null) writeFileSync(save, formatScheduleFile(failure.file));
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

export const explore = defineCommand(SPEC, async (values, positionals) => {
  const settings = settingsOf(values);
  if (values.threads && values.replay === undefined)
    throw new UsageError('ptlab explore: --threads without --replay; allowed: both');
  if (values['find-again'] && (values.replay === undefined || !existsSync(values.replay)))
    throw new UsageError('ptlab explore: --find-again without --replay FILE; allowed: both');
  if (values.replay !== undefined) return replayOne(values, positionals);
  if (values.mutant !== undefined) checkChoice('explore', '--mutant', values.mutant, MUTANT_NAMES);
  const mutant = values.mutant === undefined ? null : findMutant(values.mutant);
  const unnamed = mutant === null ? scenarioNames() : [mutant.scenarios[0]];
  const names = positionals.length > 0 ? positionals : unnamed;
  checkTogether(values, names.length, settings.strategy ?? 'dpor');
  const scenarios = names.map((name) => openScenario(requestOf(name, values)));
  const progress = progressOf(values);
  using stop = stopper();
  const all: Explored[] = [];
  for (const [at, scenario] of scenarios.entries()) {
    if (stop.signal.aborted) break;
    const position = scenarios.length === 1 ? '' : `${at + 1} of ${scenarios.length}`;
    const explored = await exploreOne(scenario, {
      settings,
      hooks: hooksOf(values, stop.signal),
      progress,
      position,
      explains: !values['as-found'],
    });
    keep(explored, values);
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
