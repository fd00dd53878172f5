import { describe, expect, test } from 'vitest';
import { exploreDepthFirst } from '../../src/explore/strategies/depthFirst.ts';
import { exploreDpor } from '../../src/explore/strategies/dpor.ts';
import type { Coroutine, ProgramMaker } from '../../src/explore/program.ts';
import {
  FLAG_UNUSED,
  LOAD,
  SLOT_ADDRESS,
  SLOT_VALUE,
  STORE,
  TAKE,
} from '../../src/explore/operation.ts';
import { PlainRaceError } from '../../src/explore/strategies/plainWords.ts';

type Step = [
  name: 'peek' | 'poke' | 'load' | 'store' | 'take' | 'skip unless',
  word: number,
  value: number,
];

const LOCK = 3;
const FLAG = 2;
const lock: Step = ['take', LOCK, 1];
const unlock: Step = ['store', LOCK, 0];

/** CPUs that do the given steps; `skip unless` ends the CPU when its last load was not the value. */
function program(...cpus: Step[][]): ProgramMaker {
  return ({ slots, peek, poke }) => ({
    cpus: cpus.length,
    words: 4,
    sites: [],
    *run(cpu): Coroutine {
      let seen = 0;
      slots[SLOT_ADDRESS] = 0;
      yield LOAD;
      for (const [name, word, value] of cpus[cpu]!) {
        if (name === 'peek') peek(word * 4);
        else if (name === 'poke') poke(word * 4, value);
        else if (name === 'skip unless') {
          if (seen !== value) return undefined;
        } else {
          slots[SLOT_ADDRESS] = word * 4;
          slots[SLOT_VALUE] = value;
          if (name === 'load') seen = yield LOAD;
          else yield name === 'store' ? STORE + FLAG_UNUSED : TAKE;
        }
      }
      return undefined;
    },
  });
}

describe('plain words that are ordered', () => {
  test.each<[string, Step[], Step[]]>([
    ['by a lock', [lock, ['poke', 1, 5], unlock], [lock, ['poke', 1, 6], ['peek', 1, 0], unlock]],
    [
      'by a flag',
      [
        ['poke', 1, 5],
        ['store', FLAG, 1],
      ],
      [
        ['load', FLAG, 0],
        ['skip unless', FLAG, 1],
        ['peek', 1, 0],
      ],
    ],
    ['read by both', [['peek', 1, 0]], [['peek', 1, 0]]],
    ['one CPU’s own', [['poke', 1, 1]], [['poke', 2, 1]]],
  ])('%s: no race', (_name, one, two) => {
    const { verdict, complete } = exploreDpor(program(one, two));
    expect(verdict.kind).toBe('passes');
    expect(complete).toBe(true);
  });
});

describe('plain words that are not', () => {
  test.each<[string, Step[], Step[]]>([
    ['two writes', [['poke', 1, 5]], [['poke', 1, 6]]],
    ['write and read', [['poke', 1, 5]], [['peek', 1, 6]]],
    [
      'written after the flag that publishes',
      [
        ['store', FLAG, 1],
        ['poke', 1, 5],
      ],
      [
        ['load', FLAG, 0],
        ['skip unless', FLAG, 1],
        ['peek', 1, 0],
      ],
    ],
    [
      'read after the lock is released',
      [lock, unlock, ['peek', 1, 0], ['store', FLAG, 1]],
      [lock, ['poke', 1, 6], unlock],
    ],
    ['read and write', [['peek', 1, 5]], [['poke', 1, 6]]],
    ['a plain write and an atomic read', [['poke', 1, 5]], [['load', 1, 0]]],
    ['a plain read and an atomic write', [['peek', 1, 5]], [['store', 1, 0]]],
    ['an atomic write and a plain read', [['store', 1, 5]], [['peek', 1, 0]]],
    ['one side without the lock', [lock, ['poke', 1, 5], unlock], [['poke', 1, 6]]],
    [
      'a flag that is not looked at',
      [
        ['poke', 1, 5],
        ['store', FLAG, 1],
      ],
      [
        ['load', FLAG, 0],
        ['peek', 1, 0],
      ],
    ],
  ])('%s: a race', (_name, one, two) => {
    const { verdict } = exploreDpor(program(one, two));
    if (verdict.kind !== 'violation') expect.fail(verdict.kind);
    expect(verdict.error).toBeInstanceOf(PlainRaceError);
    expect(verdict.error).toMatchObject({ address: 4 });
    expect((verdict.error as PlainRaceError).cpus.toSorted()).toEqual([0, 1]);
    expect(exploreDpor(program(one, two), { plainRaces: false }).verdict.kind).toBe('passes');
    expect(exploreDepthFirst(program(one, two)).verdict.kind).toBe('passes');
  });
});
