import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exploreDepthFirst } from '../../src/explore/strategies/depthFirst.ts';
import { exploreDpor } from '../../src/explore/strategies/dpor.ts';
import type { Execution } from '../../src/explore/execution.ts';
import type { ProgramMaker } from '../../src/explore/program.ts';
import {
  DESCRIPTOR,
  D_CODE,
  ADD,
  AWAIT,
  CHOOSE,
  KIND_MASK,
  LOAD,
  SLOT_ADDRESS,
  SLOT_VALUE,
  STORE,
} from '../../src/explore/operation.ts';
import { replaySchedule } from '../../src/explore/replay.ts';
import { openScenario, type ScenarioRequest } from '../../src/explore/scenario.ts';
import { largestAntichain } from '../../src/explore/worst/antichain.ts';
import { MEASURES, type Measure } from '../../src/explore/worst/measures.ts';
import { AS_TAKEN, orderOf } from '../../src/explore/worst/order.ts';
import { exploreWorst, MeasureError, type WorstOptions } from '../../src/explore/worst/worst.ts';
import {
  AWAIT_EQUALS,
  EVENT_GP_END,
  EVENT_GP_START,
  EVENT_TABLE_DETACH,
  EVENT_TABLE_FREE,
} from '../../src/kernel/abi.ts';
import { programMaker, smallPrograms, type SmallProgram } from './randomPrograms.ts';

const { retireToFree, held, retries, age } = MEASURES;

/** What the schedule of a result really shows, when it is run again. */
function shown(make: ProgramMaker, measure: Measure, options: WorstOptions = {}) {
  const result = exploreWorst(make, measure, { maxMs: 60_000, ...options });
  const { execution, verdict } = replaySchedule(make, result.schedule);
  expect(verdict).not.toBeNull();
  expect(measure.extreme(execution, AS_TAKEN).value).toBe(result.value);
  return { ...result, execution };
}

test('largest antichains: against all subsets of small orders', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 7 }),
      fc.array(fc.tuple(fc.nat({ max: 6 }), fc.nat({ max: 6 }))),
      (count, pairs) => {
        const less = Array.from({ length: count }, () => new Set<number>());
        for (const [a, b] of pairs) if (a < b && b < count) less[a]!.add(b);
        for (let k = 0; k < count; k++)
          for (let a = 0; a < count; a++)
            if (less[a]!.has(k)) for (const b of less[k]!) less[a]!.add(b);
        const apart = (set: number[]): boolean =>
          set.every((a) => set.every((b) => !less[a]!.has(b)));
        let most = 0;
        for (let mask = 0; mask < 1 << count; mask++) {
          const set = Array.from({ length: count }, (_, i) => i).filter((i) => mask & (1 << i));
          if (apart(set)) most = Math.max(most, set.length);
        }
        const found = largestAntichain(count, (a, b) => less[a]!.has(b));
        expect(apart(found)).toBe(true);
        expect(found.length).toBe(most);
      },
    ),
    { numRuns: 500, seed: 3 },
  );
});

/** A step's CPU and word, and the event that follows it. */
type Move = [word: number, event?: [kind: number, a: number]];

/** CPUs that store to words, in a module if any; table t is word t. */
function stores(...cpus: Move[][]): ProgramMaker {
  return storesIn('', ...cpus);
}

function storesIn(module: string, ...cpus: Move[][]): ProgramMaker {
  return ({ slots, event }) => ({
    cpus: cpus.length,
    words: 16,
    sites: [{ file: `${module}.ts`, module, line: 1, function: '', operation: 'store' }],
    kernel: { counterWord: () => 0, tableWord: (table) => table },
    *run(cpu) {
      for (const [word, after] of cpus[cpu]!) {
        slots[SLOT_ADDRESS] = word * 4;
        slots[SLOT_VALUE] = 1;
        yield STORE;
        if (after !== undefined) event(after[0], after[1], 0);
      }
    },
  });
}

const zapWalk = openScenario({ scenario: 'zapWalk' }).make;

