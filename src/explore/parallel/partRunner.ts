/** Explores the parts of a search (work.ts), one after another, on a scenario that is opened once. */

import { Execution } from '../execution.ts';
import { DporSearch } from '../strategies/dporSearch.ts';
import { sampleRange } from '../strategies/sampling.ts';
import { isSampling } from '../strategies/pickers.ts';
import { openScenario, readyScenario, type LinkedScenario, type Scenario } from '../scenario.ts';
import type { SearchSettings } from '../searchSettings.ts';
import type { Verdict } from '../verdict.ts';
import { exploreTask, failureOf, type Failure } from './task.ts';
import type { Part, PartResult, RunSetup } from './work.ts';

export class PartRunner {
  readonly scenario: Scenario;
  readonly #settings: SearchSettings;
  readonly #search: DporSearch;
  /** For samples: nobody looks at its plain accesses. */
  #samples: Execution | null = null;

  /** `linked`: the scenario, when it has been linked before. Throws what `openScenario` throws. */
  constructor({ request, settings }: RunSetup, linked?: LinkedScenario) {
    this.scenario = linked === undefined ? openScenario(request) : readyScenario(linked);
    this.#settings = settings;
    const { strategy, preemptions, commuting = true, symmetric, goOn, maxSteps } = settings;
    this.#search = new DporSearch(new Execution(this.scenario.make), {
      everyOrder: strategy === 'dfs',
      commuting: commuting && strategy !== 'dfs',
      ...(symmetric === true && { symmetric: this.scenario.alike }),
      ...(preemptions !== undefined && { preemptions }),
      ...(goOn !== undefined && { goOn }),
      ...(maxSteps !== undefined && { maxSteps }),
    });
  }

  run(part: Part): PartResult {
    const { number } = part;
    if ('task' in part)
      return { number, ...exploreTask(this.#search, part.task, part.steps, part.ordered) };
    const { strategy, ...settings } = this.#settings;
    if (!isSampling(strategy)) throw new Error(`a sample of a search by strategy ${strategy}`);
    this.#samples ??= new Execution(this.scenario.make);
    const options = { ...settings, strategy };
    const { statistics, verdict } = sampleRange(this.#samples, options, part.from, part.to);
    const { executions, steps, depth } = statistics;
    return { number, executions, steps, depth, failure: failureOf(verdict) };
  }

  /** The verdict that a failure stands for; `ordered`: words known to be awaited. */
  verdictOf({ schedule }: Failure, ordered: readonly number[]): Verdict {
    return this.#search.verdictOf(schedule, ordered);
  }
}
