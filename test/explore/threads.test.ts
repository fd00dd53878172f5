import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { exploreDepthFirst } from '../../src/explore/strategies/depthFirst.ts';
import { exploreDpor } from '../../src/explore/strategies/dpor.ts';
import { Execution } from '../../src/explore/execution.ts';
import { findMutant } from '../../src/explore/mutants/index.ts';
import { DepartureError, replaySchedule } from '../../src/explore/replay.ts';
import { openScenario, type ScenarioRequest } from '../../src/explore/scenario.ts';
import { exploreSampling } from '../../src/explore/strategies/sampling.ts';
import { replayOnThreads, ThreadReplayError } from '../../src/explore/threads/replayOnThreads.ts';
import type { Schedule, SearchResult, Verdict } from '../../src/explore/verdict.ts';

const LIMITS = { maxExecutions: 20_000, maxMs: 30_000 };

const EMPTY_UNCHECKED = {
  module: 'emptiness',
  find: 'const empty = tableEmpty(tableAddress(entryNumber(load(pmd))));',
  replace: 'const empty = load(pmd) !== 0;',
};
const NEVER_RELEASED = { module: 'tas', find: 'store(lock + LOCK_WORD, 0);', replace: '' };
const TWO_STEPS = {
  module: 'tas',
  find: 'return compareExchange(lock + LOCK_WORD, 0, cpuId() + 1) === 0;',
  replace: `if (compareExchange(lock + LOCK_WORD, 0, 0) !== 0) return false;
    store(lock + LOCK_WORD, cpuId() + 1);
    return true;`,
};

type Search = (request: ScenarioRequest) => SearchResult;
const dpor: Search = (request) =>
  exploreDpor(openScenario(request).make, { ...LIMITS, commuting: true });
const random: Search = (request) =>
  exploreSampling(openScenario(request).make, { ...LIMITS, strategy: 'random', seed: 1 });
const pct: Search = (request) =>
  exploreSampling(openScenario(request).make, { ...LIMITS, strategy: 'pct', depth: 3, seed: 1 });
const depthFirst: Search = (request) => exploreDepthFirst(openScenario(request).make, LIMITS);

const FAILING: [name: string, expected: RegExp, request: ScenarioRequest, search: Search][] = [
  [
    'tables freed at once',
    /^table-use-after-free/,
    { scenario: 'zapWalk', machine: { free: 'immediate' } },
    dpor,
  ],
  [
    'the same, by chance',
    /^table-use-after-free/,
    { scenario: 'zapWalk', machine: { free: 'immediate' } },
    pct,
  ],
  [
    'a table freed behind an interrupt, with no batch page left',
    /^table-use-after-free/,
    { scenario: 'zapWalk', machine: { free: 'semi-rcu', inject: { batch: 1 } } },
    dpor,
  ],
  [
    'no second look at whether the table is empty',
    /^nonempty-table-freed/,
    { scenario: 'zapFault', machine: { inject: { resched: 1 } }, patch: EMPTY_UNCHECKED },
    dpor,
  ],
  [
    'the same, with need_resched as a choice',
    /^nonempty-table-freed/,
    { scenario: 'zapFault', choices: { resched: 1 }, patch: EMPTY_UNCHECKED },
    random,
  ],
  [
    'a lock taken in two steps',
    /^lock-order|every round counted/,
    { scenario: 'spinlock', machine: { lock: 'tas' }, patch: TWO_STEPS },
    depthFirst,
  ],
  [
    'a lock that is never released',
    /^unmet 1$/,
    { scenario: 'spinlock', machine: { lock: 'tas' }, patch: NEVER_RELEASED },
    dpor,
  ],
  [
    'the same, four CPUs',
    /^deadlock 1 2 3$/,
    {
      scenario: 'spinlock',
      machine: { lock: 'tas' },
      constants: { CPUS: 4 },
      patch: NEVER_RELEASED,
    },
    dpor,
  ],
  [
    'a CPU that dies with a lock',
    /^unmet \d$/,
    { scenario: 'spinlock', choices: { death: 1 } },
    dpor,
  ],
  [
    'no grace period',
    /data that is in use is not destroyed/,
    { scenario: 'epoch', constants: { GRACE: 0 } },
    dpor,
  ],
  [
    'no grace period, two readers and two updaters',
    /data that is in use is not destroyed/,
    { scenario: 'epoch', constants: { GRACE: 0, READERS: 2, UPDATERS: 2 } },
    random,
  ],
];

/** What a verdict says, in one line. */
function told(verdict: Verdict | null): string {
  if (verdict === null) return 'undecided';
  if (verdict.kind === 'violation') return verdict.error.message;
  if ('waiters' in verdict)
    return `${verdict.kind} ${verdict.waiters.map(({ cpu }) => cpu).join(' ')}`;
  return verdict.kind;
}

