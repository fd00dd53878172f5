/**
 * The coordinator of a search whose parts are explored by others: it owns the top of the search tree, hands out tasks,
 * and merges what comes of them. The outcome (executions, blocked ones, steps, verdict) does not depend on who explores
 * a task, or when.
 *
 * Tasks are numbered in the order in which they are made, handed out in that order, and merged in that order; a result
 * that arrives early is kept. A task is determined when it is made, by what has been merged until then, and so is its
 * result: it explores for a number of steps, not for a time. So everything follows from the program alone.
 *
 * Why splitting is sound: a state's alternatives get their sleep sets in the order in which they are added, each
 * holding those added before it, whether or not these have been explored by then. When all is done, the tree is one
 * that a single search could have left: every state knows the reversals of all races found below it, and of two
 * equivalent executions the later one in the order of alternatives is blocked by a sleep set. Hence complete executions
 * are one of each class, as many as the search on one thread needs. Blocked ones may differ: a reversal may be added
 * before another one that would have made it unnecessary.
 */

import { Estimator, bits, weightLeft } from './estimate.ts';
import { taskBelow, type Proposal, type Rest, type Task } from '../strategies/task.ts';
import type { Failure, TaskResult } from './task.ts';
import type { Part, PartResult, SavedTree, TreeState, Work, WorkStatistics } from './work.ts';

/** Steps for which a task explores: from 3 ms on bare words to 30 ms in the kernel. */
const TASK_STEPS = 1 << 13;
/** As long as there are fewer tasks than this, what is left of a task is split; from then on it remains one task. */
const TASKS_WANTED = 24;

interface TreeTask {
  number: number;
  task: Task;
  /** Steps to explore for. */
  steps: number;
  /** The states of its path before `task.base`. */
  states: readonly TreeState[];
  /** How many of the words known to be awaited were known when it was made. */
  ordered: number;
}

export interface TreeOptions {
  /** Go on after a failing execution. Default: false. */
  goOn?: boolean;
  /** Steps for which a task explores. Default: TASK_STEPS. */
  taskSteps?: number;
  /** Tasks to have before what is left of one is not split any more. Default: 24. */
  tasksWanted?: number;
}

const NO_STATISTICS: WorkStatistics = { executions: 0, blocked: 0, steps: 0, depth: 0, parts: 0 };

export class SearchTree implements Work {
  readonly #goOn: boolean;
  readonly #taskSteps: number;
  readonly #tasksWanted: number;
  /** Tasks that have not been merged, in order; of these the first `#given` have been handed out. */
  #tasks: TreeTask[] = [];
  #given = 0;
  #made = 0;
  /** Results that came before an earlier one, by number. */
  readonly #early = new Map<number, TaskResult>();
  /** Words known to be awaited, in the order in which they became known. */
  #ordered: number[] = [];
  readonly #commuted = new Set<number>();
  statistics: WorkStatistics = { ...NO_STATISTICS };
  /** Of the first failing execution in the order of tasks. */
  failure: Failure | null = null;
  bounded = false;
  #estimator = new Estimator();

  constructor({ goOn, taskSteps, tasksWanted }: TreeOptions = {}) {
    this.#goOn = goOn === true;
    this.#taskSteps = taskSteps ?? TASK_STEPS;
    this.#tasksWanted = tasksWanted ?? TASKS_WANTED;
    this.#begin();
  }

