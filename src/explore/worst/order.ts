/**
 * The order of an execution's steps, computed from the steps themselves: for executions that come without one, as those
 * sampled do. A step happens before a later one of its own CPU, and before a later one that touches the same word
 * unless both only read it (dependence.ts, without commuting operations).
 */

import { NONE, READS, WRITES, secondAddress } from '../strategies/dependence.ts';
import { type Execution } from '../execution.ts';
import {
  DESCRIPTOR,
  D_CODE,
  AWAIT,
  AWAIT_EITHER,
  CHOOSE,
  COMPARE_EXCHANGE,
  KIND_MASK,
  LOAD,
  SLOT_ADDRESS,
  SLOT_EXPECTED,
} from '../operation.ts';
import type { StepOrder } from '../strategies/trace.ts';

/** The order in which the steps were taken, and no other. */
export const AS_TAKEN: StepOrder = { before: (a, b) => a < b };

function classOf(execution: Execution, step: number): number {
  const at = step * DESCRIPTOR;
  const kind = execution.stepOperation[at + D_CODE]! & KIND_MASK;
  if (kind === CHOOSE) return NONE;
  if (kind === LOAD || kind === AWAIT || kind === AWAIT_EITHER) return READS;
  if (kind !== COMPARE_EXCHANGE) return WRITES;
  return execution.stepResult[step] === execution.stepOperation[at + SLOT_EXPECTED]!
    ? WRITES
    : READS;
}

/** The order of an execution's steps up to now. */
export function orderOf(execution: Execution): StepOrder {
  const { cpus, depth, stepCpu, stepOperation } = execution;
  /** For each step a row: of each CPU the last step that happens before it or is it, counted from 1. */
  const clock = new Int32Array(depth * cpus);
  const lastOfCpu = new Int32Array(cpus).fill(-1);
  /** Of each word the last write, and the reads since. */
  const words = new Map<number, { write: number; reads: number[] }>();
  const join = (row: number, step: number): void => {
    if (step < 0) return;
    for (let cpu = 0; cpu < cpus; cpu++)
      clock[row + cpu] = Math.max(clock[row + cpu]!, clock[step * cpus + cpu]!);
  };
  const access = (step: number, word: number, writes: boolean): void => {
    let last = words.get(word);
    if (last === undefined) words.set(word, (last = { write: -1, reads: [] }));
    join(step * cpus, last.write);
    if (!writes) {
      last.reads.push(step);
      return;
    }
    for (const read of last.reads) join(step * cpus, read);
    last.write = step;
    last.reads.length = 0;
  };
  for (let step = 0; step < depth; step++) {
    const cpu = stepCpu[step]!;
    join(step * cpus, lastOfCpu[cpu]!);
    lastOfCpu[cpu] = step;
    const cls = classOf(execution, step);
    const at = step * DESCRIPTOR;
    if (cls !== NONE) access(step, stepOperation[at + SLOT_ADDRESS]! >>> 2, cls === WRITES);
    const second = secondAddress(stepOperation, at) >>> 2;
    if (second !== 0) access(step, second, false);
    clock[step * cpus + cpu] = step + 1;
  }
  return { before: (a, b) => a !== b && clock[b * cpus + stepCpu[a]!]! > a };
}
