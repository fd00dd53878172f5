/**
 * Exhaustive search with partial-order reduction: source-DPOR with sleep sets.
 *
 * Two steps of different CPUs are dependent when they touch the same word and do not merely both read it; two executions that differ
 * only in the order of independent neighbours end alike and see alike, so one of each class is enough. Source-DPOR (Abdulla,
 * Aronis, Jonsson, Sagonas: Optimal dynamic partial order reduction, POPL 2014, algorithm 1) runs one execution, finds in
 * it each race (two dependent steps of different CPUs with no chain of dependences between them), and adds to the state before
 * the first of the two a CPU that leads towards the other order, unless one is there already. Sleep sets keep it from
 * exploring a class twice: executions that would only repeat one are given up, and counted as blocked.
 *
 * Why it is sound here: a step's effect and its dependences are determined by the state of its word, and every atomic is sequentially
 * consistent. A compareExchange that fails changes nothing and counts as a read: whether it fails is determined by the
 * writes before it, on which it depends as a read.
 *
 * Waiting. A CPU whose operation is an await is enabled only while the condition holds. An await, once taken, is a read (`takeWord` a
 * write). Its race with the write before it is reversible only when the condition held before that write as well. When it did
 * not, the step that matters is an earlier one: the last write on the word that ended a stretch in which the condition held.
 * That is the rule for locks (acquisition against acquisition, not against release) for any condition on a word. The same is
 * done for a CPU that still waits when an execution ends.
 *
 * Commuting operations (`commuting`): adds, ors, ands whose result is not used leave the same word in either order, so they are
 * independent of their own kind. On words that are awaited this is switched off, since a wait may see the values between.
 *
 * Clocks: for each step, of each CPU the last step that happens before it, counted from 1.
 */

import { DESCRIPTOR, D_CODE, Execution, satisfies, type ProgramMaker } from './execution.ts';
import {
  ADD,
  AND,
  AWAIT,
  AWAIT_EITHER,
  CHOOSE,
  COMPARE_EXCHANGE,
  FLAG_UNUSED,
  KIND_MASK,
  LOAD,
  OR,
  SLOT_ADDRESS,
  SLOT_ADDRESS2,
  SLOT_EXPECTED,
  SLOT_MASK,
  SLOT_VALUE,
  SLOT_VALUE2,
  SUB,
  TAKE,
} from './operation.ts';
import { SearchLimits, type SearchLimitOptions } from './limits.ts';
import { verdictNow, type SearchResult, type SearchStatistics, type Verdict } from './verdict.ts';

export interface DporOptions extends SearchLimitOptions {
  /** Let operations commute whose result is unused. Default: false. */
  commuting?: boolean;
}

/** How a step touches a word. Equal classes other than WRITES are independent. */
const NONE = 0;
const READS = 1;
const WRITES = 2;
const ADDS = 3;
const ORS = 4;
const ANDS = 5;

const FRAMES = 256;

function longer<T extends Int32Array | Uint8Array>(array: T, length: number): T {
  const copy = new (array.constructor as new (length: number) => T)(length);
  copy.set(array);
  return copy;
}

/** A word had commuting steps before it was seen to be awaited: the search has to begin again. */
const RESTART = Symbol('restart');

class Dpor {
  readonly execution: Execution;
  readonly cpus: number;
  readonly options: DporOptions;
  readonly limits: SearchLimits;
  readonly statistics: SearchStatistics = {
    executions: 0,
    blocked: 0,
    steps: 0,
    depth: 0,
    durationMs: 0,
  };

  /** Of the state before each step: CPUs, a bit each. */
  enabled = new Int32Array(FRAMES);
  sleep = new Int32Array(FRAMES);
  backtrack = new Int32Array(FRAMES);
  /** Alternative that a step chose; -1 when it was no choice. */
  choice = new Int32Array(FRAMES);
  /** Of each step: clock, class of each of its two accesses, and for each access the one before it on the word. */
  clock: Int32Array;
  accessClass = new Uint8Array(FRAMES * 2);
  accessBefore = new Int32Array(FRAMES * 2);
  /** For each step: its CPU's step before, from 1; 0: none. */
  cpuBefore = new Int32Array(FRAMES);
  readonly lastOfCpu: Int32Array;
  /** For each word the newest access: 2 * step + which + 1; 0: none. */
  readonly lastOnWord: Int32Array;
  /** Words on which nothing commutes, and words on which something did. */
  readonly ordered: Uint8Array;
  readonly commuted: Uint8Array;

