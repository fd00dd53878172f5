/** One scenario explored for a command: with progress, what it was expected to be, the failure explained. */
import { explain, search, type SearchHooks, type SearchOutcome } from '../explore/search.ts';
import { type SearchSettings } from '../explore/searchSettings.ts';
import type { ExplainedFailure } from '../explore/failure/explain.ts';
import type { Scenario, ScenarioRequest } from '../explore/scenario.ts';
import type { Schedule } from '../explore/verdict.ts';
import type { Explored } from '../report/exploreReport.ts';
import { ExploreMonitor } from '../report/exploreView.ts';
import type { Progress } from '../report/progress.ts';
import { verdictDocument } from './exploreOptions.ts';

/** Longest that shrinking a failure may last, milliseconds. */
const SHRINK_MS = 30_000;

/** What --json prints of a scenario. */
export function exploredDocument({
  scenario,
  result,
  failure,
  asExpected,
}: Explored): Record<string, unknown> {
  const { verdict, statistics, checkpoint: _, ...rest } = result;
  return {
    scenario: scenario.name,
    request: scenario.request,
    expected: scenario.about.expected,
    asExpected,
    ...rest,
    ...statistics,
    verdict: verdictDocument(verdict),
    failure,
  };
}

/** Whether a verdict is the expected one; one that is not complete can only be wrong by a failure. */
function expectedOf(scenario: Scenario, { verdict, complete }: SearchOutcome): boolean {
  const { expected } = scenario.about;
  return verdict.kind === expected || (verdict.kind === 'passes' && !complete);
}

/**
 * The failure that a schedule ends in; null: `signal` was raised before it was explained, and what the search found is
 * all that there is.
 */
async function explained(
  request: ScenarioRequest,
  schedule: Schedule,
  signal: AbortSignal,
): Promise<ExplainedFailure | null> {
  if (signal.aborted) return null;
  try {
    return await explain(request, schedule, { shrink: { maxMs: SHRINK_MS } }, signal);
  } catch (error) {
    if (signal.aborted && error === signal.reason) return null;
    throw error;
  }
}

/** How one scenario is to be explored. */
export interface ExploreRun {
  settings: SearchSettings;
  hooks: SearchHooks & { signal: AbortSignal };
  progress: Progress;
  /** Such as `3 of 12`, or empty. */
  position: string;
  /** Whether a failure is shrunk and explained. */
  explains: boolean;
}

/** Explores one scenario; rejects as `search` does. */
export async function exploreOne(
  scenario: Scenario,
  { settings, hooks, progress, position, explains }: ExploreRun,
): Promise<Explored> {
  const monitor = new ExploreMonitor(`explore ${scenario.name}`, position);
  let result: SearchOutcome;
  try {
    result = await search(scenario.request, settings, {
      ...hooks,
      onProgress: (now) => {
        monitor.sample(now);
        progress.update(monitor);
      },
    });
  } finally {
    progress.clear();
  }
  const { verdict, worst } = result;
  const { signal } = hooks;
  // What exceeds a measure's limit does not fail by itself.
  const fails = verdict.kind !== 'passes' && !(verdict.kind === 'violation' && worst !== undefined);
  const failure =
    fails && explains ? await explained(scenario.request, verdict.schedule, signal) : null;
  return { scenario, result, failure, asExpected: expectedOf(scenario, result) };
}
