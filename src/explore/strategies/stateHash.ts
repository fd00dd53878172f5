/**
 * A 64-bit number for the state that an execution is in, kept up to date from step to step.
 *
 * A state is the memory and, for each CPU, whether it has ended or died, and if neither its history: the results of its
 * operations that are used, and the values that it read plainly. A CPU's locals and its place in the program follow
 * from its history, since it does the same each time when it sees the same. So equal states have equal continuations.
 * The converse does not hold: two histories may leave the same locals, and then count as two states.
 *
 * Memory: the exclusive or, over all words that differ from the start, of a mix of word and value (Zobrist, A new
 * hashing method with application for game playing, 1970, with a function instead of a table), so that a write costs
 * two mixes. A history: a chain of mixes. The mix is a permutation of 64 bits: four rounds of a Feistel network (Luby,
 * Rackoff 1988), whose round function is the finaliser of MurmurHash3.
 */

import { type Execution } from '../execution.ts';
import { DESCRIPTOR, D_CODE, FLAG_UNUSED } from '../operation.ts';

/** What `mix` gave last. */
let high = 0;
let low = 0;

function scatter(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** A permutation of the pairs (x, y); the result is in `high` and `low`. */
function mix(x: number, y: number): void {
  low = y ^ scatter(x + 0x9e3779b9);
  high = x ^ scatter(low + 0x7f4a7c15);
  low ^= scatter(high + 0x94d049bb);
  high ^= scatter(low + 0xbf58476d);
}

/** Numbers that stand for a CPU before its first step, after its end and after its death; no addresses of words. */
const CPU_TAG = 0x243f6a88;
const ENDED_TAG = 0x85a308d3;
const DEAD_TAG = 0x13198a2e;

const FRAMES = 256;

function longer(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const copy = new Int32Array(array.length * 2);
  copy.set(array);
  return copy;
}

export class StateHash {
  /** Both halves of the number. */
  high = 0;
  low = 0;
  readonly #execution: Execution;
  /** Of each CPU: its history, and what it adds to the number, both halves each. */
  readonly #history: Int32Array;
  readonly #part: Int32Array;
  /** Before each step: the number, and the history and part of the CPU that took it. */
  #saved = new Int32Array(FRAMES * 6);
  /** Words whose first write in a step has been seen carry the step's mark. */
  readonly #marks: Uint32Array;
  #mark = 0;
  #cpu = 0;

  readonly #write = (word: number, before: number): void => {
    if (this.#marks[word] === this.#mark) return;
    this.#marks[word] = this.#mark;
    const now = this.#execution.words[word]!;
    if (now === before) return;
    mix(word, before);
    this.high ^= high;
    this.low ^= low;
    mix(word, now);
    this.high ^= high;
    this.low ^= low;
  };

  readonly #read = (value: number): void => {
    const at = this.#cpu * 2;
    mix(this.#history[at]! ^ value, this.#history[at + 1]!);
    this.#history[at] = high;
    this.#history[at + 1] = low;
  };

  /** Of an execution at its start. */
  constructor(execution: Execution) {
    this.#execution = execution;
    this.#history = new Int32Array(execution.cpus * 2);
    this.#part = new Int32Array(execution.cpus * 2);
    this.#marks = new Uint32Array(execution.words.length);
    for (let cpu = 0; cpu < execution.cpus; cpu++) {
      mix(cpu, CPU_TAG);
      this.#history[cpu * 2] = high;
      this.#history[cpu * 2 + 1] = low;
      this.#setPart(cpu);
    }
  }

  /** Puts a CPU's history in the place of its earlier one; that of a CPU that has ended does not matter any more. */
  #setPart(cpu: number): void {
    const at = cpu * 2;
    const { dead, finished } = this.#execution;
    if ((finished & (1 << cpu)) === 0) mix(this.#history[at]!, this.#history[at + 1]!);
    else mix(cpu, (dead & (1 << cpu)) === 0 ? ENDED_TAG : DEAD_TAG);
    this.high ^= this.#part[at]! ^ high;
    this.low ^= this.#part[at + 1]! ^ low;
    this.#part[at] = high;
    this.#part[at + 1] = low;
  }

  /** After a step. */
  stepped(): void {
    const execution = this.#execution;
    const depth = execution.depth - 1;
    const cpu = execution.stepCpu[depth]!;
    const at = cpu * 2;
    if (depth * 6 + 6 > this.#saved.length) this.#saved = longer(this.#saved);
    const saved = this.#saved;
    saved[depth * 6] = this.high;
    saved[depth * 6 + 1] = this.low;
    saved[depth * 6 + 2] = this.#history[at]!;
    saved[depth * 6 + 3] = this.#history[at + 1]!;
    saved[depth * 6 + 4] = this.#part[at]!;
    saved[depth * 6 + 5] = this.#part[at + 1]!;
    this.#mark = (this.#mark + 1) >>> 0;
    if (this.#mark === 0) {
      this.#marks.fill(0);
      this.#mark = 1;
    }
    this.#cpu = cpu;
    const code = execution.stepOperation[depth * DESCRIPTOR + D_CODE]!;
    this.#read((code & FLAG_UNUSED) === 0 ? execution.stepResult[depth]! : 0);
    execution.newestReads(this.#read);
    execution.newestWrites(this.#write);
    this.#setPart(cpu);
  }

  /** Before the execution goes back to the state after its first `depth` steps. */
  rewind(depth: number): void {
    const saved = this.#saved;
    for (let step = this.#execution.depth - 1; step >= depth; step--) {
      const at = this.#execution.stepCpu[step]! * 2;
      this.high = saved[step * 6]!;
      this.low = saved[step * 6 + 1]!;
      this.#history[at] = saved[step * 6 + 2]!;
      this.#history[at + 1] = saved[step * 6 + 3]!;
      this.#part[at] = saved[step * 6 + 4]!;
      this.#part[at + 1] = saved[step * 6 + 5]!;
    }
  }
}
