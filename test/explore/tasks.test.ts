import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exploreDepthFirst } from '../../src/explore/strategies/depthFirst.ts';
import { exploreDpor, type DporOptions } from '../../src/explore/strategies/dpor.ts';
import { DporSearch } from '../../src/explore/strategies/dporSearch.ts';
import { Execution } from '../../src/explore/execution.ts';
import { type ProgramMaker } from '../../src/explore/program.ts';
import { exploreTask, failureOf } from '../../src/explore/parallel/task.ts';
import type { Part, PartResult } from '../../src/explore/parallel/work.ts';
import { SearchTree, type TreeOptions } from '../../src/explore/parallel/tree.ts';
import { openScenario } from '../../src/explore/scenario.ts';
import { classOf, endOf, programMaker, smallPrograms } from './randomPrograms.ts';

function runPart(search: DporSearch, part: Part): PartResult {
  if (!('task' in part)) throw new Error('not a task');
  return { number: part.number, ...exploreTask(search, part.task, part.steps, part.ordered) };
}

/**
 * Explores in tasks, `runners` of which are under way at a time and end in an order drawn from `seed`; of those that
 * are late some are explored twice.
 */
function exploreInTasks(
  make: ProgramMaker,
  options: DporOptions,
  treeOptions: TreeOptions,
  runners = 1,
  seed = 1,
): SearchTree {
  const tree = new SearchTree(treeOptions);
  const search = new DporSearch(new Execution(make), options);
  const underWay: (() => void)[] = [];
  let state = seed;
  for (let limit = 0; limit < 1_000_000; limit++) {
    if (tree.ended) return tree;
    while (underWay.length < runners) {
      const next = tree.next();
      if (next === null) break;
      underWay.push(() => {
        tree.add(structuredClone(runPart(search, next)));
        expect(tree.explored).toBeGreaterThan(-1e-9);
        expect(tree.explored).toBeLessThan(1 + 1e-9);
      });
    }
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const late = state % 5 === 0 ? tree.again() : null;
    if (late !== null) tree.add(structuredClone(runPart(search, late)));
    else underWay.splice(state % underWay.length, 1)[0]!();
  }
  throw new Error('the search does not end');
}

/** Splits of different fineness. */
const splits: fc.Arbitrary<TreeOptions> = fc.record({
  taskSteps: fc.constantFrom(1, 2, 5, 20),
  tasksWanted: fc.constantFrom(0, 1, 3, 1000),
});

const RUNS = 500;

/** The ends and the classes of the executions that a search sees. */
function survey(search: (options: DporOptions) => void) {
  const ends = new Set<string>();
  const classes = new Set<string>();
  search({
    goOn: true,
    onExecution: (execution, verdict) => {
      ends.add(`${verdict.kind} ${endOf(execution)}`);
      classes.add(`${verdict.kind} ${classOf(execution, false)}`);
    },
  });
  return { ends: [...ends].toSorted(), classes: [...classes].toSorted() };
}

/** The ends that a search sees in which operations commute. */
function commutingEnds(search: (options: DporOptions) => void) {
  const seen = new Set<string>();
  search({
    goOn: true,
    commuting: true,
    onExecution: (execution, verdict) => seen.add(`${verdict.kind} ${endOf(execution)}`),
  });
  return [...seen].toSorted();
}

