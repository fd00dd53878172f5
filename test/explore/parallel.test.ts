import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exploreDepthFirst } from '../../src/explore/strategies/depthFirst.ts';
import { exploreDpor } from '../../src/explore/strategies/dpor.ts';
import { CheckpointError, type Checkpoint } from '../../src/explore/parallel/checkpoint.ts';
import {
  exploreParallel,
  type ParallelOptions,
  type ParallelProgress,
  type ParallelResult,
} from '../../src/explore/parallel/exploreParallel.ts';
import { ExplorePool, ExplorerDiedError } from '../../src/explore/parallel/pool.ts';
import { openScenario, type ScenarioRequest } from '../../src/explore/scenario.ts';

const EPOCH: ScenarioRequest = { scenario: 'epoch', constants: { READERS: 2, UPDATERS: 2 } };
const LARGE: ScenarioRequest = { scenario: 'epoch', constants: { READERS: 3, UPDATERS: 2 } };
const BROKEN: ScenarioRequest = {
  scenario: 'epoch',
  constants: { READERS: 2, UPDATERS: 2, GRACE: 0 },
};
const LOCK: ScenarioRequest = {
  scenario: 'spinlock',
  machine: { lock: 'mcs' },
  constants: { CPUS: 3 },
};
const BROKEN_LOCK: ScenarioRequest = {
  scenario: 'spinlock',
  machine: { lock: 'tas' },
  patch: {
    module: 'tas',
    find: 'return compareExchange(lock + LOCK_WORD, 0, cpuId() + 1) === 0;',
    replace: `if (compareExchange(lock + LOCK_WORD, 0, 0) !== 0) return false;
      store(lock + LOCK_WORD, cpuId() + 1);
      return true;`,
  },
};

/** What must not depend on the number of workers. */
function outcome({ verdict, complete, ended, bounded, statistics }: ParallelResult) {
  const { executions, blocked, steps, depth } = statistics;
  const message = verdict.kind === 'violation' ? verdict.error.message : '';
  const schedule = verdict.kind === 'passes' ? [] : verdict.schedule;
  const kind = verdict.kind;
  return { kind, message, schedule, complete, ended, bounded, executions, blocked, steps, depth };
}

const json = (checkpoint: Checkpoint | null): Checkpoint =>
  JSON.parse(JSON.stringify(checkpoint)) as Checkpoint;

const refused = (request: ScenarioRequest, options: ParallelOptions) =>
  expect(exploreParallel(request, { workers: 1, ...options })).rejects;

