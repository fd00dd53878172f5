/**
 * A schedule as threads follow it: shared words that say of each step whose it is, which operation on which word is
 * expected there, and what it gave the explorer. Made by running the schedule in the explorer first, so that every step
 * is checked against it.
 */

import { type Execution } from '../execution.ts';
import {
  DESCRIPTOR,
  D_CODE,
  CHOOSE,
  KIND_MASK,
  KIND_NAMES,
  KIND_SPAN,
  LOAD,
  SLOT_ADDRESS,
  SLOT_VALUE,
  STORE,
  type Site,
} from '../operation.ts';

/** Words of a step. */
const P_CPU = 0;
const P_CODE = 1;
const P_ADDRESS = 2;
const P_VALUE = 3;
/** What the operation gave; of a choice the alternative. */
const P_RESULT = 4;
const STEP_WORDS = 5;

/** Writes down the steps that an execution has taken, in memory that threads share. */
export function planOf(execution: Execution): SharedArrayBuffer {
  const { depth, stepCpu, stepOperation, stepResult } = execution;
  const buffer = new SharedArrayBuffer(depth * STEP_WORDS * 4);
  const words = new Uint32Array(buffer);
  for (let step = 0; step < depth; step++) {
    const operation = step * DESCRIPTOR;
    const at = step * STEP_WORDS;
    words[at + P_CPU] = stepCpu[step]!;
    words[at + P_CODE] = stepOperation[operation + D_CODE]!;
    words[at + P_ADDRESS] = stepOperation[operation + SLOT_ADDRESS]!;
    words[at + P_VALUE] = stepOperation[operation + SLOT_VALUE]!;
    words[at + P_RESULT] = stepResult[step]!;
  }
  return buffer;
}

const hex = (value: number): string => `0x${value.toString(16)}`;

/** An operation for people: `compareExchange in spinLock (kernel/lock/kinds/tas.ts:12)`. */
export function describeOperation(code: number, sites: readonly Site[]): string {
  const site = sites[Math.floor(code / KIND_SPAN)];
  const name = KIND_NAMES[code & KIND_MASK] ?? `operation ${code}`;
  return site === undefined ? name : `${name} in ${site.function} (${site.file}:${site.line})`;
}

/** A schedule's steps, from memory that `planOf` made. */
export class Plan {
  readonly steps: number;
  readonly #words: Uint32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Uint32Array(buffer);
    this.steps = this.#words.length / STEP_WORDS;
  }

  /** CPU of a step. */
  cpu(step: number): number {
    return this.#words[step * STEP_WORDS + P_CPU]!;
  }

  /** What the step gave the explorer; of a choice the alternative. */
  result(step: number): number {
    return this.#words[step * STEP_WORDS + P_RESULT]!;
  }

  /** Steps of a CPU, in order. */
  of(cpu: number): number[] {
    return Array.from({ length: this.steps }, (_, step) => step).filter(
      (step) => this.cpu(step) === cpu,
    );
  }

  /** What is wrong when a step begins with this operation; null: it is the expected one. */
  departure(step: number, code: number, slots: Uint32Array, sites: readonly Site[]): string | null {
    const at = step * STEP_WORDS;
    const words = this.#words;
    if (words[at + P_CODE] !== code)
      return `${describeOperation(code, sites)} instead of ${describeOperation(words[at + P_CODE]!, sites)}`;
    const where = (): string => describeOperation(code, sites);
    const kind = code & KIND_MASK;
    if (kind !== CHOOSE && words[at + P_ADDRESS] !== slots[SLOT_ADDRESS])
      return `${where()} of word ${hex(slots[SLOT_ADDRESS]!)} instead of ${hex(words[at + P_ADDRESS]!)}`;
    if (kind !== LOAD && words[at + P_VALUE] !== slots[SLOT_VALUE])
      return `${where()} with ${hex(slots[SLOT_VALUE]!)} instead of ${hex(words[at + P_VALUE]!)}`;
    return null;
  }

  /** The same for what the operation gave. */
  resultDeparture(
    step: number,
    code: number,
    result: number,
    sites: readonly Site[],
  ): string | null {
    if ((code & KIND_MASK) === STORE || result === this.result(step)) return null;
    return `${describeOperation(code, sites)} gives ${hex(result)} instead of ${hex(this.result(step))}`;
  }
}
