import { describe, expect, test } from 'vitest';
import { exploreDepthFirst } from '../../src/explore/strategies/depthFirst.ts';
import { exploreDpor } from '../../src/explore/strategies/dpor.ts';
import type { ProgramMaker } from '../../src/explore/program.ts';
import { AWAIT, CHOOSE, STORE, TAKE } from '../../src/explore/operation.ts';
import { SAMPLING_STRATEGIES } from '../../src/explore/strategies/pickers.ts';
import { DepartureError, replaySchedule } from '../../src/explore/replay.ts';
import { exploreSampling } from '../../src/explore/strategies/sampling.ts';
import { openScenario } from '../../src/explore/scenario.ts';
import { program } from './wordPrograms.ts';

const counters = (constants: Record<string, number>): ProgramMaker =>
  openScenario({ scenario: 'counters', constants }).make;
const epochs = (constants: Record<string, number>): ProgramMaker =>
  openScenario({ scenario: 'epoch', constants }).make;

describe('bounded preemptions', () => {
  test.each([
    [1, 42],
    [2, 192],
    [3, 552],
    [Infinity, 1_680],
  ])('3 CPUs, 3 increments each, at most %d preemptions: %d', (preemptions, executions) => {
    const result = exploreDepthFirst(counters({ INCREMENTS: 3 }), { preemptions });
    expect(result.complete).toBe(true);
    expect(result.statistics.executions).toBe(executions);
  });
});

describe('bounds of a search', () => {
  test('executions', () => {
    for (const result of [
      exploreDpor(counters({}), { maxExecutions: 10 }),
      exploreDepthFirst(counters({}), { maxExecutions: 10 }),
      exploreSampling(counters({}), { strategy: 'random', maxExecutions: 10 }),
    ]) {
      expect(result.complete).toBe(false);
      expect(result.verdict.kind).toBe('passes');
      expect(result.statistics.executions).toBe(10);
    }
  });

  test('steps: an execution that is too long is endless', () => {
    const { verdict } = exploreDpor(counters({}), { maxSteps: 5 });
    expect(verdict).toMatchObject({ kind: 'endless', schedule: [0, 0, 0, 0, 1] });
  });
});

describe('waiting', () => {
  test('two locks in opposite order: deadlock, with who waits where', () => {
    const make = program(
      [
        [TAKE, 0, 1],
        [TAKE, 1, 1],
        [STORE, 1, 0],
        [STORE, 0, 0],
      ],
      [
        [TAKE, 1, 1],
        [TAKE, 0, 1],
        [STORE, 0, 0],
        [STORE, 1, 0],
      ],
    );
    for (const { verdict } of [exploreDpor(make), exploreDepthFirst(make)]) {
      if (verdict.kind !== 'deadlock') expect.fail(verdict.kind);
      expect(verdict.waiters).toEqual([
        { cpu: 0, address: 4, site: null },
        { cpu: 1, address: 0, site: null },
      ]);
      expect(verdict.schedule.toSorted()).toEqual([0, 1]);
    }
  });

  test('a value that may be overwritten before it is seen: an unmet wait', () => {
    const make = program(
      [
        [STORE, 0, 1],
        [STORE, 0, 2],
      ],
      [[AWAIT, 0, 1]],
    );
    const { verdict } = exploreDpor(make);
    if (verdict.kind !== 'unmet') expect.fail(verdict.kind);
    expect(verdict.waiters).toEqual([{ cpu: 1, address: 0, site: null }]);
    const all = exploreDpor(make, { goOn: true });
    expect(all.complete).toBe(true);
    expect(all.statistics.executions).toBe(2);
  });
});

describe('choices', () => {
  test('every alternative is tried, and schedules name it', () => {
    const seen: number[][] = [];
    const result = exploreDpor(program([[CHOOSE, 0, 3]], [[CHOOSE, 0, 2]]), {
      onExecution: (execution) => seen.push([...execution.stepResult.subarray(0, 2)]),
    });
    expect(result.statistics.executions).toBe(6);
    expect(new Set(seen.map(String)).size).toBe(6);
    const { verdict } = exploreDpor(program([[CHOOSE, 0, 2]], [[AWAIT, 0, 1]]));
    expect(verdict).toMatchObject({ kind: 'unmet', schedule: [[0, 0]] });
  });
});

describe('samples', () => {
  test.each(SAMPLING_STRATEGIES)('%s finds a missing grace period, from a seed', (strategy) => {
    const search = () =>
      exploreSampling(epochs({ GRACE: 0 }), { strategy, seed: 7, maxExecutions: 10_000 });
    const { verdict, statistics } = search();
    expect(verdict.kind).toBe('violation');
    expect(search().statistics.executions).toBe(statistics.executions);
  });

  test.each(SAMPLING_STRATEGIES)('%s finds nothing where nothing is', (strategy) => {
    const { verdict, statistics } = exploreSampling(epochs({ READERS: 2, UPDATERS: 2 }), {
      strategy,
      maxExecutions: 500,
    });
    expect(verdict.kind).toBe('passes');
    expect(statistics.executions).toBe(500);
  });
});

describe('schedules', () => {
  test('a failing one fails again in the same way', () => {
    const make = epochs({ READERS: 2, GRACE: 0 });
    const { verdict } = exploreDpor(make);
    if (verdict.kind !== 'violation') expect.fail(verdict.kind);
    const again = replaySchedule(make, verdict.schedule);
    expect(again.verdict).toEqual(verdict);
  });

  test('the part before the failure leaves CPUs that can go on', () => {
    const make = epochs({ GRACE: 0 });
    const { verdict } = exploreDpor(make);
    if (verdict.kind !== 'violation') expect.fail(verdict.kind);
    const { execution, verdict: open } = replaySchedule(make, verdict.schedule.slice(0, -1));
    expect(open).toBeNull();
    execution.rewind(0);
    expect([...execution.words]).toEqual([...execution.initial]);
  });

  test('a program that has changed departs at a step', () => {
    const make = epochs({ GRACE: 0 });
    expect(() => replaySchedule(make, [1, 1, 1, 1, 1, 1, 1])).toThrow(DepartureError);
    expect(() => replaySchedule(make, [1, 1, 1, 1, 1, 1, 1])).toThrow('step 5: CPU 1 has ended');
    expect(() => replaySchedule(make, [2])).toThrow('step 0: no CPU 2');
  });
});
