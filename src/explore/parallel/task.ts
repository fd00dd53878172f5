/** A task (strategies/task.ts) explored, and what came of it, as plain data. */

import { RESTART } from '../strategies/dependence.ts';
import type { DporSearch } from '../strategies/dporSearch.ts';
import type { Proposal, Rest, Task } from '../strategies/task.ts';
import type { Schedule, Verdict } from '../verdict.ts';

/** What came of a task. */
export interface TaskResult {
  executions: number;
  blocked: number;
  steps: number;
  depth: number;
  rest: Rest | null;
  proposals: Proposal[];
  /** The first failing execution; null: none. */
  failure: Failure | null;
  /** Words (dependence.ts) that were awaited, and that something commuted on. */
  ordered: number[];
  commuted: number[];
  /** A word of both kinds turned up, so that nothing else of this result counts. */
  restart: boolean;
  /** Whether a bound on preemptions has left something out. */
  bounded: boolean;
}

export interface Failure {
  kind: Exclude<Verdict['kind'], 'passes'>;
  schedule: Schedule;
}

/** What is sent of a verdict. Errors do not survive being sent; the schedule brings them back. */
export function failureOf(verdict: Verdict): Failure | null {
  if (verdict.kind === 'passes') return null;
  const { kind, schedule } = verdict;
  return { kind, schedule };
}

/** Explores a task for at least one execution and about `steps` steps. `ordered`: the words known to be awaited. */
export function exploreTask(
  search: DporSearch,
  task: Task,
  steps: number,
  ordered: readonly number[],
): TaskResult {
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
  const { dependence, proposals } = search;
  return {
    executions,
    blocked,
    steps: taken,
    depth,
    rest: done || restart ? null : search.rest(),
    proposals,
    failure: failureOf(search.verdict),
    ordered: dependence.commuting ? wordsOf(dependence.ordered) : [],
    commuted: dependence.commuting ? wordsOf(dependence.commuted) : [],
    restart,
    bounded: search.bounded,
  };
}

function wordsOf(set: Uint8Array): number[] {
  const words: number[] = [];
  for (const [word, is] of set.entries()) if (is !== 0) words.push(word);
  return words;
}
