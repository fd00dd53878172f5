/**
 * The recorded order of events as a guide through a derived scenario: operations begun and ended, tables allocated,
 * detached and freed, interrupts, flushes, grace periods. The explorer follows it as far as it can, so that what
 * happens early in the run happens early in the search. Clocks of two CPUs agree to some microseconds only, and the
 * small machine is another: an event that does not come about is left out.
 *
 * How far a CPU had got within its operation when another's event came is not recorded. For the one that saw the
 * violation it is given to `follow`, and tried: `lead` steps of its last operation come before what the guide says
 * next.
 */

import * as report from '../../kernel/abi.ts';
import { LEVEL_BATCH, LEVEL_PTE } from '../../kernel/abi.ts';
import { EVENT_NAMES } from '../../machine/codes.ts';
import type { MachineEvent } from '../../machine/events.ts';
import { type Execution } from '../execution.ts';
import { type KernelEvent } from '../program.ts';
import { DESCRIPTOR, D_CODE, CHOOSE, KIND_MASK } from '../operation.ts';
import type { Schedule } from '../verdict.ts';
import type { Folding } from './fold.ts';
import type { RecordedOperation } from './recorded.ts';

/** Steps that one event is waited for. */
const STEPS_MAX = 2000;
const TABLE_LEVEL_BITS = 24;

/** An event that is to come next, of a CPU of the scenario. */
export interface GuideEvent {
  cpu: number;
  kind: number;
  /** Of a table: its level and, of a PTE table, the first page of the small one. */
  level?: number;
  page?: number;
}

const KINDS = new Map([...EVENT_NAMES].map(([code, name]) => [name, code]));
const TABLE_KINDS = [
  report.EVENT_TABLE_ALLOC,
  report.EVENT_TABLE_DETACH,
  report.EVENT_TABLE_FREE,
] as number[];
/** What does not depend on chance, or on how large the machine is. */
const FOLLOWED = [
  ...TABLE_KINDS,
  report.EVENT_BEGIN,
  report.EVENT_END,
  report.EVENT_INTERRUPT,
  report.EVENT_FLUSH,
  report.EVENT_GP_START,
  report.EVENT_GP_END,
] as number[];

/** The guide: events of the operations, in the order of the clock, up to the violation at index `until`. */
export function guideOf(
  events: readonly MachineEvent[],
  operations: readonly RecordedOperation[],
  cpus: readonly number[],
  folding: Folding,
): GuideEvent[] {
  const until = events.findIndex(({ event }) => event === 'violation');
  const indices = operations
    .flatMap(({ begin, end, events: inner }) => [begin, ...inner, end])
    .filter((index) => index < until)
    .toSorted((one, other) => one - other);
  return indices.flatMap((index) => {
    const { cpu: recorded, event, values } = events[index]!;
    const kind = KINDS.get(event) ?? 0;
    const cpu = cpus.indexOf(recorded);
    if (!FOLLOWED.includes(kind)) return [];
    if (!TABLE_KINDS.includes(kind)) return [{ cpu, kind }];
    const level = values[0] >>> TABLE_LEVEL_BITS;
    if (level === LEVEL_BATCH) return [];
    if (level !== LEVEL_PTE) return [{ cpu, kind, level }];
    const page = folding.tableOf(values[1]);
    return page === null ? [] : [{ cpu, kind, level, page }];
  });
}

function matches({ cpu, kind, a, b }: KernelEvent, wanted: GuideEvent): boolean {
  if (cpu !== wanted.cpu || kind !== wanted.kind) return false;
  if (wanted.level !== undefined && a >>> TABLE_LEVEL_BITS !== wanted.level) return false;
  return wanted.page === undefined || b === wanted.page;
}

/** How far a guide was followed. */
export interface Followed {
  schedule: Schedule;
  /** Steps taken when each event that came about had come about, rising. */
  depths: number[];
  /** Events that came about, and those that did not. */
  met: number;
  missed: number;
  /** Steps that the CPU that was to lead could take. */
  led: number;
  /** Choices that there were. */
  choices: number;
}