/** The CPUs one after another, each as far as it gets. */
function oneAfterAnother(request: ScenarioRequest): Schedule {
  const execution = new Execution(openScenario(request).make);
  const schedule: number[] = [];
  for (let enabled = execution.enabled(); enabled !== 0; enabled = execution.enabled()) {
    const cpu = 31 - Math.clz32(enabled & -enabled);
    execution.step(cpu);
    schedule.push(cpu);
  }
  return schedule;
}

describe('failing schedules fail on real threads in the same way', () => {
  test.each(FAILING)('%s', async (_name, expected, request, search) => {
    const found = search(request).verdict;
    if (found.kind === 'passes') expect.fail(`nothing found: ${JSON.stringify(request)}`);
    expect(told(found)).toMatch(expected);
    const replayed = await replayOnThreads(request, found.schedule);
    expect(told(replayed.verdict)).toBe(told(found));
    expect(replayed.differences).toEqual([]);
    expect(replayed.steps).toBe(found.schedule.length);
    expect(replayed.handOvers).toBeGreaterThan(0);
  });

  test.each([0, 3, 7])('the same with plain code that overlaps: %i', async (row) => {
    const [, , request, search] = FAILING[row]!;
    const found = search(request).verdict;
    if (found.kind === 'passes') expect.fail(`nothing found: ${JSON.stringify(request)}`);
    const replayed = await replayOnThreads(request, found.schedule, { overlap: true });
    expect(told(replayed.verdict)).toBe(told(found));
    expect(replayed.differences).toEqual([]);
  });
});

test.each(['blocking-pmd-lock', 'no-empty-scan', 'quiescent-when-hurried'])(
  'the mutant %s fails on real threads as in the explorer',
  async (mutant) => {
    const { quick, scenarios } = findMutant(mutant)!;
    const { executions: maxExecutions, seed = 1, strategy } = quick;
    if (strategy === 'dpor') expect.fail('sampled mutants only');
    const request = { scenario: scenarios[0], mutant };
    const { make } = openScenario(request);
    const limits = { maxExecutions, maxMs: LIMITS.maxMs };
    const found = exploreSampling(make, { ...limits, seed, strategy }).verdict;
    if (found.kind === 'passes') expect.fail(`nothing found: ${JSON.stringify(request)}`);
    const replayed = await replayOnThreads(request, found.schedule);
    expect(told(replayed.verdict)).toBe(told(found));
    expect(replayed.differences).toEqual([]);
  },
);

test('an end that never comes to its end is a violation on both sides', async () => {
  const request = {
    scenario: fileURLToPath(new URL('fixtures/neverEnds.js', import.meta.url)),
  };
  const found = exploreDpor(openScenario(request).make, LIMITS).verdict;
  if (found.kind !== 'violation') expect.fail(found.kind);
  expect(told(found)).toMatch(/^goes on after \d+ steps alone$/);
  const replayed = await replayOnThreads(request, found.schedule);
  expect(told(replayed.verdict)).toBe(told(found));
});

describe('other schedules', () => {
  test.each(['zapZap', 'zapFault', 'zapWalk'])(
    'the CPUs of %s one after another: it passes, and the memory is the explorer’s',
    async (scenario) => {
      const request = { scenario };
      const schedule = oneAfterAnother(request);
      const { execution, verdict } = replaySchedule(openScenario(request).make, schedule);
      const replayed = await replayOnThreads(request, schedule);
      expect(verdict).toEqual({ kind: 'passes' });
      expect(replayed.verdict).toEqual({ kind: 'passes' });
      expect(replayed.memory).toEqual(execution.words);
      expect(replayed.memory).not.toEqual(execution.initial);
    },
  );

  test('a part of a schedule decides nothing', async () => {
    const request = { scenario: 'zapZap' };
    const schedule = oneAfterAnother(request).slice(0, 30);
    const replayed = await replayOnThreads(request, schedule);
    expect(replayed).toMatchObject({ verdict: null, differences: [], steps: 30 });
  });

  test('a schedule of another program is refused', async () => {
    const schedule = oneAfterAnother({ scenario: 'zapZap' });
    await expect(replayOnThreads({ scenario: 'epoch' }, schedule)).rejects.toThrow(DepartureError);
  });
});

describe('threads that do not come to the end', () => {
  const fixture = (name: string): ScenarioRequest => ({
    scenario: fileURLToPath(new URL(`fixtures/${name}.js`, import.meta.url)),
  });

  test('one does something else than in the explorer', async () => {
    const replay = replayOnThreads(fixture('departsOnThreads'), [0, 1, 0]);
    await expect(replay).rejects.toThrow(/step 2: store .* of word 0x8 instead of 0x4/);
  });

  test('one dies', async () => {
    const replay = replayOnThreads(fixture('diesOnThreads'), [0, 1, 0]);
    await expect(replay).rejects.toThrow(/the thread of CPU 1 has died/);
    await expect(replay).rejects.toThrow(ThreadReplayError);
  });

  test('one never comes to its next operation', async () => {
    const replay = replayOnThreads(fixture('hangsOnThreads'), [0, 1, 0], { maxMs: 5000 });
    await expect(replay).rejects.toThrow(/not at its end after 5000 ms/);
  });
});
