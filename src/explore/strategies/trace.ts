/**
 * The execution under way as a partial order: which step happens before which, and which pairs of steps race.
 *
 * A step happens before a later one when a chain of dependences (dependence.ts) or of steps of one CPU leads from it
 * there. Each step has a clock: of each CPU the last step that happens before it, counted from 1. Two dependent steps
 * of different CPUs race when nothing but their own dependence orders them; which of a step's races must be reversed is
 * told by `reversals`.
 *
 * Waiting. The race of an await with the write before it is reversible only when the condition held before that write
 * as well. When it did not, the step that matters is an earlier one: the last write on the word that ended a stretch in
 * which the condition held. That is the rule for locks (acquisition against acquisition, not against release) for any
 * condition on a word. The same is done for a CPU that still waits when an execution ends.
 */

import { type Execution } from '../execution.ts';
import { AlikeCpus } from './alikeCpus.ts';
import { DESCRIPTOR, D_CODE, AWAIT, KIND_MASK, SLOT_ADDRESS, TAKE } from '../operation.ts';
import { NONE, READS, WRITES, holds, secondAddress, type Dependence } from './dependence.ts';
import { PlainRaceError, PlainWords } from './plainWords.ts';

/** The order of an execution's steps, for whoever looks at the execution while it stands at its end. */
export interface StepOrder {
  /**
   * Whether step `a` happens before step `b` in every execution that differs only in the order of independent steps.
   */
  before(a: number, b: number): boolean;
}

const STEPS = 256;

export function longer<T extends Int32Array | Uint8Array>(array: T, length: number): T {
  const copy = new (array.constructor as new (length: number) => T)(length);
  copy.set(array);
  return copy;
}

export class Trace implements StepOrder {
  readonly #execution: Execution;
  readonly #cpus: number;
  readonly #dependence: Dependence;

  /** Clocks, a row of as many entries as CPUs for each step, and one more for a CPU that waits at the end. */
  clock: Int32Array;
  /** Of each step: class of each of its two accesses, and for each the access before it on the word. */
  accessClass = new Uint8Array(STEPS * 2);
  #accessBefore = new Int32Array(STEPS * 2);
  /** For each step: its CPU's step before, from 1; 0: none. */
  #cpuBefore = new Int32Array(STEPS);
  readonly #lastOfCpu: Int32Array;
  readonly #firstOfCpu: Int32Array;
  /** For each word the newest access: 2 * step + which + 1; 0: none. */
  readonly #lastOnWord: Int32Array;
  readonly #alike: AlikeCpus;

  /** Plain accesses, and the position of their log before each step; null: not looked at. */
  readonly #plain: PlainWords | null = null;
  #plainTop = new Int32Array(STEPS);
  /** The step being taken. */
  #current = { cpu: 0, step: 0, raced: null as PlainRaceError | null };

  /** Steps with which the step under examination might race. */
  readonly #races: Int32Array;
  #raceCount = 0;
  /** Steps before which the step taken last, or the CPU examined by `examineWaiting`, has to be tried. */
  readonly reversals: Int32Array;
  reversalCount = 0;

  /** `symmetric`: for each CPU the first one alike; empty: none are. */
  constructor(
    execution: Execution,
    dependence: Dependence,
    plainRaces: boolean,
    symmetric: readonly number[],
  ) {
    const { cpus } = execution;
    this.#execution = execution;
    this.#cpus = cpus;
    this.#dependence = dependence;
    this.clock = new Int32Array((STEPS + 1) * cpus);
    this.#lastOfCpu = new Int32Array(cpus);
    this.#firstOfCpu = new Int32Array(cpus);
    this.#lastOnWord = new Int32Array(execution.words.length);
    this.#races = new Int32Array(cpus * 2);
    this.reversals = new Int32Array(cpus * 2 + 2);
    this.#alike = new AlikeCpus(cpus, symmetric);
    if (plainRaces) {
      const plain = new PlainWords(execution.words.length, cpus);
      this.#plain = plain;
      execution.observe = (word, write) => this.#observe(plain, word, write);
    }
  }

  before(a: number, b: number): boolean {
    if (a === b) return false;
    return this.clock[b * this.#cpus + this.#execution.stepCpu[a]!]! > a;
  }

  /** CPUs that can take a step, a bit each; not those that still have to be spawned by the one alike before them. */
  enabled(): number {
    const execution = this.#execution;
    return this.#alike.enabled(execution.enabled(), this.#lastOfCpu, execution.finished);
  }

  #grow(): void {
    const to = this.#cpuBefore.length * 2;
    this.clock = longer(this.clock, (to + 1) * this.#cpus);
    this.accessClass = longer(this.accessClass, to * 2);
    this.#accessBefore = longer(this.#accessBefore, to * 2);
    this.#cpuBefore = longer(this.#cpuBefore, to);
    this.#plainTop = longer(this.#plainTop, to);
  }

  #observe(plain: PlainWords, word: number, write: boolean): void {
    const { clock } = this;
    const { cpu, step } = this.#current;
    const base = step * this.#cpus;
    let other = plain.conflict(word, cpu, write, clock, base);
    const newest = this.#lastOnWord[word]! - 1;
    if (newest >= 0 && (write || this.accessClass[newest] !== READS)) {
      const atomic = this.#execution.stepCpu[newest >>> 1]!;
      if (atomic !== cpu && clock[base + atomic]! <= newest >>> 1) other = atomic;
    }
    if (other >= 0) this.#current.raced ??= new PlainRaceError(word * 4, [other, cpu]);
    plain.note(word, cpu, write, step + 1);
  }

