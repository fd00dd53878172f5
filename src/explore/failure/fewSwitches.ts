/**
 * Searches for a failure among executions with few preemptions, and takes preemptions out of a failing schedule one by
 * one.
 *
 * `reduceSwitches` only tries neighbours of the schedule it is given: a stretch of one CPU's steps is joined to that
 * CPU's next or previous stretch, and the execution goes on from there as it will. What it ends with cannot be improved
 * by one such move, but need not be the least.
 *
 * `searchFewSwitches` tries every execution with at most so many preemptions (Musuvathi, Qadeer: Iterative context
 * bounding, PLDI 2007). Preemptions before a step on a word that only one CPU touches are left out: the step could as
 * well have come before the preemption. Which words those are is learnt on the way; when one more turns out to be
 * shared, what was left out before counts as not covered, and the search begins again.
 */

import { DESCRIPTOR, SLOT_ADDRESS, SLOT_ADDRESS2, SLOT_VALUE } from '../operation.ts';
import type { Schedule, Verdict } from '../verdict.ts';
import { guideOf, type Run, type Switches } from './run.ts';

/** Executions that may still be spent; shared by the searches that one task consists of. */
export interface Budget {
  executions: number;
  /** Clock at which to stop, as of `performance.now`. */
  endMs: number;
}

export const spent = (budget: Budget): boolean =>
  budget.executions <= 0 || performance.now() > budget.endMs;

/** A failing schedule and its context switches. */
export interface SwitchedSchedule {
  schedule: Schedule;
  switches: Switches;
}

export const fewer = (a: Switches, b: Switches): boolean =>
  a.preemptions < b.preemptions || (a.preemptions === b.preemptions && a.all < b.all);

type Segment = readonly [cpu: number, steps: number];

function joined(segments: readonly Segment[]): Segment[] {
  const result: Segment[] = [];
  for (const [cpu, steps] of segments) {
    const last = result.at(-1);
    if (last?.[0] === cpu) result[result.length - 1] = [cpu, last[1] + steps];
    else result.push([cpu, steps]);
  }
  return result;
}

/** Schedules with one stretch joined to another of the same CPU, later or earlier. */
function* neighbours(segments: readonly Segment[]): Generator<Segment[]> {
  for (let i = 0; i < segments.length; i++) {
    const [cpu, steps] = segments[i]!;
    const next = segments.findIndex((segment, at) => at > i && segment[0] === cpu);
    if (next < 0) continue;
    const more = segments[next]![1];
    yield joined(
      segments.flatMap((segment, at): Segment[] =>
        at === i ? [] : at === next ? [[cpu, steps + more]] : [segment],
      ),
    );
    yield joined(
      segments.flatMap((segment, at): Segment[] =>
        at === next ? [] : at === i ? [[cpu, steps + more]] : [segment],
      ),
    );
  }
}

/**
 * Takes switches out of a failing schedule as long as `accepts` says of the verdict that it is still the same failure.
 */
export function reduceSwitches(
  run: Run,
  failing: Schedule,
  accepts: (verdict: Verdict) => boolean,
  budget: Budget,
): SwitchedSchedule | null {
  budget.executions -= 1;
  if (!accepts(run.guided(guideOf(failing, run.execution.cpus)))) return null;
  let best: SwitchedSchedule = { schedule: run.schedule(), switches: run.switches() };
  for (let improved = true; improved && !spent(budget);) {
    improved = false;
    const { segments, choices } = guideOf(best.schedule, run.execution.cpus);
    for (const candidate of neighbours(segments)) {
      if (spent(budget)) break;
      budget.executions -= 1;
      const verdict = run.guided({ segments: candidate, choices });
      if (!fewer(run.switches(), best.switches) || !accepts(verdict)) continue;
      best = { schedule: run.schedule(), switches: run.switches() };
      improved = true;
      break;
    }
  }
  return best;
}

/** Words that more than one CPU touches, learnt from the steps of executions. */
class SharedWords {
  readonly #touched: Uint32Array;
  /** Words shared. */
  count = 0;

  constructor(words: number) {
    this.#touched = new Uint32Array(words);
  }

