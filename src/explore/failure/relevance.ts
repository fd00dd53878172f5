/**
 * Which steps of a failing execution matter for people: those by which one CPU could notice another.
 *
 * Two steps of different CPUs meet when they touch the same word, at least one writes, and no write lies between them.
 * Steps that meet no other are left out, and so are adds (ors, ands) whose result nobody uses where they meet their own
 * kind, as their order cannot be seen. When many are left, words of mere bookkeeping go first, then meetings that
 * others imply.
 */

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
  SLOT_EXPECTED,
  SUB,
} from '../operation.ts';

/** Two steps of different CPUs on one word, of which the order can be seen. */
export interface Meeting {
  first: number;
  second: number;
  /** Of the word, in bytes. */
  address: number;
}

const NONE = 0;
const READS = 1;
const WRITES = 2;

/** What a step did to its word; kinds of their own for adds, ors and ands whose result is not used. */
function access(execution: Execution, step: number): number {
  const at = step * DESCRIPTOR;
  const code = execution.stepOperation[at + D_CODE]!;
  const kind = code & KIND_MASK;
  if (kind === CHOOSE) return NONE;
  if (kind === LOAD || kind === AWAIT || kind === AWAIT_EITHER) return READS;
  if (kind === COMPARE_EXCHANGE)
    return execution.stepBefore[step] === execution.stepOperation[at + SLOT_EXPECTED]!
      ? WRITES
      : READS;
  if ((code & FLAG_UNUSED) === 0) return WRITES;
  if (kind === ADD || kind === SUB) return ADD + WRITES;
  return kind === OR || kind === AND ? kind + WRITES : WRITES;
}

/** Whether the order of two accesses to one word cannot be seen. */
const commute = (a: number, b: number): boolean => a === b && a !== WRITES;

/** Whether two steps on one word depend on each other: at least one writes, and their order can be seen. */
export function conflict(execution: Execution, a: number, b: number): boolean {
  const [first, second] = [access(execution, a), access(execution, b)];
  return first !== NONE && second !== NONE && !commute(first, second);
}

/** All meetings of an execution's steps, by their second step. */
export function meetingsOf(execution: Execution): Meeting[] {
  const meetings: Meeting[] = [];
  /** For each word the steps since its last write, that one included. */
  const since = new Map<number, number[]>();
  for (let step = 0; step < execution.depth; step++) {
    const cls = access(execution, step);
    if (cls === NONE) continue;
    const cpu = execution.stepCpu[step]!;
    const address = execution.stepOperation[step * DESCRIPTOR + SLOT_ADDRESS]!;
    const earlier = since.get(address) ?? [];
    let met = 0;
    for (const other of earlier.toReversed()) {
      const bit = 1 << execution.stepCpu[other]!;
      if (execution.stepCpu[other] === cpu || (met & bit) !== 0) continue;
      if (commute(cls, access(execution, other))) continue;
      met |= bit;
      meetings.push({ first: other, second: step, address });
    }
    since.set(address, cls === READS ? [...earlier, step] : [step]);
  }
  return meetings;
}

/** Words whose meetings seldom explain anything. */
const BOOKKEEPING =
  /^(G_(TABLE|FRAME|VMA|SWAP|MM)_|G_TABLES_HELD|G_RCU_CLOCK|C_(IPI|RCU_SECTION|WAITING_FOR)|H_|MM_(TABLES|TLB|CPUMASK|RSS))/;

const steps = (meetings: readonly Meeting[]): Set<number> =>
  new Set(meetings.flatMap(({ first, second }) => [first, second]));

/** When more than so many times the steps asked for are left, the last ones are shown. */
const LAST_SHOWN = 4;

/** Meetings, the newest, of which it is asked whether others imply them. */
const COMPARED_MAX = 2000;

/** Steps to be shown: at most about `most`, unless the words that matter need more. */
export function relevantSteps(
  execution: Execution,
  before: (a: number, b: number) => boolean,
  nameOf: (address: number) => string,
  most: number,
): Set<number> {
  let meetings = meetingsOf(execution);
  if (steps(meetings).size > most)
    meetings = meetings.filter(({ address }) => !BOOKKEEPING.test(nameOf(address)));
  const compared = meetings.slice(-COMPARED_MAX);
  if (steps(meetings).size > most)
    meetings = compared.filter(
      (one) =>
        !compared.some(
          (other) =>
            other !== one &&
            execution.stepCpu[one.first] === execution.stepCpu[other.first] &&
            execution.stepCpu[one.second] === execution.stepCpu[other.second] &&
            (one.first === other.first || before(one.first, other.first)) &&
            (one.second === other.second || before(other.second, one.second)),
        ),
    );
  return new Set([...steps(meetings)].toSorted((a, b) => a - b).slice(-LAST_SHOWN * most));
}
