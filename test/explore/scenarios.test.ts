/** Every scenario of ours that takes seconds, explored to its end: verdict and executions (counts.ts). */

import { describe, expect, test } from 'vitest';
import { exploreDpor } from '../../src/explore/strategies/dpor.ts';
import { openScenario, readAbout, scenarioNames } from '../../src/explore/scenario.ts';
import { COUNTS, SLOW } from './counts.ts';

const LIMITS = { commuting: true, maxMs: 120_000 };

test('every scenario is in exactly one of the two tables', () => {
  expect([...Object.keys(COUNTS), ...Object.keys(SLOW)].toSorted()).toEqual(scenarioNames());
});

describe('explored to the end', () => {
  test.each(Object.entries(COUNTS))('%s', (scenario, counts) => {
    const { verdict, complete, statistics } = exploreDpor(openScenario({ scenario }).make, LIMITS);
    const { expected } = readAbout(scenario);
    const unexpected = verdict.kind === 'violation' && expected !== 'violation';
    expect(unexpected ? verdict.error.message : verdict.kind).toBe(expected);
    expect([scenario, complete, statistics.executions, statistics.blocked]).toEqual([
      scenario,
      verdict.kind === 'passes',
      ...counts,
    ]);
  });
});
