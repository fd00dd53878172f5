/**
 * The point of a failing schedule after which everything fails, and the nearest schedule that passes.
 *
 * The point: the greatest number of steps after which some continuation still passes. What passes after more steps
 * passes after fewer, so it is found by bisection, with a search of the program after so many steps (prefix.ts) each
 * time, which does not stop at failures (pastFailures.ts). A search that finds nothing
 * within its budget counts as "none passes"; then the point is only a lower bound (`exact` is false).
 *
 * The nearest passing schedule shares all steps up to that point. Of the executions that a reduced search finds from
 * there, which are one of each class, it is the one in which the fewest pairs of dependent steps come in the other
 * order than in the failing one. The pair that decides is the failing schedule's next step, which no passing one takes
 * there, and the first step that has to come before it.
 */

import { exploreDpor } from '../strategies/dpor.ts';
import { type Execution } from '../execution.ts';
import { type ProgramMaker } from '../program.ts';
import { DESCRIPTOR, D_CODE, CHOOSE, KIND_MASK, SLOT_ADDRESS } from '../operation.ts';
import type { Schedule } from '../verdict.ts';
import { pastFailures, type PastFailures } from './pastFailures.ts';
import { afterPrefix } from './prefix.ts';
import { conflict, meetingsOf } from './relevance.ts';
import { Run } from './run.ts';

export interface TurningPointOptions {
  /** Executions of each search. Default: 2,000. */
  maxExecutions?: number;
  /** Milliseconds for all of it. Default: 30,000. */
  maxMs?: number;
  /** Whether races on plain words are failures. Default: true. */
  plainRaces?: boolean;
}

/** Two steps of the failing schedule whose order is another in the passing one; counted from 0. */
interface Reversal {
  first: number;
  second: number;
}

/** The step that decides by coming before another, which the passing schedule has first. */
interface Decision {
  first: number;
  /** The other step in the failing schedule; null: it fails before that. */
  second: number | null;
  /** The other step in the passing schedule. */
  passing: number;
}

/** What decides. JSON. */
export interface TurningPoint {
  /** Steps after which some continuation passes; after one more none does. -1: none does from the start. */
  steps: number;
  /** Whether the searches from there on were complete, so that it is known that none passes after one step more. */
  exact: boolean;
  /** The nearest passing schedule found. */
  passing: Schedule | null;
  /** Pairs of steps that it has in another order, and the pair that decides; null: it is no matter of order. */
  reversals: number;
  decides: Decision | null;
  executions: number;
}

interface Nearest {
  schedule: Schedule;
  reversals: number;
  decides: Decision | null;
}

class Found {
  readonly schedule: Schedule;

  constructor(schedule: Schedule) {
    this.schedule = schedule;
  }
}

const scheduleFrom = (execution: Execution): Schedule =>
  Array.from({ length: execution.depth }, (_, step) => {
    const cpu = execution.stepCpu[step]!;
    const chooses = (execution.stepOperation[step * DESCRIPTOR + D_CODE]! & KIND_MASK) === CHOOSE;
    return chooses ? ([cpu, execution.stepResult[step]!] as const) : cpu;
  });

/** A step of an execution by what it is: the CPU, how many steps it had taken, what it does and where. */
function keysOf(execution: Execution): string[] {
  const taken = new Map<number, number>();
  return Array.from({ length: execution.depth }, (_, step) => {
    const cpu = execution.stepCpu[step]!;
    const nth = taken.get(cpu) ?? 0;
    taken.set(cpu, nth + 1);
    const at = step * DESCRIPTOR;
    const { stepOperation } = execution;
    return `${cpu} ${nth} ${stepOperation[at + D_CODE]} ${stepOperation[at + SLOT_ADDRESS]}`;
  });
}

/**
 * Pairs of meeting steps of the failing execution that a passing one has in the other order, or of which it only has
 * the second.
 */
function reversalsIn(failing: Execution, passing: Execution): Reversal[] {
  const at = new Map(keysOf(passing).map((key, step) => [key, step]));
  const keys = keysOf(failing);
  return meetingsOf(failing).filter(({ first, second }) => {
    const then = at.get(keys[second]!);
    if (then === undefined) return false;
    const before = at.get(keys[first]!);
    return before === undefined || before > then;
  });
}

class Search {
  readonly #beyond: PastFailures;
  readonly #failing: Schedule;
  readonly #maxExecutions: number;
  readonly #endMs: number;
  readonly #run: Run;
  executions = 0;

  constructor(make: ProgramMaker, failing: Schedule, options: TurningPointOptions) {
    this.#beyond = pastFailures(make);
    this.#failing = failing;
    this.#maxExecutions = options.maxExecutions ?? 2000;
    this.#endMs = performance.now() + (options.maxMs ?? 30_000);
    this.#run = new Run(make, { plainRaces: options.plainRaces ?? true });
  }

