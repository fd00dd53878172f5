/**
 * Source-DPOR with sleep sets, on a part of the search tree (task.ts) or on all of it.
 *
 * Two executions that differ only in the order of independent neighbours (dependence.ts) end alike and see alike, so
 * one of each class is enough. Source-DPOR (Abdulla, Aronis, Jonsson, Sagonas: Optimal dynamic partial order reduction,
 * POPL 2014, algorithm 1) runs one execution, finds in it each race (trace.ts: two dependent steps of different CPUs
 * with no chain of dependences between them), and adds to the state before the first of the two a CPU that leads
 * towards the other order, unless one is there already. Sleep sets keep it from exploring a class twice: executions
 * that would only repeat one are given up, and counted as blocked.
 *
 * Why it is sound here: a step's effect and its dependences are determined by the state of its word, and every atomic
 * is sequentially consistent. A CPU whose operation is an await is enabled only while the condition holds; what its
 * races are is told in trace.ts.
 */

import { type Execution } from '../execution.ts';
import { DESCRIPTOR, D_CODE, CHOOSE, KIND_MASK, SLOT_VALUE } from '../operation.ts';
import { Dependence } from './dependence.ts';
import { COVERED, Initials } from './initials.ts';
import { DEFAULT_STEPS_MAX, type SearchLimitOptions } from './limits.ts';
import { taskBelow, type Proposal, type Rest, type Task } from './task.ts';
import { Trace, longer, type StepOrder } from './trace.ts';
import { verdictNow, type Schedule, type SearchStatistics, type Verdict } from '../verdict.ts';

export interface DporOptions extends Omit<SearchLimitOptions, 'onExecution'> {
  /** Let operations commute whose result is unused (dependence.ts). Default: false. */
  commuting?: boolean;
  /** Look for races on plain words (plainWords.ts), a violation. Default: true. */
  plainRaces?: boolean;
  /**
   * For each CPU the first one that runs the same function: only executions in which alike CPUs begin in the order of
   * their numbers (alikeCpus.ts). The program must not observe CPU numbers. Default: no two are alike.
   */
  symmetric?: readonly number[];
  /** Explore every order of steps, instead of one execution of each class: depth-first search. Default: false. */
  everyOrder?: boolean;
  /** With `everyOrder`, the greatest number of preemptions of an execution (depthFirst.ts). Default: no bound. */
  preemptions?: number;
  /**
   * Called at the end of each execution that is not blocked, with the execution at its last state and the order of its
   * steps, both valid during the call.
   */
  onExecution?: (execution: Execution, verdict: Verdict, order: StepOrder) => void;
  /** Called when the search begins again (dependence.ts): executions told of before are told of once more. */
  onRestart?: () => void;
}

const FRAMES = 256;

export class DporSearch {
  readonly #execution: Execution;
  readonly #options: DporOptions;
  readonly #maxSteps: number;
  readonly #everyOrder: boolean;
  readonly #preemptionsMax: number;
  readonly dependence: Dependence;
  readonly #trace: Trace;
  readonly #initials: Initials;
  /** Of the task under way, without steps taken only to get there. */
  statistics: SearchStatistics = {
    executions: 0,
    blocked: 0,
    steps: 0,
    depth: 0,
    durationMs: 0,
  };
  /** Of the first failing execution. */
  verdict: Verdict = { kind: 'passes' };

  /** Of the state before each step: CPUs, a bit each. */
  #enabled = new Int32Array(FRAMES);
  #sleep = new Int32Array(FRAMES);
  #backtrack = new Int32Array(FRAMES);
  /** Alternative that a step chose; -1 when it was no choice. */
  #choice = new Int32Array(FRAMES);
  readonly #choiceAt = (depth: number): number => this.#choice[depth]!;
  /** Preemptions before each step. */
  #preemptions = new Int32Array(FRAMES);
  /** Whether the bound on preemptions has left executions of the task out. */
  bounded = false;
  /** First state of the task's own. */
  #base = 0;
  /** Whether the execution stands at the end of a path that has been explored: the next thing is to go back. */
  #ended = false;
  /** Reversals that begin in states which are not the task's own. */
  proposals: Proposal[] = [];