/** What the guide leaves open. */
interface Open {
  /** CPU that leads, and its steps once its last operation has begun. */
  cpu: number;
  lead: number;
  /** Number of the choice, from 0 up, that takes its second alternative; all others take the first. */
  trouble: number;
}

/** Follows the guide from the execution's start, and leaves the execution at its end. */
export function follow(
  execution: Execution,
  guide: readonly GuideEvent[],
  { cpu, lead, trouble }: Open,
): Followed {
  execution.rewind(0);
  const steps: Steps = { execution, schedule: [], trouble };
  const depths: number[] = [];
  let missed = 0;
  let led = 0;
  const begins = guide.findLastIndex(
    (wanted) => wanted.cpu === cpu && wanted.kind === report.EVENT_BEGIN,
  );
  // Events that come before the first step are the execution's start.
  const start = [...execution.events];
  for (const [index, wanted] of guide.entries()) {
    const early = start.findIndex((event) => matches(event, wanted));
    const before = execution.depth;
    if (early >= 0) start.splice(early, 1);
    if (early >= 0 || reach(steps, wanted)) depths.push(execution.depth);
    else {
      missed += 1;
      execution.rewind(before);
      steps.schedule.length = before;
    }
    if (index === begins)
      for (; led < lead && canMove(execution, cpu); led++)
        if (take(steps, cpu).some(({ kind }) => kind === report.EVENT_END)) break;
    if (execution.failure !== null) break;
  }
  const { schedule } = steps;
  return { schedule, depths, met: depths.length, missed, led, choices: choicesIn(schedule) };
}

/**
 * Goes on from the end of a guide until all have ended, or wait, or something has gone wrong: the leading CPU as long
 * as it can, the others when it cannot; or, `last`, the other way round.
 */
export function complete(
  execution: Execution,
  begun: Schedule,
  { cpu, trouble }: Open,
  last: boolean,
): Schedule {
  execution.rewind(begun.length);
  const steps: Steps = { execution, schedule: [...begun], trouble };
  const own = 1 << cpu;
  for (let left = STEPS_MAX; left > 0 && execution.failure === null; left--) {
    const enabled = execution.enabled();
    if (enabled === 0) break;
    const preferred = enabled & (last ? ~own : own);
    const among = preferred === 0 ? enabled : preferred;
    take(steps, 31 - Math.clz32(among & -among));
  }
  return steps.schedule;
}

interface Steps {
  execution: Execution;
  schedule: (number | readonly [number, number])[];
  trouble: number;
}

function choicesIn(schedule: Schedule): number {
  return schedule.filter((entry) => typeof entry !== 'number').length;
}

function canMove(execution: Execution, cpu: number): boolean {
  return execution.failure === null && (execution.enabled() & (1 << cpu)) !== 0;
}

/** Takes a step; gives the events that it brought. */
function take({ execution, schedule, trouble }: Steps, cpu: number): KernelEvent[] {
  const known = execution.events.length;
  const chooses = (execution.next[cpu * DESCRIPTOR + D_CODE]! & KIND_MASK) === CHOOSE;
  const choice = chooses && choicesIn(schedule) === trouble ? 1 : 0;
  execution.step(cpu, choice);
  schedule.push(chooses ? [cpu, choice] : cpu);
  return execution.events.slice(known);
}

/** Steps the CPU of `wanted` until the event comes about; others only as far as it waits for them. */
function reach(steps: Steps, wanted: GuideEvent): boolean {
  const { execution } = steps;
  for (let taken = 0; taken < STEPS_MAX; taken++) {
    const enabled = execution.enabled();
    if (enabled === 0 || execution.failure !== null) return false;
    if ((execution.finished & (1 << wanted.cpu)) !== 0) return false;
    const own = (enabled & (1 << wanted.cpu)) !== 0;
    const came = take(steps, own ? wanted.cpu : 31 - Math.clz32(enabled & -enabled));
    if (came.some((event) => matches(event, wanted))) return true;
    // Beyond the operation that it was to come in.
    const ended = came.some(({ cpu, kind }) => cpu === wanted.cpu && kind === report.EVENT_END);
    if (ended) return false;
  }
  return false;
}
