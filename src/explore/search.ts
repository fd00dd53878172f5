/** One search of a scenario, by name of the strategy. */

import { exploreDepthFirst } from './depthFirst.ts';
import { exploreDpor } from './dpor.ts';
import { exploreSampling } from './sampling.ts';
import type { Scenario } from './scenario.ts';
import { exploreStates } from './stateCache.ts';
import type { SearchResult } from './verdict.ts';

/** Strategies, and what each does in a line. */
export const STRATEGIES = {
  dpor: 'exhaustive, one execution of each class: source-DPOR with sleep sets',
  dfs: 'exhaustive, every order of steps; with a bound on preemptions',
  states: 'exhaustive, every state once: remembers the states visited',
  random: 'samples: at each step any CPU that can move',
  pct: 'samples: priorities that change at random steps',
  urw: 'samples: all interleavings alike, by the steps that each CPU has left',
} as const;

export type Strategy = keyof typeof STRATEGIES;

/** What to search for, and how far. JSON. */
export interface SearchSettings {
  /** Default: `dpor`. */
  strategy?: Strategy;
  /** Greatest number of preemptions (`dfs`). */
  preemptions?: number;
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
  goOn?: boolean;
}

/** Searches a scenario in this thread. */
export function search(scenario: Scenario, settings: SearchSettings): SearchResult {
  const { strategy = 'dpor', commuting = true, symmetric, depth, ...rest } = settings;
  const { make } = scenario;
  if (strategy === 'dpor')
    return exploreDpor(make, {
      ...rest,
      commuting,
      ...(symmetric === true && { symmetric: scenario.alike }),
    });
  if (strategy === 'dfs') return exploreDepthFirst(make, rest);
  if (strategy === 'states') return exploreStates(make, rest);
  return exploreSampling(make, { ...rest, strategy, ...(depth !== undefined && { depth }) });
}
