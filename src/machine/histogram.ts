/**
 * Log-linear histograms (src/kernel/observe/histogram.ts) as reports read them: added up over CPUs, subtracted, asked
 * for quantiles.
 */
import { HISTOGRAM_LINEAR_BITS, HISTOGRAM_WORDS } from '../kernel/abi.ts';

/** A quantile that a histogram tells is at least the true one, and above it by less than this share of it. */
export const QUANTILE_ERROR = 2 ** -HISTOGRAM_LINEAR_BITS;

/** Number of durations by bucket. */
export type Histogram = Float64Array;

/** Quantiles of durations, nanoseconds; all 0 when there were none. */
export interface Quantiles {
  count: number;
  p50Ns: number;
  p90Ns: number;
  p99Ns: number;
  p999Ns: number;
  /** Upper end of the highest bucket in use, or what the greatest is known to be. */
  maxNs: number;
}

/** The greatest value that is in bucket `bucket`. */
export function bucketEnd(bucket: number): number {
  const linear = 2 ** HISTOGRAM_LINEAR_BITS;
  if (bucket < linear) return bucket;
  const shift = Math.floor(bucket / linear) - 1;
  return (linear + (bucket % linear) + 1) * 2 ** shift - 1;
}

/** An empty histogram. */
export function emptyHistogram(): Histogram {
  return new Float64Array(HISTOGRAM_WORDS);
}

/** Adds the histogram at `address` of the memory to `to`. */
export function addHistogram(to: Histogram, words: Uint32Array, address: number): void {
  for (let bucket = 0; bucket < HISTOGRAM_WORDS; bucket++)
    to[bucket]! += Atomics.load(words, (address >>> 2) + bucket);
}

/** What a `share` (0 to 1) of the durations did not exceed, see QUANTILE_ERROR; 0 when there were none. */
export function quantile(histogram: Histogram, share: number): number {
  const count = histogram.reduce((sum, times) => sum + times, 0);
  if (count === 0) return 0;
  const wanted = Math.max(1, Math.ceil(share * count));
  let counted = 0;
  return bucketEnd(histogram.findIndex((times) => (counted += times) >= wanted));
}

/** The quantiles that reports show. `maxNs`: the greatest of all, if it is known from elsewhere. */
export function quantilesOf(histogram: Histogram, maxNs = Infinity): Quantiles {
  const at = (share: number): number => Math.min(quantile(histogram, share), maxNs);
  return {
    count: histogram.reduce((sum, times) => sum + times, 0),
    p50Ns: at(0.5),
    p90Ns: at(0.9),
    p99Ns: at(0.99),
    p999Ns: at(0.999),
    maxNs: at(1),
  };
}
