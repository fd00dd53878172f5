/**
 * Rounds of several measurements, interleaved: A B C A B C, never A A B B, so that a machine that gets warmer, or
 * busier, does so for all of them alike.
 *
 * tinybench runs the tasks of a bench side by side (`concurrency: 'bench'`), each waiting for its turn at a turnstile,
 * and keeps the statistics. A round's value is what the measurement says it is, not how long the call took. One round
 * of each is thrown away first.
 */
import { Bench, type Task } from 'tinybench';
import { type Measurement, type Unit, peerLabel, peersOf } from './measurement.ts';

const msPerUnit: Record<Unit, number> = { ns: 1e-6, us: 1e-3, ms: 1 };

export interface Figure {
  name: string;
  unit: Unit;
  median: number;
  /** Median absolute deviation from the median, in `unit`. */
  mad: number;
  min: number;
  max: number;
  /** Every round, in order. */
  rounds: number[];
}

/** A measurement over one of its yardsticks, round by round. */
export interface Ratio {
  of: string;
  to: string;
  label: string;
  /** The median of the rounds' ratios, and the quartiles around it. */
  median: number;
  low: number;
  high: number;
  atMost?: number;
}

export interface Rounds {
  figures: Figure[];
  ratios: Ratio[];
}

/** Lets in one visitor after the other, in a circle; a visitor that leaves is skipped from then on. */
class Turnstile {
  private readonly waiting: (() => void)[] = [];
  private readonly gone = new Set<number>();
  private turn = 0;
  private readonly visitors: number;

  constructor(visitors: number) {
    this.visitors = visitors;
  }

  async enter(visitor: number): Promise<void> {
    if (this.turn === visitor) return;
    await new Promise<void>((resolve) => {
      this.waiting[visitor] = resolve;
    });
  }

  pass(): void {
    if (this.gone.size === this.visitors) return;
    do this.turn = (this.turn + 1) % this.visitors;
    while (this.gone.has(this.turn));
    const next = this.waiting[this.turn];
    delete this.waiting[this.turn];
    next?.();
  }

  leave(visitor: number): void {
    this.gone.add(visitor);
  }
}

/** The value below which `part` (0 to 1) of sorted values lie, interpolated. */
export function quantile(sorted: readonly number[], part: number): number {
  const at = (sorted.length - 1) * part;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? below;
  return below + (above - below) * (at - Math.floor(at));
}

function figure(task: Task, { name, unit }: Measurement, rounds: number[]): Figure {
  const { result } = task;
  if (result.state === 'errored') throw new Error(`${name}: ${result.error.message}`);
  if (result.state !== 'completed') throw new Error(`${name}: ${result.state}`);
  const { p50, mad, min, max } = result.latency;
  const scale = msPerUnit[unit];
  return {
    name,
    unit,
    median: p50 / scale,
    mad: mad / scale,
    min: min / scale,
    max: max / scale,
    rounds,
  };
}

function ratio(subject: Measurement, peer: Measurement, values: Map<string, number[]>): Ratio {
  const below = values.get(peer.name) ?? [];
  const scale = msPerUnit[subject.unit] / msPerUnit[peer.unit];
  const sorted = (values.get(subject.name) ?? [])
    .map((value, round) => (value * scale) / (below[round] ?? Number.NaN))
    .toSorted((a, b) => a - b);
  return {
    of: subject.name,
    to: peer.name,
    label: peerLabel(peer),
    median: quantile(sorted, 0.5),
    low: quantile(sorted, 0.25),
    high: quantile(sorted, 0.75),
  };
}

/**
 * Runs `rounds` rounds of every measurement, in turn. Throws what the first failing measurement threw, with its name,
 * and `signal`'s reason once that is aborted; a round under way is finished first.
 */
export async function interleave(
  measurements: readonly Measurement[],
  rounds: number,
  signal?: AbortSignal,
): Promise<Rounds> {
  const bench = new Bench({
    concurrency: 'bench',
    iterations: rounds,
    time: 0,
    warmupIterations: 1,
    warmupTime: 0,
  });
  const turnstile = new Turnstile(measurements.length);
  const values = new Map<string, number[]>();
  let failed = false;

  for (const [index, measurement] of measurements.entries()) {
    const mine: number[] = [];
    values.set(measurement.name, mine);
    const round = async () => {
      try {
        signal?.throwIfAborted();
        if (failed) throw new Error('given up, since another measurement failed');
        const value = await measurement.runRound();
        if (!(Number.isFinite(value) && value >= 0))
          throw new RangeError(`a round gave ${value}, not a cost in ${measurement.unit}`);
        mine.push(value);
        return { overriddenDuration: value * msPerUnit[measurement.unit] };
      } catch (error) {
        failed = true;
        turnstile.leave(index);
        throw error;
      }
    };
    bench.add(measurement.name, round, {
      async: true,
      beforeEach: () => turnstile.enter(index),
      afterEach: () => turnstile.pass(),
    });
  }
  let problem: Error | undefined;
  bench.addEventListener('error', ({ task, error }) => {
    problem ??= new Error(`${task.name}: ${error.message}`, { cause: error });
  });
  await bench.run();
  signal?.throwIfAborted();
  if (problem) throw problem;

  for (const mine of values.values()) mine.shift();
  const figures = measurements.map((measurement) =>
    figure(bench.getTask(measurement.name)!, measurement, values.get(measurement.name)!),
  );
  const ratios = measurements.flatMap((subject) =>
    peersOf(subject, measurements).map((yardstick, index) => ({
      ...ratio(subject, yardstick, values),
      ...(index === 0 && subject.atMost !== undefined ? { atMost: subject.atMost } : {}),
    })),
  );
  return { figures, ratios };
}
