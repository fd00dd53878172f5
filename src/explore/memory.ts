/**
 * The memory of an execution: its words, what each operation does to them, and a log of all writes by which they are
 * undone.
 */

import { satisfies } from '../kernel/abi.ts';
import {
  ADD,
  AND,
  AWAIT,
  AWAIT_EITHER,
  CHOOSE,
  COMPARE_EXCHANGE,
  EXCHANGE,
  LOAD,
  OR,
  SLOT_ADDRESS,
  SLOT_ADDRESS2,
  SLOT_EXPECTED,
  SLOT_MASK,
  SLOT_VALUE,
  SLOT_VALUE2,
  STORE,
  SUB,
  TAKE,
} from './operation.ts';

/** A copy that has room for `length` words at least. */
export function grown(array: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(Math.max(length, array.length * 2));
  larger.set(array);
  return larger;
}

const FIRST_WRITES = 1024;

export class Memory {
  readonly words: Uint32Array;
  /** Position in the log of writes. */
  top = 0;
  #log = new Uint32Array(FIRST_WRITES * 2);

  constructor(words: number) {
    this.words = new Uint32Array(words);
  }

  /** Writes a word, of which the log keeps the value before. */
  write(at: number, value: number): void {
    const { top } = this;
    if (top + 2 > this.#log.length) this.#log = grown(this.#log, top + 2);
    this.#log[top] = at;
    this.#log[top + 1] = this.words[at]!;
    this.top = top + 2;
    this.words[at] = value;
  }

  /** Undoes all writes since the log was at `bottom`. */
  undo(bottom: number): void {
    const log = this.#log;
    for (let top = this.top - 2; top >= bottom; top -= 2) this.words[log[top]!] = log[top + 1]!;
    this.top = bottom;
  }

  /** Calls `each` for every write since the log was at `bottom`, in order, with the word and its value before. */
  since(bottom: number, each: (word: number, before: number) => void): void {
    for (let at = bottom; at < this.top; at += 2) each(this.#log[at]!, this.#log[at + 1]!);
  }

  /** Whether the operation at `at` of a list of descriptors could be carried out now. */
  enabledBy(operations: Uint32Array, at: number, kind: number): boolean {
    if (kind < AWAIT || kind > TAKE) return true;
    const value = this.words[operations[at + SLOT_ADDRESS]! >>> 2]!;
    if (kind === TAKE) return value === 0;
    const masked = (value & operations[at + SLOT_MASK]!) >>> 0;
    if (satisfies(masked, operations[at + SLOT_EXPECTED]!, operations[at + SLOT_VALUE]!))
      return true;
    if (kind === AWAIT) return false;
    const second = operations[at + SLOT_ADDRESS2]!;
    return second !== 0 && this.words[second >>> 2]! !== operations[at + SLOT_VALUE2]!;
  }

  /** Carries the operation at `at` out; returns its result. `choice`: the alternative of a choice. */
  carryOut(operations: Uint32Array, at: number, kind: number, choice: number): number {
    if (kind === CHOOSE) return choice;
    const word = operations[at + SLOT_ADDRESS]! >>> 2;
    const value = operations[at + SLOT_VALUE]!;
    const old = this.words[word]!;
    if (kind === LOAD || kind === AWAIT || kind === AWAIT_EITHER) return old;
    if (kind === COMPARE_EXCHANGE) {
      if (old === operations[at + SLOT_EXPECTED]!) this.write(word, value);
      return old;
    }
    if (kind === STORE || kind === EXCHANGE || kind === TAKE) this.write(word, value);
    else if (kind === ADD) this.write(word, (old + value) >>> 0);
    else if (kind === SUB) this.write(word, (old - value) >>> 0);
    else if (kind === OR) this.write(word, (old | value) >>> 0);
    else if (kind === AND) this.write(word, (old & value) >>> 0);
    return old;
  }
}
