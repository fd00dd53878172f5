/** Log-linear histograms: buckets without gaps, and quantiles within the error that is promised. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  HISTOGRAM_WORDS,
  histogramBucket,
  histogramCount,
} from '../../src/kernel/observe/histogram.ts';
import {
  addHistogram,
  bucketEnd,
  emptyHistogram,
  quantile,
  QUANTILE_ERROR,
  quantilesOf,
} from '../../src/machine/histogram.ts';
import { attachMemory } from '../../src/kernel/word/word.ts';

const AT = 4096;
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const durations = fc.oneof(u32, fc.integer({ min: 0, max: 3000 }), fc.constantFrom(0, 1, 15, 16));

describe('buckets', () => {
  test('follow each other without gaps and end with the greatest number', () => {
    let next = 0;
    for (let bucket = 0; bucket < HISTOGRAM_WORDS; bucket++) {
      expect(histogramBucket(next)).toBe(bucket);
      expect(histogramBucket(bucketEnd(bucket))).toBe(bucket);
      next = bucketEnd(bucket) + 1;
    }
    expect(next).toBe(2 ** 32);
  });

  test('are as wide as promised', () => {
    fc.assert(
      fc.property(durations, (value) => {
        const end = bucketEnd(histogramBucket(value));
        expect(end).toBeGreaterThanOrEqual(value);
        expect(end - value).toBeLessThanOrEqual(value * QUANTILE_ERROR);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('quantiles', () => {
  const words = new Uint32Array(16_384);

  /** The histogram of some values, counted by the kernel on two CPUs' words and added up. */
  function counted(values: readonly number[]) {
    attachMemory(words.buffer, { clockNs: () => 0, end: () => {} });
    words.fill(0);
    const bases = [AT, AT + HISTOGRAM_WORDS * 4];
    values.forEach((value, at) => histogramCount(bases[at % 2]!, value));
    const sum = emptyHistogram();
    for (const base of bases) addHistogram(sum, words, base);
    return sum;
  }

  test('are at most a sixteenth above the true ones, never below', () => {
    fc.assert(
      fc.property(
        fc.array(durations, { minLength: 1, maxLength: 300 }),
        fc.constantFrom(0, 0.01, 0.5, 0.9, 0.99, 0.999, 1),
        (values, share) => {
          const sorted = values.toSorted((a, b) => a - b);
          const exact = sorted[Math.max(0, Math.ceil(share * values.length) - 1)]!;
          const told = quantile(counted(values), share);
          expect(told).toBeGreaterThanOrEqual(exact);
          expect(told).toBeLessThanOrEqual(exact * (1 + QUANTILE_ERROR));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('of nothing are 0; the greatest may be known', () => {
    expect(quantilesOf(emptyHistogram())).toEqual({
      count: 0,
      p50Ns: 0,
      p90Ns: 0,
      p99Ns: 0,
      p999Ns: 0,
      maxNs: 0,
    });
    expect(quantilesOf(counted([1000, 1001]), 1001).maxNs).toBe(1001);
  });
});
