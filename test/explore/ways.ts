/**
 * The reclaim protocols as scenarios run them: each, in each way that it has to know an empty table, and as what its
 * options make of it besides. What is explored under protocols is explored under these, so that a new one is among them
 * without being told of here.
 */
import { ROWS } from '../../bench/protocols/rows.ts';
import type { ScenarioMachine } from '../../src/explore/scenario.ts';
import { aboutProtocol, DEFAULT_PROTOCOL } from '../../src/machine/protocols.ts';

/** By name, such as `mmap-write`, `pt-rwsem, scan` and `async, eager`. */
export const WAYS: Readonly<Record<string, ScenarioMachine>> = Object.fromEntries(
  ROWS.flatMap(({ name, machine }) => [
    [name, machine as ScenarioMachine] as const,
    ...Object.entries(aboutProtocol(machine.protocol!).also ?? {}).map(
      ([also, options]) => [`${name}, ${also}`, { ...machine, ...options }] as const,
    ),
  ]),
);

/** Scenarios that name no protocol run under this one. */
export const DEFAULT_WAY = DEFAULT_PROTOCOL;

/** The ways of protocols of which none is among `known`: of new ones, whose counts nobody has written down. */
export function newWays(known: Iterable<string>): [way: string, machine: ScenarioMachine][] {
  const protocols = new Set([...known].map((way) => WAYS[way]?.protocol));
  return Object.entries(WAYS).filter(
    ([way, { protocol }]) => way !== DEFAULT_WAY && !protocols.has(protocol),
  );
}
