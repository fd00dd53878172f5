/**
 * Finds one particular failure again in a program that has been changed a little: along the schedule it had, then with
 * few preemptions, then by a search that leaves nothing out, then by chance. Each with a share of the executions, so
 * the same program and budget give the same answer (unless time runs out).
 */

import { exploreDpor } from '../strategies/dpor.ts';
import type { ProgramMaker } from '../program.ts';
import { exploreSampling } from '../strategies/sampling.ts';
import type { Schedule, Verdict } from '../verdict.ts';
import { searchFewSwitches, spent, type Budget } from './fewSwitches.ts';
import { guideOf, Run } from './run.ts';

/** Most preemptions that are tried before the search without a bound. */
const PREEMPTIONS_TRIED = 2;
const SEED = 1;

/** Thrown out of a search that has found what it was for. */
class Found {
  readonly schedule: Schedule;

  constructor(schedule: Schedule) {
    this.schedule = schedule;
  }
}

/**
 * Runs a search whose executions are shown to `accepts`; the schedule of the first accepted one, and whether the search
 * was complete.
 */
function until(
  search: (onExecution: (verdict: Verdict) => void) => { complete: boolean; executions: number },
  accepts: (verdict: Verdict) => boolean,
  budget: Budget,
): { schedule: Schedule | null; complete: boolean } {
  let seen = 0;
  let others = false;
  try {
    const { complete, executions } = search((verdict) => {
      seen += 1;
      if (verdict.kind === 'passes') return;
      if (accepts(verdict)) throw new Found(verdict.schedule);
      others = true;
    });
    budget.executions -= executions;
    // Executions that another failure cut off hide what would have come after it (pastFailures.ts).
    return { schedule: null, complete: complete && !others };
  } catch (error) {
    if (!(error instanceof Found)) throw error;
    budget.executions -= seen;
    return { schedule: error.schedule, complete: false };
  }
}

/**
 * A schedule whose failure `accepts`, or null: there is none, or the budget did not suffice. `hint`: a schedule to
 * begin with; `plainRaces`: whether races on plain words are failures.
 */
export function findFailure(
  make: ProgramMaker,
  plainRaces: boolean,
  hint: Schedule,
  accepts: (verdict: Verdict) => boolean,
  budget: Budget,
): Schedule | null {
  const maxSteps = hint.length * 4 + 1000;
  const run = new Run(make, { maxSteps, plainRaces });
  budget.executions -= 1;
  if (accepts(run.guided(guideOf(hint, run.execution.cpus)))) return run.schedule();
  const share = Math.ceil(budget.executions / 4);
  const part: Budget = { executions: share, endMs: budget.endMs };
  for (let bound = 0; bound <= PREEMPTIONS_TRIED && !spent(part); bound++) {
    const found = searchFewSwitches(run, bound, accepts, part);
    if (typeof found === 'object') {
      budget.executions -= share - part.executions;
      return found.schedule;
    }
  }
  budget.executions -= share - part.executions;
  const limits = (): { maxSteps: number; maxExecutions: number; maxMs: number } => ({
    maxSteps,
    maxExecutions: Math.max(1, Math.ceil(budget.executions / 2)),
    maxMs: Math.max(1, budget.endMs - performance.now()),
  });
  const exhaustive = until(
    (seen) => {
      const { complete, statistics } = exploreDpor(make, {
        ...limits(),
        commuting: true,
        plainRaces,
        goOn: true,
        onExecution: (_, verdict) => seen(verdict),
      });
      return { complete, executions: statistics.executions + statistics.blocked };
    },
    accepts,
    budget,
  );
  if (exhaustive.schedule !== null || exhaustive.complete || spent(budget))
    return exhaustive.schedule;
  return until(
    (seen) => {
      const { statistics } = exploreSampling(make, {
        ...limits(),
        strategy: 'random',
        seed: SEED,
        goOn: true,
        onExecution: (_, verdict) => seen(verdict),
      });
      return { complete: false, executions: statistics.executions };
    },
    accepts,
    budget,
  ).schedule;
}