describe('values argued by hand', () => {
  test('a table retired and freed by one CPU, another one independent: all its steps may lie between', () => {
    const make = stores(
      [[8, [EVENT_TABLE_DETACH, 1]], [9], [10, [EVENT_TABLE_FREE, 1]]],
      [[11], [12], [13]],
    );
    const result = shown(make, retireToFree);
    // One class of executions; between are word 9 and the other CPU's three steps.
    expect(result).toMatchObject({ value: 4, bound: 'exact', from: 1, to: 5 });
    expect(result.distribution).toEqual([[4, 1]]);
    expect(result.schedule).toEqual([0, 0, 1, 1, 1, 0]);
  });

  test('a table that is freed before another is retired is not held back with it', () => {
    const free = (table: number): Move => [8 + table, [EVENT_TABLE_FREE, table]];
    const retire = (table: number): Move => [8 + table, [EVENT_TABLE_DETACH, table]];
    const one = [retire(1), free(1), retire(2), free(2)];
    expect(shown(stores(one, [retire(3), free(3)]), held).value).toBe(2);
    expect(shown(stores([retire(1), retire(2), free(1), free(2)], [retire(3)]), held).value).toBe(
      3,
    );
    // CPU 1 first stores to the word of table 1: before it is retired, after, or when it has been freed.
    const result = shown(stores([retire(1), retire(2), free(1)], [[9], retire(3)]), held);
    expect(result.distribution).toEqual([
      [2, 1],
      [3, 2],
    ]);
  });

  test('a reader whose access nothing orders after the retirement sees as many grace periods as there are', () => {
    const gp = (g: number): Move[] => [
      [8, [EVENT_GP_START, g]],
      [8, [EVENT_GP_END, g]],
    ];
    const writer: Move[] = [...gp(1), [9, [EVENT_TABLE_DETACH, 1]], ...gp(2), ...gp(3)];
    const result = shown(stores(writer, [[1]]), age);
    expect(result.value).toBe(3);
    if (result.verdict.kind !== 'violation') expect.fail(result.verdict.kind);
    expect(result.verdict.error).toBeInstanceOf(MeasureError);
    expect(result.verdict.error.message).toBe(
      'grace-period: table 1 is touched after it was retired and 2 full grace periods passed',
    );
    // An access that comes before the end of the grace period in every order.
    const waiting: Move[] = [[9, [EVENT_TABLE_DETACH, 1]], [10, [EVENT_GP_START, 1]], [1]];
    const patient = shown(stores([...waiting, [8, [EVENT_GP_END, 1]]], [[11]]), age);
    expect(patient.value).toBe(1);
    expect(patient.verdict.kind).toBe('passes');
  });

  test('neither the check at freeing nor the hardware walker, which waits for flushes, is a reader', () => {
    const moves: Move[][] = [[[9, [EVENT_TABLE_DETACH, 1]]], [[1]]];
    expect(shown(storesIn('walkers', ...moves), age).value).toBe(1);
    for (const module of ['table', 'access'])
      expect(shown(storesIn(module, ...moves), age).value).toBe(0);
  });

  test('a walker in a table that is retired under it: pipe count 1', () => {
    const result = shown(zapWalk, age);
    expect(result).toMatchObject({ value: 1, bound: 'exact', verdict: { kind: 'passes' } });
    expect(result.distribution.map(([value]) => value)).toEqual([0, 1]);
    const total = result.distribution.reduce((sum, [, executions]) => sum + executions, 0);
    expect(total).toBe(result.statistics.executions);
  });

  test('one table, so at most one is held back', () => {
    expect(shown(zapWalk, held)).toMatchObject({ value: 1, bound: 'exact' });
  });

  test('munmap with a page mapped gives up a table of each level below the top, all in one gather', () => {
    const { make } = openScenario({ scenario: 'faultMunmap' });
    const result = shown(make, held, { commuting: true });
    // The fault came first and made the three tables, or it came too late and made none.
    expect(result.distribution.map(([value]) => value)).toEqual([0, 3]);
    expect(result.bound).toBe('exact');
    const total = result.distribution.reduce((sum, [, executions]) => sum + executions, 0);
    expect(total).toBe(result.statistics.executions);
  });

  test('one fault against one zapper: it begins again at most once', () => {
    const { make } = openScenario({ scenario: 'zapFault' });
    expect(shown(make, retries, { commuting: true })).toMatchObject({
      value: 1,
      subject: { cpu: 1 },
      bound: 'exact',
    });
  });

  test('from retiring to freeing: with and without commuting operations the same, and samples show no more', () => {
    const exact = shown(zapWalk, retireToFree);
    expect(exact.bound).toBe('exact');
    expect(exact.to - exact.from).toBe(exact.value);
    expect(shown(zapWalk, retireToFree, { commuting: true }).value).toBe(exact.value);
    const sampled = shown(zapWalk, retireToFree, { strategy: 'urw', maxExecutions: 300 });
    expect(sampled.bound).toBe('at least');
    expect(sampled.value).toBeLessThanOrEqual(exact.value!);
  });
});

