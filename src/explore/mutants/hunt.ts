/** One search for a mutant, in this thread: what its quick search, tests and tables of mutants run. */

import { exploreDpor } from '../strategies/dpor.ts';
import type { ProgramMaker } from '../program.ts';
import { exploreSampling } from '../strategies/sampling.ts';
import type { SearchResult } from '../verdict.ts';
import type { HuntStrategy } from './mutant.ts';

/** Strategies that mutants are hunted by. */
export const HUNT_STRATEGIES: readonly HuntStrategy[] = ['dpor', 'random', 'pct', 'urw'];

/** Bounds of a hunt; `seed` is of no meaning to `dpor`. */
interface HuntOptions {
  seed?: number;
  maxExecutions?: number;
  maxMs?: number;
}

/** Searches until the first failing execution, or a bound. */
export function hunt(
  make: ProgramMaker,
  strategy: HuntStrategy,
  options: HuntOptions,
): SearchResult {
  if (strategy === 'dpor') return exploreDpor(make, { ...options, commuting: true });
  return exploreSampling(make, { ...options, strategy });
}
