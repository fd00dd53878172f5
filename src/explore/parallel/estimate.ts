/**
 * How much of a search tree has been explored, and so how many executions there will be, as an interval.
 *
 * The weighted estimator for backtracking search (Kilby, Slaney, Thiebaux, Walsh: Estimating search tree size, AAAI
 * 2006, after Knuth: Estimating the efficiency of backtrack programs, 1975): the alternatives of a state, as far as
 * they are known, share its weight alike; what is done of the weight of the whole tree, 1, relates to the executions
 * counted as 1 to all of them.
 *
 * Alternatives become known only while their siblings are explored, so that the estimate is far too low at the very
 * start, and subtrees differ, so that it wanders. The interval reaches from a third of the least to three times the
 * greatest estimate of the second half of the search so far. There is none before PARTS_MIN parts. On 18 searches of 10
 * programs (874 to 206,232 executions, 60 to 2,436 parts) it held the true number at 99.8 % of all moments, at 96 % in
 * the worst of them; with a factor of 2, 97 % and 83 %.
 */

import type { Task } from '../strategies/task.ts';

export function bits(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

/**
 * The weight of what is still to be explored of a task. `known`: how many CPUs are known to be alternatives in each of
 * the states that are not its own.
 */
export function weightLeft(task: Task, known: readonly number[]): number {
  const { cpus, choices, alternatives, sleep, backtrack, base, fresh } = task;
  let weight = 1;
  let left = 0;
  for (const [step, cpu] of cpus.entries()) {
    const tried = sleep[step]! | (1 << cpu);
    const among = step < base ? known[step]! : bits(backtrack[step]!);
    const share = weight / Math.max(1, among);
    if (step >= base) left += share * bits(backtrack[step]! & ~tried);
    const of = alternatives[step]!;
    const more = step >= base - 1 ? of - 1 - Math.max(0, choices[step]!) : 0;
    left += (share * more) / of;
    weight = share / of;
  }
  return fresh ? left + weight : left;
}

/** Parts that must have been explored before there is an estimate. */
const PARTS_MIN = 32;
const FACTOR = 3;
/** Estimates that are remembered; then every other one is forgotten. */
const SAMPLES_MAX = 512;

export class Estimator {
  #parts = 0;
  /** Parts explored, and the estimate then. */
  #samples: { parts: number; estimate: number }[] = [];
  #every = 1;

  /** After each part: executions counted, and the share of the tree's weight that is explored. */
  add(executions: number, explored: number): void {
    this.#parts += 1;
    if (this.#parts % this.#every !== 0 || explored <= 0) return;
    this.#samples.push({ parts: this.#parts, estimate: executions / explored });
    if (this.#samples.length < SAMPLES_MAX) return;
    this.#every *= 2;
    this.#samples = this.#samples.filter(({ parts }) => parts % this.#every === 0);
  }

  /** Between which numbers all executions probably are, of which `executions` have been counted; null: no idea yet. */
  interval(executions: number): { low: number; high: number } | null {
    if (this.#parts < PARTS_MIN) return null;
    let low = Infinity;
    let high = 0;
    for (const { parts, estimate } of this.#samples) {
      if (parts < this.#parts / 2) continue;
      low = Math.min(low, estimate);
      high = Math.max(high, estimate);
    }
    if (high === 0) return null;
    return {
      low: Math.max(executions, Math.floor(low / FACTOR)),
      high: Math.max(executions, Math.ceil(high * FACTOR)),
    };
  }
}
