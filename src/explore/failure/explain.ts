/**
 * A failure explained: what failed, the steps that matter in names, what the kernel told meanwhile, who waits for whom,
 * from where on everything fails, and what passes instead. Plain data, to be printed (render.ts) or written as JSON.
 */

import * as report from '../../kernel/abi.ts';
import { LEVEL_BATCH } from '../../kernel/abi.ts';
import { LEVEL_NAMES } from '../../machine/codes.ts';
import type { KernelEvent } from '../program.ts';
import { PlainRaceError } from '../strategies/plainWords.ts';
import { openScenario, type Scenario, type ScenarioRequest } from '../scenario.ts';
import { formatSchedule } from '../scheduleText.ts';
import type { Verdict } from '../verdict.ts';
import { identify, isFailing, type FailingVerdict, type FailureIdentity } from './identity.ts';
import { recordSchedule, type RecordedStep, type Recorder } from './record.ts';
import { relevantSteps } from './relevance.ts';
import type { Switches } from './run.ts';
import { scheduleFile, type ScheduleFile } from './scheduleFile.ts';
import { shrinkFailure, type ShrinkOptions, type ShrinkStatistics } from './shrink.ts';
import { findTurningPoint, type TurningPoint, type TurningPointOptions } from './turningPoint.ts';
import { waitsOf, type Wait } from './waits.ts';

export interface ExplainOptions {
  /** Default: `{}`; false: explain the schedule as it is, as is always done with an endless one. */
  shrink?: ShrinkOptions | false;
  /** Default: `{}`; false: do not look for the point after which all fails, and for what passes. */
  turningPoint?: TurningPointOptions | false;
  /** Steps to be shown, about. Default: 20. */
  maxShown?: number;
}

/** Something that the kernel told in the course of a step. */
interface ExplainedEvent {
  step: number;
  cpu: number;
  text: string;
}

/** JSON. */
export interface ExplainedFailure {
  scenario: string;
  /** With which `openScenario` opens what failed, after shrinking. */
  request: ScenarioRequest;
  /** Function of each CPU. */
  columns: readonly string[];
  failure: FailureIdentity;
  /** The CPU that failed; null: none in particular. */
  cpu: number | null;
  switches: Switches;
  stepsTotal: number;
  /** The steps that matter, in order; `step` counts from 0. */
  steps: readonly RecordedStep[];
  events: readonly ExplainedEvent[];
  /** Who waits for whom, when nobody could move. */
  waits: readonly Wait[];
  turningPoint: TurningPoint | null;
  /** The step that decides and the one that it comes before, as sentences; null: no pair does. */
  decides: { step: number; text: string } | null;
  /** The passing schedule, as formatSchedule writes it. */
  passing: string | null;
  shrinking: ShrinkStatistics | null;
  /** The schedule to keep. */
  file: ScheduleFile;
}

function eventText({ kind, a }: KernelEvent): string | null {
  const level = a >>> 24;
  if (level === LEVEL_BATCH) return null;
  const table = `${LEVEL_NAMES.get(level) ?? '?'} table ${a & 0xffffff}`;
  if (kind === report.EVENT_TABLE_ALLOC) return `${table} allocated`;
  if (kind === report.EVENT_TABLE_DETACH) return `${table} detached`;
  if (kind === report.EVENT_TABLE_FREE) return `${table} freed`;
  if (kind === report.EVENT_GP_START) return `grace period ${a | 0} starts`;
  if (kind === report.EVENT_GP_END) return `grace period ${a | 0} ends`;
  return null;
}

function eventsOf({ run }: Recorder): ExplainedEvent[] {
  return run.execution.events.flatMap((event) => {
    const text = event.cpu < 0 ? null : eventText(event);
    return text === null ? [] : [{ step: event.step, cpu: event.cpu, text }];
  });
}

/** The accesses of a race on a plain word: the last of each of its CPUs. */
function racing(recorder: Recorder, { address, cpus }: PlainRaceError): ExplainedEvent[] {
  const name = recorder.symbols.name(address);
  return cpus.flatMap((cpu) => {
    const last = recorder.plain.findLast((access) => access.cpu === cpu);
    if (last === undefined) return [];
    const what = last.write ? 'writes' : 'reads';
    return [{ step: last.step, cpu, text: `${what} ${name} plainly in ${last.path.at(-1)}()` }];
  });
}

const sentence = ({ cpu, text }: RecordedStep): string => `CPU${cpu} ${text}`;