test('a search that begins again counts each class once', () => {
  // CPU 1 waits for the word on which both have added only when it reads 0, which the first execution does not show.
  const plain = {
    word: 0,
    value: 1,
    expected: 2,
    second: 0,
    unused: true,
    skips: false,
    failsAt: -1,
  };
  const make = programMaker({
    cpus: [
      [
        { ...plain, kind: ADD },
        { ...plain, kind: STORE, word: 1 },
      ],
      [
        { ...plain, kind: ADD },
        { ...plain, kind: LOAD, word: 1, unused: false, skips: true },
        { ...plain, kind: AWAIT, value: 2, expected: AWAIT_EQUALS },
      ],
    ],
    words: [0, 0, 0],
  });
  const { distribution, statistics } = exploreWorst(make, held, { commuting: true });
  expect(distribution).toEqual([[0, statistics.executions]]);
  let told = 0;
  let again = 0;
  exploreDpor(make, { commuting: true, onExecution: () => told++, onRestart: () => again++ });
  expect([told > statistics.executions, again]).toEqual([true, 1]);
});

/** A kernel whose grace periods end before readers have reported, without the checks that would see it earlier. */
test('grace periods that wait for nobody: a violation by age alone', () => {
  const request: ScenarioRequest = {
    scenario: 'zapWalk',
    constants: { CHECK: 0 },
    patch: {
      module: 'rcuGracePeriod',
      find: 'passed = seen === 0 || reaches(seen, gp);',
      replace: 'passed = true;',
    },
  };
  const result = shown(openScenario(request).make, age, { goOn: true });
  expect(result.value).toBe(2);
  expect(result.verdict).toMatchObject({
    kind: 'violation',
    cpu: 1,
    error: { measure: 'age', value: 2 },
  });
  const { patch, ...right } = request;
  expect(patch).toBeDefined();
  expect(shown(openScenario(right).make, age)).toMatchObject({
    value: 1,
    verdict: { kind: 'passes' },
  });
});

/** Small programs with events: tables 0 to 2, each retired and perhaps freed by one CPU; grace periods of CPU 0. */
interface EventfulProgram {
  program: SmallProgram;
  retired: { cpu: number; at: number; after: number }[];
  periods: number[];
}

