import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exploreDepthFirst, searchDepthFirst } from '../../src/explore/strategies/depthFirst.ts';
import { Execution } from '../../src/explore/execution.ts';
import type { SearchLimitOptions } from '../../src/explore/strategies/limits.ts';
import {
  DESCRIPTOR,
  D_CODE,
  AWAIT,
  COMPARE_EXCHANGE,
  FLAG_UNUSED,
  SLOT_ADDRESS,
  SLOT_EXPECTED,
  SLOT_VALUE,
  STORE,
  TAKE,
} from '../../src/explore/operation.ts';
import { replaySchedule } from '../../src/explore/replay.ts';
import { openScenario } from '../../src/explore/scenario.ts';
import { exploreStates } from '../../src/explore/strategies/stateCache.ts';
import { StateHash } from '../../src/explore/strategies/stateHash.ts';
import type { SearchResult } from '../../src/explore/verdict.ts';
import { programMaker, smallPrograms } from './randomPrograms.ts';
import { program } from './wordPrograms.ts';

const COUNTERS = 'counters';
const EPOCH = 'epoch';

/** States that a search without memory tells apart by `key`, and how many numbers it gives them. */
function statesOf(execution: Execution, key: (execution: Execution) => string) {
  const hash = new StateHash(execution);
  const numbers = new Map<string, string>();
  const states = new Set<string>();
  searchDepthFirst(
    execution,
    {},
    {
      enter() {
        const number = `${hash.high} ${hash.low}`;
        const state = key(execution);
        states.add(state);
        const known = numbers.has(number);
        if (known && numbers.get(number) !== state)
          throw new Error(`${state} has another's number`);
        numbers.set(number, state);
        return !known;
      },
      full: () => false,
      stepped: () => hash.stepped(),
      rewind: (depth) => hash.rewind(depth),
    },
  );
  return { states: states.size, numbers: numbers.size };
}

/** Memory and histories; those of CPUs that have ended only if `all`. */
function stateKey(execution: Execution, all: boolean): string {
  const histories: (number[] | string)[] = Array.from({ length: execution.cpus }, () => []);
  for (let step = 0; step < execution.depth; step++) {
    const code = execution.stepOperation[step * DESCRIPTOR + D_CODE]!;
    const seen = (code & FLAG_UNUSED) === 0 ? execution.stepResult[step]! : -1;
    (histories[execution.stepCpu[step]!] as number[]).push(seen);
  }
  for (let cpu = 0; cpu < execution.cpus; cpu++)
    if (!all && (execution.finished & (1 << cpu)) !== 0) histories[cpu] = 'ended';
  return JSON.stringify([...execution.words, histories]);
}

describe('states', () => {
  test.each([
    ['one counter', COUNTERS, {}, 30_062],
    ['a counter each', COUNTERS, { PATTERN: 2 }, 125],
    ['epochs 1 + 1', EPOCH, {}, 66],
    ['epochs 2 + 1', EPOCH, { READERS: 2 }, 700],
    ['epochs 1 + 2', EPOCH, { UPDATERS: 2 }, 1_082],
    ['epochs 2 + 2', EPOCH, { READERS: 2, UPDATERS: 2 }, 22_988],
  ])('%s', (_name, path, constants, states) => {
    const result = exploreStates(openScenario({ scenario: path, constants }).make);
    expect(result.verdict.kind).toBe('passes');
    expect(result.complete).toBe(true);
    const { blocked, steps } = result.statistics;
    expect(result.statistics.states).toBe(states);
    // Every state but the first was entered once, by a step.
    expect(steps).toBe(states - 1 + blocked);
    expect(result.missProbability).toBeLessThan(1e-9);
  });

  // 110,251 = the sum over i, j, k from 0 to 4 of (i + j + k)! / (i! j! k!): with every history kept, each beginning is
  // a state.
  test.each([
    ['one counter', COUNTERS, {}, 110_251],
    ['a counter each', COUNTERS, { PATTERN: 2 }, 125],
    ['epochs 1 + 1', EPOCH, {}, 74],
    ['epochs 2 + 1', EPOCH, { READERS: 2 }, 922],
    ['epochs 1 + 2', EPOCH, { UPDATERS: 2 }, 1_390],
  ])('%s, with the histories of CPUs that have ended', (_name, path, constants, states) => {
    const execution = new Execution(openScenario({ scenario: path, constants }).make);
    const seen = new Set<string>();
    searchDepthFirst(
      execution,
      {},
      {
        enter() {
          const key = stateKey(execution, true);
          return seen.size !== seen.add(key).size;
        },
        full: () => false,
        stepped: () => {},
        rewind: () => {},
      },
    );
    expect(seen.size).toBe(states);
  });

  test('equal states, and only they, have the same number', () => {
    fc.assert(
      fc.property(smallPrograms(false), (small) => {
        const { states, numbers } = statesOf(new Execution(programMaker(small)), (execution) =>
          stateKey(execution, false),
        );
        expect(numbers).toBe(states);
      }),
      { numRuns: 300, seed: 12 },
    );
  });

  test('a limit on states', () => {
    const result = exploreStates(openScenario({ scenario: COUNTERS }).make, { maxStates: 100 });
    expect(result.complete).toBe(false);
    expect(result.statistics.states).toBeLessThan(120);
  });
});