  note(word: number, cpu: number): void {
    const before = this.#touched[word]!;
    const after = before | (1 << cpu);
    if (before === after) return;
    this.#touched[word] = after;
    if ((after & (after - 1)) !== 0 && (before & (before - 1)) === 0 && before !== 0)
      this.count += 1;
  }

  has(word: number): boolean {
    const touched = this.#touched[word]!;
    return (touched & (touched - 1)) !== 0;
  }
}

/** The search that goes through all executions with at most `bound` preemptions, once. */
class BoundedSearch {
  readonly #run: Run;
  readonly #bound: number;
  readonly #shared: SharedWords;
  /** Of the state before each step: CPUs still to be tried, and whether their step would be a preemption. */
  readonly #todo: number[] = [];

  constructor(run: Run, bound: number, shared: SharedWords) {
    this.#run = run;
    this.#bound = bound;
    this.#shared = shared;
  }

  #take(cpu: number, choice: number): void {
    const { execution } = this.#run;
    const at = cpu * DESCRIPTOR;
    this.#shared.note(execution.next[at + SLOT_ADDRESS]! >>> 2, cpu);
    this.#run.step(cpu, choice);
  }

  /** Whether a step of `cpu` could matter to others. */
  #matters(cpu: number): boolean {
    const { next } = this.#run.execution;
    const at = cpu * DESCRIPTOR;
    return (
      this.#shared.has(next[at + SLOT_ADDRESS]! >>> 2) ||
      ((this.#run.execution.waiting & (1 << cpu)) !== 0 &&
        this.#shared.has(next[at + SLOT_ADDRESS2]! >>> 2))
    );
  }

  #back(): boolean {
    const run = this.#run;
    const { execution } = run;
    for (let depth = execution.depth - 1; depth >= 0; depth--) {
      const cpu = execution.stepCpu[depth]!;
      const choice = run.choiceAt(depth);
      if (choice >= 0 && choice + 1 < execution.stepOperation[depth * DESCRIPTOR + SLOT_VALUE]!) {
        run.rewind(depth);
        this.#take(cpu, choice + 1);
        return true;
      }
      const left = this.#todo[depth]!;
      if (left === 0) continue;
      this.#todo[depth] = left & (left - 1);
      run.rewind(depth);
      this.#take(31 - Math.clz32(left & -left), 0);
      return true;
    }
    return false;
  }

  /**
   * Calls `over` at the end of each execution until it returns true (found), or all are done, or the budget is spent.
   */
  search(over: () => boolean, budget: Budget): 'found' | 'all' | 'spent' {
    const run = this.#run;
    const { execution } = run;
    run.rewind(0);
    for (;;) {
      const enabled = run.enabled();
      if (enabled !== 0) {
        const { depth } = execution;
        const last = depth === 0 ? -1 : execution.stepCpu[depth - 1]!;
        const stays = last >= 0 && (enabled & (1 << last)) !== 0;
        const cpu = stays ? last : 31 - Math.clz32(enabled & -enabled);
        const free = !stays || (run.switches().preemptions < this.#bound && this.#matters(cpu));
        this.#todo[depth] = free ? enabled & ~(1 << cpu) : 0;
        this.#take(cpu, 0);
        continue;
      }
      budget.executions -= 1;
      if (over()) return 'found';
      if (!this.#back()) return 'all';
      if (spent(budget)) return 'spent';
    }
  }
}

/** What a search with at most `bound` preemptions ended with: a failing schedule, none, or not known. */
type FewSwitches = SwitchedSchedule | 'none' | 'unknown';

/** Searches for a failure that `accepts` among executions with at most `bound` preemptions. */
export function searchFewSwitches(
  run: Run,
  bound: number,
  accepts: (verdict: Verdict) => boolean,
  budget: Budget,
): FewSwitches {
  const shared = new SharedWords(run.execution.words.length);
  for (;;) {
    const known = shared.count;
    const search = new BoundedSearch(run, bound, shared);
    const outcome = search.search(() => accepts(run.verdict()), budget);
    if (outcome === 'found') return { schedule: run.schedule(), switches: run.switches() };
    if (outcome === 'spent') return 'unknown';
    if (shared.count === known) return 'none';
  }
}
