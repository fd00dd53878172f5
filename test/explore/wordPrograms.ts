/** Programs for tests, as lists of word operations. */
import type { Coroutine, ProgramMaker } from '../../src/explore/program.ts';
import { SLOT_ADDRESS, SLOT_EXPECTED, SLOT_MASK, SLOT_VALUE } from '../../src/explore/operation.ts';
import { AWAIT_EQUALS } from '../../src/kernel/abi.ts';

export type Step = [kind: number, word: number, value: number];

/** CPUs that do the given steps on four words; awaits are for a word to equal the value. */
export function program(...cpus: Step[][]): ProgramMaker {
  return ({ slots }) => ({
    cpus: cpus.length,
    words: 4,
    sites: [],
    *run(cpu): Coroutine {
      for (const [kind, word, value] of cpus[cpu]!) {
        slots[SLOT_ADDRESS] = word * 4;
        slots[SLOT_VALUE] = value;
        slots[SLOT_EXPECTED] = AWAIT_EQUALS;
        slots[SLOT_MASK] = 0xffffffff;
        yield kind;
      }
      return undefined;
    },
  });
}
