/**
 * Exhaustive search with partial-order reduction: source-DPOR with sleep sets.
 *
 * Two executions that differ only in the order of independent neighbours (dependence.ts) end alike and see alike, so one of each
 * class is enough. Source-DPOR (Abdulla, Aronis, Jonsson, Sagonas: Optimal dynamic partial order reduction, POPL 2014, algorithm
 * 1) runs one execution, finds in it each race (trace.ts: two dependent steps of different CPUs with no chain of dependences
 * between them), and adds to the state before the first of the two a CPU that leads towards the other order, unless one is
 * there already. Sleep sets keep it from exploring a class twice: executions that would only repeat one are given up, and
 * counted as blocked.
 *
 * Why it is sound here: a step's effect and its dependences are determined by the state of its word, and every atomic is sequentially
 * consistent. A CPU whose operation is an await is enabled only while the condition holds; what its races are is told in trace.ts.
 */

import { DESCRIPTOR, D_CODE, Execution, type ProgramMaker } from './execution.ts';
import { CHOOSE, KIND_MASK, SLOT_VALUE } from './operation.ts';
import { Dependence, RESTART } from './dependence.ts';
import { SearchLimits, type SearchLimitOptions } from './limits.ts';
import { Trace, longer, type StepOrder } from './trace.ts';
import { verdictNow, type SearchResult, type SearchStatistics, type Verdict } from './verdict.ts';

export interface DporOptions extends Omit<SearchLimitOptions, 'onExecution'> {
  /** Let operations commute whose result is unused (dependence.ts). Default: false. */
  commuting?: boolean;
  /** Look for races on plain words (plainWords.ts), a violation. Default: true. */
  plainRaces?: boolean;
  /**
   * For each CPU the first one that runs the same function: only executions in which alike CPUs begin in the order of their numbers
   * (alikeCpus.ts). The program must not observe CPU numbers. Default: no two are alike.
   */
  symmetric?: readonly number[];
  /**
   * Called at the end of each execution that is not blocked, with the execution at its last state and the order of its steps, both
   * valid during the call.
   */
  onExecution?: (execution: Execution, verdict: Verdict, order: StepOrder) => void;
}

const FRAMES = 256;

class Dpor {
  readonly #execution: Execution;
  readonly #cpus: number;
  readonly #options: DporOptions;
  readonly #limits: SearchLimits;
  readonly #dependence: Dependence;
  readonly #trace: Trace;
  readonly statistics: SearchStatistics = {
    executions: 0,
    blocked: 0,
    steps: 0,
    depth: 0,
    durationMs: 0,
  };
  verdict: Verdict = { kind: 'passes' };

  /** Of the state before each step: CPUs, a bit each. */
  #enabled = new Int32Array(FRAMES);
  #sleep = new Int32Array(FRAMES);
  #backtrack = new Int32Array(FRAMES);
  /** Alternative that a step chose; -1 when it was no choice. */
  #choice = new Int32Array(FRAMES);
  readonly #choiceAt = (depth: number): number => this.#choice[depth]!;
  /** For each CPU its first step after a race. */
  readonly #first: Int32Array;

