/**
 * Single executions, one after another: steps as the caller chooses, or along a guide, with plain words watched for
 * races (trace.ts), and context switches counted.
 *
 * A context switch is a change of the CPU between two steps. It is a preemption when the CPU that is left could have
 * gone on, and not when it has ended or waits (Musuvathi, Qadeer: Iterative context bounding, PLDI 2007).
 */

import { Dependence, RESTART } from '../strategies/dependence.ts';
import { Execution } from '../execution.ts';
import { type ProgramMaker } from '../program.ts';
import { DESCRIPTOR, D_CODE, CHOOSE, KIND_MASK, SLOT_VALUE } from '../operation.ts';
import { Trace } from '../strategies/trace.ts';
import { scheduleOf, verdictNow, type Schedule, type Verdict } from '../verdict.ts';

/** Context switches of an execution. */
export interface Switches {
  /** Switches away from a CPU that could have gone on. */
  preemptions: number;
  /** All, preemptions among them. */
  all: number;
}

/** How an execution is to go: so many steps of a CPU, then of the next; beyond that CPUs run one after another. */
interface Guide {
  segments: readonly (readonly [cpu: number, steps: number])[];
  /** Alternatives that each CPU takes at its choices, in turn; beyond that the first. */
  choices: readonly (readonly number[])[];
}

export interface RunOptions {
  /** Steps after which an execution counts as endless. Default: 100,000. */
  maxSteps?: number;
  /** Whether a race on a plain word is a failure, as it is for some searches and not for others. Default: true. */
  plainRaces?: boolean;
}

const lowest = (mask: number): number => 31 - Math.clz32(mask & -mask);

export class Run {
  readonly execution: Execution;
  readonly trace: Trace;
  readonly maxSteps: number;
  readonly #dependence: Dependence;
  readonly #choices: number[] = [];
  /** Of the state before each step: the preemptions so far, and all switches. */
  readonly #preemptions: number[] = [0];
  readonly #switches: number[] = [0];

  constructor(make: ProgramMaker, { maxSteps = 100_000, plainRaces = true }: RunOptions = {}) {
    this.execution = new Execution(make);
    this.maxSteps = maxSteps;
    this.#dependence = new Dependence(this.execution, true);
    this.trace = new Trace(this.execution, this.#dependence, plainRaces, []);
  }

  readonly choiceAt = (depth: number): number => this.#choices[depth]!;

  /** Whether the next operation of `cpu` is a choice. */
  chooses(cpu: number): boolean {
    return (this.execution.next[cpu * DESCRIPTOR + D_CODE]! & KIND_MASK) === CHOOSE;
  }

  /** CPUs that can move, a bit each; none when the execution has failed or is too long. */
  enabled(): number {
    const { execution } = this;
    if (execution.failure !== null || execution.depth >= this.maxSteps) return 0;
    return execution.enabled();
  }

  step(cpu: number, choice = 0): void {
    const { execution } = this;
    const { depth } = execution;
    const last = depth === 0 ? cpu : execution.stepCpu[depth - 1]!;
    const preempts = last !== cpu && (execution.enabled() & (1 << last)) !== 0;
    this.#preemptions[depth + 1] = this.#preemptions[depth]! + (preempts ? 1 : 0);
    this.#switches[depth + 1] = this.#switches[depth]! + (last === cpu ? 0 : 1);
    this.#choices[depth] = this.chooses(cpu) ? choice : -1;
    this.#take(cpu, choice);
  }

  /**
   * Takes a step; what commutes is what commutes in a reduced search, so that both see the same races of plain words.
   */
  #take(cpu: number, choice: number): void {
    for (;;) {
      try {
        this.trace.take(cpu, choice, this.#dependence.classify(cpu));
        return;
      } catch (error) {
        if (error !== RESTART) throw error;
        this.#takeAgain();
      }
    }
  }

  /** Takes all steps so far again, as a word has turned out to be awaited on which something commuted. */
  #takeAgain(): void {
    const { depth, stepCpu } = this.execution;
    const cpus = stepCpu.slice(0, depth);
    this.trace.rewind(0);
    this.#dependence.begin();
    for (const [step, cpu] of cpus.entries()) this.#take(cpu, Math.max(0, this.#choices[step]!));
  }

  rewind(depth: number): void {
    this.trace.rewind(depth);
  }

  switches(): Switches {
    const { depth } = this.execution;
    return { preemptions: this.#preemptions[depth]!, all: this.#switches[depth]! };
  }

  schedule(): Schedule {
    return scheduleOf(this.execution, this.choiceAt);
  }

  /** The verdict on an execution that is over. */
  verdict(): Verdict {
    return verdictNow(this.execution, this.choiceAt, this.maxSteps);
  }

  /** Runs from the start along a guide to the end; a CPU that cannot move is passed over. */
  guided(guide: Guide): Verdict {
    const { execution } = this;
    this.rewind(0);
    const chosen = guide.choices.map(() => 0);
    const take = (cpu: number): void => {
      let choice = 0;
      if (this.chooses(cpu)) {
        const nth = chosen[cpu] ?? 0;
        chosen[cpu] = nth + 1;
        choice = Math.min(
          guide.choices[cpu]?.[nth] ?? 0,
          execution.next[cpu * DESCRIPTOR + SLOT_VALUE]! - 1,
        );
      }
      this.step(cpu, choice);
    };
    for (const [cpu, steps] of guide.segments)
      for (let i = 0; i < steps && (this.enabled() & (1 << cpu)) !== 0; i++) take(cpu);
    for (let enabled = this.enabled(); enabled !== 0; enabled = this.enabled()) {
      const { depth } = execution;
      const last = depth === 0 ? 0 : execution.stepCpu[depth - 1]!;
      take((enabled & (1 << last)) === 0 ? lowest(enabled) : last);
    }
    return this.verdict();
  }

  /** Takes the steps of a schedule, as far as it goes; returns how many it could take. */
  follow(schedule: Schedule): number {
    this.rewind(0);
    for (const [step, entry] of schedule.entries()) {
      const [cpu, choice] = typeof entry === 'number' ? [entry, 0] : entry;
      if (cpu >= this.execution.cpus || (this.enabled() & (1 << cpu)) === 0) return step;
      this.step(cpu, choice);
    }
    return schedule.length;
  }
}

/** The guide that leads along a schedule. */
export function guideOf(schedule: Schedule, cpus: number): Guide {
  const segments: [number, number][] = [];
  const choices: number[][] = Array.from({ length: cpus }, () => []);
  for (const entry of schedule) {
    const cpu = typeof entry === 'number' ? entry : entry[0];
    if (typeof entry !== 'number') choices[cpu]!.push(entry[1]);
    const last = segments.at(-1);
    if (last?.[0] === cpu) last[1] += 1;
    else segments.push([cpu, 1]);
  }
  return { segments, choices };
}
