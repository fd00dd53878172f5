import { expect, it } from 'vitest';
import { peersOf } from '../../bench/measurement.ts';
import { suites } from '../../bench/suite/index.ts';

it.each(suites.map((suite) => [suite.name, suite] as const))(
  'suite %s measures ptlab without any peer, and ends its machines',
  async (_, suite) => {
    await using open = await suite.open({ peers: null, roundMs: 1, quick: true });
    const names = open.measurements.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(0);
    for (const measurement of open.measurements) {
      const cost = await measurement.runRound();
      expect(cost, measurement.name).toBeGreaterThan(0);
      expect(cost, measurement.name).toBeLessThan(Infinity);
    }
    for (const measurement of open.measurements)
      if (measurement.peerOf !== undefined && suite.name === 'growth')
        expect(
          open.measurements.some((other) =>
            peersOf(other, open.measurements).includes(measurement),
          ),
        ).toBe(true);
  },
  120_000,
);
