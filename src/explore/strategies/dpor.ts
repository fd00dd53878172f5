/**
 * Exhaustive search with partial-order reduction, on one thread: every execution of a program up to the order of
 * independent steps, by source-DPOR with sleep sets (dporSearch.ts).
 */

import { Execution } from '../execution.ts';
import { type ProgramMaker } from '../program.ts';
import { RESTART } from './dependence.ts';
import { DporSearch, type DporOptions } from './dporSearch.ts';
import { SearchLimits } from './limits.ts';
import { taskBelow } from './task.ts';
import type { Schedule, SearchResult } from '../verdict.ts';

export type { DporOptions } from './dporSearch.ts';
export type { StepOrder } from './trace.ts';

/**
 * Explores every execution of a program up to the order of independent steps. The verdict is about all of them when the
 * result is `complete`, or about the first failing one found. With a `prefix` it is those that begin with these steps.
 */
export function exploreDpor(
  make: ProgramMaker,
  options: DporOptions & { prefix?: Schedule } = {},
): SearchResult {
  const task = taskBelow(options.prefix ?? []);
  const limits = new SearchLimits(options);
  const search = new DporSearch(new Execution(make), options);
  for (;;) {
    try {
      search.begin(task);
      const complete = search.run((statistics) => limits.reached(statistics));
      const { statistics, verdict } = search;
      return { verdict, complete, statistics: { ...statistics, durationMs: limits.elapsedMs() } };
    } catch (error) {
      if (error !== RESTART) throw error;
      options.onRestart?.();
    }
  }
}
