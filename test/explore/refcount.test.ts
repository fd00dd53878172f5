/**
 * Protocol `pte-refcount` in the general scenarios, which are not written around it: explored to the end, the verdict is what each expects. And what "zero is
 * final" means: who frees a table gains nothing by a second look.
 *
 * Longer ones, by `ptlab explore NAME --protocol pte-refcount`: faultFault 27,912 executions, faultSwap 28,520, pageoutFault, swapIn, zapBroken, zapDirty 9,819,
 * zapFault 18,325, zapFaultWalk, zapRefill, zapTwiceUse. In faultNoMemory a fault may answer 0 with nothing mapped, as its table went with the other fault's
 * page; it is tried again, which that scenario does not.
 */

import { describe, expect, test } from 'vitest';
import type { Patch } from '../../src/explore/link/coroutine.ts';
import { openScenario, readAbout } from '../../src/explore/scenario.ts';
import { exploreDpor } from '../../src/explore/strategies/dpor.ts';

const LIMITS = { commuting: true, maxMs: 120_000 };
const GENERAL = [
  'faultMunmap',
  'mremapAccess',
  'mremapFails',
  'mremapFault',
  'mremapWalk',
  'mremapZap',
  'munmapNoMemory',
  'munmapSpeculation',
  'pageoutPin',
  'pinOrFault',
  'protectFault',
  'protectWrite',
  'zapAccess',
  'zapGup',
  'zapGupSemiRcu',
  'zapIdle',
  'zapMunmap',
  'zapNoMemory',
  'zapSpeculation',
  'zapWalk',
  'zapZap',
];

describe('general scenarios under pte-refcount', () => {
  test.each(GENERAL)('%s', (scenario) => {
    const { make } = openScenario({ scenario, machine: { protocol: 'pte-refcount' } });
    const { verdict, complete } = exploreDpor(make, LIMITS);
    const again = `ptlab explore ${scenario} --protocol pte-refcount`;
    expect(verdict.kind, again).toBe(readAbout(scenario).expected);
    expect(complete, again).toBe(verdict.kind === 'passes');
  });
});

/** Whoever made a count zero looks at it again under the PMD lock, and at nothing else. */
const SECOND_LOOK: Patch = {
  module: 'pteRefcount',
  find: 'const linked = entryNamesTable(value) && entryNumber(value) === table;',
  replace:
    'const linked = entryNamesTable(value) && entryNumber(value) === table && load(desc + PT_COUNT) === 0;',
};

test.each(['countPutFault', 'countPutPut', 'countPutMove', 'countPutMunmap'])(
  'a second look at a count of zero changes nothing: %s',
  (scenario) => {
    const { verdict, complete, statistics } = exploreDpor(
      openScenario({ scenario, patch: SECOND_LOOK }).make,
      LIMITS,
    );
    expect(verdict).toEqual({ kind: 'passes' });
    expect(complete).toBe(true);
    expect(statistics.executions).toBeGreaterThan(10);
  },
);
