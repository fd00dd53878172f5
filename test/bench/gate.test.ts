import { describe, expect, it } from 'vitest';
import { beyond, lost, SLACK, TRIES } from '../../bench/gate.ts';
import type { Ratio } from '../../bench/interleave.ts';

const ratio = (median: number, more: Partial<Ratio> = {}): Ratio => ({
  of: 'walk/wasm',
  to: 'walk/c',
  label: 'c',
  median,
  low: median,
  high: median,
  atMost: 2,
  ...more,
});

describe('the gate', () => {
  it('lets a ratio through that is over its goal by a quarter, and none that is over that', () => {
    expect(beyond([ratio(2 * SLACK)])).toEqual([]);
    expect(beyond([ratio(2 * SLACK + 0.01)])).toHaveLength(1);
  });

  it('asks nothing of a ratio without a goal', () => {
    const { atMost: _, ...free } = ratio(100);
    expect(beyond([free])).toEqual([]);
  });

  it('is closed by what every try finds, and tells the figures', () => {
    expect(lost([[ratio(3)], [ratio(4)], [ratio(2.6)]])).toEqual([
      'walk/wasm over walk/c: 3.00, 4.00, 2.60; goal 2, at most 2.50',
    ]);
    expect(TRIES).toBe(3);
  });

  it('is open when one try was good', () => {
    expect(lost([[ratio(3)], [ratio(2.4)], [ratio(3)]])).toEqual([]);
  });

  it('does not mistake two ratios for one', () => {
    const other = ratio(3, { of: 'lock/wasm' });
    expect(
      lost([
        [ratio(3), ratio(1, { of: 'lock/wasm' })],
        [ratio(1), other],
      ]),
    ).toEqual([]);
  });
});
