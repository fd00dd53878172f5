/**
 * Scenarios that take minutes, explored to their end on all cores: verdict and executions. With PTLAB_TESTS=all only.
 */

import { describe, expect, test } from 'vitest';
import { readAbout } from '../../src/explore/scenario.ts';
import { search } from '../../src/explore/search.ts';
import { findingOf } from '../../src/explore/mutants/finding.ts';
import { SLOW } from './counts.ts';
import { EVERYTHING } from './everything.ts';

/** Far above what any takes. */
const LIMIT_MS = 1_800_000;

describe('explored to the end', () => {
  test.runIf(EVERYTHING).each(Object.entries(SLOW))(
    '%s',
    async (scenario, counts) => {
      expect(readAbout(scenario).expected).toBe('passes');
      const { verdict, complete, statistics } = await search({ scenario }, { maxMs: LIMIT_MS });
      // How many are blocked depends on how the tree is divided among the threads; executions do not.
      expect([findingOf(verdict), complete, statistics.executions]).toEqual([
        null,
        true,
        counts[0],
      ]);
    },
    LIMIT_MS,
  );
});