const eventfulPrograms: fc.Arbitrary<EventfulProgram> = fc.record({
  program: smallPrograms(false),
  retired: fc.array(
    fc.record({
      cpu: fc.nat({ max: 3 }),
      at: fc.nat({ max: 3 }),
      after: fc.integer({ min: 1, max: 4 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  periods: fc.uniqueArray(fc.nat({ max: 4 }), { maxLength: 4 }),
});

function eventfulMaker({ program, retired, periods }: EventfulProgram): ProgramMaker {
  const ends = periods.toSorted((a, b) => a - b);
  return (host) => {
    const inner = programMaker(program)(host);
    return {
      ...inner,
      kernel: { counterWord: () => 0, tableWord: (table) => table },
      *run(cpu) {
        const coroutine = inner.run(cpu);
        let step = coroutine.next(0);
        for (let at = 0; step.done !== true; at++) {
          const result: number = yield step.value;
          for (const [table, mark] of retired.entries()) {
            if (mark.cpu !== cpu) continue;
            if (mark.at === at) host.event(EVENT_TABLE_DETACH, table, 0);
            if (mark.at + mark.after === at) host.event(EVENT_TABLE_FREE, table, 0);
          }
          if (cpu === 0 && ends.includes(at)) {
            const index = ends.indexOf(at);
            const kind = index % 2 === 0 ? EVENT_GP_START : EVENT_GP_END;
            host.event(kind, index >>> 1, 0);
          }
          step = coroutine.next(result);
        }
      },
    };
  };
}

/** The values of one execution as it went, from positions alone. */
function literal(execution: Execution) {
  const stepOf = new Map(
    execution.events.map(({ kind, a, step }) => [`${kind} ${a}`, step] as const),
  );
  let longest = 0;
  let oldest = 0;
  const spans: [from: number, to: number][] = [];
  for (let table = 0; table < 3; table++) {
    const retired = stepOf.get(`${EVENT_TABLE_DETACH} ${table}`);
    if (retired === undefined) continue;
    const freed = stepOf.get(`${EVENT_TABLE_FREE} ${table}`) ?? execution.depth;
    spans.push([retired, freed]);
    longest = Math.max(longest, freed - retired - 1);
    for (let step = retired + 1; step < freed; step++) {
      const at = step * DESCRIPTOR;
      if ((execution.stepOperation[at + D_CODE]! & KIND_MASK) === CHOOSE) continue;
      if (execution.stepOperation[at + SLOT_ADDRESS]! !== table * 4) continue;
      let count = 1;
      for (let gp = 0; gp < 2; gp++) {
        const start = stepOf.get(`${EVENT_GP_START} ${gp}`);
        const end = stepOf.get(`${EVENT_GP_END} ${gp}`);
        if (start !== undefined && end !== undefined && start > retired && end < step) count += 1;
      }
      oldest = Math.max(oldest, count);
    }
  }
  let most = 0;
  for (let step = 0; step < execution.depth; step++)
    most = Math.max(most, spans.filter(([from, to]) => from <= step && step < to).length);
  return { retireToFree: longest, held: most, age: oldest };
}

describe('against every interleaving of small programs', () => {
  test('the greatest value, class by class, and schedules that show it', () => {
    const seen = { retireToFree: 0, held: 0, age: 0 };
    fc.assert(
      fc.property(eventfulPrograms, (eventful) => {
        const make = eventfulMaker(eventful);
        const most = { retireToFree: 0, held: 0, age: 0 };
        exploreDepthFirst(make, {
          goOn: true,
          onExecution: (execution) => {
            const values = literal(execution);
            for (const name of ['retireToFree', 'held', 'age'] as const)
              most[name] = Math.max(most[name], values[name]);
          },
        });
        for (const name of ['retireToFree', 'held', 'age'] as const) {
          seen[name] = Math.max(seen[name], most[name]);
          for (const commuting of [false, true]) {
            const result = exploreWorst(make, MEASURES[name], { goOn: true, commuting });
            expect(result.value).toBe(most[name]);
            const { execution } = replaySchedule(make, result.schedule);
            expect(literal(execution)[name]).toBe(result.value);
          }
        }
      }),
      { numRuns: 300, seed: 77 },
    );
    // The programs were not all trivial.
    expect(seen).toEqual({ retireToFree: 8, held: 3, age: 2 });
  });

  test('the order computed from the steps is the order of the search', () => {
    fc.assert(
      fc.property(smallPrograms(false), (program) => {
        exploreDpor(programMaker(program), {
          goOn: true,
          onExecution: (execution, _verdict, order) => {
            const computed = orderOf(execution);
            for (let a = 0; a < execution.depth; a++)
              for (let b = 0; b < execution.depth; b++)
                expect(computed.before(a, b)).toBe(order.before(a, b));
          },
        });
      }),
      { numRuns: 100, seed: 78 },
    );
  });
});
