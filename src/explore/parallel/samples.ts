/**
 * Sampling in parts, each a chunk of executions (sampling.ts), which are the same whoever samples them. The first
 * failing part, in order, is the one that counts.
 */

import { SAMPLE_CHUNK } from '../strategies/sampling.ts';
import type { Failure } from './task.ts';
import type { Part, PartResult, SampleResult, Work, WorkStatistics } from './work.ts';

/** Executions of a part. */
const PART_EXECUTIONS = SAMPLE_CHUNK;
/** Parts known before the first of them is merged. */
const AHEAD = 256;

export class Samples implements Work {
  readonly #goOn: boolean;
  /** Executions altogether; Infinity: until somebody stops. */
  readonly #executions: number;
  #given = 0;
  #merged = 0;
  readonly #early = new Map<number, SampleResult>();
  readonly bounded = false;
  readonly ordered: readonly number[] = [];
  readonly statistics: WorkStatistics = { executions: 0, blocked: 0, steps: 0, depth: 0, parts: 0 };
  failure: Failure | null = null;

  constructor(executions: number, goOn: boolean) {
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
    this.#given += 1;
    return this.#part(this.#given - 1);
  }

  again(): Part | null {
    for (let number = this.#merged; number < this.#given; number++)
      if (!this.#early.has(number)) return this.#part(number);
    return null;
  }

  #part(number: number): Part {
    const from = number * PART_EXECUTIONS;
    return { number, from, to: Math.min(from + PART_EXECUTIONS, this.#executions) };
  }

  add(result: PartResult): void {
    if (result.number >= this.#merged) this.#early.set(result.number, result);
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
