/**
 * Which steps depend on each other.
 *
 * Two steps of different CPUs are dependent when they touch the same word and do not merely both read it. A
 * compareExchange that fails changes nothing and counts as a read: whether it fails is determined by the writes before
 * it, on which it depends as a read. An await, once taken, is a read (`takeWord` a write). A choice touches no word.
 *
 * Commuting operations (`commuting`): adds, ors, ands whose result is not used leave the same word in either order, so
 * they are independent of their own kind. On words that are awaited this is switched off, since a wait may see the
 * values between; a word that turns out to be awaited after something commuted on it makes the search begin again
 * (RESTART).
 */

import { satisfies } from '../../kernel/abi.ts';
import { type Execution } from '../execution.ts';
import {
  DESCRIPTOR,
  D_CODE,
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
} from '../operation.ts';

/** How a step touches a word. Equal classes other than WRITES are independent. */
export const NONE = 0;
export const READS = 1;
export const WRITES = 2;
const ADDS = 3;
const ORS = 4;
const ANDS = 5;

/** Thrown when a word had commuting steps before it was seen to be awaited. */
export const RESTART = Symbol('restart');

/** The second word of an AWAIT_EITHER, in bytes; 0: none, or no other than the first. */
export function secondAddress(operations: Uint32Array, at: number): number {
  if ((operations[at + D_CODE]! & KIND_MASK) !== AWAIT_EITHER) return 0;
  const second = operations[at + SLOT_ADDRESS2]!;
  return second === operations[at + SLOT_ADDRESS]! ? 0 : second;
}

/** Whether the condition of the await at `at` of `operations` holds when its word, or its second word, has a value. */
export function holds(
  operations: Uint32Array,
  at: number,
  second: boolean,
  value: number,
): boolean {
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

export class Dependence {
  readonly #execution: Execution;
  readonly commuting: boolean;
  /** Words on which nothing commutes: those seen to be awaited. */
  readonly ordered: Uint8Array;
  /** Words on which something has commuted in this search. */
  readonly commuted: Uint8Array;

  constructor(execution: Execution, commuting: boolean) {
    this.#execution = execution;
    this.commuting = commuting;
    this.ordered = new Uint8Array(execution.words.length);
    this.commuted = new Uint8Array(execution.words.length);
  }

  /** Begins a search, with the words known to be awaited; without them, with what was known before. */
  begin(ordered?: readonly number[]): void {
    this.commuted.fill(0);
    if (ordered === undefined) return;
    this.ordered.fill(0);
    for (const word of ordered) this.ordered[word] = 1;
  }

  /** Class of the next operation of `cpu` in the present state. Throws RESTART. */
  classify(cpu: number): number {
    const execution = this.#execution;
    const at = cpu * DESCRIPTOR;
    const code = execution.next[at + D_CODE]!;
    const kind = code & KIND_MASK;
    if (kind === LOAD) return READS;
    const word = execution.next[at + SLOT_ADDRESS]! >>> 2;
    if (kind === AWAIT || kind === AWAIT_EITHER || kind === TAKE) {
      this.orderAwaited(cpu);
      return kind === TAKE ? WRITES : READS;
    }
    if (kind === CHOOSE) return NONE;
    if (kind === COMPARE_EXCHANGE)
      return execution.words[word] === execution.next[at + SLOT_EXPECTED]! ? WRITES : READS;
    if ((code & FLAG_UNUSED) !== 0 && this.commuting && this.ordered[word] === 0) {
      if (kind === ADD || kind === SUB) return ADDS;
      if (kind === OR) return ORS;
      if (kind === AND) return ANDS;
    }
    return WRITES;
  }

  /** Switches commuting off on the words of the await that is the next operation of `cpu`. Throws RESTART. */
  orderAwaited(cpu: number): void {
    const { next } = this.#execution;
    const at = cpu * DESCRIPTOR;
    const word = next[at + SLOT_ADDRESS]! >>> 2;
    const second = secondAddress(next, at) >>> 2;
    if (this.ordered[word] === 0) this.#order(word);
    if (second !== 0 && this.ordered[second] === 0) this.#order(second);
  }

  #order(word: number): void {
    this.ordered[word] = 1;
    if (this.commuted[word] !== 0) throw RESTART;
  }

  /** Whether the next operations of two CPUs, of the classes given, depend on each other. */
  dependent(a: number, aClass: number, b: number, bClass: number): boolean {
    if (aClass === NONE || bClass === NONE) return false;
    const { next } = this.#execution;
    const aWord = next[a * DESCRIPTOR + SLOT_ADDRESS]!;
    const bWord = next[b * DESCRIPTOR + SLOT_ADDRESS]!;
    if (aWord === bWord) return aClass !== bClass || aClass === WRITES;
    const aSecond = secondAddress(next, a * DESCRIPTOR);
    const bSecond = secondAddress(next, b * DESCRIPTOR);
    return (
      (aSecond !== 0 && aSecond === bWord && bClass !== READS) ||
      (bSecond !== 0 && bSecond === aWord && aClass !== READS)
    );
  }

  /** Of the sleeping CPUs those that stay asleep over the next step of `cpu`, whose class is `cls`. Throws RESTART. */
  stillAsleep(sleeping: number, cpu: number, cls: number): number {
    let still = sleeping;
    let rest = sleeping;
    while (rest !== 0) {
      const other = 31 - Math.clz32(rest);
      rest &= ~(1 << other);
      if (this.dependent(cpu, cls, other, this.classify(other))) still &= ~(1 << other);
    }
    return still;
  }
}
