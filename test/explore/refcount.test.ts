/**
 * Protocol `pte-refcount` in the general scenarios, which are not written around it: explored to the end, the verdict
 * is what each expects.
 *
 * Longer ones, by `ptlab explore NAME --protocol pte-refcount`: faultFault 27,912 executions, faultSwap 28,520,
 * pageoutFault, swapIn, zapBroken, zapDirty 9,819, zapFault 18,325, zapFaultWalk, zapRefill, zapTwiceUse. In
 * faultNoMemory a fault may answer 0 with nothing mapped, as its table went with the other fault's page; it is tried
 * again, which that scenario does not.
 */

import { describe, expect, test } from 'vitest';
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
