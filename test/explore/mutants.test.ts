import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMPILED } from '../../src/explore/link/compiled.ts';
import { modulesUnder, onlyPath, patchedPaths } from '../../src/explore/link/modules.ts';
import { patched } from '../../src/explore/link/source.ts';
import { findingOf } from '../../src/explore/mutants/finding.ts';
import { hunt } from '../../src/explore/mutants/hunt.ts';
import {
  findMutant,
  MUTANTS,
  MUTANT_NAMES,
  RACES,
  type Mutant,
} from '../../src/explore/mutants/index.ts';
import { openScenario, scenarioNames } from '../../src/explore/scenario.ts';
import { EVERYTHING } from './everything.ts';

const KERNEL = [...modulesUnder(join(COMPILED, 'kernel')).values()].flat();

/** The longest that one hunt may last, far above what any takes. */
const LIMIT_MS = 50_000;

/** Executions that the hunts of `npm test` may take together, so that more mutants do not make it longer. */
const EXECUTIONS = 60_000;

describe('the catalogue', () => {
  test.each(MUTANTS)('$name: its text stands once in its module', ({ patch }) => {
    const text = readFileSync(onlyPath(patchedPaths(KERNEL, patch), patch), 'utf8');
    expect(patched(text, patch)).not.toBe(text);
  });

  test('names are unique, and words joined by hyphens', () => {
    expect(new Set(MUTANT_NAMES).size).toBe(MUTANTS.length);
    for (const name of MUTANT_NAMES) expect(name).toMatch(/^[a-z]+(-[a-z]+)+$/);
  });

  test('every known race has a mutant, and every mutant scenarios that there are', () => {
    const races = new Set(MUTANTS.flatMap(({ race }) => race ?? []));
    expect([...races].toSorted((a, b) => a - b)).toEqual(Object.keys(RACES).map(Number));
    for (const { scenarios, controls = [] } of MUTANTS)
      for (const scenario of [...scenarios, ...controls])
        expect(scenarioNames()).toContain(scenario);
  });
});

function found({ name, scenarios, findings, quick }: Mutant): void {
  const { strategy, executions, seed = 1 } = quick;
  const { make } = openScenario({ scenario: scenarios[0], mutant: name });
  const options = { seed, maxExecutions: executions, maxMs: LIMIT_MS };
  const { verdict } = hunt(make, strategy, options);
  const again = `ptlab explore ${scenarios[0]} --mutant ${name} --strategy ${strategy} --seed ${seed}`;
  expect(findings, again).toContain(findingOf(verdict));
}

/** The cheapest hunts that fit into EXECUTIONS, and those that do not. */
function shared(): { quick: Mutant[]; left: Mutant[] } {
  let executions = 0;
  const quick = MUTANTS.toSorted((a, b) => a.quick.executions - b.quick.executions).filter(
    (mutant) => (executions += mutant.quick.executions) <= EXECUTIONS,
  );
  return { quick, left: MUTANTS.filter((mutant) => !quick.includes(mutant)) };
}

const { quick, left } = shared();

describe(`${quick.length} of ${MUTANTS.length} mutants are found, ${left.length} left to npm run test:hunts`, () => {
  test.each(quick)('$name', found);
  test.runIf(EVERYTHING).each(left)('$name', found);
});

describe('what a mutant does not break', () => {
  const controls = MUTANTS.flatMap(({ name, controls: names = [] }) =>
    names.map((scenario) => ({ name, scenario })),
  );
  test.each(controls)('$name passes $scenario', ({ name, scenario }) => {
    const { make } = openScenario({ scenario, mutant: name });
    const { verdict, complete } = hunt(make, 'dpor', { maxMs: LIMIT_MS });
    expect(verdict).toEqual({ kind: 'passes' });
    expect(complete).toBe(true);
  });
});

describe('asking for a mutant', () => {
  test('an unknown one is refused, and what is allowed is named', () => {
    expect(findMutant('none')).toBeNull();
    expect(() => openScenario({ scenario: 'zapZap', mutant: 'none' })).toThrow(
      /mutant "none"; allowed: free-at-once, /,
    );
  });

  test('a patch beside it is refused', () => {
    const patch = { module: 'zap', find: 'x', replace: 'y' };
    const request = { scenario: 'zapZap', mutant: 'free-at-once', patch };
    expect(() => openScenario(request)).toThrow('a mutant and a patch; allowed: one of them');
  });

  test('what the request says goes over what the mutant says', () => {
    const request = { scenario: 'spinlock', mutant: 'mcs-hand-over-lost' };
    expect(hunt(openScenario(request).make, 'dpor', {}).verdict.kind).toBe('unmet');
    const other = openScenario({ ...request, machine: { lock: 'ticket' } });
    expect(hunt(other.make, 'dpor', {}).verdict).toEqual({ kind: 'passes' });
  });
});
