/** What `ptlab contend --json` prints. Histograms are given by quantiles and by their buckets in use. */
import type { Cost } from '../measure/cost.ts';
import type { Samples } from '../measure/measure.ts';
import type { Contention } from '../machine/contention.ts';
import type { CpuDiedError } from '../machine/death.ts';
import { bucketEnd, QUANTILE_ERROR, quantilesOf, type Histogram } from '../machine/histogram.ts';
import type { Outcome } from './outcome.ts';

function histogram(counts: Histogram): Record<string, unknown> {
  const buckets: { upToNs: number; count: number }[] = [];
  counts.forEach((count, bucket) => {
    if (count > 0) buckets.push({ upToNs: bucketEnd(bucket), count });
  });
  return { ...quantilesOf(counts), buckets };
}

function contention(found: Contention): Record<string, unknown> {
  const { gracePeriod, synchronize, interrupt, locks } = found.histograms;
  return {
    ...found,
    quantileError: QUANTILE_ERROR,
    histograms: {
      gracePeriod: histogram(gracePeriod),
      synchronize: histogram(synchronize),
      interrupt: histogram(interrupt),
      locks: Object.fromEntries(
        Object.entries(locks).map(([name, counts]) => [name, histogram(counts)]),
      ),
    },
  };
}

function result(samples: Samples): Record<string, unknown> {
  return {
    ...samples,
    contention: samples.contention === null ? null : contention(samples.contention),
  };
}

/** The document of a run. */
export function contendDocument(
  results: readonly Samples[],
  costs: readonly Cost[],
  leftOut: readonly object[],
  end: Outcome,
  failure: CpuDiedError | null,
  rerun: string,
): Record<string, unknown> {
  const { verdict, exitCode, summary } = end;
  return {
    command: 'contend',
    verdict,
    exitCode,
    summary,
    rerun,
    results: results.map(result),
    costs: costs.map(({ on: _on, off: _off, ...cost }) => cost),
    leftOut,
    failure: failure === null ? null : failure.death,
  };
}
