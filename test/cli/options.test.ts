import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/cli/exit.ts';
import { parseInject } from '../../src/cli/inject.ts';
import { helpText, parseCommand, suggestion } from '../../src/cli/options.ts';
import type { CommandSpec } from '../../src/cli/options.ts';
import { commandLine, outcome } from '../../src/cli/outcome.ts';

const SPEC = {
  name: 'try',
  summary: 'Tries things.',
  usage: 'ptlab try FILE [options]',
  positionals: { name: 'FILE', min: 1, max: 1 },
  options: {
    cpus: { kind: 'integer', value: 'N', min: 1, max: 32, help: 'CPUs' },
    seconds: { kind: 'number', value: 'S', min: 0.1, max: 100, help: 'how long' },
    lock: { kind: 'choice', allowed: ['adaptive', 'tas'], help: 'lock kind' },
    json: { kind: 'flag', help: 'JSON' },
    quiet: { kind: 'flag', short: 'q', help: 'quiet' },
    inject: { kind: 'text', value: 'NAME=N', help: 'faults' },
  },
} as const satisfies CommandSpec;

function complaint(...args: string[]): string {
  try {
    parseCommand(SPEC, args);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  throw new Error(`${args.join(' ')} was accepted`);
}

describe('parseCommand', () => {
  it('gives typed values', () => {
    const parsed = parseCommand(SPEC, ['a.mm', '--cpus', '4', '--seconds=.5', '--json', '-q']);
    expect(parsed).toEqual({
      values: {
        cpus: 4,
        seconds: 0.5,
        lock: undefined,
        json: true,
        quiet: true,
        inject: undefined,
      },
      positionals: ['a.mm'],
      help: false,
    });
    expect(parseCommand(SPEC, ['a', '--cpus=0x10']).values.cpus).toBe(16);
    expect(parseCommand(SPEC, ['--', '--json']).positionals).toEqual(['--json']);
  });

  it('asks for nothing else with --help', () => {
    expect(parseCommand(SPEC, ['--help']).help).toBe(true);
    expect(parseCommand(SPEC, ['-h']).help).toBe(true);
  });

  it.each([
    [['a', '--cpu', '4'], 'unknown option "--cpu"; did you mean --cpus?'],
    [['a', '--zzz'], 'unknown option "--zzz"; allowed: --cpus'],
    [['a', '-x'], 'unknown option "-x"'],
    [['a', '--constructor'], 'unknown option "--constructor"'],
    [['a', '--cpus', '33'], '--cpus "33" is not allowed; allowed: a whole number from 1 to 32'],
    [['a', '--cpus', '0'], '--cpus "0" is not allowed'],
    [['a', '--cpus', '-1'], '--cpus "-1" is not allowed'],
    [['a', '--cpus', '1.5'], '--cpus "1.5" is not allowed'],
    [['a', '--cpus', 'many'], '--cpus "many" is not allowed'],
    [['a', '--cpus', ''], '--cpus "" is not allowed'],
    [
      ['a', '--seconds', '1e9'],
      '--seconds "1e9" is not allowed; allowed: a number from 0.1 to 100',
    ],
    [['a', '--seconds', 'NaN'], '--seconds "NaN" is not allowed'],
    [['a', '--cpus'], '--cpus needs a value; allowed: a whole number from 1 to 32'],
    [['a', '--cpus', '--json'], '--cpus needs a value'],
    [['a', '--lock', 'spin'], '--lock "spin" is unknown; allowed: adaptive, tas'],
    [['a', '--json=yes'], '--json takes no value, not "yes"'],
    [['a', '--cpus', '1', '--cpus', '2'], '--cpus is given twice'],
    [[], 'FILE is missing; usage: ptlab try FILE'],
    [['a', 'b'], 'argument "b" is one too many'],
    [['a', '--lock', 'x'.repeat(500)], 'x...'],
    [['a', '--lock', 'a\nb'], '"a\\nb"'],
  ])('refuses %j', (args, expected) => {
    const message = complaint(...args);
    expect(message).toContain(expected);
    expect(message).toMatch(/^ptlab try: /);
    expect(message).not.toContain('\n');
  });
});

describe('suggestion', () => {
  it('finds slips and leaves strangers alone', () => {
    expect(suggestion('stres', ['stress', 'replay'])).toBe('stress');
    expect(suggestion('rep', ['stress', 'replay'])).toBe('replay');
    expect(suggestion('frobnicate', ['stress', 'replay'])).toBeNull();
  });
});

describe('helpText', () => {
  it('shows every option with what is allowed', () => {
    const text = helpText(SPEC);
    expect(text).toMatch(/^usage: ptlab try FILE \[options\]\n/);
    for (const part of ['--cpus N', '--lock adaptive|tas', '--quiet, -q', '--help, -h']) {
      expect(text).toContain(part);
    }
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
  });
});

describe('--inject', () => {
  it('reads every kind', () => {
    const text =
      'table=100,batch=50,frame=1000,delay=200,storm=500,resched=10,stalled-readers=1,death=exit@1/5000';
    const inject = parseInject('stress', text, 4);
    expect(inject).toEqual({
      table: 100,
      batch: 50,
      frame: 1000,
      delay: 200,
      storm: 500,
      resched: 10,
      stalledReaders: 1,
      death: { kind: 'exit', cpu: 1, after: 5000 },
    });
  });

  it.each([
    ['', '--inject "" is not NAME=VALUE'],
    ['table', '"table" is not NAME=VALUE'],
    ['tables=1', '--inject "tables" is unknown; allowed: table, batch'],
    ['table=0', '--inject table "0" is not allowed'],
    ['table=x', '--inject table "x" is not allowed'],
    ['table=1,table=2', 'table is given twice'],
    ['table=1,,', '"" is not NAME=VALUE'],
    ['stalled-readers=5', 'a whole number from 0 to 4'],
    ['death=exit', '--inject death "exit" is not KIND@CPU/AFTER'],
    ['death=boom@1/2', '--inject death "boom" is unknown; allowed: exit, exception, memory'],
    [
      'death=exit@4/2',
      '--inject death CPU "4" is not allowed; allowed: a whole number from 0 to 3',
    ],
    ['__proto__=1', '--inject "__proto__" is unknown'],
  ])('refuses %j', (text, expected) => {
    expect(() => parseInject('stress', text, 4)).toThrow(UsageError);
    expect(() => parseInject('stress', text, 4)).toThrow(expected);
  });
});

describe('outcome', () => {
  it.each([
    [{ violations: 0, failure: null, stopped: null }, 'right', 0],
    [{ violations: 2, failure: null, stopped: 'interrupted' as const }, 'violation', 1],
    [{ violations: 0, failure: 'CPU 1 died', stopped: null }, 'failed', 3],
    [{ violations: 0, failure: null, stopped: 'time out' as const }, 'failed', 3],
    [{ violations: 0, failure: null, stopped: 'interrupted' as const }, 'interrupted', 130],
  ])('%j', (found, verdict, exitCode) => {
    expect(outcome(found)).toMatchObject({ verdict, exitCode });
  });
});

describe('commandLine', () => {
  it('repeats a run, without what only changes the output', () => {
    const values = { cpus: 2, lock: undefined, json: true, inject: 'table=1,death=exit@0/3' };
    expect(commandLine(SPEC, values, ["it's.mm"])).toBe(
      `ptlab try 'it'\\''s.mm' --cpus 2 --inject table=1,death=exit@0/3`,
    );
  });
});
