/**
 * Finds the failure of a schedule file in a program that has changed since: along the old schedule as far as it leads,
 * and by searches from there (find.ts). The file that it returns has the schedule of the program as it is now.
 */

import { openScenario, type Scenario } from '../scenario.ts';
import { findFailure } from './find.ts';
import { identify, isFailing, isPlainRace, sameFailure } from './identity.ts';
import { recordSchedule } from './record.ts';
import { scheduleFile, scheduleIn, type ScheduleFile } from './scheduleFile.ts';
import { Symbols } from './symbols.ts';

interface FindAgainOptions {
  /** Executions. Default: 5,000. */
  maxExecutions?: number;
  /** Milliseconds. Default: 30,000. */
  maxMs?: number;
}

/** The file for the scenario as it is now (default: the one it names); null: the same failure was not found. */
export function findAgain(
  file: ScheduleFile,
  given?: Scenario,
  { maxExecutions = 5000, maxMs = 30_000 }: FindAgainOptions = {},
): ScheduleFile | null {
  const scenario = given ?? openScenario(file.request);
  const symbols = new Symbols(scenario);
  const schedule = findFailure(
    scenario.make,
    isPlainRace(file.failure),
    scheduleIn(file),
    (verdict) =>
      isFailing(verdict) &&
      sameFailure(
        identify(verdict, (address) => symbols.name(address)),
        file.failure,
      ),
    { executions: maxExecutions, endMs: performance.now() + maxMs },
  );
  if (schedule === null) return null;
  const recorder = recordSchedule(scenario, schedule, { plainRaces: isPlainRace(file.failure) });
  const verdict = recorder.run.verdict();
  if (!isFailing(verdict)) return null;
  const failure = identify(verdict, (address) => recorder.symbols.name(address));
  return scheduleFile(scenario.request, failure, recorder);
}
