/**
 * The operations before a violation that may have to do with it: the one that saw it, and of every other CPU those that
 * worked on the same PTE tables of the same address space meanwhile, first of all those that detached or freed one of
 * them.
 */

import { LEVEL_PTE, TABLE_BITS } from '../../kernel/abi.ts';
import type { MachineEvent } from '../../machine/events.ts';
import { oracleName } from '../../machine/oracles.ts';
import type { Violation } from '../../machine/violations.ts';
import { operationsOf, rangesOf, type PageRange, type RecordedOperation } from './recorded.ts';

/** Explorer machines have so many CPUs at most. */
const CPUS_MAX = 4;
/** Tables of a long range that are looked at: its first ones and its last. */
const TABLES_OF_RANGE = 4;
const TABLE_LEVEL_BITS = 24;

/** A report whose events do not suffice to derive a scenario; the message says what is missing. */
export class RingError extends Error {
  override readonly name = 'RingError';
}

/** Numbers of the PTE tables (pages / 512) that a range lies in; of a long range some. */
export function tablesOf([from, to]: PageRange): number[] {
  const first = Math.floor(from / 2 ** TABLE_BITS);
  const last = Math.floor((to - 1) / 2 ** TABLE_BITS);
  if (last - first < TABLES_OF_RANGE)
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  return [first, first + 1, first + 2, last];
}

/** Index of the event of a violation. Throws RingError. */
function violationAt(events: readonly MachineEvent[], { cpu, oracle }: Violation): number {
  const at = events.findIndex(
    (event) =>
      event.cpu === cpu && event.event === 'violation' && oracleName(event.values[0]) === oracle,
  );
  if (at < 0)
    throw new RingError(
      `no event of the violation ${oracle} of CPU ${cpu}: run with larger rings (--events)`,
    );
  return at;
}

/**
 * Those operations, in the order of their beginnings, at most `perCpu` of a CPU; the one that saw the violation is the
 * last one of its CPU. Throws RingError when the rings do not tell what the CPU was doing.
 */
export function operationsBefore(
  violation: Violation,
  events: readonly MachineEvent[],
  perCpu: number,
): RecordedOperation[] {
  const at = violationAt(events, violation);
  const operations = operationsOf(events).filter(({ begin }) => begin < at);
  const victim = operations.findLast(
    (operation) => operation.cpu === violation.cpu && rangesOf(operation).length > 0,
  );
  if (victim === undefined)
    throw new RingError(
      `CPU ${violation.cpu}: what it was doing is not in its ring: run with larger rings (--events)`,
    );
  const tables = new Set(rangesOf(victim).flatMap(tablesOf));
  const meets = (operation: RecordedOperation): boolean =>
    operation.mm === victim.mm &&
    rangesOf(operation).some((range) => tablesOf(range).some((table) => tables.has(table)));
  const takesAway = ({ event, values: [a, b] }: MachineEvent): boolean =>
    (event === 'table-detach' || event === 'table-free') &&
    a >>> TABLE_LEVEL_BITS === LEVEL_PTE &&
    tables.has(Math.floor(b / 2 ** TABLE_BITS));
  const weight = (operation: RecordedOperation): number =>
    (operation.events.some((index) => index < at && takesAway(events[index]!)) ? 2 : 0) +
    (operation.end > victim.begin ? 1 : 0);
  const chosen = [victim];
  const cpus = new Set(operations.map(({ cpu }) => cpu));
  const byCpu = [...cpus].map((cpu) =>
    operations
      .filter((operation) => operation.cpu === cpu && operation !== victim && meets(operation))
      .filter((operation) => cpu !== victim.cpu || operation.begin < victim.begin)
      .toSorted((one, other) => weight(other) - weight(one) || other.begin - one.begin)
      .slice(0, cpu === victim.cpu ? perCpu - 1 : perCpu),
  );
  const others = byCpu
    .filter((list) => list.length > 0 && list[0]!.cpu !== victim.cpu)
    .toSorted((one, other) => weight(other[0]!) - weight(one[0]!))
    .slice(0, CPUS_MAX - 1);
  chosen.push(...others.flat(), ...byCpu.filter((list) => list[0]?.cpu === victim.cpu).flat());
  if (chosen.every(({ cpu }) => cpu === victim.cpu))
    throw new RingError(
      `no other CPU has worked on what CPU ${violation.cpu} looked at, as far as the rings tell: run with larger rings (--events)`,
    );
  return chosen.toSorted((one, other) => one.begin - other.begin);
}
