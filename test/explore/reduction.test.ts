import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exploreDepthFirst } from '../../src/explore/strategies/depthFirst.ts';
import { exploreDpor } from '../../src/explore/strategies/dpor.ts';
import type { Execution } from '../../src/explore/execution.ts';
import { SAMPLING_STRATEGIES } from '../../src/explore/strategies/pickers.ts';
import { exploreSampling } from '../../src/explore/strategies/sampling.ts';
import { ADD } from '../../src/explore/operation.ts';
import type { SearchLimitOptions } from '../../src/explore/strategies/limits.ts';
import type { SearchResult } from '../../src/explore/verdict.ts';
import {
  classOf,
  dependentSteps,
  endOf,
  programMaker,
  smallPrograms,
  type SmallProgram,
} from './randomPrograms.ts';

/** What a search saw: ends with their verdicts, and how often it saw each class of executions. */
function survey(search: (options: SearchLimitOptions) => SearchResult, commuting: boolean) {
  const ends = new Set<string>();
  const classes = new Map<string, number>();
  const result = search({
    goOn: true,
    onExecution: (execution, verdict) => {
      const end = endOf(execution);
      ends.add(`${verdict.kind} ${end}`);
      const name = `${verdict.kind} ${classOf(execution, commuting)}`;
      classes.set(name, (classes.get(name) ?? 0) + 1);
    },
  });
  return { ends, classes, result };
}

const RUNS = 500;

describe('the reduction against depth-first search on random programs', () => {
  test('same ends, same verdicts, each class of executions once', () => {
    fc.assert(
      fc.property(smallPrograms(false), (program) => {
        const make = programMaker(program);
        const all = survey((options) => exploreDepthFirst(make, options), false);
        const reduced = survey((options) => exploreDpor(make, options), false);
        expect(reduced.result.complete).toBe(true);
        expect([...reduced.ends].toSorted()).toEqual([...all.ends].toSorted());
        expect([...reduced.classes.keys()].toSorted()).toEqual([...all.classes.keys()].toSorted());
        expect(reduced.result.statistics.executions).toBe(all.classes.size);
      }),
      { numRuns: RUNS, seed: 33 },
    );
  });

  test('with failing CPUs: every failure is found', () => {
    fc.assert(
      fc.property(smallPrograms(true), (program) => {
        const make = programMaker(program);
        const all = exploreDepthFirst(make);
        const reduced = exploreDpor(make);
        expect(reduced.verdict.kind === 'passes').toBe(all.verdict.kind === 'passes');
      }),
      { numRuns: RUNS, seed: 44 },
    );
  });

  test('with commuting operations: same ends, no more executions', () => {
    fc.assert(
      fc.property(smallPrograms(false), (program) => {
        const make = programMaker(program);
        const all = survey((options) => exploreDepthFirst(make, options), true);
        const plain = exploreDpor(make, { goOn: true });
        const reduced = survey(
          (options) => exploreDpor(make, { ...options, commuting: true }),
          true,
        );
        expect([...reduced.ends].toSorted()).toEqual([...all.ends].toSorted());
        expect(reduced.result.statistics.executions).toBeLessThanOrEqual(
          plain.statistics.executions,
        );
      }),
      { numRuns: RUNS, seed: 55 },
    );
  });

  test('sampling sees only what the search of all sees', () => {
    fc.assert(
      fc.property(smallPrograms(false), fc.nat(), (program, seed) => {
        const make = programMaker(program);
        const reduced = survey((options) => exploreDpor(make, options), false);
        for (const strategy of SAMPLING_STRATEGIES) {
          const sampled = survey(
            (options) => exploreSampling(make, { ...options, strategy, seed, maxExecutions: 20 }),
            false,
          );
          for (const end of sampled.ends) expect(reduced.ends).toContain(end);
        }
      }),
      { numRuns: 100, seed: 6 },
    );
  });

  test('a step happens before another when a chain of dependences leads there', () => {
    fc.assert(
      fc.property(smallPrograms(false), (program) => {
        exploreDpor(programMaker(program), {
          goOn: true,
          maxExecutions: 20,
          onExecution: (execution, _verdict, order) => {
            const before: boolean[][] = [];
            for (let b = 0; b < execution.depth; b++) {
              before.push(Array.from({ length: b }, () => false));
              for (let a = b - 1; a >= 0; a--) {
                let chain = dependentSteps(execution, a, b);
                for (let c = a + 1; c < b && !chain; c++) chain = before[c]![a]! && before[b]![c]!;
                before[b]![a] = chain;
                expect(order.before(a, b)).toBe(chain);
                expect(order.before(b, a)).toBe(false);
              }
              expect(order.before(b, b)).toBe(false);
            }
          },
        });
      }),
      { numRuns: 200, seed: 77 },
    );
  });
});

