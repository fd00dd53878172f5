/**
 * A search as numbered parts: handed out in order, explored by anybody, merged in order. What comes out follows from
 * the parts alone, not from who explores them or how fast. A part and its result are plain data.
 */

import type { ScenarioRequest } from '../scenario.ts';
import type { SearchSettings } from '../searchSettings.ts';
import type { Task } from '../strategies/task.ts';
import type { Failure, TaskResult } from './task.ts';

/** A search, as far as the results of its parts depend on it. */
export interface RunSetup {
  request: ScenarioRequest;
  settings: Omit<SearchSettings, 'maxExecutions' | 'maxMs'>;
}

/** Explore a task; `ordered`: words known to be awaited. Or sample executions number `from` up to and without `to`. */
export type Part =
  | { number: number; task: Task; steps: number; ordered: readonly number[] }
  | { number: number; from: number; to: number };

export interface SampleResult {
  executions: number;
  steps: number;
  depth: number;
  failure: Failure | null;
}

export type PartResult = { number: number } & (TaskResult | SampleResult);

/** Counts of what has been merged. */
export interface WorkStatistics {
  executions: number;
  blocked: number;
  steps: number;
  depth: number;
  /** Parts merged. */
  parts: number;
}

/** A state that is the coordinator's: CPUs enabled, and CPUs asleep or given to a task, a bit each. */
export interface TreeState {
  enabled: number;
  sleep: number;
  /** How many CPUs are or were to be tried here. */
  known: number;
}

/** A tree as plain data: what `SearchTree.load` (tree.ts) goes on from. */
export interface SavedTree {
  states: TreeState[];
  tasks: { task: Task; steps: number; states: number[]; ordered: number }[];
  statistics: WorkStatistics;
  ordered: number[];
  commuted: number[];
  failure: Failure | null;
  bounded: boolean;
  made: number;
}

export interface Work {
  /** The next part; null: none before some result has been added. */
  next(): Part | null;
  /** The first part that has been handed out and has no result, to be explored by somebody else as well; null: none. */
  again(): Part | null;
  add(result: PartResult): void;
  /** Whether all is explored, or an execution has failed after which the search does not go on. */
  readonly ended: boolean;
  /** Parts known and not merged. */
  readonly pending: number;
  /** Parts that could be handed out now. */
  readonly waiting: number;
  readonly statistics: WorkStatistics;
  /** Of the first failing execution in the order of parts. */
  readonly failure: Failure | null;
  /** Whether a bound on preemptions has left something out. */
  readonly bounded: boolean;
  /** Words known to be awaited. */
  readonly ordered: readonly number[];
  /** All executions there will be, between two numbers; null: not known. */
  estimate(): { low: number; high: number } | null;
  /** What is known after the last merge, for a checkpoint. */
  save(): SavedTree | null;
}
