/**
 * How many interleavings a program has: executions of a depth-first search without bound or reduction, so that a
 * bounded search can say how much it covered.
 *
 * Exactly: the states that can be reached, with a CPU's history as part of a state, make a graph without cycles
 * (stateCache.ts); the interleavings are its paths, and a state's are the sum of its successors'. Each state is visited
 * once, however many paths lead through it. Exact as far as no two states have the same 64-bit number, and rounded from
 * 2^53 on.
 *
 * By estimate, where there are too many states: the mean of 1 / probability over random executions (Knuth, Estimating
 * the efficiency of backtrack programs, 1975), each step drawn by the weights of the `urw` picker; with known step
 * counts and no waits every execution has the same probability and each sample is exact, elsewhere it varies the less
 * the closer it comes to that. The samples are made in several runs, whose least and greatest means are the interval.
 * Where these are far apart a few samples carry most of the sum, more of that kind have not been met, and the number
 * may lie far above all of them; what can be said then is that it is more than a twentieth of the mean, with a
 * certainty of 95 % (Markov's inequality, as the mean is unbiased).
 */

import { searchDepthFirst, type DepthFirstResult } from './depthFirst.ts';
import { Execution } from '../execution.ts';
import { type ProgramMaker } from '../program.ts';
import { DESCRIPTOR, D_CODE, CHOOSE, KIND_MASK, SLOT_VALUE } from '../operation.ts';
import { Experience, StepsLeft } from './pickers.ts';
import { Random } from './random.ts';
import { StateHash } from './stateHash.ts';

interface CountOptions {
  /** States after which counting gives up. Default: 1,000,000, about 100 bytes each. */
  maxStates?: number;
  /** Milliseconds after which counting, and estimating, stop. Default: 10,000 each. */
  maxMs?: number;
  /** Steps after which an execution counts as endless. Default: 100,000. */
  maxSteps?: number;
}

/** The exact number of interleavings; null when a limit was reached. */
export function countInterleavings(make: ProgramMaker, options: CountOptions = {}): number | null {
  const execution = new Execution(make);
  const hash = new StateHash(execution);
  const counts = new Map<string, number>();
  const maxStates = options.maxStates ?? 1_000_000;
  /**
   * Of the states on the path: their number (null: a failing end, which is not remembered), and the paths from there
   * counted so far.
   */
  const keys: (string | null)[] = [];
  const paths: number[] = [];
  const leave = (depth: number): void => {
    for (let at = execution.depth; at > depth; at--) {
      if (keys[at] !== null) counts.set(keys[at]!, paths[at]!);
      paths[at - 1]! += paths[at]!;
    }
  };
  const { result } = searchDepthFirst(
    execution,
    {
      goOn: true,
      maxMs: options.maxMs ?? 10_000,
      ...(options.maxSteps !== undefined && { maxSteps: options.maxSteps }),
      onExecution: () => {
        if (paths.length <= execution.depth) keys[execution.depth] = null;
        paths[execution.depth] = 1;
      },
    },
    {
      enter() {
        const key = `${hash.high} ${hash.low}`;
        const known = counts.get(key);
        keys[execution.depth] = key;
        paths[execution.depth] = known ?? 0;
        return known === undefined;
      },
      full: () => counts.size >= maxStates,
      stepped: () => {
        hash.stepped();
        paths.length = execution.depth;
      },
      rewind(depth) {
        leave(depth);
        hash.rewind(depth);
      },
    },
  );
  if (!result.complete) return null;
  leave(0);
  return paths[0]!;
}

/** An estimate of the number of interleavings: the mean of all samples, and the least and greatest mean of a run. */
interface Estimate {
  mean: number;
  low: number;
  high: number;
  samples: number;
}

interface EstimateOptions {
  /** Default: 1. */
  seed?: number;
  /** Default: 10 runs of 100 samples. */
  runs?: number;
  samples?: number;
  maxMs?: number;
  maxSteps?: number;
}

/** Executions from which the weights are learnt. */
const LEARNING = 32;

/** Estimates the number of interleavings; null when not even one run came to its end within `maxMs`. */
export function estimateInterleavings(
  make: ProgramMaker,
  options: EstimateOptions = {},
): Estimate | null {
  const { seed = 1, runs = 10, samples = 100, maxMs = 10_000, maxSteps = 100_000 } = options;
  const execution = new Execution(make);
  const experience = new Experience(execution.cpus);
  const random = new Random(seed);
  const left = new StepsLeft({ execution, experience, random });
  const startMs = performance.now();

  /** One random execution: 1 / its probability. */
  const sample = (): number => {
    let inverse = 1;
    execution.rewind(0);
    while (execution.failure === null && execution.depth < maxSteps) {
      const enabled = execution.enabled();
      if (enabled === 0) break;
      const cpu = left.draw(enabled);
      inverse /= left.probability;
      const at = cpu * DESCRIPTOR;
      const isChoice = (execution.next[at + D_CODE]! & KIND_MASK) === CHOOSE;
      const alternatives = isChoice ? execution.next[at + SLOT_VALUE]! : 1;
      inverse *= alternatives;
      execution.step(cpu, isChoice ? random.below(alternatives) : 0);
    }
    return inverse;
  };

  for (let index = 0; index < LEARNING; index++) {
    random.begin(seed, index);
    sample();
    experience.add(execution);
  }
  const means: number[] = [];
  for (let run = 0; run < runs; run++) {
    let sum = 0;
    for (let index = 0; index < samples; index++) {
      if (performance.now() - startMs > maxMs) break;
      random.begin(seed, LEARNING + run * samples + index);
      sum += sample();
    }
    if (performance.now() - startMs > maxMs) break;
    means.push(sum / samples);
  }
  if (means.length === 0) return null;
  return {
    mean: means.reduce((sum, mean) => sum + mean, 0) / means.length,
    low: Math.min(...means),
    high: Math.max(...means),
    samples: means.length * samples,
  };
}

/** How much of all executions a search has covered. */
export interface Coverage {
  covered: number;
  /** Executions there are; null: not even an estimate. */
  of: number | Estimate | null;
}

/**
 * Of a depth-first search, bounded or not, that came to its end or not. Counts the interleavings unless the search has.
 */
export function coverageOf(
  make: ProgramMaker,
  result: Pick<DepthFirstResult, 'complete' | 'bounded'> & { statistics: { executions: number } },
  options: CountOptions = {},
): Coverage {
  const covered = result.statistics.executions;
  if (result.complete && !result.bounded) return { covered, of: covered };
  const exact = countInterleavings(make, options);
  return { covered, of: exact ?? estimateInterleavings(make, options) };
}

function readable(count: number): string {
  return count < 1e9 ? Math.round(count).toLocaleString('en') : count.toPrecision(3);
}

/** Greatest quotient of the means of two runs at which an estimate counts as one. */
const AGREEING = 2;

/**
 * Such as `192 of 1,680 interleavings`, `192 of about 1.50e+12 interleavings (1.20e+12 to 1.90e+12)`, or, when the runs
 * of an estimate differ by more than a factor of 2, `192 of more than 3.30e+15 interleavings`.
 */
export function describeCoverage({ covered, of }: Coverage): string {
  const what = `${readable(covered)} of`;
  if (of === null) return `${what} an unknown number of interleavings`;
  if (typeof of === 'number') return `${what} ${readable(of)} interleavings`;
  if (of.high > AGREEING * of.low)
    return `${what} more than ${readable(of.mean / 20)} interleavings`;
  return `${what} about ${readable(of.mean)} interleavings (${readable(of.low)} to ${readable(of.high)})`;
}
