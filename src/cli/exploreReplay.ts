/** `ptlab explore --replay`: one schedule again, in the explorer or on real threads. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { findAgain } from '../explore/failure/findAgain.ts';
import { renderFailure } from '../explore/failure/render.ts';
import { replayFile } from '../explore/failure/replayFile.ts';
import {
  formatScheduleFile,
  parseScheduleFile,
  ScheduleFileError,
  scheduleIn,
  type ScheduleFile,
} from '../explore/failure/scheduleFile.ts';
import { replaySchedule } from '../explore/replay.ts';
import { openScenario, type Scenario } from '../explore/scenario.ts';
import { parseSchedule } from '../explore/scheduleText.ts';
import { explain } from '../explore/search.ts';
import { replayOnThreads, type ThreadReplay } from '../explore/threads/replayOnThreads.ts';
import type { Schedule, Verdict } from '../explore/verdict.ts';
import { verdictLines } from '../report/exploreReport.ts';
import { formatPlural } from '../report/format.ts';
import { EXIT_RIGHT, EXIT_VIOLATION, UsageError } from './exit.ts';
import { requestOf, verdictDocument, widthOf, type ExploreValues } from './exploreOptions.ts';
import { writeJson, writeLines } from './write.ts';

/** What is to be run: the schedule, and the verdict of running it in the explorer. */
interface Given {
  scenario: Scenario;
  schedule: Schedule;
  verdict: Verdict | null;
}

/**
 * The file to run: as it is, or, with --find-again, of the same failure in the program as it is now. Throws
 * ScheduleFileError.
 */
function fileOf(path: string, values: ExploreValues): ScheduleFile {
  const file = parseScheduleFile(readFileSync(path, 'utf8'));
  if (!values['find-again']) return file;
  const again = findAgain(file);
  if (again === null)
    throw new ScheduleFileError(
      `schedule file ${path}: its failure (${file.failure.message}) was not found again in the program as it is now`,
    );
  if (values.save !== undefined) writeFileSync(values.save, formatScheduleFile(again));
  return again;
}

/**
 * From a file, which names its scenario, or from a line. Throws UsageError, ScheduleError, ScheduleFileError,
 * DepartureError.
 */
function given(values: ExploreValues, positionals: readonly string[]): Given {
  const text = values.replay!;
  if (existsSync(text)) {
    if (positionals.length > 0)
      throw new UsageError(
        `ptlab explore: --replay ${text} with ${positionals.length} scenarios; allowed: none, the file names its own`,
      );
    const file = fileOf(text, values);
    const { scenario, verdict } = replayFile(file);
    return { scenario, schedule: scheduleIn(file), verdict };
  }
  if (positionals.length !== 1)
    throw new UsageError(
      `ptlab explore: --replay with ${positionals.length} scenarios; allowed: one`,
    );
  const scenario = openScenario(requestOf(positionals[0]!, values));
  const schedule = parseSchedule(text);
  return { scenario, schedule, verdict: replaySchedule(scenario.make, schedule).verdict };
}

type Threads = Pick<ThreadReplay, 'handOvers' | 'durationMs' | 'differences'>;

function threadsText(cpus: number, { handOvers, differences }: Threads): string {
  const memory =
    differences.length === 0
      ? 'as in the explorer'
      : `different in ${formatPlural(differences.length, 'word')}`;
  return ` on ${formatPlural(cpus, 'thread')}, ${formatPlural(handOvers, 'hand-over')}, memory ${memory}`;
}

/** Runs a schedule again and prints what came of it; the exit code. */
export async function replayOne(
  values: ExploreValues,
  positionals: readonly string[],
): Promise<number> {
  const { scenario, schedule, verdict: explored } = given(values, positionals);
  let verdict = explored;
  let threads: Threads | null = null;
  if (values.threads) {
    const { handOvers, durationMs, differences, ...rest } = await replayOnThreads(
      scenario.request,
      schedule,
    );
    threads = { handOvers, durationMs, differences };
    verdict = rest.verdict;
  }
  const failing = verdict !== null && verdict.kind !== 'passes';
  const failure =
    failing && !values['as-found']
      ? await explain(scenario.request, schedule, { shrink: false })
      : null;
  if (values.json) {
    await writeJson({
      command: 'explore',
      scenario: scenario.name,
      steps: schedule.length,
      verdict: verdict === null ? null : verdictDocument(verdict),
      threads,
      failure,
    });
  } else {
    const lines = verdict === null ? ['not over: some CPU can go on'] : verdictLines(verdict);
    const where = threads === null ? '' : threadsText(scenario.columns.length, threads);
    await writeLines([
      `${scenario.name}: ${formatPlural(schedule.length, 'step')}${where}: ${lines[0]}`,
      ...lines.slice(1),
      ...(failure === null
        ? []
        : [
            '',
            ...renderFailure(failure, widthOf(values) - 2).map((line) => `  ${line}`.trimEnd()),
          ]),
    ]);
  }
  return failing ? EXIT_VIOLATION : EXIT_RIGHT;
}
