/**
 * The known races under each protocol. A cell of the table says one of three things:
 *
 *   found      the mutant that has the race is found, by `found`, and the kernel without it, with the same choices and
 *              constants, is explored to the end in `counts` executions, without a violation;
 *   harmless   the mutant is explored to the end itself, in `counts` executions, without a violation: `harmless` is the
 *              reason;
 *   absent     the protocol does not have the code that the mutant breaks, or cannot run it: `absent` is the reason.
 *
 * Protocols come from the protocols (ways.ts): one that has no cells is explored within bounds. The numbers change with
 * the kernel; this is the one place to update them. In cells with `slow` that takes too long for a test: it stands
 * there what `ptlab explore` said; their mutants are found all the same.
 */

import { describe, expect, test } from 'vitest';
import { findingOf } from '../../src/explore/mutants/finding.ts';
import { hunt } from '../../src/explore/mutants/hunt.ts';
import { MUTANTS, RACES, type Finding } from '../../src/explore/mutants/index.ts';
import {
  openScenario,
  readAbout,
  unpatched,
  type ScenarioRequest,
} from '../../src/explore/scenario.ts';
import { exploreDpor } from '../../src/explore/strategies/dpor.ts';
import type { SearchResult } from '../../src/explore/verdict.ts';
import { newWays, WAYS } from './ways.ts';

/** A way of ways.ts. */
type Under = string;

/** Executions, blocked ones. */
type Counts = readonly [executions: number, blocked: number];

type Cell =
  | { found: Finding; counts: Counts }
  | { found: Finding; slow: string }
  | { harmless: string; counts: Counts }
  | { absent: string };

interface Race {
  race: number;
  mutant: string;
  scenario: string;
  /** Over those of mutant and scenario. */
  constants?: Readonly<Record<string, number>>;
  under: Readonly<Record<Under, Cell>>;
}

const found = (by: Finding, ...counts: [number, number]): Cell => ({ found: by, counts });
const slow = (by: Finding, took: string): Cell => ({ found: by, slow: took });
const harmless = (reason: string, ...counts: [number, number]): Cell => ({
  harmless: reason,
  counts,
});
const absent = (reason: string): Cell => ({ absent: reason });

const NO_FAST_PATH = 'nothing is detached under the PTE lock of a zap: nobody tries the PMD lock';
const NEVER_RECLAIMS = 'no table goes before munmap';
const MOVER_COUNTS =
  'the mover counts itself into both tables: neither becomes zero before it is done';
const MOVER_EXCLUDES = 'the mover holds the lock that whoever frees the table takes for write';
const INTERRUPTED = 'collapse waits for an interrupt of every CPU, and GUP-fast has them off';
const INTERRUPTED_GUP = 'GUP-fast has interrupts off from the first read to its second look';
const NOT_COUNTED = 'visitors are not counted';
const SCANS_AGAIN = 'the table is looked at again under both locks, whatever the zap saw';

