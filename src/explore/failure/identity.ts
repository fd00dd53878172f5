/**
 * When two failures are the same: by the kind of verdict and by what found it. For an oracle that is its name, for an
 * expectation its text, for an audit the oracles of its findings, for waits the kind of words waited for. Numbers of
 * CPUs, tables and frames, and values, do not count: they change when a failure is shrunk.
 */

import { CpuEndedError } from '../program.ts';
import { AuditError, OracleError } from '../kernelScenario.ts';
import { PlainRaceError } from '../strategies/plainWords.ts';
import { ExpectationError } from '../portable/primitives.ts';
import type { Verdict } from '../verdict.ts';

/** What failed. JSON. */
export interface FailureIdentity {
  kind: 'violation' | 'deadlock' | 'unmet' | 'endless';
  /** What found it: an oracle's name, `audit`, `expectation`, `plain-race`, the name of an error, or empty. */
  oracle: string;
  /** What distinguishes failures that the same thing finds; empty: nothing. */
  what: string;
  /** One line for people. */
  message: string;
}

/** A verdict other than `passes`. */
export type FailingVerdict = Exclude<Verdict, { kind: 'passes' }>;

const unique = (texts: readonly string[]): string => [...new Set(texts)].toSorted().join(', ');

/** A word's name without numbers, and without what is known of it only at some moments, to compare. */
const kindOfWord = (name: string): string =>
  name
    .replace(/^lock in /, '')
    .replace(/^(PTE|PMD|PUD|PGD|BATCH|page-table) (?=lock|entry)/, '')
    .replace(/\b(0x[\da-f]+|\d+)\b/g, 'N');

function violation(error: Error): Pick<FailureIdentity, 'oracle' | 'what'> {
  if (error instanceof OracleError)
    return { oracle: error.violations[0]?.oracle ?? 'unknown', what: '' };
  if (error instanceof AuditError)
    return { oracle: 'audit', what: unique(error.report.findings.map(({ oracle }) => oracle)) };
  if (error instanceof ExpectationError) return { oracle: 'expectation', what: error.message };
  if (error instanceof PlainRaceError) return { oracle: 'plain-race', what: '' };
  if (error instanceof CpuEndedError)
    return { oracle: 'cpu-ended', what: `reason ${error.reason}` };
  return { oracle: error.name, what: error.message };
}

/** What a verdict is about; `nameOf` names words at the end of its execution, by address. */
export function identify(
  verdict: FailingVerdict,
  nameOf: (address: number) => string,
): FailureIdentity {
  const { kind } = verdict;
  if (kind === 'violation')
    return { kind, ...violation(verdict.error), message: verdict.error.message };
  if (kind === 'endless')
    return { kind, oracle: '', what: '', message: `no end after ${verdict.schedule.length} steps` };
  const words = verdict.waiters.map(({ address }) => nameOf(address));
  const message = verdict.waiters
    .map(({ cpu }, i) => `CPU ${cpu} waits for ${words[i]}`)
    .join(', ');
  return { kind, oracle: '', what: unique(words.map(kindOfWord)), message };
}

/** Whether two failures are the same one. */
export function sameFailure(a: FailureIdentity, b: FailureIdentity): boolean {
  return a.kind === b.kind && a.oracle === b.oracle && a.what === b.what;
}

/** Whether races on plain words are to be looked for when this failure is: if not, they would come before it. */
export const isPlainRace = ({ oracle }: FailureIdentity): boolean => oracle === 'plain-race';

/** Whether a verdict is one of a failure. */
export const isFailing = (verdict: Verdict): verdict is FailingVerdict => verdict.kind !== 'passes';
