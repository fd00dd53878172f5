/**
 * One execution of a program's CPUs on one thread: a memory, a coroutine for each CPU stopped before its next
 * operation, and the steps taken so far. `step` carries one CPU's operation out and runs it up to its next one;
 * `rewind` goes back.
 *
 * Generators cannot be copied. Going back undoes the memory from a log; a CPU that has to go back is run again from
 * its start when it is next needed, fed with the results that its operations had, so that no other CPU has to run
 * again. What it reads by `peek` is logged and fed in the same way, and its `poke`s are without effect meanwhile.
 *
 * A step reaches to the next operation: start and end of a CPU and plain reads and writes are no steps of their own.
 * That is exact as long as plain words are not shared without order.
 */

import { grown, Memory } from './memory.ts';
import {
  AWAIT,
  DESCRIPTOR,
  D_CODE,
  KIND_MASK,
  KIND_SPAN,
  SLOTS,
  SLOT_ADDRESS,
  TAKE,
} from './operation.ts';
import { ExpectationError } from './portable/primitives.ts';
import {
  ALONE_STEPS_MAX,
  CpuEndedError,
  DEATHS,
  NondeterminismError,
  StuckError,
  type Coroutine,
  type KernelEvent,
  type Program,
  type ProgramMaker,
} from './program.ts';
import type { CoroutineHost } from './link/coroutine.ts';

const PAGE = 1024;

export class Execution {
  readonly program: Program;
  readonly cpus: number;
  /** All memory of the program, by word. */
  readonly words: Uint32Array;
  /** The memory after set-up, with which every execution starts. */
  readonly initial: Uint32Array;
  /** Next operation of each CPU: DESCRIPTOR words each. */
  readonly next: Uint32Array;
  /** Steps taken. */
  depth = 0;
  /** CPUs that have ended, a bit each. */
  finished = 0;
  /** Of those, CPUs that died of an injected death, with whatever they held. */
  dead = 0;
  /** CPUs whose next operation is a wait, a bit each. */
  waiting = 0;
  /** What went wrong in the last step or in `finish`; null: nothing. */
  failure: Error | null = null;

  /**
   * Events of the kernel so far (EVENT_ codes of report.ts), oldest first; those of the set-up have cpu -1 and step 0.
   */
  readonly events: KernelEvent[] = [];

  /** Called with each plain access of a step, not of one run again. */
  observe: ((word: number, write: boolean) => void) | null = null;

  /** Of each step: the CPU, what it did (DESCRIPTOR words each), the result, and the word's value before and after. */
  stepCpu = new Uint32Array(PAGE);
  stepOperation = new Uint32Array(PAGE * DESCRIPTOR);
  stepResult = new Uint32Array(PAGE);
  stepBefore = new Uint32Array(PAGE);
  stepAfter = new Uint32Array(PAGE);

  readonly #coroutines: (Coroutine | null)[] = [];
  readonly #slots = new Uint32Array(SLOTS);
  /** Steps of each CPU, and their results. */
  readonly taken: Uint32Array;
  readonly #results: Uint32Array[] = [];
  /** Plain reads of each CPU. */
  readonly #reads: Uint32Array[] = [];
  readonly #readCount: Uint32Array;
  #stepReads = new Uint32Array(PAGE);
  readonly #memory: Memory;
  #stepUndo = new Uint32Array(PAGE);

  #log: Uint32Array = new Uint32Array(PAGE);
  #logAt = 0;
  #again = false;
  #alone = true;
  #running = 0;
  readonly #startEvents: number;
  readonly #startFailure: Error | null;

