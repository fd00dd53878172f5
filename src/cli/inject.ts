import type { Injection } from '../machine/options.ts';
import { DEATH_KINDS } from '../machine/options.ts';
import { UsageError } from './exit.ts';
import { checkChoice, parseNumber, quoted } from './options.ts';

const RATE = { kind: 'integer', min: 1, max: 0xffff_ffff } as const;

/** What --inject can do, one line each, by its name there. */
export const INJECTIONS: Readonly<Record<string, string>> = {
  table: 'one table allocation in N fails',
  batch: 'one batch-page allocation in N fails: the gather must free a table singly',
  frame: 'one frame allocation in N fails',
  delay: 'one synchronisation point in N is followed by a random delay',
  storm: 'one synchronisation point in N interrupts a random CPU',
  resched: 'one look at need_resched in N finds it set',
  'stalled-readers': 'N CPUs stay long inside each RCU section',
  death: `KIND@CPU/AFTER: a CPU dies (${DEATH_KINDS.join('|')}) holding the lock it takes after AFTER others`,
};

/** Parses `NAME=VALUE,...` of --inject. Throws UsageError. */
export function parseInject(command: string, text: string, cpus: number): Partial<Injection> {
  const inject: Partial<Injection> = {};
  for (const part of text.split(',')) {
    const at = part.indexOf('=');
    if (at < 0) {
      throw new UsageError(
        `ptlab ${command}: --inject ${quoted(part)} is not NAME=VALUE; allowed: ${Object.keys(INJECTIONS).join(', ')}`,
      );
    }
    const name = part.slice(0, at);
    const value = part.slice(at + 1);
    checkChoice(command, '--inject', name, Object.keys(INJECTIONS));
    const key = name === 'stalled-readers' ? 'stalledReaders' : (name as keyof Injection);
    if (inject[key] !== undefined) {
      throw new UsageError(`ptlab ${command}: --inject ${name} is given twice; allowed: once`);
    }
    const what = `--inject ${name}`;
    if (key === 'death') inject.death = parseDeath(command, value, cpus);
    else if (key === 'stalledReaders') {
      inject[key] = parseNumber(command, what, value, { kind: 'integer', min: 0, max: cpus });
    } else inject[key] = parseNumber(command, what, value, RATE);
  }
  return inject;
}

function parseDeath(command: string, text: string, cpus: number): NonNullable<Injection['death']> {
  const match = /^([a-z]+)@(\d+)\/(\d+)$/.exec(text);
  if (match === null) {
    throw new UsageError(
      `ptlab ${command}: --inject death ${quoted(text)} is not KIND@CPU/AFTER; allowed: KIND ${DEATH_KINDS.join(', ')}; for example exit@1/5000`,
    );
  }
  const [, kind, cpu, after] = match as unknown as [string, string, string, string];
  checkChoice(command, '--inject death', kind, DEATH_KINDS);
  return {
    kind: kind as (typeof DEATH_KINDS)[number],
    cpu: parseNumber(command, '--inject death CPU', cpu, {
      kind: 'integer',
      min: 0,
      max: cpus - 1,
    }),
    after: parseNumber(command, '--inject death AFTER', after, { ...RATE, min: 0 }),
  };
}
