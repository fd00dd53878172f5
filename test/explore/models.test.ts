import { describe, expect, test } from 'vitest';
import { exploreDpor, type DporOptions } from '../../src/explore/strategies/dpor.ts';
import { openScenario } from '../../src/explore/scenario.ts';

const COUNTERS = 'counters';
const EPOCH = 'epoch';

function explore(path: string, constants: Record<string, number>, options?: DporOptions) {
  return exploreDpor(openScenario({ scenario: path, constants }).make, options);
}

/** Executions of Nidhugg's optimal search, and executions that it gives up. */
describe('source-DPOR needs as many executions as optimal tools', () => {
  test.each([
    ['one counter', 0, 34_650],
    ['two counters in turn', 1, 3_606],
    ['a counter each', 2, 1],
  ])('3 CPUs, 4 increments each, %s', (_name, pattern, executions) => {
    const { verdict, complete, statistics } = explore(COUNTERS, { PATTERN: pattern });
    expect(verdict.kind).toBe('passes');
    expect(complete).toBe(true);
    expect(statistics.executions).toBe(executions);
    expect(statistics.blocked).toBe(0);
  });

  test('increments whose result is unused commute', () => {
    const constants = { USED: 0 };
    expect(explore(COUNTERS, constants).statistics.executions).toBe(34_650);
    const { verdict, complete, statistics } = explore(COUNTERS, constants, { commuting: true });
    expect(verdict.kind).toBe('passes');
    expect(complete).toBe(true);
    expect(statistics.executions + statistics.blocked).toBe(1);
  });

  test.each([
    [1, 1, 6, 2],
    [2, 1, 36, 18],
    [1, 2, 92, 80],
    [2, 2, 2_088, 2_378],
    [3, 2, 47_044, 61_462],
  ])('epochs, %i readers and %i updaters', (readers, updaters, executions, blocked) => {
    const { verdict, complete, statistics } = explore(EPOCH, {
      READERS: readers,
      UPDATERS: updaters,
    });
    expect(verdict.kind).toBe('passes');
    expect(complete).toBe(true);
    expect(statistics.executions).toBe(executions);
    expect(statistics.blocked).toBeLessThanOrEqual(blocked);
  });
});

describe('epochs without a grace period', () => {
  test.each([
    [1, 1],
    [2, 2],
  ])('%i readers and %i updaters: a reader finds destroyed data', (READERS, UPDATERS) => {
    const { verdict, complete } = explore(EPOCH, { READERS, UPDATERS, GRACE: 0 });
    if (verdict.kind !== 'violation') expect.fail(`verdict ${verdict.kind}`);
    expect(complete).toBe(false);
    expect(verdict.error.message).toBe('data that is in use is not destroyed');
    expect(verdict.cpu).toBeLessThan(READERS);
  });
});
