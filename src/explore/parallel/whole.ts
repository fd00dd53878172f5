/**
 * Searches that are not split: with a state cache, for a worst case. A worker explores one as a whole; words
 * that it shares with its caller tell how far it is, and ask it to stop.
 */

import { exploreDpor } from '../strategies/dpor.ts';
import { explainFailure, type ExplainedFailure, type ExplainOptions } from '../failure/explain.ts';
import { coverageOf, type Coverage } from '../strategies/interleavings.ts';
import type { SearchLimitOptions } from '../strategies/limits.ts';
import type { SamplingStrategy } from '../strategies/pickers.ts';
import { replaySchedule } from '../replay.ts';
import { exploreSampling } from '../strategies/sampling.ts';
import { openScenario, type ScenarioRequest } from '../scenario.ts';
import { exploreStates } from '../strategies/stateCache.ts';
import type { Schedule, SearchResult, SearchStatistics } from '../verdict.ts';
import { MEASURES, type Measure } from '../worst/measures.ts';
import { exploreWorst, MeasureError, type WorstResult } from '../worst/worst.ts';
import { failureOf, type Failure } from './task.ts';

type Limits = Pick<SearchLimitOptions, 'maxExecutions' | 'maxMs' | 'maxSteps' | 'goOn'>;

/** One such search. JSON but for `shared`. */
export interface WholeJob {
  request: ScenarioRequest;
  limits: Limits;
  search:
    | { kind: 'cache' }
    /** Every execution, or samples of those, that begin with `prefix`. */
    | {
        kind: 'from';
        prefix: Schedule;
        strategy: 'dpor' | SamplingStrategy;
        commuting: boolean;
        seed: number;
        depth?: number;
      }
    | {
        kind: 'worst';
        measure: string;
        strategy: 'dpor' | SamplingStrategy;
        commuting: boolean;
        seed: number;
        depth?: number;
      };
  /** Executions, blocked ones, steps so far; and a word that is not 0 when the search is to stop. */
  shared: Float64Array<SharedArrayBuffer>;
}

/** Words of `WholeJob.shared`. */
export const SHARED_EXECUTIONS = 0;
export const SHARED_BLOCKED = 1;
export const SHARED_STEPS = 2;
export const SHARED_STOP = 3;
export const SHARED_WORDS = 4;

export interface WholeResult {
  complete: boolean;
  statistics: SearchStatistics;
  failure: Failure | null;
  /** What a measure says when its limit is exceeded, which no schedule brings back. */
  message: string | null;
  states?: number;
  missProbability?: number;
  worst?: Omit<WorstResult, 'verdict' | 'complete' | 'statistics'>;
}

function ended({ complete, statistics, verdict }: SearchResult): WholeResult {
  const exceeded = verdict.kind === 'violation' && verdict.error instanceof MeasureError;
  return {
    complete,
    statistics,
    failure: failureOf(verdict),
    message: exceeded ? verdict.error.message : null,
  };
}

/** Carries a search out. Throws what `openScenario` throws. */
export function exploreWhole({ request, limits, search, shared }: WholeJob): WholeResult {
  const { make } = openScenario(request);
  const options = {
    ...limits,
    onLook: ({ executions, blocked, steps }: SearchStatistics): boolean => {
      shared[SHARED_EXECUTIONS] = executions;
      shared[SHARED_BLOCKED] = blocked;
      shared[SHARED_STEPS] = steps;
      return shared[SHARED_STOP] !== 0;
    },
  };
  if (search.kind === 'cache') {
    const result = exploreStates(make, options);
    const { missProbability, statistics } = result;
    return { ...ended(result), states: statistics.states, missProbability };
  }
  const { strategy, commuting, seed, depth } = search;
  if (search.kind === 'from') {
    const { prefix } = search;
    return ended(
      strategy === 'dpor'
        ? exploreDpor(make, { ...options, commuting, prefix })
        : exploreSampling(make, {
            ...options,
            strategy,
            seed,
            prefix,
            ...(depth !== undefined && { depth }),
          }),
    );
  }
  const { measure } = search;
  const result = exploreWorst(
    make,
    (MEASURES as Readonly<Record<string, Measure>>)[measure]!,
    strategy === 'dpor'
      ? { ...options, strategy, commuting }
      : { ...options, strategy, seed, ...(depth !== undefined && { depth }) },
  );
  const { verdict, complete, statistics, ...worst } = result;
  return { ...ended({ verdict, complete, statistics }), worst };
}

/** Milliseconds for counting interleavings, and again for estimating them. */
const COVERAGE_MS = 10_000;

/** A bounded search that has ended, to be told how much it covered. */
export interface CoverJob {
  request: ScenarioRequest;
  searched: Parameters<typeof coverageOf>[1];
}

/** How much of all interleavings a bounded search covered. Throws what `openScenario` throws. */
export function coverWhole({ request, searched }: CoverJob): Coverage {
  return coverageOf(openScenario(request).make, searched, { maxMs: COVERAGE_MS });
}

/** A failing schedule to be explained. */
export interface ExplainJob {
  request: ScenarioRequest;
  schedule: Schedule;
  options: ExplainOptions;
}

/** The failure that a schedule ends in, shrunk and explained; null: it does not fail. Throws DepartureError. */
export function explainWhole({ request, schedule, options }: ExplainJob): ExplainedFailure | null {
  const scenario = openScenario(request);
  const { verdict } = replaySchedule(scenario.make, schedule);
  if (verdict === null || verdict.kind === 'passes') return null;
  return explainFailure(scenario, verdict, options);
}