const TABLE: readonly Race[] = [
  {
    race: 1,
    mutant: 'free-at-once',
    scenario: 'munmapWalk',
    under: {
      none: found('table-use-after-free', 12, 0),
      sync: found('table-use-after-free', 12, 0),
      async: found('table-use-after-free', 12, 0),
      'async, eager': found('table-use-after-free', 12, 0),
      'pte-refcount': found('plain race', 558, 0),
      'pt-rwsem, scan': found('table-use-after-free', 34, 0),
      'pt-rwsem, count': found('table-use-after-free', 34, 0),
      'mmap-write': found('table-use-after-free', 12, 0),
    },
  },
  {
    race: 1,
    mutant: 'free-at-once',
    scenario: 'zapWalk',
    under: {
      none: harmless(NEVER_RECLAIMS, 6, 0),
      sync: found('table-use-after-free', 15, 0),
      async: found('table-use-after-free', 15, 0),
      'async, eager': found('table-use-after-free', 31, 0),
      'pte-refcount': found('table-use-after-free', 221, 0),
      'pt-rwsem, scan': found('table-use-after-free', 48, 0),
      'pt-rwsem, count': found('table-use-after-free', 48, 0),
      'mmap-write': found('table-use-after-free', 10, 0),
    },
  },
  {
    race: 2,
    mutant: 'free-after-interrupt',
    scenario: 'munmapWalk',
    under: {
      none: found('table-use-after-free', 60, 0),
      sync: found('table-use-after-free', 60, 0),
      async: found('table-use-after-free', 60, 0),
      'async, eager': found('table-use-after-free', 60, 0),
      'pte-refcount': found('table-use-after-free', 2350, 0),
      'pt-rwsem, scan': found('plain race', 170, 0),
      'pt-rwsem, count': found('plain race', 170, 0),
      'mmap-write': found('table-use-after-free', 60, 0),
    },
  },
  {
    race: 2,
    mutant: 'free-after-interrupt',
    scenario: 'zapWalk',
    under: {
      none: harmless(NEVER_RECLAIMS, 12, 0),
      sync: found('table-use-after-free', 45, 0),
      async: found('table-use-after-free', 45, 0),
      'async, eager': found('table-use-after-free', 124, 0),
      'pte-refcount': harmless('a visitor counts; who comes late finds the count zero', 1659, 17),
      'pt-rwsem, scan': found('plain race', 240, 0),
      'pt-rwsem, count': found('plain race', 240, 0),
      'mmap-write': found('table-use-after-free', 30, 0),
    },
  },
  {
    // Control: GUP-fast has interrupts off, so that the interrupt waits for it.
    race: 2,
    mutant: 'free-after-interrupt',
    scenario: 'zapGup',
    under: {
      sync: harmless(INTERRUPTED_GUP, 99, 8),
      async: harmless(INTERRUPTED_GUP, 160, 5),
      'pte-refcount': harmless(INTERRUPTED_GUP, 101, 8),
      'pt-rwsem, scan': harmless(INTERRUPTED_GUP, 1078, 45),
      'mmap-write': harmless(INTERRUPTED_GUP, 134, 10),
    },
  },
  {
    race: 3,
    mutant: 'fast-path-after-break',
    scenario: 'zapRefill',
    under: {
      none: harmless(NEVER_RECLAIMS, 192, 0),
      sync: found('nonempty-table-freed', 1368, 0),
      async: harmless(SCANS_AGAIN, 9660, 0),
      'async, eager': slow('nonempty-table-freed', '57084 executions and 0 blocked'),
      'pte-refcount': harmless(
        'a table goes when its count is zero, not when a zap says so',
        39992,
        704,
      ),
      'pt-rwsem, scan': harmless(SCANS_AGAIN, 8792, 0),
      'pt-rwsem, count': absent('as with a scan: the answer is a count, but the same code asks'),
      'mmap-write': harmless(SCANS_AGAIN, 1456, 0),
    },
  },
  {
    race: 4,
    mutant: 'move-without-pmd-check',
    scenario: 'uffdMoveZap',
    under: {
      none: harmless(NEVER_RECLAIMS, 80, 0),
      sync: found('lost-entry', 5120, 0),
      async: slow('lost-entry', 'more than 160128 executions; scanUffdMove is the scan alone'),
      'async, eager': slow('lost-entry', 'more than the same under async'),
      'pte-refcount': absent(MOVER_COUNTS),
      'pt-rwsem, scan': harmless(MOVER_EXCLUDES, 9924, 0),
      'pt-rwsem, count': absent('as with a scan: who frees takes the same lock'),
      'mmap-write': harmless(MOVER_EXCLUDES, 1140, 0),
    },
  },
  {
    race: 4,
    mutant: 'move-without-pmd-check',
    scenario: 'scanUffdMove',
    under: { async: found('lost-entry', 36113, 0) },
  },
  {
    race: 5,
    mutant: 'retract-stale-pmd',
    scenario: 'retractReclaim',
    under: {
      none: harmless('only retraction itself frees tables that are in use', 60, 0),
      sync: found('accounting', 178, 0),
      async: found('accounting', 5524, 0),
      'async, eager': found('accounting', 7028, 0),
      'pte-refcount': absent('there is nothing to retract: a table goes with its last entry'),
      'pt-rwsem, scan': harmless('retraction takes the lock for write before it looks', 23523, 0),
      'pt-rwsem, count': absent('as with a scan: retraction takes the same lock'),
      'mmap-write': found('accounting', 316, 0),
    },
  },
  {
    race: 6,
    mutant: 'speculative-without-pmd-check',
    scenario: 'speculativeZap',
    under: {
      none: harmless(NEVER_RECLAIMS, 12, 0),
      sync: found('lost-entry', 227, 0),
      async: found('lost-entry', 621, 0),
      'async, eager': found('lost-entry', 9889, 0),
      'pte-refcount': harmless('the fault counts itself into the table that it locks', 5739, 62),
      'pt-rwsem, scan': found('lost-entry', 3111, 0),
      'pt-rwsem, count': found('lost-entry', 3111, 0),
      'mmap-write': harmless('a writer of mmap_lock moves the sequence on', 396, 0),
    },
  },
  {
    race: 7,
    mutant: 'gup-no-pmd-look',
    scenario: 'collapseGup',
    under: {
      none: found('expectation', 20, 4),
      sync: found('expectation', 20, 4),
      async: found('expectation', 20, 4),
      'async, eager': found('expectation', 20, 4),
      'pte-refcount': found('expectation', 20, 4),
      'pt-rwsem, scan': found('expectation', 149, 26),
      'pt-rwsem, count': found('expectation', 149, 26),
      'mmap-write': found('expectation', 20, 4),
    },
  },
  {
    // Control: on a machine on which collapse interrupts every CPU the second look is not needed.
    race: 7,
    mutant: 'gup-no-pmd-look',
    scenario: 'collapseGup',
    constants: { COLLAPSE_INTERRUPTS: 1 },
    under: {
      none: harmless(INTERRUPTED, 14, 1),
      sync: harmless(INTERRUPTED, 14, 1),
      async: harmless(INTERRUPTED, 14, 1),
      'async, eager': harmless(INTERRUPTED, 14, 1),
      'pte-refcount': harmless(INTERRUPTED, 14, 1),
      'pt-rwsem, scan': harmless(INTERRUPTED, 100, 2),
      'pt-rwsem, count': harmless(INTERRUPTED, 100, 2),
      'mmap-write': harmless(INTERRUPTED, 14, 1),
    },
  },
  {
    race: 8,
    mutant: 'count-from-zero',
    scenario: 'countPutFault',
    under: {
      none: absent(NOT_COUNTED),
      sync: absent(NOT_COUNTED),
      async: absent(NOT_COUNTED),
      'async, eager': absent(NOT_COUNTED),
      'pte-refcount': found('accounting', 103, 2),
      'pt-rwsem, scan': absent(NOT_COUNTED),
      'pt-rwsem, count': absent('entries are counted, visitors are not: they hold the lock'),
      'mmap-write': absent(NOT_COUNTED),
    },
  },
  {
    race: 9,
    mutant: 'grace-period-too-few',
    scenario: 'munmapWalk',
    under: {
      none: found('table-use-after-free', 12, 0),
      sync: found('table-use-after-free', 12, 0),
      async: found('table-use-after-free', 12, 0),
      'async, eager': found('table-use-after-free', 12, 0),
      'pte-refcount': found('plain race', 558, 0),
      'pt-rwsem, scan': found('plain race', 34, 0),
      'pt-rwsem, count': found('plain race', 34, 0),
      'mmap-write': found('table-use-after-free', 12, 0),
    },
  },
  {
    race: 9,
    mutant: 'grace-period-too-few',
    scenario: 'zapWalk',
    under: {
      none: absent(`${NEVER_RECLAIMS}: rcuBarrier waits for nothing`),
      sync: found('grace-period', 15, 0),
      async: found('grace-period', 15, 0),
      'async, eager': found('grace-period', 31, 0),
      'pte-refcount': found('grace-period', 221, 0),
      'pt-rwsem, scan': found('grace-period', 48, 0),
      'pt-rwsem, count': found('grace-period', 48, 0),
      'mmap-write': found('grace-period', 10, 0),
    },
  },
  {
    race: 10,
    mutant: 'blocking-pmd-lock',
    scenario: 'zapBroken',
    under: {
      none: absent(NO_FAST_PATH),
      sync: slow('deadlock', '45592 executions and 0 blocked'),
      async: absent(NO_FAST_PATH),
      'async, eager': slow('deadlock', 'more than 3904 executions'),
      'pte-refcount': absent(NO_FAST_PATH),
      'pt-rwsem, scan': absent(NO_FAST_PATH),
      'pt-rwsem, count': absent(NO_FAST_PATH),
      'mmap-write': absent(NO_FAST_PATH),
    },
  },
];