describe('the search against depth-first search without memory', () => {
  const ends = (search: (options: SearchLimitOptions) => SearchResult): string[] => {
    const seen = new Set<string>();
    const { complete } = search({
      goOn: true,
      onExecution: (execution, verdict) => {
        const who = verdict.kind === 'violation' ? verdict.cpu : execution.finished;
        seen.add(`${verdict.kind} ${who} ${execution.words.join()}`);
      },
    });
    expect(complete).toBe(true);
    return [...seen].toSorted();
  };

  test.each([
    ['passing or waiting', false, 21],
    ['failing', true, 22],
  ])('same ends and verdicts on random programs: %s', (_name, failing, seed) => {
    fc.assert(
      fc.property(smallPrograms(failing), (small) => {
        const make = programMaker(small);
        expect(ends((options) => exploreStates(make, options))).toEqual(
          ends((options) => exploreDepthFirst(make, options)),
        );
      }),
      { numRuns: 300, seed },
    );
  });

  test('a missing grace period: a schedule that replays', () => {
    const make = openScenario({
      scenario: EPOCH,
      constants: { READERS: 2, UPDATERS: 2, GRACE: 0 },
    }).make;
    const { verdict, complete } = exploreStates(make);
    if (verdict.kind !== 'violation') expect.fail(verdict.kind);
    expect(complete).toBe(false);
    expect(replaySchedule(make, verdict.schedule).verdict).toEqual(verdict);
  });

  test('deadlock and unmet waits', () => {
    const crossed = exploreStates(
      program(
        [
          [TAKE, 0, 1],
          [TAKE, 1, 1],
          [STORE, 1, 0],
          [STORE, 0, 0],
        ],
        [
          [TAKE, 1, 1],
          [TAKE, 0, 1],
          [STORE, 0, 0],
          [STORE, 1, 0],
        ],
      ),
    );
    expect(crossed.verdict.kind).toBe('deadlock');
    const missed = exploreStates(
      program(
        [
          [STORE, 0, 1],
          [STORE, 0, 2],
        ],
        [[AWAIT, 0, 1]],
      ),
    );
    expect(missed.verdict.kind).toBe('unmet');
  });
});

test('a CPU that tries again for ever: endless, after the limit on steps', () => {
  const { verdict } = exploreStates(
    ({ slots }) => ({
      cpus: 1,
      words: 1,
      sites: [],
      *run() {
        let old = 0;
        while (old === 0) {
          slots[SLOT_ADDRESS] = 0;
          slots[SLOT_EXPECTED] = 1;
          slots[SLOT_VALUE] = 2;
          old = yield COMPARE_EXCHANGE;
        }
      },
    }),
    { maxSteps: 50 },
  );
  if (verdict.kind !== 'endless') expect.fail(verdict.kind);
  expect(verdict.schedule.length).toBe(50);
});