  /** Candidates of the race under examination: steps. */
  readonly races: Int32Array;
  raceCount = 0;
  readonly first: Int32Array;
  verdict: Verdict = { kind: 'passes' };
  readonly choiceAt = (depth: number): number => this.choice[depth]!;

  constructor(
    execution: Execution,
    options: DporOptions,
    limits: SearchLimits,
    ordered: Uint8Array,
  ) {
    this.execution = execution;
    this.limits = limits;
    this.cpus = execution.cpus;
    this.options = options;
    this.clock = new Int32Array((FRAMES + 1) * this.cpus);
    this.lastOfCpu = new Int32Array(this.cpus);
    this.lastOnWord = new Int32Array(execution.words.length);
    this.commuted = new Uint8Array(execution.words.length);
    this.ordered = ordered;
    this.races = new Int32Array(this.cpus * 2);
    this.first = new Int32Array(this.cpus);
  }

  #grow(): void {
    const to = this.enabled.length * 2;
    this.enabled = longer(this.enabled, to);
    this.sleep = longer(this.sleep, to);
    this.backtrack = longer(this.backtrack, to);
    this.choice = longer(this.choice, to);
    this.clock = longer(this.clock, (to + 1) * this.cpus);
    this.accessClass = longer(this.accessClass, to * 2);
    this.accessBefore = longer(this.accessBefore, to * 2);
    this.cpuBefore = longer(this.cpuBefore, to);
  }

  /** Class of the next operation of `cpu` in the present state. */
  #classify(cpu: number): number {
    const { execution } = this;
    const at = cpu * DESCRIPTOR;
    const code = execution.next[at + D_CODE]!;
    const kind = code & KIND_MASK;
    if (kind === LOAD) return READS;
    const word = execution.next[at + SLOT_ADDRESS]! >>> 2;
    if (kind === AWAIT || kind === AWAIT_EITHER || kind === TAKE) {
      this.#orderAwaited(at);
      return kind === TAKE ? WRITES : READS;
    }
    if (kind === CHOOSE) return NONE;
    if (kind === COMPARE_EXCHANGE)
      return execution.words[word] === execution.next[at + SLOT_EXPECTED]! ? WRITES : READS;
    if ((code & FLAG_UNUSED) !== 0 && this.options.commuting === true && this.ordered[word] === 0) {
      if (kind === ADD || kind === SUB) return ADDS;
      if (kind === OR) return ORS;
      if (kind === AND) return ANDS;
    }
    return WRITES;
  }

  /** Switches commuting off on the words of the await at `at` of the next operations. */
  #orderAwaited(at: number): void {
    const { next } = this.execution;
    const word = next[at + SLOT_ADDRESS]! >>> 2;
    const second = this.#secondAddress(next, at) >>> 2;
    if (this.ordered[word] === 0) this.#order(word);
    if (second !== 0 && this.ordered[second] === 0) this.#order(second);
  }

  #order(word: number): void {
    this.ordered[word] = 1;
    if (this.commuted[word] !== 0) throw RESTART;
  }

  /** The second word of an AWAIT_EITHER, in bytes; 0: none, or no other than the first. */
  #secondAddress(operations: Uint32Array, at: number): number {
    if ((operations[at + D_CODE]! & KIND_MASK) !== AWAIT_EITHER) return 0;
    const second = operations[at + SLOT_ADDRESS2]!;
    return second === operations[at + SLOT_ADDRESS]! ? 0 : second;
  }

  /** Of the sleeping CPUs those that stay asleep over the step of `cpu`, whose class is `cls`. Before the step. */
  #stillAsleep(sleeping: number, cpu: number, cls: number): number {
    const { next } = this.execution;
    const at = cpu * DESCRIPTOR;
    let still = sleeping;
    let rest = sleeping;
    while (rest !== 0) {
      const other = 31 - Math.clz32(rest);
      rest &= ~(1 << other);
      if (this.#dependent(next, at, cls, next, other * DESCRIPTOR, this.#classify(other)))
        still &= ~(1 << other);
    }
    return still;
  }

  #dependent(
    a: Uint32Array,
    aAt: number,
    aClass: number,
    b: Uint32Array,
    bAt: number,
    bClass: number,
  ): boolean {
    if (aClass === NONE || bClass === NONE) return false;
    const aWord = a[aAt + SLOT_ADDRESS]!;
    const bWord = b[bAt + SLOT_ADDRESS]!;
    if (aWord === bWord) return aClass !== bClass || aClass === WRITES;
    const aSecond = this.#secondAddress(a, aAt);
    const bSecond = this.#secondAddress(b, bAt);
    return (
      (aSecond !== 0 && aSecond === bWord && bClass !== READS) ||
      (bSecond !== 0 && bSecond === aWord && aClass !== READS)
    );
  }

  /** Adds the latest steps of each CPU that conflict with an access of class `cls` to `word` to the candidates. */
  #gather(word: number, cls: number, base: number): void {
    const { accessClass, accessBefore, clock, cpus, execution, races } = this;
    let access = this.lastOnWord[word]! - 1;
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
      const cpu = execution.stepCpu[step]!;
      if ((seen & (1 << cpu)) === 0) {
        seen |= 1 << cpu;
        if (clock[base + cpu]! <= step) races[this.raceCount++] = step;
      }
      if (run === WRITES) break;
      access = accessBefore[access]! - 1;
    } while (access >= 0 && accessClass[access] === run);
    if (cpus < this.raceCount) this.#dropDuplicates();
  }

  /** The clock at `base` comes after the candidates. */
  #join(base: number): void {
    const { clock, cpus } = this;
    for (let i = 0; i < this.raceCount; i++) {
      const row = this.races[i]! * cpus;
      for (let cpu = 0; cpu < cpus; cpu++)
        if (clock[row + cpu]! > clock[base + cpu]!) clock[base + cpu] = clock[row + cpu]!;
    }
  }

  /** With two words a CPU may be a candidate twice: its later step covers the earlier. */
  #dropDuplicates(): void {
    const { execution, races } = this;
    let kept = 0;
    for (let i = 0; i < this.raceCount; i++) {
      let covered = false;
      for (let j = 0; j < this.raceCount; j++)
        if (races[j]! > races[i]! && execution.stepCpu[races[j]!] === execution.stepCpu[races[i]!])
          covered = true;
      if (!covered) races[kept++] = races[i]!;
    }
    this.raceCount = kept;
  }

  /** Takes a step of `cpu` and records its races. */
  #take(cpu: number, choice: number): void {
    const { execution, cpus } = this;
    const step = execution.depth;
    if (step + 1 >= this.enabled.length) this.#grow();
    const at = cpu * DESCRIPTOR;
    const cls = this.#classify(cpu);
    const kind = execution.next[at + D_CODE]! & KIND_MASK;
    const word = execution.next[at + SLOT_ADDRESS]! >>> 2;
    const second = this.#secondAddress(execution.next, at) >>> 2;
    const { clock } = this;
    const base = step * cpus;
    const previous = this.lastOfCpu[cpu]!;
    if (previous === 0) clock.fill(0, base, base + cpus);
    else clock.copyWithin(base, (previous - 1) * cpus, previous * cpus);
    this.cpuBefore[step] = previous;

    this.sleep[step + 1] = this.#stillAsleep(this.sleep[step]! & ~(1 << cpu), cpu, cls);
    this.choice[step] = kind === CHOOSE ? choice : -1;

    this.raceCount = 0;
    this.accessClass[step * 2] = cls;
    this.accessClass[step * 2 + 1] = second === 0 ? NONE : READS;
    if (cls > READS && cls !== WRITES) this.commuted[word] = 1;
    if (cls !== NONE) {
      this.#gather(word, cls, base);
      if (second !== 0) this.#gather(second, READS, base);
    }
    const waits = kind === AWAIT || kind === TAKE;
    let earlier = -1;
    let earlierSecond = -1;
    if (this.raceCount > 0 && kind >= AWAIT && kind <= TAKE) {
      earlier = this.#heldBefore(word, at, false, base);
      if (second !== 0) earlierSecond = this.#heldBefore(second, at, true, base);
    }
    this.#join(base);
    const { races } = this;
    const count = this.raceCount;
    clock[base + cpu] = step + 1;
    execution.step(cpu, choice);
    this.statistics.steps += 1;

    if (cls !== NONE) {
      this.accessBefore[step * 2] = this.lastOnWord[word]!;
      this.lastOnWord[word] = step * 2 + 1;
      if (second !== 0) {
        this.accessBefore[step * 2 + 1] = this.lastOnWord[second]!;
        this.lastOnWord[second] = step * 2 + 2;
      }
    }
    this.lastOfCpu[cpu] = step + 1;

    for (let i = 0; i < count; i++) {
      const race = races[i]!;
      let direct = true;
      const owner = execution.stepCpu[race]!;
      for (let j = 0; j < count; j++)
        if (j !== i && clock[races[j]! * cpus + owner]! > race) direct = false;
      if (!direct) continue;
      if (waits && !this.#heldAt(race, step)) continue;
      this.#reverse(race, step, cpu);
    }
    if (earlier >= 0) this.#reverse(earlier, step, cpu);
    if (earlierSecond >= 0) this.#reverse(earlierSecond, step, cpu);
  }

  /** Whether the condition of the await that step `step` carried out held just before the earlier step `race` on its word. */
  #heldAt(race: number, step: number): boolean {
    if (this.accessClass[race * 2] === READS) return true;
    const before = this.execution.stepBefore[race]!;
    return this.#holds(this.execution.stepOperation, step * DESCRIPTOR, false, before);
  }

  /** Whether an await's condition holds when its word, or its second word, has a value. */
  #holds(operations: Uint32Array, at: number, second: boolean, value: number): boolean {
    if (second) return value !== operations[at + SLOT_VALUE2]!;
    const kind = operations[at + D_CODE]! & KIND_MASK;
    if (kind === TAKE) return value === 0;
    if (kind === AWAIT_EITHER && value !== operations[at + SLOT_VALUE2]!) {
      const address2 = operations[at + SLOT_ADDRESS2]!;
      if (address2 !== 0 && operations[at + SLOT_ADDRESS] === address2) return true;
    }
    return satisfies(
      (value & operations[at + SLOT_MASK]!) >>> 0,
      operations[at + SLOT_EXPECTED]!,
      operations[at + SLOT_VALUE]!,
    );
  }

  /**
   * The last write on `word` before which the condition of the await at `at` of the next operations held and after which it did
   * not, when that write does not happen before the await (whose clock so far is at `base`) and is not the newest; -1:
   * none.
   */
  #heldBefore(word: number, at: number, second: boolean, base: number): number {
    const { execution } = this;
    const { next } = execution;
    let access = this.lastOnWord[word]! - 1;
    let newest = true;
    while (access >= 0) {
      const step = access >>> 1;
      if (this.accessClass[access] !== READS) {
        if (this.clock[base + execution.stepCpu[step]!]! > step) return -1;
        const before = this.#holds(next, at, second, execution.stepBefore[step]!);
        if (before) {
          const after = this.#holds(next, at, second, execution.stepAfter[step]!);
          if (newest && after) return -1;
          return step;
        }
        newest = false;
      }
      access = this.accessBefore[access]! - 1;
    }
    return -1;
  }

  /**
   * Sees to it that the state before step `race` leads to an execution in which the step in row `step` of the clocks, of `cpu`, comes
   * without `race` before it: some CPU that can begin the steps since then that do not depend on `race` must be among those explored.
   */
  #reverse(race: number, step: number, cpu: number): void {
    const { clock, cpus, execution, first } = this;
    const owner = execution.stepCpu[race]!;
    let initials = 0;
    let seen = 0;
    const covered = this.backtrack[race]! | this.sleep[race]!;
    for (let at = race + 1; at <= step; at++) {
      const who = at === step ? cpu : execution.stepCpu[at]!;
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
    initials &= this.enabled[race]!;
    if (initials === 0) this.backtrack[race]! |= this.enabled[race]!;
    else if ((initials & (1 << cpu)) !== 0) this.backtrack[race]! |= 1 << cpu;
    else this.backtrack[race]! |= initials & -initials;
  }

  /** The same for CPUs that wait at the end of an execution. */
  #reverseWaiting(): void {
    const { execution, clock, cpus } = this;
    let rest = execution.waiting & ~execution.finished & ~execution.enabled();
    const step = execution.depth;
    while (rest !== 0) {
      const cpu = 31 - Math.clz32(rest);
      rest &= ~(1 << cpu);
      const base = step * cpus;
      const previous = this.lastOfCpu[cpu]!;
      if (previous === 0) clock.fill(0, base, base + cpus);
      else clock.copyWithin(base, (previous - 1) * cpus, previous * cpus);
      const at = cpu * DESCRIPTOR;
      const word = execution.next[at + SLOT_ADDRESS]! >>> 2;
      this.#orderAwaited(at);
      const race = this.#heldBefore(word, at, false, base);
      const second = this.#secondAddress(execution.next, at) >>> 2;
      const raceSecond = second === 0 ? -1 : this.#heldBefore(second, at, true, base);
      // As if it were taken: it comes after the writes on both words.
      this.raceCount = 0;
      this.#gather(word, READS, base);
      if (second !== 0) this.#gather(second, READS, base);
      this.#join(base);
      if (race >= 0) this.#reverse(race, step, cpu);
      if (raceSecond >= 0) this.#reverse(raceSecond, step, cpu);
    }
  }

  /** Forgets the steps from `depth` on. */
  #rewind(depth: number): void {
    const { execution } = this;
    for (let step = execution.depth - 1; step >= depth; step--) {
      const at = step * DESCRIPTOR;
      if (this.accessClass[step * 2] !== NONE) {
        const second = this.#secondAddress(execution.stepOperation, at) >>> 2;
        if (second !== 0) this.lastOnWord[second] = this.accessBefore[step * 2 + 1]!;
        this.lastOnWord[execution.stepOperation[at + SLOT_ADDRESS]! >>> 2] =
          this.accessBefore[step * 2]!;
      }
      this.lastOfCpu[execution.stepCpu[step]!] = this.cpuBefore[step]!;
    }
    execution.rewind(depth);
  }

  /** The next step to try, going back; false when there is none. */
  #back(): boolean {
    const { execution } = this;
    for (let step = execution.depth - 1; step >= 0; step--) {
      const cpu = execution.stepCpu[step]!;
      const chosen = this.choice[step]!;
      if (chosen >= 0 && chosen + 1 < execution.stepOperation[step * DESCRIPTOR + SLOT_VALUE]!) {
        this.#rewind(step);
        this.#take(cpu, chosen + 1);
        return true;
      }
      this.sleep[step]! |= 1 << cpu;
      const next = this.backtrack[step]! & ~this.sleep[step]! & this.enabled[step]!;
      if (next !== 0) {
        this.#rewind(step);
        this.#take(31 - Math.clz32(next & -next), 0);
        return true;
      }
    }
    return false;
  }

  #failed(verdict: Verdict): boolean {
    if (this.verdict.kind === 'passes') this.verdict = verdict;
    return this.options.goOn !== true;
  }

  /** Explores; returns whether it came to its end. */
  run(): boolean {
    const { execution, limits, options, statistics } = this;
    const { maxSteps } = limits;
    let last = 0;
    for (;;) {
      const depth = execution.depth;
      if (depth > statistics.depth) statistics.depth = depth;
      let over = execution.failure !== null || depth >= maxSteps;
      if (!over) {
        const enabled = execution.enabled();
        const candidates = enabled & ~this.sleep[depth]!;
        if (candidates !== 0) {
          this.enabled[depth] = enabled;
          if (depth > 0) last = execution.stepCpu[depth - 1]!;
          const bit = (candidates & (1 << last)) !== 0 ? 1 << last : candidates & -candidates;
          this.backtrack[depth] = bit;
          this.#take(31 - Math.clz32(bit), 0);
          continue;
        }
        over = enabled === 0;
      }
      this.#reverseWaiting();
      if (over) {
        statistics.executions += 1;
        const verdict = verdictNow(execution, this.choiceAt, maxSteps);
        options.onExecution?.(execution, verdict);
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