  /** Takes a step of `cpu`, whose class is `cls`; what has to be reversed is in `reversals` then. */
  take(cpu: number, choice: number, cls: number): void {
    const execution = this.#execution;
    const cpus = this.#cpus;
    const step = execution.depth;
    if (step + 1 >= this.#cpuBefore.length) this.#grow();
    const at = cpu * DESCRIPTOR;
    const kind = execution.next[at + D_CODE]! & KIND_MASK;
    const word = execution.next[at + SLOT_ADDRESS]! >>> 2;
    const second = secondAddress(execution.next, at) >>> 2;
    const { clock } = this;
    const base = step * cpus;
    const previous = this.#lastOfCpu[cpu]!;
    this.#begin(base, cpu);
    this.#cpuBefore[step] = previous;
    if (previous === 0) this.#firstOfCpu[cpu] = step + 1;

    this.#raceCount = 0;
    this.accessClass[step * 2] = cls;
    this.accessClass[step * 2 + 1] = second === 0 ? NONE : READS;
    if (cls > READS && cls !== WRITES) this.#dependence.commuted[word] = 1;
    if (cls !== NONE) {
      this.#gather(word, cls, base);
      if (second !== 0) this.#gather(second, READS, base);
    }
    let earlier = -1;
    let earlierSecond = -1;
    if (this.#raceCount > 0 && kind >= AWAIT && kind <= TAKE) {
      earlier = this.#heldBefore(word, at, false, base);
      if (second !== 0) earlierSecond = this.#heldBefore(second, at, true, base);
    }
    this.#join(base);
    clock[base + cpu] = step + 1;
    const current = this.#current;
    const plain = this.#plain;
    current.cpu = cpu;
    current.step = step;
    current.raced = null;
    if (plain !== null) {
      this.#plainTop[step] = plain.top;
      if (cls !== NONE && plain.used) {
        const other = plain.conflict(word, cpu, cls !== READS, clock, base);
        if (other >= 0) current.raced = new PlainRaceError(word * 4, [other, cpu]);
      }
    }
    execution.step(cpu, choice);
    if (current.raced !== null) execution.failure ??= current.raced;

    if (cls !== NONE) {
      this.#accessBefore[step * 2] = this.#lastOnWord[word]!;
      this.#lastOnWord[word] = step * 2 + 1;
      if (second !== 0) {
        this.#accessBefore[step * 2 + 1] = this.#lastOnWord[second]!;
        this.#lastOnWord[second] = step * 2 + 2;
      }
    }
    this.#lastOfCpu[cpu] = step + 1;
    this.#findReversals(step, kind === AWAIT || kind === TAKE);
    if (earlier >= 0) this.reversals[this.reversalCount++] = earlier;
    if (earlierSecond >= 0) this.reversals[this.reversalCount++] = earlierSecond;
  }

  /** The clock with which a step of `cpu` begins: of its step before, or of the step that spawned it. */
  #begin(base: number, cpu: number): void {
    const { clock } = this;
    const cpus = this.#cpus;
    const spawner = this.#alike.spawner[cpu]!;
    let from = this.#lastOfCpu[cpu]!;
    if (from === 0 && spawner >= 0 && this.#lastOfCpu[spawner]! > 0)
      from = this.#firstOfCpu[spawner]!;
    if (from === 0) clock.fill(0, base, base + cpus);
    else clock.copyWithin(base, (from - 1) * cpus, from * cpus);
  }

  /** Adds the latest steps of each CPU that conflict with an access of class `cls` to `word` to the races. */
  #gather(word: number, cls: number, base: number): void {
    const { accessClass, clock } = this;
    const accessBefore = this.#accessBefore;
    let access = this.#lastOnWord[word]! - 1;
    if (access < 0) return;
    let run = accessClass[access]!;
    if (run === cls && cls !== WRITES) {
      while (access >= 0 && accessClass[access] === run) access = accessBefore[access]! - 1;
      if (access < 0) return;
      run = accessClass[access]!;
    }
    let seen = 0;
    do {
      const step = access >>> 1;
      const cpu = this.#execution.stepCpu[step]!;
      if ((seen & (1 << cpu)) === 0) {
        seen |= 1 << cpu;
        if (clock[base + cpu]! <= step) this.#races[this.#raceCount++] = step;
      }
      if (run === WRITES) break;
      access = accessBefore[access]! - 1;
    } while (access >= 0 && accessClass[access] === run);
    if (this.#cpus < this.#raceCount) this.#dropDuplicates();
  }

  /** With two words a CPU may be there twice: its later step covers the earlier. */
  #dropDuplicates(): void {
    const { stepCpu } = this.#execution;
    const races = this.#races;
    let kept = 0;
    for (let i = 0; i < this.#raceCount; i++) {
      let covered = false;
      for (let j = 0; j < this.#raceCount; j++)
        if (races[j]! > races[i]! && stepCpu[races[j]!] === stepCpu[races[i]!]) covered = true;
      if (!covered) races[kept++] = races[i]!;
    }
    this.#raceCount = kept;
  }

  /** The clock at `base` comes after the races. */
  #join(base: number): void {
    const { clock } = this;
    const cpus = this.#cpus;
    for (let i = 0; i < this.#raceCount; i++) {
      const row = this.#races[i]! * cpus;
      for (let cpu = 0; cpu < cpus; cpu++)
        if (clock[row + cpu]! > clock[base + cpu]!) clock[base + cpu] = clock[row + cpu]!;
    }
  }

