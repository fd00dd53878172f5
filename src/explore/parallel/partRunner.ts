/** Explores the parts of a search (work.ts), one after another, on a scenario that is opened once. */

import { Execution } from '../execution.ts';
import { DporSearch } from '../dporSearch.ts';
import { exploreSampling } from '../sampling.ts';
import { openScenario, type Scenario } from '../scenario.ts';
import type { Verdict } from '../verdict.ts';
import { exploreTask, failureOf } from './task.ts';
import type { Failure } from './task.ts';
import type { Part, PartResult, RunSetup } from './work.ts';

export class PartRunner {
  readonly scenario: Scenario;
  readonly #setup: RunSetup;
  readonly #search: DporSearch;

  /** Throws what `openScenario` throws. */
  constructor(setup: RunSetup) {
    this.scenario = openScenario(setup.request);
    this.#setup = setup;
    const { symmetric, ...dpor } = setup.dpor;
    this.#search = new DporSearch(new Execution(this.scenario.make), {
      ...dpor,
      ...(symmetric === true && { symmetric: this.scenario.alike }),
    });
  }

  run(part: Part): PartResult {
    const { number } = part;
    if ('task' in part)
      return { number, ...exploreTask(this.#search, part.task, part.steps, part.ordered) };
    const { sampling, dpor } = this.#setup;
    if (sampling === null) throw new Error('a sample of a search that does not sample');
    const { statistics, verdict } = exploreSampling(this.scenario.make, {
      ...sampling,
      seed: part.seed,
      maxExecutions: part.executions,
      ...(dpor.goOn !== undefined && { goOn: dpor.goOn }),
      ...(dpor.maxSteps !== undefined && { maxSteps: dpor.maxSteps }),
    });
    const { executions, steps, depth } = statistics;
    return { number, executions, steps, depth, failure: failureOf(verdict) };
  }

  /** The verdict that a failure stands for; `ordered`: words known to be awaited. */
  verdictOf({ schedule }: Failure, ordered: readonly number[]): Verdict {
    return this.#search.verdictOf(schedule, ordered);
  }
}
