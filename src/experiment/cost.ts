/**
 * What measuring costs: the same workload on two machines, one of which measures contention, in turn and each first every other time
 * (off on, on off, off on, ...), so that neither gains from coming after the other. A pair's quotient is of two samples side by side; the cost is
 * the median of the quotients, less 1.
 *
 * Two quotients: of iterations per second, and of iterations per second of processor time. On a computer that does nothing else they agree; on a busy one
 * the first is mostly about who was let run, and the second is what measuring costs.
 */
import {
  MeasuredWorkload,
  median,
  type MeasureOptions,
  type Sample,
  type Samples,
} from './measure.ts';

/** Median over the pairs, and its quartiles; negative where the machine that measures was the faster one. */
export interface Share {
  median: number;
  low: number;
  high: number;
}

/** What measuring costs, as shares: 0.01 is one per cent less work done. */
export interface Cost {
  workload: string;
  protocol: string;
  lock: string;
  cpus: number;
  /** Whether every hold was timed. */
  everyHold: boolean;
  pairs: number;
  offPerSecond: number;
  onPerSecond: number;
  /** By the clock. */
  elapsed: Share;
  /** By processor time. */
  processor: Share;
  on: Samples;
  off: Samples;
}

/** The value below which `part` of the sorted values lie, interpolated. */
function quantile(sorted: readonly number[], part: number): number {
  const at = (sorted.length - 1) * part;
  const below = sorted[Math.floor(at)] ?? NaN;
  return below + ((sorted[Math.ceil(at)] ?? below) - below) * (at - Math.floor(at));
}

/** Measures the cost for one workload and machine; `onPair` hears of each pair of samples. */
export async function measureCost(
  options: MeasureOptions,
  onPair: () => void = () => {},
): Promise<Cost> {
  const { machine = {} } = options;
  await using off = await MeasuredWorkload.open({
    ...options,
    machine: { ...machine, contention: false, lockStat: false },
  });
  await using on = await MeasuredWorkload.open({
    ...options,
    machine: { ...machine, contention: true },
  });
  await off.warmUp();
  await on.warmUp();
  let going = true;
  for (let pair = 0; going && pair < (options.samples ?? 5); pair++) {
    const order = pair % 2 === 0 ? [off, on] : [on, off];
    for (const one of order) if (going) going = await one.sample();
    onPair();
  }
  const [measured, plain] = [on.result(), off.result()];
  const pairs = Math.min(measured.samples.length, plain.samples.length);
  const share = (rate: (sample: Sample) => number): Share => {
    const shares = Array.from(
      { length: pairs },
      (_, at) => rate(plain.samples[at]!) / rate(measured.samples[at]!) - 1,
    ).toSorted((a, b) => a - b);
    return { median: median(shares), low: quantile(shares, 0.25), high: quantile(shares, 0.75) };
  };
  return {
    workload: measured.workload,
    protocol: measured.options.protocol,
    lock: measured.options.lock,
    cpus: measured.options.cpus,
    everyHold: measured.options.lockStat,
    pairs,
    offPerSecond: plain.perSecond,
    onPerSecond: measured.perSecond,
    elapsed: share((sample) => sample.iterationsPerSecond),
    processor: share((sample) => sample.iterations / sample.processorMs),
    on: measured,
    off: plain,
  };
}
