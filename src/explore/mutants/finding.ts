/** From a search's verdict to what found the mutant. */

import { StuckError } from '../program.ts';
import { AuditError, OracleError } from '../kernelScenario.ts';
import { PlainRaceError } from '../strategies/plainWords.ts';
import { ExpectationError } from '../portable/primitives.ts';
import type { Verdict } from '../verdict.ts';
import type { Finding } from './mutant.ts';

/**
 * What a verdict says was found; null: it passes. Rethrows an error that is no finding, such as one in the mutant's own
 * text.
 */
export function findingOf(verdict: Verdict): Finding | null {
  if (verdict.kind === 'passes') return null;
  if (verdict.kind !== 'violation') return verdict.kind;
  const { error } = verdict;
  if (error instanceof OracleError && error.violations[0] !== undefined)
    return error.violations[0].oracle;
  if (error instanceof AuditError && error.report.findings[0] !== undefined)
    return error.report.findings[0].oracle;
  if (error instanceof PlainRaceError) return 'plain race';
  if (error instanceof ExpectationError) return 'expectation';
  if (error instanceof StuckError) return 'unmet';
  throw error;
}
