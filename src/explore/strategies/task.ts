/**
 * Parts of a search tree, as plain data: what is sent to whoever explores one, kept in a checkpoint, and returned.
 *
 * A state of the tree is named by the steps that lead to it. A task is a path of states; the search tree below its last
 * step, and whatever else is still to be tried in the states of the path from number `base` on, is the task's own.
 * States before `base` belong to the coordinator (parallel/tree.ts): a task that finds a race whose reversal has to
 * begin there proposes it.
 */

import type { Schedule } from '../verdict.ts';

export interface Task {
  /**
   * CPU of each step of the path, the alternative it chose (-1: it was no choice), and how many there were (1: none, or
   * not known).
   */
  cpus: readonly number[];
  choices: readonly number[];
  alternatives: readonly number[];
  /** Of the state before each step, a bit for each CPU: those asleep when the step is taken. */
  sleep: readonly number[];
  /** Those explored, being explored, or to be explored, by anybody, as far as is known. */
  backtrack: readonly number[];
  /** First state of the task's own. Further alternatives of a choice in the step before it are its own as well. */
  base: number;
  /**
   * Whether the last step has not been taken before; otherwise the path is finished up to what is still to be tried in
   * its states.
   */
  fresh: boolean;
}

/**
 * The task that is every execution which begins with `prefix` (or, where that ends in a choice, with another
 * alternative of it).
 */
export function taskBelow(prefix: Schedule): Task {
  const steps = prefix.map((entry) => (typeof entry === 'number' ? ([entry, -1] as const) : entry));
  return {
    cpus: steps.map(([cpu]) => cpu),
    choices: steps.map(([, choice]) => choice),
    alternatives: steps.map(() => 1),
    sleep: steps.map(() => 0),
    backtrack: steps.map(([cpu]) => 1 << cpu),
    base: steps.length,
    fresh: true,
  };
}

/** What a task has not got round to: a path as above, the last state of which has something left to be tried. */
export interface Rest {
  cpus: number[];
  choices: number[];
  alternatives: number[];
  sleep: number[];
  backtrack: number[];
  /** CPUs that could move in the state before each step, a bit each. */
  enabled: number[];
}

/**
 * A wish of a task for a state that is not its own: that one of the CPUs of `mask` be explored there, best `cpu`; all
 * of them when `cpu` is -1.
 */
export interface Proposal {
  depth: number;
  mask: number;
  cpu: number;
}