  constructor(execution: Execution, options: DporOptions) {
    this.#execution = execution;
    this.#options = options;
    this.#initials = new Initials(execution.cpus);
    this.#maxSteps = options.maxSteps ?? DEFAULT_STEPS_MAX;
    this.#everyOrder = options.everyOrder === true;
    this.#preemptionsMax = options.preemptions ?? Infinity;
    this.dependence = new Dependence(execution, options.commuting === true);
    this.#trace = new Trace(
      execution,
      this.dependence,
      options.plainRaces !== false,
      options.symmetric ?? [],
    );
  }

  /**
   * Goes to the end of a task's path, from where `run` explores. `ordered`: the words known to be awaited; without it,
   * those of the searches before. Throws RESTART.
   */
  begin(task: Task, ordered?: readonly number[]): void {
    const execution = this.#execution;
    this.#trace.rewind(0);
    this.dependence.begin(ordered);
    this.statistics = { executions: 0, blocked: 0, steps: 0, depth: 0, durationMs: 0 };
    this.verdict = { kind: 'passes' };
    this.proposals = [];
    this.bounded = false;
    this.#base = task.base;
    this.#sleep[0] = 0;
    for (const [step, cpu] of task.cpus.entries()) {
      if (step + 1 >= this.#enabled.length) this.#grow();
      const enabled = this.#trace.enabled();
      if (execution.failure !== null || (enabled & (1 << cpu)) === 0)
        throw new Error(`step ${step} of a task: CPU ${cpu} cannot move; the program has changed`);
      this.#enabled[step] = enabled;
      this.#sleep[step] = task.sleep[step]!;
      this.#backtrack[step] = task.backtrack[step]!;
      this.#take(
        cpu,
        Math.max(0, task.choices[step]!),
        task.fresh && step === task.cpus.length - 1,
      );
    }
    this.statistics.steps = task.fresh && task.cpus.length > 0 ? 1 : 0;
    this.#ended = !task.fresh;
  }

  #grow(): void {
    const to = this.#enabled.length * 2;
    this.#enabled = longer(this.#enabled, to);
    this.#sleep = longer(this.#sleep, to);
    this.#backtrack = longer(this.#backtrack, to);
    this.#choice = longer(this.#choice, to);
    this.#preemptions = longer(this.#preemptions, to);
  }

  /** Takes a step of `cpu` and, unless it has been taken before, sees to its races. */
  #take(cpu: number, choice: number, first = true): void {
    const execution = this.#execution;
    const trace = this.#trace;
    const step = execution.depth;
    if (step + 1 >= this.#enabled.length) this.#grow();
    const kind = execution.next[cpu * DESCRIPTOR + D_CODE]! & KIND_MASK;
    const cls = this.dependence.classify(cpu);
    const sleeping = this.#sleep[step]! & ~(1 << cpu);
    this.#sleep[step + 1] =
      sleeping === 0 || this.#everyOrder ? 0 : this.dependence.stillAsleep(sleeping, cpu, cls);
    this.#choice[step] = kind === CHOOSE ? choice : -1;
    trace.take(cpu, choice, cls);
    this.statistics.steps += 1;
    if (this.#everyOrder) this.#countPreemption(step, cpu);
    else if (first)
      for (let i = 0; i < trace.reversalCount; i++) this.#reverse(trace.reversals[i]!, step, cpu);
  }

  /**
   * Sees to it that the state before step `race` leads to an execution in which step `step`, of `cpu`, comes without
   * `race` before it.
   */
  #reverse(race: number, step: number, cpu: number): void {
    const covered = this.#backtrack[race]! | this.#sleep[race]!;
    const { clock } = this.#trace;
    const { stepCpu } = this.#execution;
    const found = this.#initials.find(clock, stepCpu, race, step, cpu, covered);
    if (found === COVERED) return;
    const initials = found & this.#enabled[race]!;
    if (race < this.#base) this.#propose(race, initials, cpu);
    else if (initials === 0) this.#backtrack[race]! |= this.#enabled[race]!;
    else if ((initials & (1 << cpu)) !== 0) this.#backtrack[race]! |= 1 << cpu;
    else this.#backtrack[race]! |= initials & -initials;
  }

  /** A wish fulfilled for some CPUs is fulfilled for more of them, so only the smallest sets are kept. */
  #propose(depth: number, initials: number, cpu: number): void {
    const mask = initials === 0 ? this.#enabled[depth]! : initials;
    const all = initials === 0;
    for (const other of this.proposals)
      if (
        other.depth === depth &&
        (other.cpu < 0 ? (other.mask & mask) !== 0 : !all && (other.mask & ~mask) === 0)
      )
        return;
    const best = (initials & (1 << cpu)) !== 0 ? cpu : 31 - Math.clz32(initials & -initials);
    this.proposals.push({ depth, mask, cpu: all ? -1 : best });
  }

  #countPreemption(step: number, cpu: number): void {
    const last = step === 0 ? cpu : this.#execution.stepCpu[step - 1]!;
    const away = last !== cpu && (this.#enabled[step]! & (1 << last)) !== 0;
    this.#preemptions[step + 1] = this.#preemptions[step]! + (away ? 1 : 0);
  }

  /** CPUs to be tried in the state before `step`, a bit each, of which `first` is tried first. */
  #alternatives(step: number, enabled: number, first: number): number {
    if (!this.#everyOrder) return first;
    const stays = step > 0 && first === 1 << this.#execution.stepCpu[step - 1]!;
    if (!stays || this.#preemptions[step]! < this.#preemptionsMax) return enabled;
    if (enabled !== first) this.bounded = true;
    return first;
  }

  /** Reverses what kept CPUs waiting that still wait at the end of an execution. */
  #reverseWaiting(): void {
    const trace = this.#trace;
    const { depth } = this.#execution;
    let rest = trace.waiting();
    while (rest !== 0) {
      const cpu = 31 - Math.clz32(rest);
      rest &= ~(1 << cpu);
      trace.examineWaiting(cpu);
      for (let i = 0; i < trace.reversalCount; i++) this.#reverse(trace.reversals[i]!, depth, cpu);
    }
  }

  /** Alternatives not yet tried of the choice that step `step` was; 0 when it was none. */
  #left(step: number): number {
    const chosen = this.#choice[step]!;
    if (chosen < 0) return 0;
    return this.#execution.stepOperation[step * DESCRIPTOR + SLOT_VALUE]! - chosen - 1;
  }

  /** CPUs still to be tried in the state before `step`, a bit each, besides the one that took the step. */
  #pending(step: number): number {
    if (step < this.#base) return 0;
    const tried = this.#sleep[step]! | (1 << this.#execution.stepCpu[step]!);
    return this.#backtrack[step]! & ~tried & this.#enabled[step]!;
  }

  /** The next step to try, going back; false when there is none. */
  #back(): boolean {
    const execution = this.#execution;
    const bottom = Math.max(0, this.#base - 1);
    for (let step = execution.depth - 1; step >= bottom; step--) {
      const cpu = execution.stepCpu[step]!;
      if (this.#left(step) > 0) {
        this.#trace.rewind(step);
        this.#take(cpu, this.#choice[step]! + 1);
        return true;
      }
      const next = this.#pending(step);
      this.#sleep[step]! |= 1 << cpu;
      if (next !== 0) {
        this.#trace.rewind(step);
        this.#take(31 - Math.clz32(next & -next), 0);
        return true;
      }
    }
    return false;
  }

  /** What is left of the task when `run` has stopped; null: nothing. */
  rest(): Rest | null {
    const execution = this.#execution;
    const bottom = Math.max(0, this.#base - 1);
    let last = execution.depth - 1;
    while (last >= bottom && this.#left(last) === 0 && this.#pending(last) === 0) last--;
    if (last < bottom) return null;
    const length = last + 1;
    return {
      cpus: [...execution.stepCpu.subarray(0, length)],
      choices: [...this.#choice.subarray(0, length)],
      sleep: [...this.#sleep.subarray(0, length)],
      backtrack: [...this.#backtrack.subarray(0, length)],
      enabled: [...this.#enabled.subarray(0, length)],
      alternatives: Array.from(
        { length },
        (_, step) => this.#left(step) + Math.max(0, this.#choice[step]!) + 1,
      ),
    };
  }

  /** The verdict on the execution at the end of a schedule, with what race detection finds on the way. */
  verdictOf(schedule: Schedule, ordered: readonly number[]): Verdict {
    this.begin({ ...taskBelow(schedule), fresh: false }, ordered);
    return verdictNow(this.#execution, this.#choiceAt, this.#maxSteps);
  }

  /**
   * Explores until the task is done (true), an execution has failed, or `reached`, called after each execution, says to
   * stop although something is left.
   */
  run(reached: (statistics: SearchStatistics) => boolean): boolean {
    const { statistics } = this;
    const execution = this.#execution;
    const maxSteps = this.#maxSteps;
    if (this.#ended && !this.#back()) return true;
    let last = 0;
    for (;;) {
      const depth = execution.depth;
      if (depth > statistics.depth) statistics.depth = depth;
      let over = execution.failure !== null || depth >= maxSteps;
      if (!over) {
        const enabled = this.#trace.enabled();
        const candidates = enabled & ~this.#sleep[depth]!;
        if (candidates !== 0) {
          this.#enabled[depth] = enabled;
          if (depth > 0) last = execution.stepCpu[depth - 1]!;
          const bit = (candidates & (1 << last)) !== 0 ? 1 << last : candidates & -candidates;
          this.#backtrack[depth] = this.#alternatives(depth, enabled, bit);
          this.#take(31 - Math.clz32(bit), 0);
          continue;
        }
        over = enabled === 0;
      }
      if (!this.#everyOrder) this.#reverseWaiting();
      if (over) {
        statistics.executions += 1;
        const verdict = verdictNow(execution, this.#choiceAt, maxSteps);
        this.#options.onExecution?.(execution, verdict, this.#trace);
        if (verdict.kind !== 'passes') {
          if (this.verdict.kind === 'passes') this.verdict = verdict;
          if (this.#options.goOn !== true) return false;
        }
      } else statistics.blocked += 1;
      if (reached(statistics)) return this.rest() === null;
      if (!this.#back()) return true;
    }
  }
}
