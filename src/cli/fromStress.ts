/** `ptlab stress --explore`: a violation on real threads as a scenario, and what the explorer makes of it. */
import { exploreFromRing, type RecordedRun } from '../explore/fromStress/scenarioFromRing.ts';
import { RingError } from '../explore/fromStress/window.ts';
import { formatSchedule } from '../explore/scheduleText.ts';
import { formatPlural } from '../report/format.ts';

/** What came of it. JSON. */
type FromStress =
  | {
      /** Path of the scenario, and its constants. */
      scenario: string;
      constants: Readonly<Record<string, number>>;
      /** Steps to search from, in a line. */
      from: string;
      /** Events recorded that the steps bring about in the recorded order, and that they do not. */
      eventsMet: number;
      eventsMissed: number;
      /** The failing schedule in a line, and what it ends in; null: not found. */
      schedule: string | null;
      message: string | null;
      executions: number;
    }
  /** Why it could not be tried. */
  | { refused: string };

/** Writes scenarios of the run's last operations into `folder` and searches them for the same oracle's violation. */
export function searchFromStress(run: RecordedRun, folder: string): FromStress {
  try {
    const { request, prefix, guide, verdict, executions } = exploreFromRing(run, { folder });
    return {
      scenario: request.scenario,
      constants: request.constants ?? {},
      from: formatSchedule(prefix),
      eventsMet: guide.met,
      eventsMissed: guide.missed,
      schedule: verdict === null ? null : formatSchedule(verdict.schedule),
      message: verdict === null ? null : verdict.error.message,
      executions,
    };
  } catch (error) {
    if (error instanceof RingError) return { refused: error.message };
    throw error;
  }
}

/** The same for people. */
export function fromStressLines(found: FromStress): string[] {
  if ('refused' in found) return [`explorer: ${found.refused}`];
  const { scenario, constants, from, eventsMet, eventsMissed, schedule, message } = found;
  const values = Object.entries(constants).map(([name, value]) => `${name}=${value}`);
  const command = `ptlab explore ${scenario}${values.length > 0 ? ` --constants ${values.join(',')}` : ''}`;
  const guided = `${formatPlural(eventsMet, 'recorded event')} followed, ${eventsMissed} not, ${formatPlural(found.executions, 'execution')}`;
  if (schedule === null)
    return [
      `explorer: the scenario of the last operations did not fail (${guided}); to go on:`,
      `  ${command} --from ${from}`,
    ];
  return [
    `explorer: found again (${guided}): ${message}`,
    `  ${command} --replay ${schedule}`,
    `  ${command} --from ${from}`,
  ];
}
