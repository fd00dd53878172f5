/**
 * Searches that sample executions by chance, from a seed.
 *
 * `random`: at each step one of the CPUs that can move, all alike.
 *
 * `pct`: each CPU has a priority, drawn at the start; the one with the highest priority that can move does. At `depth` - 1 random steps
 * the CPU about to move falls below all others. A bug that needs `depth` ordering constraints, n CPUs and k steps is hit with a
 * probability of at least 1 / (n * k^(depth - 1)). Burckhardt, Kothari, Musuvathi, Nagarakatte: A randomized scheduler with
 * probabilistic guarantees of finding bugs, ASPLOS 2010. k is the longest execution seen so far.
 */

import { DESCRIPTOR, D_CODE, Execution, type ProgramMaker } from './execution.ts';
import { SearchLimits, type SearchLimitOptions } from './limits.ts';
import { CHOOSE, KIND_MASK, SLOT_VALUE } from './operation.ts';
import { verdictNow, type SearchResult, type SearchStatistics, type Verdict } from './verdict.ts';

export interface SamplingOptions extends SearchLimitOptions {
  strategy: 'random' | 'pct';
  /** Seed, a u32. Default: 1. */
  seed?: number;
  /** Bug depth that `pct` aims at. Default: 3. */
  depth?: number;
  /** Executions to sample. Default: 1,000, or as many as fit into `maxMs`. */
  maxExecutions?: number;
}

/** Numbers from 0 to 2^32 - 1 (mulberry32). */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  }
}

interface Picker {
  begin(longest: number): void;
  pick(enabled: number, depth: number): number;
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

function uniform(random: Random): Picker {
  return {
    begin: () => {},
    pick: (enabled) => nthBit(enabled, random.below(bits(enabled))),
  };
}

function pct(random: Random, cpus: number, depth: number): Picker {
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
    begin(longest) {
      lowest = 0;
      const order = Array.from({ length: cpus }, (_, cpu) => cpu);
      for (let last = cpus - 1; last > 0; last--) {
        const other = random.below(last + 1);
        [order[last], order[other]] = [order[other]!, order[last]!];
      }
      for (let cpu = 0; cpu < cpus; cpu++) priority[cpu] = order[cpu]! + 1;
      changes = new Set(Array.from({ length: depth - 1 }, () => random.below(longest)));
    },
    pick(enabled, step) {
      if (changes.has(step)) {
        lowest -= 1;
        priority[highest(enabled)] = lowest;
      }
      return highest(enabled);
    },
  };
}

/** Samples executions. The result is never `complete`. The same seed gives the same executions. */
export function exploreSampling(make: ProgramMaker, options: SamplingOptions): SearchResult {
  const execution = new Execution(make);
  const { maxMs } = options;
  const limits = new SearchLimits({
    maxExecutions: maxMs === undefined ? 1000 : Infinity,
    ...options,
  });
  const random = new Random(options.seed ?? 1);
  const picker =
    options.strategy === 'pct'
      ? pct(random, execution.cpus, Math.max(1, options.depth ?? 3))
      : uniform(random);
  const statistics: SearchStatistics = {
    executions: 0,
    blocked: 0,
    steps: 0,
    depth: 1,
    durationMs: 0,
  };
  let verdict: Verdict = { kind: 'passes' };
  const choices: number[] = [];
  const choiceAt = (depth: number): number => choices[depth]!;
  do {
    execution.rewind(0);
    picker.begin(statistics.depth);
    for (;;) {
      const { depth } = execution;
      if (execution.failure !== null || depth >= limits.maxSteps) break;
      const enabled = execution.enabled();
      if (enabled === 0) break;
      const cpu = picker.pick(enabled, depth);
      const at = cpu * DESCRIPTOR;
      const isChoice = (execution.next[at + D_CODE]! & KIND_MASK) === CHOOSE;
      const choice = isChoice ? random.below(execution.next[at + SLOT_VALUE]!) : -1;
      choices[depth] = choice;
      execution.step(cpu, Math.max(0, choice));
    }
    statistics.executions += 1;
    statistics.steps += execution.depth;
    statistics.depth = Math.max(statistics.depth, execution.depth);
    const found = verdictNow(execution, choiceAt, limits.maxSteps);
    options.onExecution?.(execution, found);
    if (found.kind !== 'passes' && verdict.kind === 'passes') verdict = found;
    if (verdict.kind !== 'passes' && options.goOn !== true) break;
  } while (!limits.reached(statistics));
  statistics.durationMs = limits.elapsedMs();
  return { verdict, complete: false, statistics };
}
