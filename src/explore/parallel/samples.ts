/**
 * Sampling in parts of a fixed number of executions, each with a seed of its own that follows from the search's seed and the part's
 * number: the same executions for any number of workers. The first failing part, in order, is the one that counts.
 */

import type { Failure } from './task.ts';
import type { Part, PartResult, SampleResult, Work, WorkStatistics } from './work.ts';

/** Executions of a part. */
const PART_EXECUTIONS = 100;
/** Parts handed out before the first of them is merged. */
const AHEAD = 256;

/** Seed of part `number` of a search with seed `seed`: the finaliser of MurmurHash3 (Appleby) over both. */
export function partSeed(seed: number, number: number): number {
  let mixed = (seed ^ Math.imul(number + 1, 0x9e3779b1)) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

export class Samples implements Work {
  readonly #seed: number;
  readonly #goOn: boolean;
  /** Executions altogether; Infinity: until somebody stops. */
  readonly #executions: number;
  #given = 0;
  #merged = 0;
  readonly #early = new Map<number, SampleResult>();
  readonly ordered: readonly number[] = [];
  readonly statistics: WorkStatistics = { executions: 0, blocked: 0, steps: 0, depth: 0, parts: 0 };
  failure: Failure | null = null;

  constructor(seed: number, executions: number, goOn: boolean) {
    this.#seed = seed;
    this.#executions = executions;
    this.#goOn = goOn;
  }

  get #parts(): number {
    return Math.ceil(this.#executions / PART_EXECUTIONS);
  }

  get pending(): number {
    return Math.min(this.#parts, this.#merged + AHEAD) - this.#merged;
  }

  get waiting(): number {
    return this.pending - (this.#given - this.#merged);
  }

  get ended(): boolean {
    return this.#merged === this.#parts || (this.failure !== null && !this.#goOn);
  }

  next(): Part | null {
    if (this.waiting <= 0) return null;
    const number = this.#given;
    this.#given += 1;
    const executions = Math.min(PART_EXECUTIONS, this.#executions - number * PART_EXECUTIONS);
    return { number, seed: partSeed(this.#seed, number), executions };
  }

  add(result: PartResult): void {
    this.#early.set(result.number, result);
    for (;;) {
      const next = this.#early.get(this.#merged);
      if (next === undefined || this.ended) return;
      this.#early.delete(this.#merged);
      this.#merged += 1;
      const { statistics } = this;
      statistics.executions += next.executions;
      statistics.steps += next.steps;
      statistics.depth = Math.max(statistics.depth, next.depth);
      statistics.parts += 1;
      this.failure ??= next.failure;
    }
  }

  estimate(): null {
    return null;
  }

  save(): null {
    return null;
  }
}
