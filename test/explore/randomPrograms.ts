/**
 * Small random programs over a few words, as data, and what identifies an execution of one: its end, and its class of
 * executions that differ only in the order of independent steps, computed from the steps themselves and not from any
 * clocks.
 */
import * as fc from 'fast-check';
import type { Execution } from '../../src/explore/execution.ts';
import type { ProgramMaker } from '../../src/explore/program.ts';
import {
  DESCRIPTOR,
  D_CODE,
  ADD,
  AND,
  AWAIT,
  AWAIT_EITHER,
  CHOOSE,
  COMPARE_EXCHANGE,
  EXCHANGE,
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
  STORE,
  SUB,
  TAKE,
} from '../../src/explore/operation.ts';
import { ExpectationError } from '../../src/explore/portable/primitives.ts';

export interface Instruction {
  kind: number;
  word: number;
  value: number;
  expected: number;
  second: number;
  /** Ignores the result: the operation may commute. */
  unused: boolean;
  /** Skips the next instruction when the result is odd. */
  skips: boolean;
  /** Fails when the result is this number; -1: never. */
  failsAt: number;
}

/** Instructions of each CPU, and the words' first values. */
export interface SmallProgram {
  cpus: Instruction[][];
  words: number[];
}

const KINDS = [
  LOAD,
  LOAD,
  STORE,
  STORE,
  EXCHANGE,
  COMPARE_EXCHANGE,
  ADD,
  ADD,
  SUB,
  OR,
  AND,
  AWAIT,
  AWAIT,
  AWAIT_EITHER,
  TAKE,
  CHOOSE,
];

const instruction = (failing: boolean): fc.Arbitrary<Instruction> =>
  fc.record({
    kind: fc.constantFrom(...KINDS),
    word: fc.nat({ max: 2 }),
    value: fc.nat({ max: 2 }),
    expected: fc.nat({ max: 3 }),
    second: fc.nat({ max: 2 }),
    unused: fc.boolean(),
    skips: fc.boolean(),
    failsAt: failing ? fc.constantFrom(-1, -1, -1, 2) : fc.constant(-1),
  });

/** Programs of 2 CPUs with up to 5 instructions, 3 with up to 3, or 4 with up to 2. */
export function smallPrograms(failing: boolean): fc.Arbitrary<SmallProgram> {
  const cpus = fc.oneof(
    ...[[2, 5] as const, [3, 3] as const, [4, 2] as const].map(([count, maxLength]) =>
      fc.array(fc.array(instruction(failing), { minLength: 1, maxLength }), {
        minLength: count,
        maxLength: count,
      }),
    ),
  );
  return fc.record({ cpus, words: fc.array(fc.nat({ max: 2 }), { minLength: 3, maxLength: 3 }) });
}

export function programMaker({ cpus, words }: SmallProgram): ProgramMaker {
  return ({ slots, poke }) => ({
    cpus: cpus.length,
    words: words.length,
    sites: [],
    setUp() {
      for (const [word, value] of words.entries()) poke(word * 4, value);
    },
    *run(cpu) {
      const instructions = cpus[cpu]!;
      for (let at = 0; at < instructions.length; at++) {
        const { kind, word, value, expected, second, unused, skips, failsAt } = instructions[at]!;
        slots[SLOT_ADDRESS] = kind === CHOOSE ? 0 : word * 4;
        slots[SLOT_VALUE] = kind === CHOOSE ? value + 1 : value;
        slots[SLOT_EXPECTED] = expected;
        slots[SLOT_MASK] = 0xffffffff;
        slots[SLOT_ADDRESS2] = second * 4;
        slots[SLOT_VALUE2] = expected;
        const ignored = kind === STORE || (unused && kind !== LOAD);
        const result = yield kind + (ignored ? FLAG_UNUSED : 0);
        if (ignored) continue;
        if (result === failsAt) throw new ExpectationError(`read ${failsAt}`);
        if (skips && result % 2 === 1) at += 1;
      }
    },
  });
}

