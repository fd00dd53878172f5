import { describe, expect, test } from 'vitest';
import { ADD, AWAIT, CHOOSE, LOAD, STORE } from '../../src/explore/operation.ts';
import { SAMPLING_STRATEGIES } from '../../src/explore/strategies/pickers.ts';
import { Random } from '../../src/explore/strategies/random.ts';
import { replaySchedule } from '../../src/explore/replay.ts';
import {
  SAMPLE_CHUNK,
  exploreSampling,
  sampleRange,
} from '../../src/explore/strategies/sampling.ts';
import type { Execution } from '../../src/explore/execution.ts';
import { program, type Step } from './wordPrograms.ts';

const adds = (count: number): Step[] => Array.from({ length: count }, () => [ADD, 0, 1]);
const orderOf = ({ stepCpu, depth }: Execution): string => stepCpu.subarray(0, depth).join('');

/** Pearson's statistic of the orders sampled against all `orders` alike. */
function chiSquare(strategy: 'random' | 'urw', counts: number[], orders: number): number {
  const samples = 1000 * orders;
  const seen = new Map<string, number>();
  const make = program(...counts.map(adds));
  exploreSampling(make, {
    strategy,
    seed: 2,
    maxExecutions: samples,
    onExecution: (execution) =>
      seen.set(orderOf(execution), (seen.get(orderOf(execution)) ?? 0) + 1),
  });
  expect(seen.size).toBe(orders);
  return [...seen.values()].reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
}

describe('URW samples interleavings alike when step counts are known', () => {
  // Degrees of freedom d: mean d, and 1 of 1,000 samples lies above d + 3.1 * sqrt(2 d) + 6, about.
  test.each([
    ['3 + 3 steps', [3, 3], 20],
    ['5 + 1 steps', [5, 1], 6],
    ['2 + 2 + 2 steps', [2, 2, 2], 90],
  ])('%s', (_name, counts, orders) => {
    const freedom = orders - 1;
    const limit = freedom + 3.1 * Math.sqrt(2 * freedom) + 6;
    expect(chiSquare('urw', counts, orders)).toBeLessThan(limit);
    expect(chiSquare('random', counts, orders)).toBeGreaterThan(10 * limit);
  });
});

describe('a seed', () => {
  test('numbers below a bound are spread over all of them', () => {
    const counts = Array.from({ length: 10 }, () => 0);
    for (let index = 0; index < 10_000; index++) counts[new Random(7, index).below(10)]! += 1;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  test.each(SAMPLING_STRATEGIES)('%s: chunks by themselves give what one run gives', (strategy) => {
    const make = program(adds(4), adds(2), [
      [CHOOSE, 0, 3],
      [LOAD, 0, 0],
    ]);
    const sampled = (from: number, to: number): string[] => {
      const orders: string[] = [];
      sampleRange(
        make,
        {
          strategy,
          seed: 5,
          onExecution: (execution) =>
            orders.push(`${orderOf(execution)} ${execution.stepResult.subarray(0, 8).join()}`),
        },
        from,
        to,
      );
      return orders;
    };
    const end = 3 * SAMPLE_CHUNK;
    const all = sampled(0, end);
    expect(all.length).toBe(end);
    const chunks = [0, 1, 2].map((n) => sampled(n * SAMPLE_CHUNK, (n + 1) * SAMPLE_CHUNK));
    expect(chunks.toReversed().flat().toSorted()).toEqual(all.toSorted());
    expect(chunks.flat()).toEqual(all);
    expect(new Set(all).size).toBeGreaterThan(SAMPLE_CHUNK / 4);
  });

  test('a range that does not begin with a chunk is refused', () => {
    expect(() => sampleRange(program(adds(1)), { strategy: 'random' }, 100, 200)).toThrow(
      'from is 100; allowed are multiples of 256',
    );
  });
});

describe('failures', () => {
  test.each(SAMPLING_STRATEGIES)('%s: an unmet wait, with its number and schedule', (strategy) => {
    const make = program(
      [
        [STORE, 0, 1],
        [STORE, 0, 2],
      ],
      [[AWAIT, 0, 1]],
    );
    const result = exploreSampling(make, { strategy, seed: 3, maxExecutions: 1000 });
    if (result.verdict.kind !== 'unmet') expect.fail(result.verdict.kind);
    expect(result.failedAt).toBe(result.statistics.executions - 1);
    expect(result.next).toBe(result.statistics.executions);
    expect(replaySchedule(make, result.verdict.schedule).verdict).toEqual(result.verdict);
    const rest = sampleRange(
      make,
      { strategy, seed: 3, goOn: true },
      SAMPLE_CHUNK,
      2 * SAMPLE_CHUNK,
    );
    expect(rest.failedAt).toBeGreaterThanOrEqual(SAMPLE_CHUNK);
    expect(rest.statistics.executions).toBe(SAMPLE_CHUNK);
  });
});
