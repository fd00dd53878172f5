/** Explores tasks of a search tree (task.ts), one after another, on one execution that is taken back each time and never made anew. */

import { RESTART } from '../dependence.ts';
import { DporSearch, type DporOptions } from '../dporSearch.ts';
import { Execution, type ProgramMaker } from '../execution.ts';
import type { Verdict } from '../verdict.ts';
import type { Failure, Task, TaskResult } from './task.ts';

export class TaskRunner {
  readonly #search: DporSearch;
  readonly #commuting: boolean;

  constructor(make: ProgramMaker, options: DporOptions = {}) {
    this.#search = new DporSearch(new Execution(make), options);
    this.#commuting = options.commuting === true;
  }

  /** Explores a task for at least one execution and about `steps` steps. `ordered`: the words known to be awaited. */
  run(task: Task, steps: number, ordered: readonly number[]): TaskResult {
    const search = this.#search;
    let restart = false;
    let done = false;
    try {
      search.begin(task, ordered);
      done = search.run((statistics) => statistics.steps >= steps);
    } catch (error) {
      if (error !== RESTART) throw error;
      restart = true;
    }
    const { executions, blocked, steps: taken, depth } = search.statistics;
    const { dependence, verdict } = search;
    const result: TaskResult = {
      executions,
      blocked,
      steps: taken,
      depth,
      rest: done || restart ? null : search.rest(),
      proposals: search.proposals,
      failure: verdict.kind === 'passes' ? null : failureOf(verdict),
      ordered: [],
      commuted: [],
      restart,
    };
    if (this.#commuting) {
      for (const [word, is] of dependence.ordered.entries())
        if (is !== 0) result.ordered.push(word);
      for (const [word, is] of dependence.commuted.entries())
        if (is !== 0) result.commuted.push(word);
    }
    return result;
  }

  /** The verdict that a task's failure stands for; `ordered` as it was for the task. */
  verdictOf(failure: Failure, ordered: readonly number[]): Verdict {
    return this.#search.verdictOf(failure.schedule, ordered);
  }
}

function failureOf({ kind, schedule }: Exclude<Verdict, { kind: 'passes' }>): Failure {
  return { kind, schedule };
}
