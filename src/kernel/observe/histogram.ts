/**
 * Log-linear histograms of durations: HISTOGRAM_WORDS words of a CPU's own region that nobody else writes, added up by
 * reports.
 *
 * Guarantee: each u32 has one bucket, and a bucket that begins at b is at most max(1, b / 16) wide. So whoever takes a
 * bucket's upper end for the values in it is above each of them by less than a sixteenth, 6.25 %, of the value; below
 * 32 the bucket is the value.
 *
 * A value below 16 is its own bucket's number. Any other, of highest set bit k, is in one of 16 buckets of equal width
 * for that k: its number is (k - 3) * 16 and the four bits below the highest.
 *
 * Source: Tene, HdrHistogram (linear sub-buckets of each power of two).
 */

import { peek, poke } from '../word/word.ts';

/** log2 of the linear buckets for each power of two. */
export const HISTOGRAM_LINEAR_BITS: u32 = 4;
const LINEAR: u32 = 1 << HISTOGRAM_LINEAR_BITS;
/** Buckets for all values of 32 bits. */
export const HISTOGRAM_WORDS: u32 = (32 - HISTOGRAM_LINEAR_BITS + 1) << HISTOGRAM_LINEAR_BITS;

/** Number of the bucket that `value` is in. */
export function histogramBucket(value: u32): u32 {
  if (value < LINEAR) return value;
  let shift: u32 = 0;
  let rest = value >>> (HISTOGRAM_LINEAR_BITS + 1);
  while (rest !== 0) {
    shift += 1;
    rest = rest >>> 1;
  }
  // value >>> shift has its highest bit at HISTOGRAM_LINEAR_BITS, which carries into the power's number.
  return (shift << HISTOGRAM_LINEAR_BITS) + (value >>> shift);
}

/** Counts `value` in the histogram at `histogram`. */
export function histogramCount(histogram: u32, value: u32): void {
  const at = histogram + (histogramBucket(value) << 2);
  poke(at, peek(at) + 1);
}
