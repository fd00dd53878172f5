/**
 * Schedules in one line, for command lines and reports: the CPU of each step, `*N` for N steps of the same CPU, `:A`
 * for the alternative that a choice took. `0*12,1*3,0:1,0*2` is 12 steps of CPU 0, 3 of CPU 1, a choice of CPU 0 for
 * its alternative 1, 2 more steps of CPU 0.
 */

import type { Schedule } from './verdict.ts';

/** A text that is no schedule; the message says what is allowed. */
export class ScheduleError extends Error {
  override readonly name = 'ScheduleError';
}

/** Writes a schedule in one line. */
export function formatSchedule(schedule: Schedule): string {
  const parts: { text: string; count: number }[] = [];
  for (const entry of schedule) {
    const text = typeof entry === 'number' ? String(entry) : `${entry[0]}:${entry[1]}`;
    const last = parts.at(-1);
    if (last?.text === text) last.count += 1;
    else parts.push({ text, count: 1 });
  }
  return parts.map(({ text, count }) => (count === 1 ? text : `${text}*${count}`)).join(',');
}

const STEPS_MAX = 1_000_000;

/** Reads what `formatSchedule` wrote. Throws ScheduleError. */
export function parseSchedule(text: string): Schedule {
  const schedule: (number | [number, number])[] = [];
  if (text === '') return schedule;
  for (const part of text.split(',')) {
    const match = /^(\d+)(?::(\d+))?(?:\*(\d+))?$/.exec(part);
    if (match === null)
      throw new ScheduleError(
        `schedule: "${part}"; allowed: CPU, CPU*STEPS, CPU:ALTERNATIVE, separated by commas`,
      );
    const cpu = Number(match[1]);
    const count = Number(match[3] ?? 1);
    if (schedule.length + count > STEPS_MAX)
      throw new ScheduleError(`schedule: more than ${STEPS_MAX} steps`);
    for (let step = 0; step < count; step++)
      schedule.push(match[2] === undefined ? cpu : [cpu, Number(match[2])]);
  }
  return schedule;
}