function decisionOf(
  scenario: Scenario,
  recorder: Recorder,
  point: TurningPoint,
): ExplainedFailure['decides'] {
  const { steps } = recorder;
  if (point.decides !== null) {
    const first = steps[point.decides.first]!;
    const { second } = point.decides;
    const begun = point.passing?.slice(0, point.decides.passing + 1) ?? [];
    const other = second === null ? recordSchedule(scenario, begun).steps.at(-1)! : steps[second]!;
    const text = `here the order decides: ${sentence(first)}, before ${sentence(other)}`;
    return { step: second ?? first.step, text };
  }
  const next = steps[point.steps];
  if (next === undefined) return null;
  const what = next.choice < 0 ? 'this step' : 'the choice';
  return { step: next.step, text: `here ${what} decides: ${sentence(next)}` };
}

/** Steps that are shown whatever else is: the last, what was chosen, and those that decide. */
function essential(
  recorder: Recorder,
  verdict: FailingVerdict,
  point: TurningPoint | null,
): number[] {
  const { steps } = recorder;
  const last = verdict.kind === 'violation' && verdict.cpu !== null ? [steps.length - 1] : [];
  const chosen = steps.filter(({ choice }) => choice > 0).map(({ step }) => step);
  const decides = point?.decides ?? null;
  const pair = decides === null ? [] : [decides.first, decides.second ?? decides.first];
  const turn = point === null || point.steps < 0 ? [] : [point.steps];
  return [...last, ...chosen, ...pair, ...turn].filter((step) => step in steps);
}

/** The message of a failure, with a word by its name where it says an address. */
function named(
  failure: FailureIdentity,
  verdict: FailingVerdict,
  recorder: Recorder,
): FailureIdentity {
  if (verdict.kind !== 'violation' || !(verdict.error instanceof PlainRaceError)) return failure;
  const name = recorder.symbols.name(verdict.error.address);
  return { ...failure, message: `${failure.message} (${name})` };
}

function smaller(
  scenario: Scenario,
  verdict: FailingVerdict,
  { shrink = {} }: ExplainOptions,
): {
  scenario: Scenario;
  schedule: FailingVerdict['schedule'];
  shrinking: ShrinkStatistics | null;
} {
  if (shrink === false || verdict.kind === 'endless')
    return { scenario, schedule: verdict.schedule, shrinking: null };
  const { request, schedule, statistics } = shrinkFailure(scenario, verdict, shrink);
  return { scenario: openScenario(request), schedule, shrinking: statistics };
}

/**
 * Explains the verdict of a search of `scenario`. Throws when the verdict is no failure or its schedule does not fail.
 */
export function explainFailure(
  scenario: Scenario,
  verdict: Verdict,
  options: ExplainOptions = {},
): ExplainedFailure {
  if (!isFailing(verdict)) throw new Error('explainFailure: the verdict is that nothing fails');
  const { scenario: small, schedule, shrinking } = smaller(scenario, verdict, options);
  const plainRaces = verdict.kind === 'violation' && verdict.error instanceof PlainRaceError;
  let recorder = recordSchedule(small, schedule, { plainRaces });
  const endless = verdict.kind === 'endless' && recorder.run.enabled() !== 0;
  const end: Verdict = endless ? { ...verdict, schedule } : recorder.run.verdict();
  if (!isFailing(end)) throw new Error('explainFailure: the schedule does not fail');
  const race = end.kind === 'violation' && end.error instanceof PlainRaceError ? end.error : null;
  if (race !== null) recorder = recordSchedule(small, schedule, { plainAddress: race.address });
  const { run, symbols } = recorder;
  const { execution, trace } = run;
  const nameOf = (address: number): string => symbols.name(address);
  const failure = named(identify(end, nameOf), end, recorder);
  const waits = end.kind === 'deadlock' || end.kind === 'unmet' ? waitsOf(recorder) : [];
  const point =
    options.turningPoint === false || endless
      ? null
      : findTurningPoint(small.make, schedule, { plainRaces, ...options.turningPoint });
  const relevant = relevantSteps(
    execution,
    (a, b) => trace.before(a, b),
    nameOf,
    options.maxShown ?? 20,
  );
  for (const step of essential(recorder, end, point)) relevant.add(step);
  const passing = point?.passing ?? null;
  return {
    scenario: small.name,
    request: small.request,
    columns: small.columns,
    failure,
    cpu: end.kind === 'violation' ? end.cpu : null,
    switches: run.switches(),
    stepsTotal: schedule.length,
    steps: recorder.steps.filter(({ step }) => relevant.has(step)),
    events: [...eventsOf(recorder), ...(race === null ? [] : racing(recorder, race))],
    waits,
    turningPoint: point,
    decides: point === null ? null : decisionOf(small, recorder, point),
    passing: passing === null ? null : formatSchedule(passing),
    shrinking,
    file: scheduleFile(small.request, failure, recorder),
  };
}
