/**
 * Searches that sample executions by chance, from a seed; who moves next is a picker's choice (pickers.ts).
 *
 * Execution number i of a seed depends on the seed, i, and the executions of its chunk before it: what PCT and URW have
 * to know of earlier executions (the longest, the steps of each CPU) is learnt anew in each chunk of SAMPLE_CHUNK
 * executions, whose first one goes without. So a range of whole chunks can be sampled by itself, by another thread or
 * on another day, and gives the same.
 */

import { type Execution } from '../execution.ts';
import { type ProgramMaker } from '../program.ts';
import { SearchLimits, type SearchLimitOptions } from './limits.ts';
import { DESCRIPTOR, D_CODE, CHOOSE, KIND_MASK, SLOT_VALUE } from '../operation.ts';
import { Experience, makePicker, type Picker, type SamplingStrategy } from './pickers.ts';
import { Random } from './random.ts';
import { replaySchedule } from '../replay.ts';
import {
  verdictNow,
  type Schedule,
  type SearchResult,
  type SearchStatistics,
  type Verdict,
} from '../verdict.ts';

/** Executions that learn from each other: a range to sample begins at a multiple of it. */
export const SAMPLE_CHUNK = 256;

interface SampleOptions extends SearchLimitOptions {
  strategy: SamplingStrategy;
  /** Seed, a u32. Default: 1. */
  seed?: number;
  /** Bug depth that `pct` aims at. Default: 3. */
  depth?: number;
  /** Steps that every execution begins with. */
  prefix?: Schedule;
}

export interface SamplingOptions extends SampleOptions {
  /** Executions to sample. Default: 1,000, or as many as fit into `maxMs`. */
  maxExecutions?: number;
}

/** What a range of executions showed. */
export interface SampleResult extends SearchResult {
  /** Number of the execution that the verdict is about; null when all passed. */
  failedAt: number | null;
  /** Number of the first execution that was not sampled: where to go on. */
  next: number;
}

/**
 * Samples executions number `from`, a multiple of SAMPLE_CHUNK, up to and without `to`. Stops at the first that fails,
 * unless `goOn`, and at the limits, which count this range only. An execution given instead of a program is used again.
 * Throws RangeError when `from` is no multiple, DepartureError when no execution begins with `prefix`.
 */
export function sampleRange(
  program: ProgramMaker | Execution,
  options: SampleOptions,
  from: number,
  to: number,
): SampleResult {
  if (from % SAMPLE_CHUNK !== 0)
    throw new RangeError(`from is ${from}; allowed are multiples of ${SAMPLE_CHUNK}`);
  const { prefix = [] } = options;
  const { execution } = replaySchedule(program, prefix);
  const limits = new SearchLimits(options);
  const seed = options.seed ?? 1;
  const random = new Random(seed);
  const statistics: SearchStatistics = {
    executions: 0,
    blocked: 0,
    steps: 0,
    depth: 0,
    durationMs: 0,
  };
  let verdict: Verdict = { kind: 'passes' };
  let failedAt: number | null = null;
  let experience = new Experience(execution.cpus);
  let picker: Picker | null = null;
  const choices = prefix.map((entry) => (typeof entry === 'number' ? -1 : entry[1]));
  const choiceAt = (depth: number): number => choices[depth]!;
  let next = from;
  while (next < to) {
    if (picker === null || next % SAMPLE_CHUNK === 0) {
      experience = new Experience(execution.cpus);
      const depth = Math.max(1, options.depth ?? 3);
      picker = makePicker(options.strategy, { execution, experience, random, depth });
    }
    random.begin(seed, next);
    execution.rewind(prefix.length);
    picker.begin();
    for (;;) {
      const { depth } = execution;
      if (execution.failure !== null || depth >= limits.maxSteps) break;
      const enabled = execution.enabled();
      if (enabled === 0) break;
      const cpu = picker.pick(enabled);
      const at = cpu * DESCRIPTOR;
      const isChoice = (execution.next[at + D_CODE]! & KIND_MASK) === CHOOSE;
      const choice = isChoice ? random.below(execution.next[at + SLOT_VALUE]!) : -1;
      choices[depth] = choice;
      execution.step(cpu, Math.max(0, choice));
    }
    experience.add(execution);
    statistics.executions += 1;
    statistics.steps += execution.depth;
    statistics.depth = Math.max(statistics.depth, execution.depth);
    const found = verdictNow(execution, choiceAt, limits.maxSteps);
    options.onExecution?.(execution, found);
    if (found.kind !== 'passes' && verdict.kind === 'passes') {
      verdict = found;
      failedAt = next;
    }
    next += 1;
    if (verdict.kind !== 'passes' && options.goOn !== true) break;
    if (limits.reached(statistics)) break;
  }
  statistics.durationMs = limits.elapsedMs();
  return { verdict, complete: false, statistics, failedAt, next };
}

/** Samples executions from number 0 on. The result is never `complete`. The same seed gives the same executions. */
export function exploreSampling(make: ProgramMaker, options: SamplingOptions): SampleResult {
  const count = options.maxExecutions ?? (options.maxMs === undefined ? 1000 : Infinity);
  return sampleRange(make, options, 0, count);
}
