/** A run that is interrupted while its failure is being explained still has what the search found. */
import { expect, test } from 'vitest';
import { exploreOne } from '../../src/cli/exploreRun.ts';
import { openScenario } from '../../src/explore/scenario.ts';
import { Progress } from '../../src/report/progress.ts';

test.each([
  ['before its failure is explained', true],
  ['while it is being explained', false],
])('interrupted %s', async (_, before) => {
  const controller = new AbortController();
  const progress = new Progress(process.stderr, { quiet: true });
  // The last call before the explanation, which takes a worker thread that has to be started first.
  progress.clear = (): void => {
    if (before) controller.abort();
    else setImmediate(() => controller.abort());
  };
  const scenario = openScenario({ scenario: 'spinlock', mutant: 'tas-in-two-steps' });
  const { result, failure, asExpected } = await exploreOne(scenario, {
    settings: { workers: 1 },
    hooks: { signal: controller.signal },
    progress,
    position: '',
    explains: true,
  });
  expect(controller.signal.aborted).toBe(true);
  expect([result.ended, result.verdict.kind, failure, asExpected]).toEqual([
    'failure',
    'violation',
    null,
    false,
  ]);
});