  #begin(): void {
    this.#tasks = [];
    this.#given = 0;
    this.#early.clear();
    this.#commuted.clear();
    this.statistics = { ...NO_STATISTICS };
    this.failure = null;
    this.bounded = false;
    this.#estimator = new Estimator();
    // The first task is short, so that there is soon something for others.
    this.#make(taskBelow([]), [], Math.ceil(this.#taskSteps / 4));
  }

  #make(task: Task, states: readonly TreeState[], steps = this.#taskSteps): void {
    this.#tasks.push({ number: this.#made, task, states, steps, ordered: this.#ordered.length });
    this.#made += 1;
  }

  /** Words known to be awaited; a task is to be explored with the first `ordered` of them. */
  get ordered(): readonly number[] {
    return this.#ordered;
  }

  /** Tasks that have not been merged. */
  get pending(): number {
    return this.#tasks.length;
  }

  /** Tasks that have not been handed out. */
  get waiting(): number {
    return this.#tasks.length - this.#given;
  }

  /** Whether all is explored, or an execution has failed. */
  get ended(): boolean {
    return this.#tasks.length === 0 || (this.failure !== null && !this.#goOn);
  }

  next(): Part | null {
    const next = this.#tasks[this.#given];
    if (next === undefined) return null;
    this.#given += 1;
    return this.#part(next);
  }

  again(): Part | null {
    const late = this.#tasks.slice(0, this.#given).find(({ number }) => !this.#early.has(number));
    return late === undefined ? null : this.#part(late);
  }

  #part({ number, task, steps, ordered }: TreeTask): Part {
    return { number, task, steps, ordered: this.#ordered.slice(0, ordered) };
  }

  /** Keeps a result until those of the tasks before it have been merged. Results from before a restart are ignored. */
  add(result: PartResult): void {
    const oldest = this.#tasks[0]?.number ?? Infinity;
    if (result.number >= oldest) this.#early.set(result.number, result as TaskResult);
    for (;;) {
      const first = this.#tasks[0];
      if (first === undefined || this.ended) return;
      const next = this.#early.get(first.number);
      if (next === undefined) return;
      this.#early.delete(first.number);
      this.#tasks.shift();
      this.#given -= 1;
      this.#merge(first, next);
    }
  }

  #merge(task: TreeTask, result: TaskResult): void {
    for (const word of result.ordered) if (!this.#ordered.includes(word)) this.#ordered.push(word);
    for (const word of result.commuted) this.#commuted.add(word);
    if (result.restart || this.#ordered.some((word) => this.#commuted.has(word))) {
      this.#begin();
      return;
    }
    const { statistics } = this;
    statistics.executions += result.executions;
    statistics.blocked += result.blocked;
    statistics.steps += result.steps;
    statistics.depth = Math.max(statistics.depth, result.depth);
    statistics.parts += 1;
    this.failure ??= result.failure;
    this.bounded ||= result.bounded;
    if (this.failure !== null && !this.#goOn) return;
    for (const proposal of result.proposals) this.#propose(task, proposal);
    if (result.rest !== null) this.#divide(task, result.rest);
    this.#estimator.add(statistics.executions, this.explored);
  }

  /** Gives alternative `cpu` of the last of `states`, to which the first steps of `path` lead, to a new task. */
  #explore(path: Task | Rest, states: readonly TreeState[], cpu: number): void {
    const depth = states.length - 1;
    const state = states[depth]!;
    const { sleep } = state;
    state.sleep |= 1 << cpu;
    this.#make(
      {
        cpus: [...path.cpus.slice(0, depth), cpu],
        choices: [...path.choices.slice(0, depth), -1],
        alternatives: [...path.alternatives.slice(0, depth), 1],
        sleep: [...path.sleep.slice(0, depth), sleep],
        backtrack: states.map((each) => each.sleep),
        base: depth + 1,
        fresh: true,
      },
      states,
    );
  }

  #propose({ task, states }: TreeTask, { depth, mask, cpu }: Proposal): void {
    const state = states[depth]!;
    const upTo = states.slice(0, depth + 1);
    let wanted = cpu < 0 ? mask & ~state.sleep : 0;
    if (cpu >= 0 && (mask & state.sleep) === 0) wanted = 1 << cpu;
    for (; wanted !== 0; wanted &= wanted - 1) {
      state.known += 1;
      this.#explore(task, upTo, 31 - Math.clz32(wanted & -wanted));
    }
  }

  /**
   * Makes tasks of what is left of one: the alternatives nearest the start a task each, and one that goes on with the
   * others.
   */
  #divide({ task, states: owned }: TreeTask, rest: Rest): void {
    const length = rest.cpus.length;
    const states = [...owned];
    while (this.#tasks.length < this.#tasksWanted && states.length < length) {
      this.#chooseRest(rest, states);
      const depth = states.length;
      const done = rest.sleep[depth]! | (1 << rest.cpus[depth]!);
      const known = bits(rest.backtrack[depth]!);
      const state = { enabled: rest.enabled[depth]!, sleep: done, known };
      states.push(state);
      let pending = rest.backtrack[depth]! & ~done & state.enabled;
      for (; pending !== 0; pending &= pending - 1)
        this.#explore(rest, [...states], 31 - Math.clz32(pending & -pending));
    }
    if (states.length === length && length > task.base) {
      this.#chooseRest(rest, states);
      return;
    }
    const { cpus, choices, alternatives, sleep, backtrack } = rest;
    const known = backtrack.map((mask, depth) => states[depth]?.sleep ?? mask);
    this.#make(
      { cpus, choices, alternatives, sleep, backtrack: known, base: states.length, fresh: false },
      states,
    );
  }

  /**
   * Gives the alternatives left of a choice, which the step to the state after the last of `states` was, to a new task.
   */
  #chooseRest(rest: Rest, states: readonly TreeState[]): void {
    const depth = states.length - 1;
    if (depth < 0 || Math.max(0, rest.choices[depth]!) + 1 >= rest.alternatives[depth]!) return;
    this.#make(
      {
        cpus: rest.cpus.slice(0, depth + 1),
        choices: [...rest.choices.slice(0, depth), rest.choices[depth]! + 1],
        alternatives: rest.alternatives.slice(0, depth + 1),
        sleep: rest.sleep.slice(0, depth + 1),
        backtrack: states.map((each) => each.sleep),
        base: depth + 1,
        fresh: true,
      },
      [...states],
    );
  }

  /** How much of the tree has been explored, from 0 to 1, going by the alternatives known so far. */
  get explored(): number {
    let left = 0;
    for (const { task, states } of this.#tasks)
      left += weightLeft(
        task,
        states.map((state) => state.known),
      );
    return 1 - left;
  }

  estimate(): { low: number; high: number } | null {
    const { executions } = this.statistics;
    if (this.#tasks.length === 0) return { low: executions, high: executions };
    return this.#estimator.interval(executions);
  }

  /** All that is known after the last merge; tasks under way count as not begun. */
  save(): SavedTree {
    const numbers = new Map<TreeState, number>();
    const states: TreeState[] = [];
    const numberOf = (state: TreeState): number => {
      const known = numbers.get(state);
      if (known !== undefined) return known;
      numbers.set(state, states.length);
      states.push({ ...state });
      return states.length - 1;
    };
    const tasks = this.#tasks.map((each) => ({
      task: each.task,
      steps: each.steps,
      states: each.states.map((state) => numberOf(state)),
      ordered: each.ordered,
    }));
    return {
      states,
      tasks,
      statistics: { ...this.statistics },
      ordered: [...this.#ordered],
      commuted: [...this.#commuted],
      failure: this.failure,
      bounded: this.bounded,
      made: this.#made,
    };
  }

  /** Goes on from what `save` has returned. */
  load(saved: SavedTree): void {
    const states = saved.states.map((state) => ({ ...state }));
    this.#early.clear();
    this.#given = 0;
    this.#made = saved.made - saved.tasks.length;
    this.#tasks = [];
    for (const { task, steps, states: numbers, ordered } of saved.tasks) {
      const known = numbers.map((number) => states[number]!);
      this.#tasks.push({ number: this.#made, task, states: known, steps, ordered });
      this.#made += 1;
    }
    this.statistics = { ...saved.statistics };
    this.#ordered = [...saved.ordered];
    this.#commuted.clear();
    for (const word of saved.commuted) this.#commuted.add(word);
    this.failure = saved.failure;
    this.bounded = saved.bounded;
  }
}
