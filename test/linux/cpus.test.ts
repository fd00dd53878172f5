/**
 * Scripts on several CPUs: where conflicting operations keep the order of the list, each operation gives what it gives
 * when one CPU runs the list.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { Files, ptlab } from '../cli/cli.ts';
import { boot } from '../../src/boot/boot.ts';
import {
  CALL_MREMAP,
  FIELD_ADDRESS,
  FIELD_ARG2,
  FIELD_ARG3,
  FIELD_CALL,
  FIELD_CPU,
  FIELD_LENGTH,
  OP_FIELDS,
} from '../../src/trace/operation.ts';
import type { OperationList } from '../../src/trace/operation.ts';
import { eachLines, replay } from '../../src/trace/replay.ts';
import { parseScript } from '../../src/trace/script.ts';
import { generateScript } from './generate.ts';
import { parseLines } from './lines.ts';

const CPUS = 2;
const HALF = 2 ** 43;

/** Records of a script as arrays. */
function records(script: string): number[][] {
  const { operations, count } = parseScript(script, 'generated');
  return Array.from({ length: count }, (_, op) =>
    Array.from(operations.subarray(op * OP_FIELDS, (op + 1) * OP_FIELDS)),
  );
}

/** Whether all that an operation names lies in the lower half of the address space. */
function isLow(record: readonly number[]): boolean {
  const end = record[FIELD_ADDRESS]! + record[FIELD_LENGTH]!;
  const moves = record[FIELD_CALL] === CALL_MREMAP;
  return end < HALF && (!moves || record[FIELD_ARG2]! + record[FIELD_ARG3]! < HALF);
}

/** Generated scripts that stay in the lower half. */
function lowScripts(count: number): number[][][] {
  const found: number[][][] = [];
  for (let seed = 1; found.length < count; seed++) {
    const script = records(generateScript(seed, seed % 2 ? 'all' : 'dense'));
    if (script.every(isLow)) found.push(script);
  }
  return found;
}

/** A list in which the lines of two scripts take turns, the second one in the upper half. */
function interleave(first: number[][], second: number[][]): number[][] {
  const moved = second.map((record) => {
    const copy = [...record];
    copy[FIELD_ADDRESS]! += HALF;
    if (copy[FIELD_CALL] === CALL_MREMAP) copy[FIELD_ARG2]! += HALF;
    copy[FIELD_CPU] = 1;
    return copy;
  });
  const mixed: number[][] = [];
  for (let at = 0; at < Math.max(first.length, moved.length); at++) {
    if (at < first.length) mixed.push(first[at]!);
    if (at < moved.length) mixed.push(moved[at]!);
  }
  return mixed;
}

function listOf(items: readonly number[][], cpus: number): OperationList {
  const operations = new Float64Array(new SharedArrayBuffer(items.length * OP_FIELDS * 8));
  items.forEach((record, op) => {
    operations.set(record, op * OP_FIELDS);
    if (cpus === 1) operations[op * OP_FIELDS + FIELD_CPU] = 0;
  });
  return { operations, count: items.length, cpus };
}

/** What each line of `replay --each` answered. */
function answers(text: string): unknown[] {
  return parseLines(text).map(({ op, call, process, errno }) => [op, call, process, errno]);
}

/** CPU of a line: changes often, but not always. */
function cpuOf(op: number): number {
  return ((op * 7 + (op >> 2)) % 3) % CPUS;
}

describe('in the library', async () => {
  const machine = await boot({ cpus: CPUS, swapPages: 0 });
  afterAll(() => machine.shutdown());
  const lines = async (list: OperationList): Promise<string[]> => {
    const result = await replay(machine, list);
    expect(result.failure).toBeNull();
    return [...eachLines(list, result)];
  };

  test('two scripts far apart, without a barrier', async () => {
    const scripts = lowScripts(40);
    for (let at = 0; at < scripts.length; at += 2) {
      const mixed = interleave(scripts[at]!, scripts[at + 1]!);
      expect(await lines(listOf(mixed, CPUS))).toEqual(await lines(listOf(mixed, 1)));
    }
    expect(machine.violations()).toEqual([]);
    expect((await machine.audit()).findings).toEqual([]);
  });
});

describe('in the command line', () => {
  const files = new Files();
  afterAll(() => files[Symbol.dispose]());

  const each = async (name: string, script: string, ...options: string[]): Promise<string> => {
    const run = await ptlab('replay', '--each', '--quiet', ...options, files.write(name, script));
    expect(run.stderr).toBe('');
    expect(run.code).toBe(0);
    return run.stdout;
  };

  test('a barrier where the CPU changes keeps the order', async () => {
    const lines = [...Array(4).keys()].flatMap((seed) =>
      generateScript(seed + 1, 'all')
        .trimEnd()
        .split('\n'),
    );
    const onTwo = lines.flatMap((line, op) => [
      ...(op > 0 && cpuOf(op) !== cpuOf(op - 1) ? ['barrier'] : []),
      `${cpuOf(op)}: ${line}`,
    ]);
    const expected = await each('one.mm', lines.join('\n'));
    expect(expected.split('\n').length).toBe(lines.length + 1);
    expect(await each('two.mm', onTwo.join('\n'), '--cpus', '2')).toBe(expected);
    expect(await each('one.mm', lines.join('\n'), '--cpus', '2')).toBe(expected);
  });

  test('each process on a CPU of its own, racing: the answers stay', async () => {
    for (const seed of [2, 4, 5, 7]) {
      const lines = generateScript(seed, 'fork').trimEnd().split('\n');
      const spread = lines.map((line) => {
        const [, process = '0'] = /^@(\d+)/.exec(line) ?? [];
        return `${Number(process) % 3}: ${line}`;
      });
      const expected = await each('one.mm', lines.join('\n'));
      const found = await each('three.mm', spread.join('\n'), '--cpus', '3');
      expect(answers(found)).toEqual(answers(expected));
    }
  });

  test('processes with a barrier where the CPU changes answer as on one CPU', async () => {
    const lines = generateScript(11, 'fork').trimEnd().split('\n');
    const onTwo = lines.flatMap((line, op) => [
      ...(op > 0 && cpuOf(op) !== cpuOf(op - 1) ? ['barrier'] : []),
      `${cpuOf(op)}: ${line}`,
    ]);
    const expected = await each('one.mm', lines.join('\n'));
    expect(await each('two.mm', onTwo.join('\n'), '--cpus', '2')).toBe(expected);
  });
});