/** Memory and everything that CPUs observed. */
export function endOf(execution: Execution): string {
  const observed: number[][] = Array.from({ length: execution.cpus }, () => []);
  for (let step = 0; step < execution.depth; step++) {
    const code = execution.stepOperation[step * DESCRIPTOR + D_CODE]!;
    const seen = (code & FLAG_UNUSED) === 0 ? execution.stepResult[step]! : -1;
    observed[execution.stepCpu[step]!]!.push(seen);
  }
  return JSON.stringify([...execution.words, observed]);
}

/** The class of executions: for each word its writes in order, and between them its readers, in no order. */
export function classOf(execution: Execution, commuting: boolean): string {
  const runs = new Map<number, { kind: string; members: string[] }[]>();
  const steps: number[] = Array.from({ length: execution.cpus }, () => 0);
  const touch = (word: number, kind: string, who: string): void => {
    const list = runs.get(word) ?? [];
    runs.set(word, list);
    const newest = list.at(-1);
    if (newest !== undefined && newest.kind === kind && kind !== 'write') newest.members.push(who);
    else list.push({ kind, members: [who] });
  };
  let choices = '';
  for (let step = 0; step < execution.depth; step++) {
    const at = step * DESCRIPTOR;
    const operations = execution.stepOperation;
    const code = operations[at + D_CODE]!;
    const kind = code & KIND_MASK;
    const cpu = execution.stepCpu[step]!;
    const who = `${cpu}.${steps[cpu]!++}`;
    const word = operations[at + SLOT_ADDRESS]!;
    if (kind === CHOOSE) choices += ` ${who}=${execution.stepResult[step]}`;
    else if (kind === LOAD || kind === AWAIT) touch(word, 'read', who);
    else if (kind === AWAIT_EITHER) {
      touch(word, 'read', who);
      const second = operations[at + SLOT_ADDRESS2]!;
      if (second !== 0 && second !== word) touch(second, 'read', who);
    } else if (
      kind === COMPARE_EXCHANGE &&
      execution.stepResult[step] !== operations[at + SLOT_EXPECTED]
    )
      touch(word, 'read', who);
    else if (commuting && (code & FLAG_UNUSED) !== 0 && (kind === ADD || kind === SUB))
      touch(word, 'add', who);
    else if (commuting && (code & FLAG_UNUSED) !== 0 && (kind === OR || kind === AND))
      touch(word, kind === OR ? 'or' : 'and', who);
    else touch(word, 'write', who);
  }
  const words = [...runs].toSorted(([a], [b]) => a - b);
  return JSON.stringify([
    choices.split(' ').toSorted(),
    words.map(([word, list]) => [
      word,
      list.map(({ kind, members }) => [kind, members.toSorted()]),
    ]),
  ]);
}

/** Whether two steps are of one CPU, or touch a word that one of them writes. */
export function dependentSteps(execution: Execution, a: number, b: number): boolean {
  if (execution.stepCpu[a] === execution.stepCpu[b]) return true;
  const touches = (step: number): Map<number, boolean> => {
    const at = step * DESCRIPTOR;
    const operations = execution.stepOperation;
    const kind = operations[at + D_CODE]! & KIND_MASK;
    const touched = new Map<number, boolean>();
    if (kind === CHOOSE) return touched;
    const failed =
      kind === COMPARE_EXCHANGE && execution.stepResult[step] !== operations[at + SLOT_EXPECTED];
    const reads = failed || kind === LOAD || kind === AWAIT || kind === AWAIT_EITHER;
    touched.set(operations[at + SLOT_ADDRESS]!, !reads);
    const second = operations[at + SLOT_ADDRESS2]!;
    if (kind === AWAIT_EITHER && second !== 0) touched.set(second, !reads);
    return touched;
  };
  const others = touches(b);
  return [...touches(a)].some(([word, writes]) => {
    const other = others.get(word);
    return other !== undefined && (writes || other);
  });
}
