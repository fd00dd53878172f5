import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exploreDepthFirst } from '../../src/explore/depthFirst.ts';
import { exploreDpor } from '../../src/explore/dpor.ts';
import { SAMPLING_STRATEGIES } from '../../src/explore/pickers.ts';
import { exploreSampling } from '../../src/explore/sampling.ts';
import type { SearchLimitOptions } from '../../src/explore/limits.ts';
import type { SearchResult } from '../../src/explore/verdict.ts';
import { classOf, endOf, programMaker, smallPrograms } from './randomPrograms.ts';

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
});
