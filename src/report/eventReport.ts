import type { MachineEvent } from '../machine/events.ts';
import { table } from './table.ts';

const SHOWN = 40;
/** Of those, lines after the event that times are told from. */
const SHOWN_AFTER = 8;
/** Lines that each CPU has at least before that event, if there are few CPUs: a busy one would push out the others. */
const SHOWN_OF_CPU = 4;

interface Line {
  cpu: number;
  timeUs: number;
  text: string;
}

/**
 * Events as lines; an operation that nothing was recorded of but its beginning, its arguments and its end is one line.
 */
function merged(events: readonly MachineEvent[]): Line[] {
  const lines: Line[] = [];
  const begun = new Map<number, Line>();
  for (const { cpu, timeUs, event, text } of events) {
    const beginning = begun.get(cpu);
    if (event === 'arguments' && beginning !== undefined) {
      beginning.text = `${beginning.text} ${text}`;
      continue;
    }
    begun.delete(cpu);
    if (event === 'end' && beginning !== undefined) {
      const us = (timeUs - beginning.timeUs).toFixed(1);
      beginning.text = `${beginning.text.replace(/^begins /, '')} in ${us} us`;
      continue;
    }
    const line = { cpu, timeUs, text };
    lines.push(line);
    if (event === 'begin') begun.set(cpu, line);
  }
  return lines;
}

/** The newest `most` lines, with some of every CPU among them. */
function newest(lines: readonly Line[], most: number): Line[] {
  const cpus = new Set(lines.map((line) => line.cpu));
  const ofCpu = Math.min(SHOWN_OF_CPU, Math.floor(most / Math.max(1, cpus.size)));
  const chosen = new Set<Line>();
  for (const cpu of cpus)
    for (const line of lines.filter((one) => one.cpu === cpu).slice(-ofCpu)) chosen.add(line);
  for (const line of lines.toReversed()) if (chosen.size < most) chosen.add(line);
  return lines.filter((line) => chosen.has(line));
}

/** The events around the one that times are told from, one a line: most of them before it. Empty without events. */
export function eventLines(events: readonly MachineEvent[]): string[] {
  if (events.length === 0) return [];
  const lines = merged(events);
  const split = lines.findIndex((line) => line.timeUs > 0);
  const before = split < 0 ? lines : lines.slice(0, split);
  const after = split < 0 ? [] : lines.slice(split, split + SHOWN_AFTER);
  const right = 'right' as const;
  return [
    'last events, by the clock (us):',
    ...table(
      [{ title: '', align: right }, { title: '' }, { title: '' }],
      [...newest(before, SHOWN - after.length), ...after].map(({ timeUs, cpu, text }) => [
        `${timeUs > 0 ? '+' : ''}${timeUs.toFixed(1)}`,
        `CPU ${cpu}`,
        text,
      ]),
      '  ',
    ),
    '',
  ];
}