/**
 * An execution's end with alike CPUs in an order of what they observed: the same for executions that differ in their
 * names only.
 */
function namelessEnd(execution: Execution, symmetric: readonly number[]): string {
  const [words, observed] = JSON.parse(endOf(execution)).reduce(
    ([numbers, lists]: [number[], string[]], part: number | number[][]) =>
      typeof part === 'number'
        ? [[...numbers, part], lists]
        : [
            numbers,
            part.map((list, cpu) =>
              JSON.stringify([symmetric[cpu], (execution.finished >>> cpu) & 1, list]),
            ),
          ],
    [[], []],
  ) as [number[], string[]];
  return JSON.stringify([words, observed.toSorted()]);
}

/** Programs some CPUs of which do the same. */
const alikePrograms = (failing: boolean) =>
  fc
    .tuple(smallPrograms(failing), fc.array(fc.nat({ max: 1 }), { minLength: 4, maxLength: 4 }))
    .map(([program, kinds]): { program: SmallProgram; symmetric: number[] } => {
      const symmetric = program.cpus.map((_, cpu) => kinds.indexOf(kinds[cpu]!));
      return {
        program: { ...program, cpus: symmetric.map((first) => program.cpus[first]!) },
        symmetric,
      };
    });

describe('alike CPUs', () => {
  test('in the order of their first steps: the same ends but for names, and fewer executions', () => {
    let all = 0;
    let fewer = 0;
    fc.assert(
      fc.property(alikePrograms(false), fc.boolean(), ({ program, symmetric }, commuting) => {
        const make = programMaker(program);
        const ends = (names: readonly number[]): [string[], number] => {
          const seen = new Set<string>();
          const { statistics, complete } = exploreDpor(make, {
            goOn: true,
            commuting,
            symmetric: names,
            onExecution: (execution, verdict) =>
              seen.add(`${verdict.kind} ${namelessEnd(execution, symmetric)}`),
          });
          expect(complete).toBe(true);
          return [[...seen].toSorted(), statistics.executions];
        };
        const [plain, plainExecutions] = ends([]);
        const [reduced, executions] = ends(symmetric);
        expect(reduced).toEqual(plain);
        expect(executions).toBeLessThanOrEqual(plainExecutions);
        all += plainExecutions;
        fewer += executions;
      }),
      { numRuns: RUNS, seed: 66 },
    );
    expect(fewer).toBeLessThan(all);
  });

  test('with failing CPUs: every failure is found', () => {
    fc.assert(
      fc.property(alikePrograms(true), ({ program, symmetric }) => {
        const make = programMaker(program);
        const all = exploreDpor(make).verdict.kind === 'passes';
        expect(exploreDpor(make, { symmetric }).verdict.kind === 'passes').toBe(all);
      }),
      { numRuns: RUNS, seed: 67 },
    );
  });

  test('a CPU that does not run keeps nobody alike waiting', () => {
    const adds = { kind: ADD, word: 0, value: 1, expected: 0, second: 0, unused: false };
    const once = [{ ...adds, skips: false, failsAt: -1 }];
    const make = programMaker({ cpus: [once, [], once, once], words: [0, 0, 0] });
    const count = (symmetric: number[]): number =>
      exploreDpor(make, { symmetric }).statistics.executions;
    expect(count([])).toBe(6);
    expect(count([0, 0, 0, 0])).toBe(3);
    expect(count([0, 1, 0, 0])).toBe(1);
  });

  test('CPUs said to be alike that are not', () => {
    const load = { kind: 0, word: 0, value: 0, expected: 0, second: 0, unused: false };
    const wait = { ...load, kind: 8, expected: 0, value: 1 };
    const cpus = [wait, load].map((instruction) => [{ ...instruction, skips: false, failsAt: -1 }]);
    const make = programMaker({ cpus, words: [0, 0, 0] });
    expect(() => exploreDpor(make, { symmetric: [0, 0] })).toThrow('are not');
    expect(() => exploreDpor(make, { symmetric: [0] })).toThrow('1 entries for 2 CPUs');
  });
});