describe('searches in parallel', () => {
  const pools: ExplorePool[] = [];
  beforeAll(() => {
    pools.push(new ExplorePool(1), new ExplorePool(2));
  });
  afterAll(async () => {
    for (const pool of pools) await pool.close();
  });

  /** The outcome with this thread alone, and with one and two workers besides. */
  async function outcomes(request: ScenarioRequest, options: ParallelOptions = {}) {
    const alone = outcome(await exploreParallel(request, { ...options, workers: 1 }));
    for (const pool of pools)
      expect(outcome(await exploreParallel(request, { ...options, pool }))).toEqual(alone);
    return alone;
  }

  test.each([
    ['epochs, 2 readers and 2 updaters', EPOCH, {}],
    ['epochs, 3 readers and 2 updaters', LARGE, {}],
    ['MCS locks, 3 CPUs', LOCK, { symmetric: true }],
  ] as const)(
    '%s: one, two and three threads, and the search that is not split',
    async (_name, request, options) => {
      const result = await outcomes(request, options);
      const { make, alike } = openScenario(request);
      const symmetric = 'symmetric' in options ? alike : [];
      const whole = exploreDpor(make, { commuting: true, symmetric });
      expect(result).toMatchObject({ kind: 'passes', complete: true, ended: 'complete' });
      expect(result.executions).toBe(whole.statistics.executions);
      expect(result.depth).toBe(whole.statistics.depth);
    },
  );

  test.each([
    ['epochs without a grace period', BROKEN, 'data that is in use is not destroyed'],
    ['a lock taken in two steps', BROKEN_LOCK, 'lock-order'],
  ] as const)('%s: the same failure', async (_name, request, message) => {
    const result = await outcomes(request);
    expect(result).toMatchObject({ kind: 'violation', complete: false, ended: 'failure' });
    expect(result.message).toContain(message);
    const all = await outcomes(request, { goOn: true });
    expect(all).toMatchObject({ kind: 'violation', complete: true, ended: 'complete' });
    expect(all.message).toContain(message);
    expect(all.executions).toBeGreaterThan(result.executions);
  });

  test.each([undefined, 1, 2])('depth first with at most %s preemptions', async (preemptions) => {
    const options = { strategy: 'dfs', ...(preemptions !== undefined && { preemptions }) } as const;
    const small = { scenario: 'counters', constants: { INCREMENTS: 3 } };
    const result = await outcomes(small, options);
    const whole = exploreDepthFirst(openScenario(small).make, options);
    expect(result.bounded).toBe(whole.bounded);
    expect(result).toMatchObject({ kind: 'passes', complete: true, blocked: 0 });
    expect(result.executions).toBe(whole.statistics.executions);
  });

  test.each(['random', 'pct'] as const)('sampling, %s: the same executions', async (strategy) => {
    const sampling = { strategy, seed: 5 };
    expect(await outcomes(EPOCH, { ...sampling, maxExecutions: 1230 })).toMatchObject({
      kind: 'passes',
      complete: false,
      executions: 1230,
    });
    expect(await outcomes(BROKEN, { ...sampling, maxExecutions: 5000 })).toMatchObject({
      kind: 'violation',
      ended: 'failure',
    });
    const failing = { strategy, goOn: true, maxExecutions: 600, workers: 1 };
    const five = await exploreParallel(BROKEN, { ...failing, seed: 5 });
    const six = await exploreParallel(BROKEN, { ...failing, seed: 6 });
    expect(six.statistics.steps).not.toBe(five.statistics.steps);
  });

  test('stopped and gone on with, several times: the result of one that was not stopped', async () => {
    const undisturbed = await outcomes(LARGE);
    for (const pool of pools) {
      let stops = 0;
      let result = await exploreParallel(LARGE, { pool, maxExecutions: 9000 });
      while (result.checkpoint !== null) {
        expect(result.ended).toBe('executions');
        expect(result.complete).toBe(false);
        stops += 1;
        const { executions, blocked } = result.statistics;
        result = await exploreParallel(LARGE, {
          pool,
          maxExecutions: executions + blocked + 10_000,
          resume: json(result.checkpoint),
        });
      }
      expect(stops).toBeGreaterThan(2);
      expect(outcome(result)).toEqual(undisturbed);
    }
  });

  test('a checkpoint of something else is refused', async () => {
    const { checkpoint } = await exploreParallel(LARGE, { workers: 1, maxExecutions: 100 });
    const resume = json(checkpoint);
    await refused(EPOCH, { resume }).toThrow(CheckpointError);
    await refused(LARGE, { resume, commuting: false }).toThrow('of another search: settings');
    await refused(LARGE, { resume: { ...resume, version: 0 } }).toThrow('version 0');
    await refused(LARGE, { resume: { ...resume, source: '' } }).toThrow('has changed since');
  });

  test('a search is interrupted by a signal, ends with its time, and tells how far it is', async () => {
    const large = { scenario: 'epoch', constants: { READERS: 4, UPDATERS: 3 } };
    const controller = new AbortController();
    const seen: ParallelProgress[] = [];
    const interrupted = await exploreParallel(large, {
      pool: pools[0]!,
      signal: controller.signal,
      progressMs: 20,
      maxMs: 30_000,
      onProgress: (progress) => {
        seen.push(progress);
        if (progress.executions > 0) controller.abort();
      },
    });
    expect(interrupted.ended).toBe('interrupted');
    expect(interrupted.checkpoint).not.toBe(null);
    expect(seen.at(-1)).toMatchObject({
      executions: interrupted.statistics.executions,
      blocked: interrupted.statistics.blocked,
    });
    const timed = await exploreParallel(large, { workers: 2, maxMs: 200 });
    expect(timed.ended).toBe('time');
    expect(timed.complete).toBe(false);
    expect(timed.verdict.kind).toBe('passes');
  });
});

test('a worker that dies fails the search', async () => {
  await using pool = new ExplorePool(1);
  const large = { scenario: 'epoch', constants: { READERS: 4, UPDATERS: 3 } };
  let killed = false;
  const search = exploreParallel(large, {
    pool,
    maxMs: 30_000,
    progressMs: 20,
    onProgress: () => {
      if (!killed) void pool.threads[0]!.terminate();
      killed = true;
    },
  });
  await expect(search).rejects.toThrow(ExplorerDiedError);
});

test('options that cannot be', async () => {
  await expect(exploreParallel(EPOCH, { workers: 0 })).rejects.toThrow('workers: 0');
  await expect(exploreParallel({ scenario: 'nowhere' })).rejects.toThrow('nowhere');
});
