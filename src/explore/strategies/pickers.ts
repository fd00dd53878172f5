/**
 * Who moves next: the strategies that choose by chance. Each is a picker, which knows the execution under way and what
 * earlier ones have shown (`Experience`), and nothing else.
 *
 * `random`: one of the CPUs that can move, all alike.
 *
 * `pct`: each CPU has a priority, drawn at the start; the one with the highest priority that can move does. At `depth`
 * - 1 random steps the CPU about to move falls below all others. A bug that needs `depth` ordering constraints, n CPUs
 *   and k steps is hit with a
 * probability of at least 1 / (n * k^(depth - 1)). Burckhardt, Kothari, Musuvathi, Nagarakatte: A randomized scheduler
 * with probabilistic guarantees of finding bugs, ASPLOS 2010, section 3. k is the longest execution seen so far.
 *
 * `urw`: a CPU that can move with a probability proportional to the steps that it has left. Zhao, Wolff, Mathur,
 * Roychoudhury: Selectively uniform concurrency testing, ASPLOS 2025, algorithm 1. Of the orders in which CPUs with n1,
 * n2, ... steps left can go on, the part n1 / (n1 + n2 + ...) begins with the first, so that every interleaving is
 * equally likely, when the numbers of steps are known and no CPU waits. Where they vary, or CPUs wait, every
 * interleaving is still possible, and not all are alike. The steps of a CPU are taken to be the mean of the executions
 * in which it ended; a CPU that has outrun it counts as one step from its end.
 */

import type { Execution } from '../execution.ts';
import { Random } from './random.ts';

export type SamplingStrategy = 'random' | 'pct' | 'urw';
export const SAMPLING_STRATEGIES: readonly SamplingStrategy[] = ['random', 'pct', 'urw'];

export function isSampling(strategy: string | undefined): strategy is SamplingStrategy {
  return (SAMPLING_STRATEGIES as readonly (string | undefined)[]).includes(strategy);
}

/** What earlier executions have shown. */
export class Experience {
  /** Steps of the longest one; at least 1. */
  longest = 1;
  readonly #steps: Float64Array;
  readonly #ended: Float64Array;

  constructor(cpus: number) {
    this.#steps = new Float64Array(cpus);
    this.#ended = new Float64Array(cpus);
  }

  /** Adds an execution that is over. */
  add(execution: Execution): void {
    this.longest = Math.max(this.longest, execution.depth);
    if (execution.failure !== null) return;
    for (let cpu = 0; cpu < execution.cpus; cpu++) {
      if ((execution.finished & (1 << cpu)) === 0) continue;
      this.#steps[cpu]! += execution.taken[cpu]!;
      this.#ended[cpu]! += 1;
    }
  }

  /** Mean number of steps of a CPU; 0 when it never ended. */
  meanSteps(cpu: number): number {
    return this.#ended[cpu] === 0 ? 0 : this.#steps[cpu]! / this.#ended[cpu]!;
  }
}

export interface Picker {
  /** Before an execution. */
  begin(): void;
  /** One of the CPUs of `enabled`, a bit each and at least one. */
  pick(enabled: number): number;
}

interface PickerContext {
  execution: Execution;
  experience: Experience;
  random: Random;
  /** Bug depth that `pct` aims at. */
  depth: number;
}

function nthBit(mask: number, n: number): number {
  let rest = mask;
  for (let i = 0; i < n; i++) rest &= rest - 1;
  return 31 - Math.clz32(rest & -rest);
}

function bits(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

function uniform({ random }: PickerContext): Picker {
  return {
    begin: () => {},
    pick: (enabled) => nthBit(enabled, random.below(bits(enabled))),
  };
}

function pct({ execution, experience, random, depth }: PickerContext): Picker {
  const { cpus } = execution;
  const priority: number[] = [];
  let changes = new Set<number>();
  let lowest = 0;
  const highest = (enabled: number): number => {
    let best = -1;
    for (let cpu = 0; cpu < cpus; cpu++)
      if ((enabled & (1 << cpu)) !== 0 && (best < 0 || priority[cpu]! > priority[best]!))
        best = cpu;
    return best;
  };
  return {
    begin() {
      lowest = 0;
      const order = Array.from({ length: cpus }, (_, cpu) => cpu);
      for (let last = cpus - 1; last > 0; last--) {
        const other = random.below(last + 1);
        [order[last], order[other]] = [order[other]!, order[last]!];
      }
      for (let cpu = 0; cpu < cpus; cpu++) priority[cpu] = order[cpu]! + 1;
      const { longest } = experience;
      changes = new Set(Array.from({ length: depth - 1 }, () => random.below(longest)));
    },
    pick(enabled) {
      if (changes.has(execution.depth)) {
        lowest -= 1;
        priority[highest(enabled)] = lowest;
      }
      return highest(enabled);
    },
  };
}

/** What `urw` draws by. */
export class StepsLeft {
  readonly #execution: Execution;
  readonly #experience: Experience;
  readonly #random: Random;
  readonly #weights: Float64Array;
  /** Probability of the CPU drawn last. */
  probability = 1;

  constructor({ execution, experience, random }: Omit<PickerContext, 'depth'>) {
    this.#execution = execution;
    this.#experience = experience;
    this.#random = random;
    this.#weights = new Float64Array(execution.cpus);
  }

  /** Draws one of the CPUs of `enabled`. */
  draw(enabled: number): number {
    const weights = this.#weights;
    let total = 0;
    for (let rest = enabled; rest !== 0; rest &= rest - 1) {
      const cpu = 31 - Math.clz32(rest & -rest);
      weights[cpu] = Math.max(1, this.#experience.meanSteps(cpu) - this.#execution.taken[cpu]!);
      total += weights[cpu]!;
    }
    let drawn = (this.#random.next() / 2 ** 32) * total;
    let cpu = 0;
    for (let rest = enabled; rest !== 0; rest &= rest - 1) {
      cpu = 31 - Math.clz32(rest & -rest);
      drawn -= weights[cpu]!;
      if (drawn < 0) break;
    }
    this.probability = weights[cpu]! / total;
    return cpu;
  }
}

function urw(context: PickerContext): Picker {
  const left = new StepsLeft(context);
  return { begin: () => {}, pick: (enabled) => left.draw(enabled) };
}

const PICKERS: Readonly<Record<SamplingStrategy, (context: PickerContext) => Picker>> = {
  random: uniform,
  pct,
  urw,
};

export function makePicker(strategy: SamplingStrategy, context: PickerContext): Picker {
  return PICKERS[strategy](context);
}
