/** What an exploration found, as text. */
import { formatSchedule } from '../explore/scheduleText.ts';
import type { Scenario } from '../explore/scenario.ts';
import type { SearchResult, Verdict, Waiter } from '../explore/verdict.ts';
import { formatAddress, formatCount, formatDuration, formatPlural } from './format.ts';

/** What was searched for, and what came of it. */
export interface Explored {
  scenario: Scenario;
  result: SearchResult;
  /** Whether the verdict is the one that the scenario expects, as far as it was explored. */
  asExpected: boolean;
}

function waiterText({ cpu, address, site }: Waiter): string {
  const where = site === null ? '' : ` in ${site.function} (${site.module}:${site.line})`;
  return `CPU ${cpu} waits${where} for the word at ${formatAddress(address)}`;
}

/** A verdict in a line, or a line and those who wait. */
export function verdictLines(verdict: Verdict): string[] {
  switch (verdict.kind) {
    case 'passes':
      return ['no violation'];
    case 'violation':
      return [
        `violation${verdict.cpu === null ? ' at the end' : ` by CPU ${verdict.cpu}`}: ${verdict.error.message}`,
      ];
    case 'endless':
      return [`no end after ${formatCount(verdict.schedule.length)} steps`];
    default:
      return [
        verdict.kind === 'deadlock' ? 'deadlock' : 'a wait that stays unmet for ever',
        ...verdict.waiters.map((waiter) => `  ${waiterText(waiter)}`),
      ];
  }
}

function amount({ complete, statistics }: SearchResult): string {
  const { executions, blocked, durationMs } = statistics;
  const count = `${formatPlural(executions, 'execution')}${blocked > 0 ? ` and ${formatCount(blocked)} blocked` : ''}`;
  return `${complete ? 'complete' : 'not complete'}, ${count}, ${formatDuration(durationMs)}`;
}

/** One scenario: how much was explored, and the verdict. */
export function exploredLines({ scenario, result, asExpected }: Explored, rerun: string): string[] {
  const { verdict } = result;
  const [first, ...more] = verdictLines(verdict);
  const expected = scenario.about.expected;
  const lines = [`${scenario.name}: ${amount(result)}: ${first}`, ...more];
  if (!asExpected) lines.push(`  expected: ${expected}`);
  else if (expected !== 'passes') lines.push('  as expected');
  if (verdict.kind !== 'passes' && verdict.kind !== 'endless') {
    lines.push(`  again: ${rerun} --replay ${formatSchedule(verdict.schedule)}`);
  }
  return lines;
}