/** Control of race 5: a different table, as empty as the one that retraction saw, may go in its stead. */
const RETRACT_REFILL: Readonly<Record<Under, Counts>> = {
  none: [187, 0],
  sync: [259, 0],
  async: [5669, 0],
  'async, eager': [7304, 0],
  'mmap-write': [518, 0],
};

interface Case extends Omit<Race, 'under'> {
  under: Under;
  cell: Cell;
}

const CASES: readonly Case[] = TABLE.flatMap(({ under, ...race }) =>
  Object.entries(under).map(([name, cell]) => ({ ...race, under: name as Under, cell })),
);

/** Far above what any exploration here takes. */
const LIMITS = { commuting: true, maxMs: 120_000 };

function requestOf({ scenario, mutant, constants, under }: Case): ScenarioRequest {
  return { scenario, mutant, machine: WAYS[under]!, ...(constants && { constants }) };
}

/** Command line that does the same. */
function lineOf(request: ScenarioRequest): string {
  const { scenario, mutant, machine, constants = {} } = request;
  const { protocol, emptiness, asyncEager } = machine!;
  const options = [
    mutant === undefined ? '' : ` --mutant ${mutant}`,
    ` --protocol ${protocol}`,
    emptiness === undefined ? '' : ` --emptiness ${emptiness}`,
    asyncEager === true ? ' --async-eager' : '',
    ...Object.entries(constants).map(([name, value]) => ` --constants ${name}=${value}`),
  ];
  return `ptlab explore ${scenario}${options.join('')}`;
}

