import { describe, expect, it } from 'vitest';
import { medianOfBatches } from '../../bench/batches.ts';

/** A clock that moves only when a batch runs: each takes what `costNs` says for so many operations. */
function machine(costNs: (operations: number, batch: number) => number) {
  const sizes: number[] = [];
  let nowMs = 0;
  const batch = (operations: number): number => {
    const ns = costNs(operations, sizes.length);
    sizes.push(operations);
    nowMs += ns / 1e6;
    return ns;
  };
  return { sizes, batch, now: () => nowMs };
}

describe('a round of batches', () => {
  it('doubles the batch to a millisecond, warms up for a quarter, measures for the whole round', () => {
    const { sizes, batch, now } = machine((operations) => operations * 1000);
    expect(medianOfBatches(batch, 40, now)).toBe(1000);
    expect(sizes.slice(0, 12)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024]);
    const full = sizes.filter((size) => size === 1024).length;
    expect(full).toBeGreaterThanOrEqual(1 + Math.floor((10 - 1) / 1.024) + 40 / 1.024);
  });

  it('gives the median, which a batch that lost its CPU does not move', () => {
    const { batch, now } = machine((operations, n) => operations * (n % 5 === 0 ? 90_000 : 1000));
    expect(medianOfBatches(batch, 1000, now, 100)).toBe(1000);
  });

  it('gives the mean of the two in the middle for an even number of batches', () => {
    // One batch warms up, two are measured: 0.5 and 0.6 ms in a round of 1 ms.
    const { sizes, batch, now } = machine((_, n) => [300_000, 500_000, 600_000][n] ?? Number.NaN);
    expect(medianOfBatches(batch, 1, now, 1000)).toBe(550);
    expect(sizes).toHaveLength(3);
  });

  it('keeps to a given size, and runs one batch at least', () => {
    const { sizes, batch, now } = machine(() => 5_000_000_000);
    expect(medianOfBatches(batch, 1, now, 65_536)).toBe(5_000_000_000 / 65_536);
    expect(new Set(sizes)).toEqual(new Set([65_536]));
  });
});
