/** The general scenarios, which are explored under `sync` elsewhere, under the protocols that keep walkers out: no violation there either. */
import { describe, expect, test } from 'vitest';
import { findingOf } from '../../src/explore/mutants/finding.ts';
import { exploreDpor } from '../../src/explore/strategies/dpor.ts';
import { exploreSampling } from '../../src/explore/strategies/sampling.ts';
import { openScenario, type ScenarioMachine } from '../../src/explore/scenario.ts';

/** Explored to the end in seconds. */
const WHOLE = ['zapGup', 'mremapAccess'];
/** Too many interleavings under two locks more: a sample. */
const SAMPLED = [
  'zapAccess',
  'zapFault',
  'zapWalk',
  'zapZap',
  'zapMunmap',
  'zapIdle',
  'zapSpeculation',
  'mremapZap',
  'faultMunmap',
  'faultFault',
];
const SAMPLES = 40;

const MACHINES: readonly [string, ScenarioMachine][] = [
  ['mmap-write', { protocol: 'mmap-write' }],
  ['pt-rwsem, scan', { protocol: 'pt-rwsem', emptiness: 'scan' }],
  ['pt-rwsem, count', { protocol: 'pt-rwsem', emptiness: 'count' }],
];

describe.each(MACHINES)('%s', (_, machine) => {
  test.each(WHOLE)('%s', (scenario) => {
    const { make } = openScenario({ scenario, machine });
    const { verdict, complete } = exploreDpor(make, { commuting: true, maxMs: 120_000 });
    expect(verdict).toEqual({ kind: 'passes' });
    expect(complete).toBe(true);
  });

  test.each(SAMPLED)('%s, sampled', (scenario) => {
    const { make } = openScenario({ scenario, machine });
    const sampled = exploreSampling(make, { strategy: 'urw', seed: 1, maxExecutions: SAMPLES });
    expect(sampled.verdict).toEqual({ kind: 'passes' });
  });
});

test('a fault that walks without the lock of pt-rwsem is seen at once by full checks', () => {
  const request = {
    scenario: 'ptRwsemFault',
    mutant: 'fault-unannounced',
    constants: { CHECK: 2 },
  };
  const { verdict } = exploreSampling(openScenario(request).make, {
    strategy: 'random',
    seed: 1,
    maxExecutions: 1,
  });
  expect(findingOf(verdict)).toBe('lock-order');
});
