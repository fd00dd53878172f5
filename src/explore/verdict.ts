/** What an exploration found. */

import { type Execution } from './execution.ts';
import { DESCRIPTOR, D_CODE, KIND_SPAN, SLOT_ADDRESS, type Site } from './operation.ts';

/** A schedule: the CPU of each step, or its CPU and the alternative it chose. */
export type Schedule = readonly (number | readonly [cpu: number, choice: number])[];

/** A CPU that waits for a word: its number, the word's address in bytes, and where the wait stands. */
export interface Waiter {
  cpu: number;
  address: number;
  site: Site | null;
}

export type Verdict =
  /** Nothing wrong in what was explored. */
  | { kind: 'passes' }
  /** A CPU, or the check at the end, threw. `cpu` is null at the end. */
  | { kind: 'violation'; error: Error; cpu: number | null; schedule: Schedule }
  /** Several CPUs wait and none can move. */
  | { kind: 'deadlock'; waiters: readonly Waiter[]; schedule: Schedule }
  /** All others have ended, and the one that is left waits for ever. */
  | { kind: 'unmet'; waiters: readonly Waiter[]; schedule: Schedule }
  /** An execution went on for longer than `maxSteps`. */
  | { kind: 'endless'; schedule: Schedule };

/** Counts of an exploration. */
export interface SearchStatistics {
  /** Executions in which every CPU ended, failed, or all were waiting. */
  executions: number;
  /** Executions given up because each of their continuations had been explored. */
  blocked: number;
  /** Steps taken, without those that were only repeated to go back. */
  steps: number;
  /** Greatest number of steps of an execution. */
  depth: number;
  durationMs: number;
}

/** Outcome of an exploration. */
export interface SearchResult {
  verdict: Verdict;
  /** Whether the search came to its end, so that the verdict holds for every execution (within `bounds`). */
  complete: boolean;
  statistics: SearchStatistics;
}

/** The steps taken so far, as a schedule. */
export function scheduleOf(execution: Execution, choices: (depth: number) => number): Schedule {
  return Array.from({ length: execution.depth }, (_, depth) => {
    const choice = choices(depth);
    const cpu = execution.stepCpu[depth]!;
    return choice < 0 ? cpu : ([cpu, choice] as const);
  });
}

/** Those of `cpus` (a bit each), all of which wait. */
function waitersOf(execution: Execution, cpus: number): Waiter[] {
  const waiters: Waiter[] = [];
  for (let cpu = 0; cpu < execution.cpus; cpu++) {
    if ((cpus & (1 << cpu)) === 0) continue;
    const code = execution.next[cpu * DESCRIPTOR + D_CODE]!;
    waiters.push({
      cpu,
      address: execution.next[cpu * DESCRIPTOR + SLOT_ADDRESS]!,
      site: execution.program.sites[Math.floor(code / KIND_SPAN)] ?? null,
    });
  }
  return waiters;
}

/** The verdict on an execution that is over: failed, `maxSteps` long, or no CPU can move. */
export function verdictNow(
  execution: Execution,
  choices: (depth: number) => number,
  maxSteps: number,
): Verdict {
  const { failure: error, depth } = execution;
  const schedule = (): Schedule => scheduleOf(execution, choices);
  if (error !== null) {
    const cpu = depth > 0 ? execution.stepCpu[depth - 1]! : null;
    return { kind: 'violation', error, cpu, schedule: schedule() };
  }
  if (depth >= maxSteps) return { kind: 'endless', schedule: schedule() };
  const left = ~execution.finished & ((1 << execution.cpus) - 1);
  if (left !== 0) {
    const waiters = waitersOf(execution, left);
    const kind = waiters.length > 1 ? 'deadlock' : 'unmet';
    return { kind, waiters, schedule: schedule() };
  }
  // What a dead CPU held stays as it was: nothing is promised about the end.
  if (execution.dead !== 0) return { kind: 'passes' };
  const wrong = execution.finish();
  if (wrong === null) return { kind: 'passes' };
  return { kind: 'violation', error: wrong, cpu: null, schedule: schedule() };
}
