/**
 * Makes a failure small: fewer CPUs, then fewer operations of the scenario, then fewer context switches. A smaller
 * request or schedule is accepted only when a search within the budget finds the same failure (identity.ts) in it, so
 * what is left is known to fail. What is not accepted may still fail in a way that the budget did not find.
 *
 * An operation left out must not make a program wrong that was right. So programs of bare words keep all of theirs
 * (their statements are the protocol), halves of pairs such as lock and unlock stay, and what is smaller must not fail
 * without the patch that it fails with, nor whatever the schedule, unless it did before.
 *
 * The order of attempts is fixed and every search is counted in executions: the same failure shrinks to the same end,
 * unless `maxMs` runs out.
 */

import { openScenario, unpatched, type Scenario, type ScenarioRequest } from '../scenario.ts';
import type { Schedule, Verdict } from '../verdict.ts';
import {
  fewer,
  reduceSwitches,
  searchFewSwitches,
  type Budget,
  type SwitchedSchedule,
} from './fewSwitches.ts';
import { findFailure } from './find.ts';
import {
  identify,
  isFailing,
  isPlainRace,
  sameFailure,
  type FailingVerdict,
  type FailureIdentity,
} from './identity.ts';
import { Run, type Switches } from './run.ts';
import { Symbols } from './symbols.ts';
import { findPassing } from './turningPoint.ts';

export interface ShrinkOptions {
  /** Executions spent on each attempt at fewer CPUs or operations. Default: 2,000. */
  maxExecutions?: number;
  /** Executions spent on context switches. Default: 20,000. */
  maxSwitchExecutions?: number;
  /** Milliseconds for all of it. Default: 60,000. */
  maxMs?: number;
}

/** What shrinking did. JSON. */
export interface ShrinkStatistics {
  /** CPUs, operations (statements of each CPU that runs), steps, and switches: before and after. */
  cpus: readonly [before: number, after: number];
  operations: readonly [before: number, after: number];
  steps: readonly [before: number, after: number];
  preemptions: readonly [before: number, after: number];
  switches: readonly [before: number, after: number];
  /** Smaller requests tried, and accepted. */
  attempts: number;
  accepted: number;
  executions: number;
  /** Whether every schedule with fewer preemptions was tried, so that `preemptions` is the least for this request. */
  fewest: boolean;
  /** Whether `maxMs` ran out. */
  outOfTime: boolean;
  durationMs: number;
}

/** A failure made small. JSON. */
interface ShrunkFailure {
  request: ScenarioRequest;
  schedule: Schedule;
  identity: FailureIdentity;
  switches: Switches;
  statistics: ShrinkStatistics;
}

/** Executions spent on finding one that passes. */
const PASSING_EXECUTIONS = 200;

