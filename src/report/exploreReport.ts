/** What an exploration found, as text. */
import { describeCoverage } from '../explore/strategies/interleavings.ts';
import type { ExplainedFailure } from '../explore/failure/explain.ts';
import { renderFailure } from '../explore/failure/render.ts';
import { formatSchedule } from '../explore/scheduleText.ts';
import type { Scenario } from '../explore/scenario.ts';
import type { SearchOutcome } from '../explore/search.ts';
import type { Schedule, Verdict, Waiter } from '../explore/verdict.ts';
import { formatAddress, formatCount, formatDuration, formatPlural } from './format.ts';

/** What was searched for, and what came of it. */
export interface Explored {
  scenario: Scenario;
  result: SearchOutcome;
  /** The failure, if there is one, shrunk and explained. */
  failure: ExplainedFailure | null;
  /** Whether the verdict is the one that the scenario expects, as far as it was explored. */
  asExpected: boolean;
}

function waiterText({ cpu, address, site }: Waiter): string {
  const where = site === null ? '' : ` in ${site.function} (${site.file}:${site.line})`;
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

const STOPPED: Readonly<Record<SearchOutcome['ended'], string>> = {
  complete: 'complete',
  failure: 'stopped at a failure',
  executions: 'not complete (budget of executions)',
  time: 'not complete (budget of time)',
  interrupted: 'interrupted',
};

function amount({ bounded, ended, states, statistics }: SearchOutcome): string {
  const { executions, blocked, durationMs } = statistics;
  const count =
    states === undefined
      ? `${formatPlural(executions, 'execution')}${blocked > 0 ? ` and ${formatCount(blocked)} blocked` : ''}`
      : formatPlural(states, 'state');
  const within = bounded === true && ended === 'complete' ? ' within the bound' : '';
  return `${STOPPED[ended]}${within}, ${count}, ${formatDuration(durationMs)}`;
}

function worstLines({ worst }: SearchOutcome): string[] {
  if (worst === undefined) return [];
  const { measure, unit, value, bound, distribution } = worst;
  const counts = distribution.map(([at, count]) => `${at}: ${formatCount(count)}`).join(', ');
  return [
    `  ${measure}: ${value === null ? 'nothing measured' : `${bound === 'exact' ? '' : 'at least '}${value} ${unit}`}`,
    ...(distribution.length > 0 && distribution.length <= 12
      ? [`  classes of executions by greatest value: ${counts}`]
      : []),
  ];
}

/** How to draw failures and to have them again. */
interface FailureOutput {
  /** Columns of a drawing. */
  width: number;
  /** The command line of the exploration. */
  rerun: string;
  /** File that the schedule has been written to; null: none. */
  saved: string | null;
}

/** A failure explained, and how to have it again; `found` is the schedule as it was found. */
function failureLines(
  { failure }: Explored,
  found: Schedule,
  { width, rerun, saved }: FailureOutput,
): string[] {
  const lines =
    failure === null
      ? []
      : ['', ...renderFailure(failure, width - 2).map((line) => `  ${line}`.trimEnd()), ''];
  if (saved !== null) lines.push(`  saved; again: ptlab explore --replay ${saved}`);
  lines.push(
    `  ${saved === null ? 'again' : 'as found'}: ${rerun} --replay ${formatSchedule(found)}`,
  );
  return lines;
}

/** One scenario: how much was explored, and the verdict. */
export function exploredLines(explored: Explored, output: FailureOutput): string[] {
  const { scenario, result, asExpected } = explored;
  const { verdict, worst } = result;
  const [first, ...more] = verdictLines(verdict);
  const expected = scenario.about.expected;
  const lines = [`${scenario.name}: ${amount(result)}: ${first}`, ...more, ...worstLines(result)];
  if (result.coverage !== undefined)
    lines.push(`  the bound covered ${describeCoverage(result.coverage)}`);
  if (!asExpected) lines.push(`  expected: ${expected}`);
  else if (expected !== 'passes') lines.push('  as expected');
  if (verdict.kind !== 'passes') lines.push(...failureLines(explored, verdict.schedule, output));
  else if (worst !== undefined && worst.value !== null)
    lines.push(`  shown by: ${output.rerun} --replay ${formatSchedule(worst.schedule)}`);
  return lines;
}
