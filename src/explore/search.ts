/** One search of a scenario, by the name of its strategy. */

import type { Checkpoint } from './parallel/checkpoint.ts';
import { exploreParallel, type ParallelProgress } from './parallel/exploreParallel.ts';
import type { ExplainedFailure, ExplainOptions } from './failure/explain.ts';
import type { Coverage } from './strategies/interleavings.ts';
import { ExplorePool } from './parallel/pool.ts';
import {
  SHARED_BLOCKED,
  SHARED_EXECUTIONS,
  SHARED_STEPS,
  SHARED_STOP,
  SHARED_WORDS,
  type WholeJob,
  type WholeResult,
} from './parallel/whole.ts';
import { isSampling } from './strategies/pickers.ts';
import { replaySchedule } from './replay.ts';
import { openScenario, type ScenarioRequest } from './scenario.ts';
import type { SearchSettings } from './searchSettings.ts';
import type { Schedule, SearchResult, Verdict } from './verdict.ts';
import { MeasureError } from './worst/worst.ts';

export interface SearchHooks {
  signal?: AbortSignal;
  onProgress?: (progress: ParallelProgress) => void;
  /** Called now and then with what an exhaustive search (`dpor`) can go on from. */
  onCheckpoint?: (checkpoint: Checkpoint) => void;
  checkpointMs?: number;
  resume?: Checkpoint;
}

export interface SearchOutcome
  extends SearchResult, Pick<WholeResult, 'states' | 'missProbability' | 'worst'> {
  /** `complete` is true when everything has been explored (within the bound). */
  ended: 'complete' | 'failure' | 'executions' | 'time' | 'interrupted';
  /** With a bound on preemptions: whether it kept the search from anything. */
  bounded?: boolean;
  /** With a bound, how much of all interleavings was explored. */
  coverage?: Coverage;
  /** Where the search can go on; null: nowhere. */
  checkpoint: Checkpoint | null;
}

const PROGRESS_MS = 250;

function verdictOf(request: ScenarioRequest, { failure, message, worst }: WholeResult): Verdict {
  if (failure === null) return { kind: 'passes' };
  const { kind, schedule } = failure;
  if (kind === 'endless') return { kind, schedule };
  if (message !== null)
    return {
      kind: 'violation',
      error: new MeasureError(message, worst?.measure ?? '', worst?.value ?? Number.NaN),
      cpu: worst?.subject.cpu ?? null,
      schedule,
    };
  return replaySchedule(openScenario(request).make, schedule).verdict ?? { kind: 'passes' };
}

function wholeSearch(settings: SearchSettings): WholeJob['search'] {
  const { strategy = 'dpor', worst, from, commuting = true, seed = 1, depth } = settings;
  const how = {
    strategy: isSampling(strategy) ? strategy : ('dpor' as const),
    commuting,
    seed,
    ...(depth !== undefined && { depth }),
  };
  if (worst !== undefined) return { kind: 'worst', measure: worst, ...how };
  return from === undefined ? { kind: 'cache' } : { kind: 'from', prefix: from, ...how };
}

async function searchWhole(
  request: ScenarioRequest,
  settings: SearchSettings,
  { signal, onProgress }: SearchHooks,
): Promise<SearchOutcome> {
  const startMs = performance.now();
  const shared = new Float64Array(new SharedArrayBuffer(SHARED_WORDS * 8));
  const { maxExecutions, maxMs, maxSteps, goOn } = settings;
  const limits = {
    ...(maxExecutions !== undefined && { maxExecutions }),
    ...(maxMs !== undefined && { maxMs }),
    ...(maxSteps !== undefined && { maxSteps }),
    ...(goOn !== undefined && { goOn }),
  };
  const progress = (): void =>
    onProgress?.({
      executions: shared[SHARED_EXECUTIONS]!,
      blocked: shared[SHARED_BLOCKED]!,
      steps: shared[SHARED_STEPS]!,
      pendingTasks: 1,
      elapsedMs: performance.now() - startMs,
      estimate: null,
    });
  const interrupt = (): void => {
    shared[SHARED_STOP] = 1;
  };
  const timer = setInterval(progress, PROGRESS_MS);
  signal?.addEventListener('abort', interrupt);
  if (signal?.aborted === true) interrupt();
  try {
    await using pool = new ExplorePool(1);
    const result = await pool.runWhole({ request, limits, search: wholeSearch(settings), shared });
    const { complete, statistics, failure, message: _, ...more } = result;
    const failed = failure !== null && goOn !== true;
    const stopped = signal?.aborted === true ? 'interrupted' : 'time';
    const counted = statistics.executions + statistics.blocked;
    return {
      ...more,
      verdict: verdictOf(request, result),
      complete,
      statistics,
      ended: complete
        ? 'complete'
        : failed
          ? 'failure'
          : counted >= (maxExecutions ?? Infinity)
            ? 'executions'
            : stopped,
      checkpoint: null,
    };
  } finally {
    clearInterval(timer);
    signal?.removeEventListener('abort', interrupt);
  }
}

/**
 * Searches a scenario on worker threads. Rejects with what `openScenario` throws, CheckpointError, ExplorerDiedError
 * when a worker dies, and NondeterminismError.
 */
export async function search(
  request: ScenarioRequest,
  settings: SearchSettings = {},
  hooks: SearchHooks = {},
): Promise<SearchOutcome> {
  const { strategy = 'dpor', worst, from, ...rest } = settings;
  if (worst !== undefined || from !== undefined || strategy === 'cache')
    return searchWhole(request, settings, hooks);
  const outcome = await exploreParallel(request, { ...rest, ...hooks, strategy });
  const { bounded, complete, ended, statistics } = outcome;
  if (settings.preemptions === undefined || ended === 'interrupted') return outcome;
  await using pool = new ExplorePool(1);
  const searched = { complete, bounded: bounded === true, statistics };
  return { ...outcome, coverage: await pool.runCover({ request, searched }) };
}

/**
 * Explains a failing schedule on a worker thread: shrunk, in names, with the point after which all fails. Null: it does
 * not fail. Rejects as `search` does, and with an AbortError when `signal` is raised.
 */
export async function explain(
  request: ScenarioRequest,
  schedule: Schedule,
  options: ExplainOptions = {},
  signal?: AbortSignal,
): Promise<ExplainedFailure | null> {
  await using pool = new ExplorePool(1);
  const given = pool.runExplain({ request, schedule, options });
  if (signal === undefined) return await given;
  const aborted = new Promise<never>((_, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
  given.catch(() => {});
  return await Promise.race([given, aborted]);
}
