/**
 * Schedule files: a failing schedule as JSON that can be kept, sent, and run again.
 *
 *     ptlabSchedule  1, the version of the format
 *     request        the scenario, with whatever patch, machine and constants it had (ScenarioRequest)
 *     failure        what failed (FailureIdentity)
 *     steps          [cpu, operation, function, place, word, before, after], and the alternative when it is a choice
 *
 * The CPUs and alternatives are what is run; the rest says what each step was, so that a program that has changed is
 * noticed where it departs (replayFile.ts), and so that the file can be read. A place is file and line, a word its
 * name.
 */

import type { ScenarioRequest } from '../scenario.ts';
import type { Schedule } from '../verdict.ts';
import type { FailureIdentity } from './identity.ts';
import type { Recorder } from './record.ts';

const SCHEDULE_VERSION = 1;

/** A step in a file. */
export type FileStep = readonly [
  cpu: number,
  operation: string,
  functionName: string,
  place: string,
  word: string,
  before: number,
  after: number,
  choice?: number,
];

export interface ScheduleFile {
  ptlabSchedule: typeof SCHEDULE_VERSION;
  request: ScenarioRequest;
  failure: FailureIdentity;
  steps: readonly FileStep[];
}

/** A text that is no schedule file; the message names the thing, its value, and what is allowed. */
export class ScheduleFileError extends Error {
  override readonly name = 'ScheduleFileError';
}

/** The file of a recorded failure. */
export function scheduleFile(
  request: ScenarioRequest,
  failure: FailureIdentity,
  recorder: Recorder,
): ScheduleFile {
  const steps = recorder.steps.map((step): FileStep => {
    const common = [
      step.cpu,
      step.operation,
      step.function,
      `${step.file}:${step.line}`,
      step.word,
      step.before,
      step.after,
    ] as const;
    return step.choice < 0 ? common : [...common, step.choice];
  });
  return { ptlabSchedule: SCHEDULE_VERSION, request, failure, steps };
}

/** Writes a file, a line for each step. */
export function formatScheduleFile(file: ScheduleFile): string {
  const { steps, ...head } = file;
  const lines = steps.map((step) => `    ${JSON.stringify(step)}`).join(',\n');
  const text = JSON.stringify({ ...head, steps: [] }, null, 2);
  return `${text.replace(/"steps": \[\]\n\}$/, () => `"steps": [\n${lines}\n  ]\n}`)}\n`;
}

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
};

function refuse(thing: string, value: unknown, allowed: string): never {
  throw new ScheduleFileError(`${thing}: ${shown(value)}; allowed: ${allowed}`);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isCount = (value: unknown, most: number): boolean =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;

const WORD_MAX = 0xffffffff;
const CPU_MAX = 30;
const FAILURES = ['violation', 'deadlock', 'unmet', 'endless'];

function checkStep(step: unknown, at: number): void {
  const thing = `schedule file: steps[${at}]`;
  if (!Array.isArray(step) || step.length < 7 || step.length > 8)
    refuse(thing, step, '[cpu, operation, function, place, word, before, after] and a choice');
  if (!isCount(step[0], CPU_MAX)) refuse(`${thing}, CPU`, step[0], `0 to ${CPU_MAX}`);
  for (const [index, name] of ['operation', 'function', 'place', 'word'].entries())
    if (typeof step[index + 1] !== 'string') refuse(`${thing}, ${name}`, step[index + 1], 'a text');
  for (const [index, name] of ['value before', 'value after', 'choice'].entries())
    if (index + 5 < step.length && !isCount(step[index + 5], WORD_MAX))
      refuse(`${thing}, ${name}`, step[index + 5], '0 to 4294967295');
}

function checkFailure(failure: unknown): void {
  if (!isObject(failure)) refuse('schedule file: failure', failure, 'an object');
  if (!FAILURES.includes(failure['kind'] as string))
    refuse('schedule file: failure.kind', failure['kind'], FAILURES.join(', '));
  for (const key of ['oracle', 'what', 'message'])
    if (typeof failure[key] !== 'string')
      refuse(`schedule file: failure.${key}`, failure[key], 'a text');
}

/** Reads what `formatScheduleFile` wrote. The request is checked by `openScenario`. Throws ScheduleFileError. */
export function parseScheduleFile(text: string): ScheduleFile {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (error) {
    throw new ScheduleFileError(`schedule file: no JSON: ${(error as Error).message}`);
  }
  if (!isObject(file)) refuse('schedule file', file, 'an object');
  if (file['ptlabSchedule'] !== SCHEDULE_VERSION)
    refuse('schedule file: ptlabSchedule', file['ptlabSchedule'], String(SCHEDULE_VERSION));
  const { request, failure, steps } = file;
  if (!isObject(request)) refuse('schedule file: request', request, 'an object');
  if (typeof request['scenario'] !== 'string')
    refuse('schedule file: request.scenario', request['scenario'], 'a name or a path');
  checkFailure(failure);
  if (!Array.isArray(steps)) refuse('schedule file: steps', steps, 'a list');
  for (const [at, step] of steps.entries()) checkStep(step, at);
  return file as unknown as ScheduleFile;
}

/** The schedule in a file. */
export function scheduleIn(file: ScheduleFile): Schedule {
  return file.steps.map(([cpu, , , , , , , choice]) =>
    choice === undefined ? cpu : ([cpu, choice] as const),
  );
}