  /** Whether a whole schedule passes, races between its beginning and the rest included. */
  #passes(schedule: Schedule): boolean {
    return (
      this.#run.follow(schedule) === schedule.length &&
      this.#run.enabled() === 0 &&
      this.#run.verdict().kind === 'passes'
    );
  }

  /**
   * Shows `each` the passing schedules that begin with so many steps of the failing one; returns whether those were
   * all.
   */
  passing(steps: number, each: (schedule: Schedule, execution: Execution) => void): boolean {
    const prefix = this.#failing.slice(0, steps);
    const { failed, make } = this.#beyond;
    const { complete, statistics } = exploreDpor(afterPrefix(make, prefix), {
      commuting: true,
      // A race would cut the execution off; `#passes` looks for them.
      plainRaces: false,
      goOn: true,
      maxSteps: this.#failing.length * 4 + 1000,
      maxExecutions: this.#maxExecutions,
      maxMs: Math.max(1, this.#endMs - performance.now()),
      onExecution: (execution, verdict) => {
        this.executions += 1;
        if (verdict.kind !== 'passes' || failed(execution)) return;
        const schedule = [...prefix, ...scheduleFrom(execution)];
        if (this.#passes(schedule)) each(schedule, this.#run.execution);
      },
    });
    this.executions += statistics.blocked;
    return complete;
  }

  /** A passing continuation of the first steps; null: none found, and whether there is none. */
  some(steps: number): { schedule: Schedule | null; complete: boolean } {
    try {
      const complete = this.passing(steps, (schedule) => {
        throw new Found(schedule);
      });
      return { schedule: null, complete };
    } catch (error) {
      if (!(error instanceof Found)) throw error;
      return { schedule: error.schedule, complete: false };
    }
  }
}

/**
 * The pair that decides: the step at the point, and the first one of another CPU on its word that the passing execution
 * has before it, whether the failing one comes to that or not; when there is none, the pair in another order that ends
 * first.
 */
function deciding(
  failing: Execution,
  passing: Execution,
  reversals: readonly Reversal[],
  point: number,
): Decision | null {
  const at = new Map(keysOf(passing).map((key, step) => [key, step]));
  const keys = keysOf(failing);
  const address = (step: number): number =>
    failing.stepOperation[step * DESCRIPTOR + SLOT_ADDRESS]!;
  const own = at.get(keys[point]!) ?? Infinity;
  for (let step = point + 1; step < failing.depth; step++) {
    const other = failing.stepCpu[step] !== failing.stepCpu[point];
    if (!other || address(step) !== address(point) || !conflict(failing, point, step)) continue;
    const then = at.get(keys[step]!) ?? Infinity;
    if (then < own) return { first: point, second: step, passing: then };
  }
  const end = own < Infinity ? own : 0;
  for (let step = point; step < end; step++) {
    const other = passing.stepCpu[step] !== failing.stepCpu[point];
    const on = passing.stepOperation[step * DESCRIPTOR + SLOT_ADDRESS]!;
    if (other && on === address(point) && conflict(passing, step, own))
      return { first: point, second: null, passing: step };
  }
  const [earliest] = reversals.toSorted((a, b) => a.second - b.second || b.first - a.first);
  if (earliest === undefined) return null;
  const { first, second } = earliest;
  return { first, second, passing: at.get(keys[second]!)! };
}

const foundNearest = (nearest: Nearest | null): Partial<TurningPoint> =>
  nearest === null
    ? {}
    : { passing: nearest.schedule, reversals: nearest.reversals, decides: nearest.decides };

/** A schedule that passes, found within the budget; null: none was. `failing`: one that does not. */
export function findPassing(
  make: ProgramMaker,
  failing: Schedule,
  options: TurningPointOptions = {},
): Schedule | null {
  return new Search(make, failing, options).some(0).schedule;
}

/** Finds the turning point of a schedule that fails. */
export function findTurningPoint(
  make: ProgramMaker,
  failing: Schedule,
  options: TurningPointOptions = {},
): TurningPoint {
  const search = new Search(make, failing, options);
  const none: TurningPoint = {
    steps: -1,
    exact: true,
    passing: null,
    reversals: 0,
    decides: null,
    executions: 0,
  };
  const start = search.some(0);
  if (start.schedule === null)
    return { ...none, exact: start.complete, executions: search.executions };
  let passes = 0;
  let fails = failing.length;
  let exact = true;
  while (fails - passes > 1) {
    const middle = (passes + fails) >>> 1;
    const { schedule, complete } = search.some(middle);
    if (schedule !== null) passes = middle;
    else {
      fails = middle;
      exact = complete;
    }
  }
  const failed = new Run(make, { plainRaces: options.plainRaces ?? true });
  failed.follow(failing);
  let nearest: Nearest | null = null;
  search.passing(passes, (schedule, execution) => {
    const reversals = reversalsIn(failed.execution, execution);
    const best = nearest;
    if (
      best === null ||
      reversals.length < best.reversals ||
      (reversals.length === best.reversals && schedule.length < best.schedule.length)
    )
      nearest = {
        schedule,
        reversals: reversals.length,
        decides: deciding(failed.execution, execution, reversals, passes),
      };
  });
  return {
    ...none,
    ...foundNearest(nearest),
    steps: passes,
    exact,
    executions: search.executions,
  };
}