/** Explores to the end, or to what is found first. */
function explored(request: ScenarioRequest): SearchResult {
  return exploreDpor(openScenario(request).make, LIMITS);
}

/** What a complete exploration without a violation is to be equal to. */
function passes(request: ScenarioRequest, [executions, blocked]: Counts): void {
  const { verdict, complete, statistics } = explored(request);
  expect(
    [findingOf(verdict), complete, statistics.executions, statistics.blocked],
    lineOf(request),
  ).toEqual([null, true, executions, blocked]);
}

/** Those that have cells: each has one of every race. A protocol that has none is explored as far as BUDGET goes. */
const KNOWN = new Set(CASES.map(({ under }) => under));
const BUDGET = 200;

test('the table has every known race under every protocol, and each is found under some', () => {
  expect(Object.keys(WAYS)).toEqual(expect.arrayContaining([...KNOWN]));
  for (const { race, mutant } of TABLE)
    expect(MUTANTS.find(({ name }) => name === mutant)).toMatchObject({ race });
  for (const [race, about] of Object.entries(RACES)) {
    const cells = CASES.filter((one) => one.race === Number(race));
    expect([...new Set(cells.map(({ under }) => under))].toSorted(), about).toEqual(
      [...KNOWN].toSorted(),
    );
    expect(
      cells.some(({ cell }) => 'found' in cell),
      about,
    ).toBe(true);
  }
});

const named = (keep: (cell: Cell) => boolean): [string, Case][] =>
  CASES.filter(({ cell }) => keep(cell)).map((one) => [
    `race ${one.race}: ${one.mutant} in ${one.scenario}, ${one.under}`,
    one,
  ]);

describe('a race is found', () => {
  test.each(named((cell) => 'found' in cell))('%s', (_, one) => {
    const request = requestOf(one);
    // Where the whole is large, what is wrong may be far from where an exhaustive search begins.
    const { verdict } =
      'slow' in one.cell
        ? hunt(openScenario(request).make, 'pct', { seed: 1, maxExecutions: 1000 })
        : explored(request);
    expect(findingOf(verdict), lineOf(request)).toBe('found' in one.cell && one.cell.found);
  });
});

describe('the kernel passes where the race could be', () => {
  test.each(named((cell) => 'found' in cell && 'counts' in cell))('%s', (_, one) => {
    const { mutant: _mutant, ...request } = unpatched(requestOf(one))!;
    passes(request, (one.cell as { counts: Counts }).counts);
  });
});

/** Whether a scenario is of no protocol in particular. */
const isGeneral = (scenario: string): boolean =>
  readAbout(scenario).machine?.protocol === undefined;
const UNCOUNTED = newWays(KNOWN).flatMap(([under, machine]) =>
  [...new Set(TABLE.map(({ scenario }) => scenario))]
    .filter(isGeneral)
    .map((scenario) => [`${scenario}, ${under}`, { scenario, machine }] as const),
);
if (UNCOUNTED.length > 0)
  describe('the kernel passes as far as it is explored under protocols without counts', () => {
    test.each(UNCOUNTED)('%s', (_, request) => {
      const { verdict } = exploreDpor(openScenario(request).make, {
        commuting: true,
        maxExecutions: BUDGET,
      });
      expect(findingOf(verdict), lineOf(request)).toBeNull();
    });
  });

describe('a race cannot be: the mutant passes', () => {
  test.each(named((cell) => 'harmless' in cell))('%s', (_, one) => {
    passes(requestOf(one), (one.cell as { counts: Counts }).counts);
  });
});

describe('a different but empty table is fine', () => {
  test.each(Object.entries(RETRACT_REFILL))('retractRefill, %s', (under, counts) => {
    passes({ scenario: 'retractRefill', machine: WAYS[under]! }, counts);
  });
});
