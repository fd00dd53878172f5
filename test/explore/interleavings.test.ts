import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exploreDepthFirst } from '../../src/explore/strategies/depthFirst.ts';
import {
  countInterleavings,
  coverageOf,
  describeCoverage,
  estimateInterleavings,
} from '../../src/explore/strategies/interleavings.ts';
import { ADD, AWAIT, FLAG_UNUSED, STORE } from '../../src/explore/operation.ts';
import { openScenario } from '../../src/explore/scenario.ts';
import { programMaker, smallPrograms } from './randomPrograms.ts';
import { program, type Step } from './wordPrograms.ts';

const adds = (count: number): Step[] => Array.from({ length: count }, () => [ADD, 0, 1]);

describe('the number of interleavings', () => {
  test('of random programs is that of depth-first search; with choices, waits and failures', () => {
    fc.assert(
      fc.property(smallPrograms(true), (small) => {
        const make = programMaker(small);
        const { statistics } = exploreDepthFirst(make, { goOn: true });
        expect(countInterleavings(make)).toBe(statistics.executions);
      }),
      { numRuns: 300, seed: 9 },
    );
  });

  test('where they cannot be listed: 5 CPUs, 6 steps each', () => {
    const unused = Array.from({ length: 6 }, (): Step => [ADD | FLAG_UNUSED, 0, 1]);
    const make = program(unused, unused, unused, unused, unused);
    const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));
    const exact = factorial(30) / factorial(6) ** 5;
    expect(exact).toBeGreaterThan(1e18);
    expect(countInterleavings(make)! / exact).toBeCloseTo(1, 12);
    // Known step counts and no waits: every sample is exact.
    const estimate = estimateInterleavings(make, { runs: 2, samples: 5 })!;
    for (const value of [estimate.mean, estimate.low, estimate.high])
      expect(value / exact).toBeCloseTo(1, 10);
  });

  test('estimated where CPUs wait: the interval is around the number, or near it', () => {
    const make = openScenario({
      scenario: 'epoch',
      constants: { READERS: 2, UPDATERS: 1 },
    }).make;
    const exact = countInterleavings(make)!;
    expect(exact).toBe(1_541_101);
    const { low, high, mean } = estimateInterleavings(make, { seed: 4, maxMs: 60_000 })!;
    expect(low).toBeLessThan(exact * 1.05);
    expect(high).toBeGreaterThan(exact * 0.95);
    expect(Math.abs(mean / exact - 1)).toBeLessThan(0.2);
  });

  test('limits', () => {
    const make = program(adds(4), adds(4));
    expect(countInterleavings(make, { maxStates: 10 })).toBeNull();
  });
});

describe('what bounded search covers', () => {
  const counters = program(adds(3), adds(3), adds(3));

  test.each([
    [1, '42 of 1,680 interleavings'],
    [2, '192 of 1,680 interleavings'],
    [3, '552 of 1,680 interleavings'],
    [6, '1,680 of 1,680 interleavings'],
  ])('3 CPUs, 3 steps each, bound %d: %s', (preemptions, text) => {
    const result = exploreDepthFirst(counters, { preemptions });
    expect(result.bounded).toBe(preemptions < 6);
    expect(describeCoverage(coverageOf(counters, result))).toBe(text);
  });

  test('too many to count: an interval', () => {
    const result = exploreDepthFirst(counters, { preemptions: 1 });
    const coverage = coverageOf(counters, result, { maxStates: 5 });
    expect(describeCoverage(coverage)).toBe('42 of about 1,680 interleavings (1,680 to 1,680)');
  });

  test('runs that differ: a lower bound', () => {
    const of = { mean: 4e9, low: 1e9, high: 9e9, samples: 1000 };
    expect(describeCoverage({ covered: 7, of })).toBe('7 of more than 200,000,000 interleavings');
    // A kernel scenario, of which the reduction needs 30 executions.
    const { make } = openScenario({ scenario: 'zapWalk' });
    const exact = countInterleavings(make, { maxMs: 60_000 })!;
    expect(exact).toBeGreaterThan(1e20);
    expect(estimateInterleavings(make, { maxMs: 60_000 })!.mean / 20).toBeLessThan(exact);
  });

  test('a bound that cuts nothing off: all', () => {
    const make = program(
      [
        [STORE, 0, 1],
        [STORE, 1, 1],
      ],
      [[AWAIT, 1, 1]],
    );
    const result = exploreDepthFirst(make, { preemptions: 0 });
    expect(result).toMatchObject({ bounded: false, complete: true });
    expect(describeCoverage(coverageOf(make, result))).toBe('1 of 1 interleavings');
  });
});
