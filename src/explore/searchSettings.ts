/** What a search is told. */

import type { Schedule } from './verdict.ts';

/** Strategies, and what each does in a line. */
export const STRATEGIES = {
  dpor: 'exhaustive, one execution of each class, on all cores: source-DPOR with sleep sets',
  cache: 'exhaustive, every state once, on one core: depth first with a cache of visited states',
  dfs: 'exhaustive, every order of steps, on all cores; usually with a bound on preemptions',
  random: 'samples: at each step any CPU that can move',
  pct: 'samples: priorities that change at random steps',
  urw: 'samples: CPUs weighted by the steps they have left, every interleaving about alike',
} as const;

export type Strategy = keyof typeof STRATEGIES;

/** What to search for, and how far. JSON. */
export interface SearchSettings {
  /** Default: `dpor`. */
  strategy?: Strategy;
  /** Greatest number of preemptions (`dfs`). Default: no bound. */
  preemptions?: number;
  /** Search for the greatest value of this measure (worst/measures.ts), with `dpor` or by samples. */
  worst?: string;
  /** Only executions that begin with these steps; `dpor` and samples. */
  from?: Schedule;
  /** Seed of samples, a u32. Default: 1. */
  seed?: number;
  /** Depth of the bugs that `pct` aims at. Default: 3. */
  depth?: number;
  /** Unused results of adds, ors and ands commute (`dpor`). Default: true. */
  commuting?: boolean;
  /** CPUs that run the same function are alike (`dpor`). Default: false. */
  symmetric?: boolean;
  maxExecutions?: number;
  maxMs?: number;
  maxSteps?: number;
  /** Go on after a failing execution; the verdict is the first one's. Default: false. */
  goOn?: boolean;
  /** Threads. Default: one for each core. The result does not depend on them. */
  workers?: number;
}