  /** Sets up the memory and runs every CPU up to its first operation. */
  constructor(make: ProgramMaker) {
    let words: Uint32Array = new Uint32Array(0);
    const host: CoroutineHost = {
      slots: this.#slots,
      peek: (address) => {
        if (this.#again) return this.#log[this.#logAt++]!;
        const value = words[address >>> 2]!;
        if (this.#alone) return value;
        if (this.#logAt === this.#log.length) this.#growLog();
        this.#log[this.#logAt++] = value;
        this.observe?.(address >>> 2, false);
        return value;
      },
      poke: (address, value) => {
        if (this.#again) return;
        this.#memory.write(address >>> 2, value);
        if (!this.#alone) this.observe?.(address >>> 2, true);
      },
      fillWords: (address, count, value) => {
        if (this.#again) return;
        for (let at = address >>> 2; at < (address >>> 2) + count; at++) {
          this.#memory.write(at, value);
          if (!this.#alone) this.observe?.(at, true);
        }
      },
      endCpu: (reason, detail) => {
        throw new CpuEndedError(reason, detail);
      },
      expect: (holds, what) => {
        if (!holds) throw new ExpectationError(what);
      },
      event: (kind, a, b) => {
        if (this.#again) return;
        const running = this.#alone ? -1 : this.#running;
        this.events.push({ cpu: running, step: Math.max(0, this.depth - 1), kind, a, b });
      },
      keeps: () => true,
    };
    this.program = make(host);
    this.cpus = this.program.cpus;
    this.#memory = new Memory(this.program.words);
    words = this.#memory.words;
    this.words = words;
    this.next = new Uint32Array(this.cpus * DESCRIPTOR);
    this.taken = new Uint32Array(this.cpus);
    this.#readCount = new Uint32Array(this.cpus);
    for (let cpu = 0; cpu < this.cpus; cpu++) {
      this.#results.push(new Uint32Array(PAGE));
      this.#reads.push(new Uint32Array(PAGE));
      this.#coroutines.push(null);
    }
    const { setUp } = this.program;
    if (setUp !== undefined) this.runAlone(setUp);
    this.#memory.top = 0;
    this.#alone = false;
    for (let cpu = 0; cpu < this.cpus; cpu++) {
      this.#enter(cpu);
      this.#coroutines[cpu] = this.program.run(cpu);
      this.#resume(cpu, 0);
      this.#leave(cpu);
    }
    this.#memory.top = 0;
    this.#startFailure = this.failure;
    this.#startEvents = this.events.length;
    this.initial = words.slice();
  }

  #growLog(): void {
    this.#log = grown(this.#log, this.#logAt + 1);
  }

  #enter(cpu: number): void {
    this.#running = cpu;
    this.program.select?.(cpu);
    this.#log = this.#reads[cpu]!;
    this.#logAt = this.#readCount[cpu]!;
  }

  #leave(cpu: number): void {
    this.#reads[cpu] = this.#log as Uint32Array<ArrayBuffer>;
    this.#readCount[cpu] = this.#logAt;
  }

  /** Runs a coroutine to its end with no other CPU moving; throws what it throws, or a StuckError. */
  runAlone(start: () => Coroutine | void): void {
    this.#alone = true;
    try {
      const coroutine = start();
      if (coroutine === undefined) return;
      let result = coroutine.next(0);
      for (let steps = 0; result.done !== true; steps++) {
        if (steps === ALONE_STEPS_MAX) throw new StuckError(`goes on after ${steps} steps alone`);
        const [slots, kind] = [this.#slots, result.value & KIND_MASK];
        if (!this.#memory.enabledBy(slots, 0, kind))
          throw new StuckError(
            `waits for 0x${slots[SLOT_ADDRESS]!.toString(16)} with no CPU running`,
          );
        result = coroutine.next(this.#memory.carryOut(slots, 0, kind, 0));
      }
    } finally {
      this.#alone = false;
    }
  }

  #resume(cpu: number, value: number): void {
    try {
      const { done, value: code } = this.#coroutines[cpu]!.next(value);
      const bit = 1 << cpu;
      this.waiting &= ~bit;
      if (done === true) {
        this.finished |= bit;
        return;
      }
      const at = cpu * DESCRIPTOR;
      const { next } = this;
      const slots = this.#slots;
      for (let slot = 0; slot < SLOTS; slot++) next[at + slot] = slots[slot]!;
      next[at + D_CODE] = code as number;
      const kind = (code as number) & KIND_MASK;
      if (kind >= AWAIT && kind <= TAKE) this.waiting |= bit;
    } catch (error) {
      this.finished |= 1 << cpu;
      if (error instanceof CpuEndedError && DEATHS.has(error.reason)) {
        this.dead |= 1 << cpu;
        return;
      }
      this.failure = error instanceof Error ? error : new Error(String(error));
    }
  }

  /** CPUs that can take a step, a bit each. */
  enabled(): number {
    let enabled = ~this.finished & ((1 << this.cpus) - 1);
    let rest = this.waiting & enabled;
    while (rest !== 0) {
      const cpu = 31 - Math.clz32(rest);
      rest &= ~(1 << cpu);
      const at = cpu * DESCRIPTOR;
      if (!this.#memory.enabledBy(this.next, at, this.next[at + D_CODE]! & KIND_MASK))
        enabled &= ~(1 << cpu);
    }
    return enabled;
  }

  /** Kind and flag of a CPU's next operation. */
  nextKind(cpu: number): number {
    return this.next[cpu * DESCRIPTOR + D_CODE]! % KIND_SPAN;
  }

  /** Takes a step of `cpu`, which is enabled; `choice` is the alternative when its operation is a choice. */
  step(cpu: number, choice = 0): void {
    const depth = this.depth;
    if (depth === this.stepCpu.length) this.#growSteps();
    const at = cpu * DESCRIPTOR;
    const to = depth * DESCRIPTOR;
    const { next, stepOperation } = this;
    if (this.#coroutines[cpu] === null) this.#runAgain(cpu);
    for (let slot = 0; slot < DESCRIPTOR; slot++) stepOperation[to + slot] = next[at + slot]!;
    this.#stepUndo[depth] = this.#memory.top;
    this.#stepReads[depth] = this.#readCount[cpu]!;
    this.stepCpu[depth] = cpu;
    const kind = next[at + D_CODE]! & KIND_MASK;
    const word = next[at + SLOT_ADDRESS]! >>> 2;
    this.stepBefore[depth] = this.words[word]!;
    const result = this.#memory.carryOut(next, at, kind, choice);
    this.stepAfter[depth] = this.words[word]!;
    this.stepResult[depth] = result;
    const count = this.taken[cpu]!;
    let results = this.#results[cpu]!;
    if (count === results.length) results = this.#results[cpu] = grown(results, count + 1);
    results[count] = result;
    this.taken[cpu] = count + 1;
    this.depth = depth + 1;
    this.#enter(cpu);
    this.#resume(cpu, result);
    this.#leave(cpu);
    const { watch } = this.program;
    if (watch !== undefined && this.words[watch.word] !== 0)
      this.failure ??= watch.failure(this.words);
  }

  /** Calls `each` for every write of the newest step, in order, with the word and its value before that write. */
  newestWrites(each: (word: number, before: number) => void): void {
    this.#memory.since(this.#stepUndo[this.depth - 1]!, each);
  }

  /** Calls `each` with every value that the newest step's CPU has read plainly since, in order. */
  newestReads(each: (value: number) => void): void {
    const cpu = this.stepCpu[this.depth - 1]!;
    const reads = this.#reads[cpu]!;
    for (let at = this.#stepReads[this.depth - 1]!; at < this.#readCount[cpu]!; at++)
      each(reads[at]!);
  }

  #growSteps(): void {
    const length = this.stepCpu.length * 2;
    this.stepCpu = grown(this.stepCpu, length);
    this.stepOperation = grown(this.stepOperation, length * DESCRIPTOR);
    this.stepResult = grown(this.stepResult, length);
    this.stepBefore = grown(this.stepBefore, length);
    this.stepAfter = grown(this.stepAfter, length);
    this.#stepReads = grown(this.#stepReads, length);
    this.#stepUndo = grown(this.#stepUndo, length);
  }

  #runAgain(cpu: number): void {
    const results = this.#results[cpu]!;
    const count = this.taken[cpu]!;
    const slots = this.#slots;
    this.program.select?.(cpu);
    this.#log = this.#reads[cpu]!;
    this.#logAt = 0;
    this.#again = true;
    const coroutine = this.program.run(cpu);
    let step = coroutine.next(0);
    for (let i = 0; i < count; i++) step = coroutine.next(results[i]!);
    this.#again = false;
    const at = cpu * DESCRIPTOR;
    if (
      step.done === true ||
      step.value !== this.next[at + D_CODE] ||
      slots[SLOT_ADDRESS] !== this.next[at + SLOT_ADDRESS] ||
      this.#logAt !== this.#readCount[cpu]
    )
      throw new NondeterminismError(
        `CPU ${cpu} departs from itself after ${count} steps run again with the same results`,
      );
    this.#coroutines[cpu] = coroutine;
  }

  /** Goes back to the state after the first `depth` steps. */
  rewind(depth: number): void {
    const { next, stepOperation } = this;
    for (let at = this.depth - 1; at >= depth; at--) {
      const cpu = this.stepCpu[at]!;
      const bit = 1 << cpu;
      this.taken[cpu]! -= 1;
      this.#readCount[cpu] = this.#stepReads[at]!;
      this.#coroutines[cpu] = null;
      this.finished &= ~bit;
      this.dead &= ~bit;
      const to = cpu * DESCRIPTOR;
      const from = at * DESCRIPTOR;
      for (let slot = 0; slot < DESCRIPTOR; slot++) next[to + slot] = stepOperation[from + slot]!;
      const kind = next[to + D_CODE]! & KIND_MASK;
      if (kind >= AWAIT && kind <= TAKE) this.waiting |= bit;
      else this.waiting &= ~bit;
    }
    if (depth < this.depth) this.#memory.undo(this.#stepUndo[depth]!);
    const { events } = this;
    while (events.length > this.#startEvents && events[events.length - 1]!.step >= depth)
      events.pop();
    this.depth = depth;
    this.failure = depth === 0 ? this.#startFailure : null;
  }

  /** Runs the program's `finish` after all CPUs have ended and undoes what it did; returns what it threw. */
  finish(): Error | null {
    const { finish } = this.program;
    if (finish === undefined) return null;
    const bottom = this.#memory.top;
    const events = this.events.length;
    try {
      this.runAlone(() => finish(this.words));
      const { watch } = this.program;
      return watch !== undefined && this.words[watch.word] !== 0 ? watch.failure(this.words) : null;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    } finally {
      this.events.length = events;
      this.#memory.undo(bottom);
    }
  }
}