describe('a search in tasks against one that is not split, on random programs', () => {
  test('each class of executions once, the same ends', () => {
    fc.assert(
      fc.property(smallPrograms(false), splits, fc.nat(), (program, split, seed) => {
        const make = programMaker(program);
        const whole = survey((options) => exploreDpor(make, options));
        const counts: SearchTree['statistics'][] = [];
        for (const runners of [1, 3]) {
          const parts = survey((options) => {
            const tree = exploreInTasks(make, options, { ...split, goOn: true }, runners, seed);
            counts.push(tree.statistics);
          });
          expect(parts).toEqual(whole);
        }
        expect(counts[0]).toEqual(counts[1]);
        expect(counts[0]!.executions).toBe(whole.classes.length);
      }),
      { numRuns: RUNS, seed: 11 },
    );
  });

  test('with failing CPUs: the same failure whoever is faster', () => {
    fc.assert(
      fc.property(smallPrograms(true), splits, fc.nat(), (program, split, seed) => {
        const make = programMaker(program);
        const whole = exploreDpor(make);
        const [one, three] = [1, 3].map((runners) =>
          exploreInTasks(make, {}, split, runners, seed),
        );
        expect(one!.failure === null).toBe(whole.verdict.kind === 'passes');
        expect(three!.failure).toEqual(one!.failure);
        expect(three!.statistics).toEqual(one!.statistics);
        if (one!.failure === null) return;
        const search = new DporSearch(new Execution(make), {});
        const verdict = search.verdictOf(one!.failure.schedule, one!.ordered);
        expect(failureOf(verdict)).toEqual(one!.failure);
      }),
      { numRuns: RUNS, seed: 12 },
    );
  });

  test('with commuting operations: the same ends', () => {
    fc.assert(
      fc.property(smallPrograms(false), splits, fc.nat(), (program, split, seed) => {
        const make = programMaker(program);
        const whole = commutingEnds((options) => exploreDpor(make, options));
        const counts: SearchTree['statistics'][] = [];
        for (const runners of [1, 3]) {
          const parts = commutingEnds((options) => {
            const tree = exploreInTasks(make, options, { ...split, goOn: true }, runners, seed);
            counts.push(tree.statistics);
          });
          expect(parts).toEqual(whole);
        }
        expect(counts[0]).toEqual(counts[1]);
      }),
      { numRuns: RUNS, seed: 13 },
    );
  });

  test('every order of steps, with and without a bound on preemptions: as many as depth first', () => {
    const bounds = fc.constantFrom(0, 1, 2, Infinity);
    fc.assert(
      fc.property(smallPrograms(false), splits, bounds, (program, split, preemptions) => {
        const make = programMaker(program);
        const whole = exploreDepthFirst(make, { goOn: true, preemptions });
        const options = { goOn: true, everyOrder: true, preemptions };
        const tree = exploreInTasks(make, options, { ...split, goOn: true }, 3);
        expect(tree.statistics.executions).toBe(whole.statistics.executions);
        expect(tree.statistics.blocked).toBe(0);
        expect(tree.bounded).toBe(whole.bounded);
      }),
      { numRuns: 200, seed: 15 },
    );
  });

  test('saved after some tasks and loaded: as if nothing had happened', () => {
    fc.assert(
      fc.property(smallPrograms(false), splits, fc.nat({ max: 20 }), (program, split, until) => {
        const make = programMaker(program);
        const options = { goOn: true, commuting: true };
        const undisturbed = exploreInTasks(make, options, { ...split, goOn: true });
        let tree = new SearchTree({ ...split, goOn: true });
        for (let task = 0; !tree.ended; task++) {
          if (task % 7 === until % 7) {
            const saved = JSON.parse(JSON.stringify(tree.save())) as ReturnType<SearchTree['save']>;
            tree = new SearchTree({ ...split, goOn: true });
            tree.load(saved);
          }
          const next = tree.next()!;
          tree.add(runPart(new DporSearch(new Execution(make), options), next));
        }
        expect(tree.statistics).toEqual(undisturbed.statistics);
        expect(tree.failure).toEqual(undisturbed.failure);
      }),
      { numRuns: 200, seed: 14 },
    );
  });
});

test.each([
  ['counters', { PATTERN: 0 }, 34_650],
  ['counters', { PATTERN: 1 }, 3_606],
  ['epoch', { READERS: 2, UPDATERS: 2 }, 2_088],
] as const)('%s %j in tasks: as many executions as in one', (name, constants, executions) => {
  const make = openScenario({ scenario: name, constants }).make;
  for (const taskSteps of [50, 1000]) {
    const { statistics, failure } = exploreInTasks(make, {}, { taskSteps }, 3);
    expect(failure).toBe(null);
    expect(statistics.executions).toBe(executions);
  }
});

test('the executions that there will be lie in the interval told, exactly at the end', () => {
  const constants = { READERS: 2, UPDATERS: 2 };
  const { make } = openScenario({ scenario: 'epoch', constants });
  const search = new DporSearch(new Execution(make), {});
  const tree = new SearchTree({ taskSteps: 300 });
  const told: { low: number; high: number; executions: number; explored: number }[] = [];
  for (let limit = 0; limit < 100_000 && !tree.ended; limit++) {
    tree.add(runPart(search, tree.next()!));
    const interval = tree.estimate();
    const { executions } = tree.statistics;
    if (interval !== null) told.push({ ...interval, executions, explored: tree.explored });
  }
  expect(tree.explored).toBe(1);
  expect(told.at(-1)).toMatchObject({ low: 2_088, high: 2_088 });
  expect(told[0]!.executions).toBeLessThan(1_000);
  for (const { low, high, executions, explored } of told) {
    expect(low).toBeGreaterThanOrEqual(executions);
    expect(low).toBeLessThanOrEqual(2_088);
    expect(high).toBeGreaterThanOrEqual(2_088);
    expect(explored).toBeGreaterThanOrEqual(0);
    expect(explored).toBeLessThanOrEqual(1 + 1e-9);
  }
});
