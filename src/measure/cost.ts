/**
 * What measuring costs: the same workload on two machines, one of which measures contention, in turn and each first
 * every other time (off on, on off, off on, ...), so that neither gains from coming after the other. A pair's quotient
 * is of two samples side by side; the cost is the median of the quotients, less 1.
 *
 * Two machines that do the same differ by some percent for as long as they live: where their memory happens to be. So
 * both are booted anew every PAIRS_OF_ONE_BOOT pairs, each of them first every other time.
 *
 * Two quotients: of iterations per second, and of iterations per second of processor time. On a computer that does
 * nothing else they agree; on a busy one the first is mostly about who was let run, and the second is what measuring
 * costs.
 */
import {
  MeasuredWorkload,
  median,
  type MeasureOptions,
  type Sample,
  type Samples,
} from './measure.ts';

/** Median over the pairs, and its quartiles; negative where the machine that measures was the faster one. */
interface Share {
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
  /** The machines booted one after another, that measured and that did not. */
  on: Samples[];
  off: Samples[];
}

/** Pairs of samples of two machines; then they are booted anew. */
const PAIRS_OF_ONE_BOOT = 5;

/** The value below which `part` of the sorted values lie, interpolated. */
function quantile(sorted: readonly number[], part: number): number {
  const at = (sorted.length - 1) * part;
  const below = sorted[Math.floor(at)] ?? NaN;
  return below + ((sorted[Math.ceil(at)] ?? below) - below) * (at - Math.floor(at));
}

/** The two machines of some pairs, and their samples in pairs. */
interface Boot {
  on: Samples;
  off: Samples;
  going: boolean;
}

/** Boots both machines, the `number`-th time, and takes up to `pairs` pairs. */
async function measurePairs(
  options: MeasureOptions,
  number: number,
  pairs: number,
  onPair: () => void,
): Promise<Boot> {
  const { machine = {} } = options;
  const open = (contention: boolean): Promise<MeasuredWorkload> =>
    MeasuredWorkload.open({
      ...options,
      machine: { ...machine, contention, ...(!contention && { lockStat: false }) },
    });
  await using first = await open(number % 2 === 1);
  await using second = await open(number % 2 === 0);
  const [off, on] = number % 2 === 0 ? [first, second] : [second, first];
  await first.warmUp();
  await second.warmUp();
  let going = true;
  for (let pair = 0; going && pair < pairs; pair++) {
    const order = pair % 2 === 0 ? [off, on] : [on, off];
    for (const one of order) if (going) going = await one.sample();
    onPair();
  }
  return { on: on.result(), off: off.result(), going };
}

/** Measures the cost for one workload and machine; `onPair` hears of each pair of samples. */
export async function measureCost(
  options: MeasureOptions,
  onPair: () => void = () => {},
): Promise<Cost> {
  const wanted = options.samples ?? 5;
  const boots: Boot[] = [];
  do {
    const left = wanted - boots.length * PAIRS_OF_ONE_BOOT;
    const pairs = Math.min(PAIRS_OF_ONE_BOOT, left);
    boots.push(await measurePairs(options, boots.length, pairs, onPair));
  } while (boots.at(-1)!.going && boots.length * PAIRS_OF_ONE_BOOT < wanted);
  const pairs = boots.flatMap(({ on, off }) =>
    on.samples
      .slice(0, off.samples.length)
      .map((sample, at) => [off.samples[at]!, sample] as const),
  );
  const share = (rate: (sample: Sample) => number): Share => {
    const shares = pairs
      .map(([plain, measured]) => rate(plain) / rate(measured) - 1)
      .toSorted((a, b) => a - b);
    return { median: median(shares), low: quantile(shares, 0.25), high: quantile(shares, 0.75) };
  };
  const { workload, options: resolved } = boots[0]!.on;
  const perSecond = (of: 0 | 1): number =>
    median(pairs.map((pair) => pair[of].iterationsPerSecond));
  return {
    workload,
    protocol: resolved.protocol,
    lock: resolved.lock,
    cpus: resolved.cpus,
    everyHold: resolved.lockStat,
    pairs: pairs.length,
    offPerSecond: perSecond(0),
    onPerSecond: perSecond(1),
    elapsed: share((sample) => sample.iterationsPerSecond),
    processor: share((sample) => sample.iterations / sample.processorMs),
    on: boots.map(({ on }) => on),
    off: boots.map(({ off }) => off),
  };
}