  constructor(
    execution: Execution,
    options: DporOptions,
    limits: SearchLimits,
    ordered: Uint8Array,
  ) {
    this.#execution = execution;
    this.#cpus = execution.cpus;
    this.#options = options;
    this.#limits = limits;
    this.#dependence = new Dependence(execution, options.commuting === true, ordered);
    this.#trace = new Trace(
      execution,
      this.#dependence,
      options.plainRaces !== false,
      options.symmetric ?? [],
    );
    this.#first = new Int32Array(this.#cpus);
  }

  #grow(): void {
    const to = this.#enabled.length * 2;
    this.#enabled = longer(this.#enabled, to);
    this.#sleep = longer(this.#sleep, to);
    this.#backtrack = longer(this.#backtrack, to);
    this.#choice = longer(this.#choice, to);
  }

  /** Takes a step of `cpu` and sees to its races. */
  #take(cpu: number, choice: number): void {
    const execution = this.#execution;
    const trace = this.#trace;
    const step = execution.depth;
    if (step + 1 >= this.#enabled.length) this.#grow();
    const kind = execution.next[cpu * DESCRIPTOR + D_CODE]! & KIND_MASK;
    const cls = this.#dependence.classify(cpu);
    const sleeping = this.#sleep[step]! & ~(1 << cpu);
    this.#sleep[step + 1] = sleeping === 0 ? 0 : this.#dependence.stillAsleep(sleeping, cpu, cls);
    this.#choice[step] = kind === CHOOSE ? choice : -1;
    trace.take(cpu, choice, cls);
    this.statistics.steps += 1;
    for (let i = 0; i < trace.reversalCount; i++) this.#reverse(trace.reversals[i]!, step, cpu);
  }

  /**
   * Sees to it that the state before step `race` leads to an execution in which the step in row `step` of the clocks, of `cpu`, comes
   * without `race` before it: some CPU that can begin the steps since then that do not depend on `race` must be among those explored.
   */
  #reverse(race: number, step: number, cpu: number): void {
    const { clock } = this.#trace;
    const { stepCpu } = this.#execution;
    const cpus = this.#cpus;
    const first = this.#first;
    const owner = stepCpu[race]!;
    let initials = 0;
    let seen = 0;
    const covered = this.#backtrack[race]! | this.#sleep[race]!;
    for (let at = race + 1; at <= step; at++) {
      const who = at === step ? cpu : stepCpu[at]!;
      const bit = 1 << who;
      if ((seen & bit) !== 0) continue;
      const row = at * cpus;
      if (at !== step && clock[row + owner]! > race) continue;
      let leads = true;
      let others = seen;
      while (others !== 0) {
        const other = 31 - Math.clz32(others);
        others &= ~(1 << other);
        if (clock[row + other]! > first[other]!) {
          // For the step itself its clock includes `race` and what depends on it; all of that lies outside.
          leads = false;
          break;
        }
      }
      seen |= bit;
      first[who] = at;
      if (leads) {
        initials |= bit;
        if ((covered & bit) !== 0) return;
      }
    }
    initials &= this.#enabled[race]!;
    if (initials === 0) this.#backtrack[race]! |= this.#enabled[race]!;
    else if ((initials & (1 << cpu)) !== 0) this.#backtrack[race]! |= 1 << cpu;
    else this.#backtrack[race]! |= initials & -initials;
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

  /** The next step to try, going back; false when there is none. */
  #back(): boolean {
    const execution = this.#execution;
    for (let step = execution.depth - 1; step >= 0; step--) {
      const cpu = execution.stepCpu[step]!;
      const chosen = this.#choice[step]!;
      if (chosen >= 0 && chosen + 1 < execution.stepOperation[step * DESCRIPTOR + SLOT_VALUE]!) {
        this.#trace.rewind(step);
        this.#take(cpu, chosen + 1);
        return true;
      }
      this.#sleep[step]! |= 1 << cpu;
      const next = this.#backtrack[step]! & ~this.#sleep[step]! & this.#enabled[step]!;
      if (next !== 0) {
        this.#trace.rewind(step);
        this.#take(31 - Math.clz32(next & -next), 0);
        return true;
      }
    }
    return false;
  }

  #failed(verdict: Verdict): boolean {
    if (this.verdict.kind === 'passes') this.verdict = verdict;
    return this.#options.goOn !== true;
  }

  /** Explores; returns whether it came to its end. */
  run(): boolean {
    const { statistics } = this;
    const execution = this.#execution;
    const limits = this.#limits;
    const { maxSteps } = limits;
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
          this.#backtrack[depth] = bit;
          this.#take(31 - Math.clz32(bit), 0);
          continue;
        }
        over = enabled === 0;
      }
      this.#reverseWaiting();
      if (over) {
        statistics.executions += 1;
        const verdict = verdictNow(execution, this.#choiceAt, maxSteps);
        this.#options.onExecution?.(execution, verdict, this.#trace);
        if (verdict.kind !== 'passes' && this.#failed(verdict)) return false;
      } else statistics.blocked += 1;
      if (!this.#back()) return true;
      if (limits.reached(statistics)) return false;
    }
  }
}

/**
 * Explores every execution of a program up to the order of independent steps. The verdict is about all of them when the result
 * is `complete`, or about the first failing one found.
 */
export function exploreDpor(make: ProgramMaker, options: DporOptions = {}): SearchResult {
  const limits = new SearchLimits(options);
  let ordered: Uint8Array | null = null;
  for (;;) {
    const execution = new Execution(make);
    ordered ??= new Uint8Array(execution.words.length);
    const search = new Dpor(execution, options, limits, ordered);
    try {
      const complete = search.run();
      search.statistics.durationMs = limits.elapsedMs();
      return {
        verdict: search.verdict,
        complete,
        statistics: search.statistics,
      };
    } catch (error) {
      if (error !== RESTART) throw error;
    }
  }
}