  /** Of the races those that no other orders, and that an await at `step` allows to be reversed. */
  #findReversals(step: number, waits: boolean): void {
    const { clock } = this;
    const { stepCpu, stepBefore, stepOperation } = this.#execution;
    const cpus = this.#cpus;
    const races = this.#races;
    const count = this.#raceCount;
    this.reversalCount = 0;
    for (let i = 0; i < count; i++) {
      const race = races[i]!;
      let direct = true;
      const owner = stepCpu[race]!;
      for (let j = 0; j < count; j++)
        if (j !== i && clock[races[j]! * cpus + owner]! > race) direct = false;
      if (!direct) continue;
      if (
        waits &&
        this.accessClass[race * 2] !== READS &&
        !holds(stepOperation, step * DESCRIPTOR, false, stepBefore[race]!)
      )
        continue;
      this.reversals[this.reversalCount++] = race;
    }
  }

  /**
   * The last write on `word` before which the condition of the await at `at` of the next operations held and after
   * which it did not, when that write does not happen before the await (whose clock so far is at `base`) and is not the
   * newest; -1: none.
   */
  #heldBefore(word: number, at: number, second: boolean, base: number): number {
    const { next, stepAfter, stepBefore, stepCpu } = this.#execution;
    let access = this.#lastOnWord[word]! - 1;
    let newest = true;
    while (access >= 0) {
      const step = access >>> 1;
      if (this.accessClass[access] !== READS) {
        if (this.clock[base + stepCpu[step]!]! > step) return -1;
        if (holds(next, at, second, stepBefore[step]!))
          return newest && holds(next, at, second, stepAfter[step]!) ? -1 : step;
        newest = false;
      }
      access = this.#accessBefore[access]! - 1;
    }
    return -1;
  }

  /** CPUs that wait at the end of an execution for a word that nobody will write, a bit each. */
  waiting(): number {
    const execution = this.#execution;
    const waiting = execution.waiting & ~execution.finished & ~execution.enabled();
    return waiting & ~this.#alike.unspawned(this.#lastOfCpu, execution.finished);
  }

  /**
   * Finds out before which steps a CPU of `waiting` could have gone on (`reversals`), and its clock as if it did, after
   * the last step.
   */
  examineWaiting(cpu: number): void {
    const { depth, next } = this.#execution;
    const base = depth * this.#cpus;
    this.#begin(base, cpu);
    const at = cpu * DESCRIPTOR;
    const word = next[at + SLOT_ADDRESS]! >>> 2;
    const second = secondAddress(next, at) >>> 2;
    this.#dependence.orderAwaited(cpu);
    const race = this.#heldBefore(word, at, false, base);
    const raceSecond = second === 0 ? -1 : this.#heldBefore(second, at, true, base);
    this.#raceCount = 0;
    this.#gather(word, READS, base);
    if (second !== 0) this.#gather(second, READS, base);
    this.#join(base);
    this.reversalCount = 0;
    if (race >= 0) this.reversals[this.reversalCount++] = race;
    if (raceSecond >= 0) this.reversals[this.reversalCount++] = raceSecond;
  }

  /** Forgets the steps from `depth` on, and takes the execution back. */
  rewind(depth: number): void {
    const execution = this.#execution;
    for (let step = execution.depth - 1; step >= depth; step--) {
      const at = step * DESCRIPTOR;
      if (this.accessClass[step * 2] !== NONE) {
        const second = secondAddress(execution.stepOperation, at) >>> 2;
        if (second !== 0) this.#lastOnWord[second] = this.#accessBefore[step * 2 + 1]!;
        this.#lastOnWord[execution.stepOperation[at + SLOT_ADDRESS]! >>> 2] =
          this.#accessBefore[step * 2]!;
      }
      this.#lastOfCpu[execution.stepCpu[step]!] = this.#cpuBefore[step]!;
    }
    if (depth < execution.depth) this.#plain?.rewind(this.#plainTop[depth]!);
    execution.rewind(depth);
  }
}
