/**
 * The general scenarios, which are explored under `sync` elsewhere, under the protocols that keep walkers out: no violation there either. And those of walkers
 * of their own, userfaultfd and speculative faults, to the end under every protocol; known races are in races.test.ts.
 */
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

const UNDER = {
  none: { protocol: 'none' },
  async: { protocol: 'async' },
  refcount: { protocol: 'pte-refcount' },
  rwsem: { protocol: 'pt-rwsem' },
  mmapWrite: { protocol: 'mmap-write' },
} as const satisfies Readonly<Record<string, ScenarioMachine>>;

/**
 * Executions and blocked ones; a text: why it is not explored here. The numbers change with the kernel; the table is the one place to update them.
 */
const WALKERS: Readonly<
  Record<string, Readonly<Record<keyof typeof UNDER, readonly [number, number] | string>>>
> = {
  uffdMissing: {
    none: [141, 0],
    async: [141, 0],
    refcount: [29965, 0],
    rwsem: [1037, 0],
    mmapWrite: [141, 0],
  },
  uffdMonitored: {
    none: [45, 9],
    async: [45, 9],
    refcount: [963, 160],
    rwsem: [116, 25],
    mmapWrite: [45, 9],
  },
  uffdMarkerZap: {
    none: [248, 0],
    async: 'more than 11392 executions',
    refcount: [10792, 14],
    rwsem: [23200, 0],
    mmapWrite: [2816, 0],
  },
  uffdMoveHole: {
    none: [1, 0],
    async: [1, 0],
    refcount: [934, 0],
    rwsem: [12, 0],
    mmapWrite: [6, 0],
  },
  uffdMoveHuge: {
    none: [15, 5],
    async: [15, 5],
    refcount: [15, 5],
    rwsem: [31, 10],
    mmapWrite: [15, 5],
  },
  uffdMoveLarge: {
    none: [26552, 0],
    async: [26552, 0],
    refcount: 'more than 323407 executions',
    rwsem: 'more than 434435 executions',
    mmapWrite: [26552, 0],
  },
  uffdMoveMove: {
    none: [208, 0],
    async: [208, 0],
    refcount: 'more than 86684 executions',
    rwsem: [1680, 0],
    mmapWrite: [208, 0],
  },
  uffdMovePin: {
    none: [15, 5],
    async: [15, 5],
    refcount: [27, 5],
    rwsem: [31, 10],
    mmapWrite: [15, 5],
  },
  uffdProtectWrite: {
    none: [2, 1],
    async: [2, 1],
    refcount: [2, 1],
    rwsem: [2, 1],
    mmapWrite: [2, 1],
  },
  uffdUnregister: {
    none: [170, 0],
    async: [170, 0],
    refcount: [170, 0],
    rwsem: [170, 0],
    mmapWrite: [170, 0],
  },
  speculativeCopy: {
    none: [89, 0],
    async: 'more than 3008 executions',
    refcount: '71244 executions and 922 blocked',
    rwsem: '28705 executions and 0 blocked',
    mmapWrite: [2797, 0],
  },
  speculativeFaults: {
    none: [22, 0],
    async: [22, 0],
    refcount: '57660 executions and 0 blocked',
    rwsem: [22, 0],
    mmapWrite: [22, 0],
  },
  speculativeMunmap: {
    none: [261, 0],
    async: [261, 0],
    refcount: [2571, 4],
    rwsem: [357, 0],
    mmapWrite: [261, 0],
  },
  speculativeProtect: {
    none: [115, 0],
    async: [115, 0],
    refcount: [774, 0],
    rwsem: [211, 0],
    mmapWrite: [115, 0],
  },
  zapFault: {
    none: 'nothing is reclaimed',
    async: 'more than 4736 executions',
    refcount: 'more than 5532 executions',
    rwsem: [3724, 0],
    mmapWrite: [313, 0],
  },
  zapZap: {
    none: 'nothing is reclaimed',
    async: 'more than 5568 executions',
    refcount: [9494, 28],
    rwsem: 'more than 9024 executions',
    mmapWrite: 'more than 6848 executions',
  },
  zapGup: {
    none: 'nothing is reclaimed',
    async: [31, 0],
    refcount: [24, 0],
    rwsem: [77, 0],
    mmapWrite: [18, 0],
  },
  zapMunmap: {
    none: 'nothing is reclaimed',
    async: [381, 0],
    refcount: [846, 0],
    rwsem: 'more than 4800 executions',
    mmapWrite: [1307, 0],
  },
  zapIdle: {
    none: 'nothing is reclaimed',
    async: 'more than 5440 executions',
    refcount: [132, 1],
    rwsem: 'more than 3088 executions',
    mmapWrite: [1761, 23],
  },
};

describe('walkers of their own', () => {
  const cases = Object.entries(WALKERS).flatMap(([scenario, counts]) =>
    Object.entries(counts).map(([under, count]) => ({ scenario, under, count })),
  );
  test.each(cases.filter(({ count }) => typeof count !== 'string'))(
    '$scenario, $under',
    ({ scenario, under, count }) => {
      const { make } = openScenario({ scenario, machine: UNDER[under as keyof typeof UNDER] });
      const { verdict, complete, statistics } = exploreDpor(make, {
        commuting: true,
        maxMs: 120_000,
      });
      const { executions, blocked } = statistics;
      expect([findingOf(verdict), complete, executions, blocked]).toEqual([null, true, ...count]);
    },
  );
});