/** Statements that only make sense with another one. */
const HALF_OF_A_PAIR = /^\w*([lL]ock|Enter|Exit|Disable|Enable)(Nested)?\(/;

/**
 * Accepts a scenario's verdicts that are the failure `wanted`; `run` stands at the end of the execution when it is
 * called.
 */
function accepting(scenario: Scenario, wanted: FailureIdentity): (verdict: Verdict) => boolean {
  const symbols = new Symbols(scenario);
  return (verdict) =>
    isFailing(verdict) &&
    sameFailure(
      identify(verdict, (at) => symbols.name(at)),
      wanted,
    );
}

/** The identity of a scenario's failure. */
function identityOf(scenario: Scenario, verdict: FailingVerdict): FailureIdentity {
  const symbols = new Symbols(scenario);
  return identify(verdict, (address) => symbols.name(address));
}

class Shrinking {
  request: ScenarioRequest;
  scenario: Scenario;
  schedule: Schedule;
  readonly identity: FailureIdentity;
  readonly #options: Required<ShrinkOptions>;
  readonly #startMs = performance.now();
  /** Whether the scenario, as it is now, can pass; null: not known yet. */
  #passes: boolean | null = null;
  attempts = 0;
  accepted = 0;
  executions = 0;

  constructor(scenario: Scenario, verdict: FailingVerdict, options: ShrinkOptions) {
    this.request = scenario.request;
    this.scenario = scenario;
    this.schedule = verdict.schedule;
    this.identity = identityOf(scenario, verdict);
    this.#options = { maxExecutions: 2000, maxSwitchExecutions: 20_000, maxMs: 60_000, ...options };
  }

  get endMs(): number {
    return this.#startMs + this.#options.maxMs;
  }

  get outOfTime(): boolean {
    return performance.now() > this.endMs;
  }

  elapsedMs(): number {
    return performance.now() - this.#startMs;
  }

  spend<Result>(executions: number, search: (budget: Budget) => Result): Result {
    const budget: Budget = { executions, endMs: this.endMs };
    const result = search(budget);
    this.executions += executions - budget.executions;
    return result;
  }

  #run({ make }: Scenario): Run {
    const maxSteps = this.schedule.length * 4 + 1000;
    return new Run(make, { maxSteps, plainRaces: isPlainRace(this.identity) });
  }

  /** Whether some schedule of a scenario passes, as far as is found out quickly. */
  #canPass({ make }: Scenario): boolean {
    const maxMs = Math.max(1, this.endMs - performance.now());
    const plainRaces = isPlainRace(this.identity);
    const options = { maxExecutions: PASSING_EXECUTIONS, maxMs, plainRaces };
    return findPassing(make, this.schedule, options) !== null;
  }

  /** Takes a smaller request over when it fails in the same way. */
  try(request: ScenarioRequest): boolean {
    if (this.outOfTime) return false;
    this.attempts += 1;
    const scenario = openScenario(request);
    const schedule = this.#find(scenario);
    if (schedule === null || this.#failsUnpatched(request)) return false;
    this.#passes ??= this.#canPass(this.scenario);
    if (this.#passes && !this.#canPass(scenario)) return false;
    this.accepted += 1;
    this.request = request;
    this.scenario = scenario;
    this.schedule = schedule;
    return true;
  }

  #find(scenario: Scenario): Schedule | null {
    const accepts = accepting(scenario, this.identity);
    return this.spend(this.#options.maxExecutions, (budget) =>
      findFailure(scenario.make, isPlainRace(this.identity), this.schedule, accepts, budget),
    );
  }

  #failsUnpatched(request: ScenarioRequest): boolean {
    const right = unpatched(request);
    return right !== null && this.#find(openScenario(right)) !== null;
  }

  cpus(): readonly number[] {
    return this.request.cpus ?? this.scenario.columns.map((_, cpu) => cpu);
  }

  fewerCpus(): void {
    for (const cpu of this.cpus().toReversed()) {
      const rest = this.cpus().filter((other) => other !== cpu);
      if (rest.length > 0) this.try({ ...this.request, cpus: rest });
    }
  }

  /** Statements of each CPU that runs: those of its function, and of functions that are no CPU's. */
  operations(): [cpu: number, statement: number][] {
    const { about, columns } = this.scenario;
    if (about.memoryBytes !== undefined) return [];
    const { statements } = openScenario({ ...this.request, drop: this.request.drop ?? [] });
    const dropped = new Set((this.request.drop ?? []).map(([cpu, at]) => `${cpu} ${at}`));
    return this.cpus().flatMap((cpu) =>
      statements.flatMap((statement, at): [number, number][] => {
        const others = columns.includes(statement.function) && columns[cpu] !== statement.function;
        const kept = others || HALF_OF_A_PAIR.test(statement.text);
        return kept || dropped.has(`${cpu} ${at}`) ? [] : [[cpu, at]];
      }),
    );
  }

  fewerOperations(): void {
    for (const operation of this.operations().toReversed())
      this.try({ ...this.request, drop: [...(this.request.drop ?? []), operation] });
  }

  /** The schedule with the fewest switches found, and whether there is none with fewer preemptions. */
  fewerSwitches(): SwitchedSchedule & { fewest: boolean } {
    const accepts = accepting(this.scenario, this.identity);
    const run = this.#run(this.scenario);
    return this.spend(this.#options.maxSwitchExecutions, (budget) => {
      let best = reduceSwitches(run, this.schedule, accepts, budget);
      if (best === null) throw new Error('the failing schedule does not fail when it is run again');
      let none = true;
      for (let bound = 0; bound < best.switches.preemptions; bound++) {
        const found = searchFewSwitches(run, bound, accepts, budget);
        if (found === 'unknown') none = false;
        if (typeof found !== 'object') continue;
        const shorter = reduceSwitches(run, found.schedule, accepts, budget) ?? found;
        if (fewer(shorter.switches, best.switches)) best = shorter;
      }
      return { ...best, fewest: none };
    });
  }
}

/**
 * Shrinks the failure of a scenario; `verdict` is from a search of it. Throws when the verdict's schedule does not
 * fail.
 */
export function shrinkFailure(
  scenario: Scenario,
  verdict: FailingVerdict,
  options: ShrinkOptions = {},
): ShrunkFailure {
  const shrinking = new Shrinking(scenario, verdict, options);
  const run = new Run(scenario.make, { plainRaces: isPlainRace(shrinking.identity) });
  run.follow(verdict.schedule);
  const before = {
    cpus: shrinking.cpus().length,
    operations: shrinking.operations().length,
    steps: verdict.schedule.length,
    ...run.switches(),
  };
  shrinking.fewerCpus();
  shrinking.fewerOperations();
  const { schedule, switches, fewest } = shrinking.fewerSwitches();
  return {
    request: shrinking.request,
    schedule,
    identity: shrinking.identity,
    switches,
    statistics: {
      cpus: [before.cpus, shrinking.cpus().length],
      operations: [before.operations, shrinking.operations().length],
      steps: [before.steps, schedule.length],
      preemptions: [before.preemptions, switches.preemptions],
      switches: [before.all, switches.all],
      attempts: shrinking.attempts,
      accepted: shrinking.accepted,
      executions: shrinking.executions,
      fewest,
      outOfTime: shrinking.outOfTime,
      durationMs: shrinking.elapsedMs(),
    },
  };
}
