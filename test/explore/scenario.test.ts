import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { exploreDpor } from '../../src/explore/strategies/dpor.ts';
import { Execution } from '../../src/explore/execution.ts';
import { constantsOf, scenariosUnder } from '../../src/explore/about.ts';
import { SMALL } from '../../src/explore/smallMachines.ts';
import { openScenario, readAbout, scenarioNames } from '../../src/explore/scenario.ts';
import { EVENT_TABLE_DETACH, EVENT_TABLE_FREE, LEVEL_PTE } from '../../src/kernel/abi.ts';

const LIMITS = { maxExecutions: 50_000, maxMs: 60_000 };

const kinds = (execution: Execution): string =>
  execution.events
    .filter(({ a }) => a >>> 24 === LEVEL_PTE)
    .map(({ kind }) => kind)
    .filter((kind) => kind === EVENT_TABLE_DETACH || kind === EVENT_TABLE_FREE)
    .join(' ');

const steps = (scenario: ReturnType<typeof openScenario>): number => {
  const execution = new Execution(scenario.make);
  while ((execution.enabled() & 1) !== 0) execution.step(0);
  return execution.depth;
};

const explored = (choices: object) =>
  exploreDpor(openScenario({ scenario: 'zapWalk', cpus: [0], choices }).make, LIMITS);

test('every scenario says what it is about', () => {
  for (const name of scenarioNames())
    expect(readAbout(name).summary, name).toMatch(/^[^\n]{10,110}$/);
});

test('a scenario is found in whatever folder; two of one name are refused', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ptlab-folders-'));
  try {
    for (const path of ['one', 'two/three']) mkdirSync(join(folder, path), { recursive: true });
    for (const file of ['one/a.js', 'two/three/b.js', 'two/a.d.ts', 'two/b.js.map'])
      writeFileSync(join(folder, file), '');
    expect([...scenariosUnder(folder)].toSorted()).toEqual([
      ['a', join(folder, 'one/a.js')],
      ['b', join(folder, 'two/three/b.js')],
    ]);
    writeFileSync(join(folder, 'two/three/a.js'), '');
    expect(() => scenariosUnder(folder)).toThrow(
      `scenario a: ${join('one', 'a.js')}, ${join('two', 'three', 'a.js')}; allowed: one of each name`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a named kernel is a set of constants, under those of the scenario', () => {
  const about = { summary: '', source: '', expected: 'passes', kernel: 'folios' } as const;
  const constants = { GATHER_BUNDLE: 2 };
  expect(constantsOf({ ...about, constants })).toEqual({
    ...SMALL,
    PGD_BITS: 1,
    TASK_END: 127,
    FRAME_ORDER_MAX: 2,
    GATHER_BUNDLE: 2,
    CHECK_SECTIONS: 0,
  });
  expect(openScenario({ scenario: 'zapGup' }).source).toContain('const TABLE_BITS = 1;');
});

test.each([
  [{ scenario: 'noSuch' }, /noSuch: neither a file nor one of .*zapZap/],
  [{ scenario: 'zapZap', choices: { tables: 1 } as object }, /choice "tables"; allowed: table,/],
  [{ scenario: 'zapZap', choices: { table: 16 } }, /choice table: 16; allowed: 0 to 15/],
  [{ scenario: 'zapZap', cpus: [2] }, /cpus: 2; allowed: 0 to 1/],
  [{ scenario: 'zapZap', constants: { NO_SUCH: 1 } }, /none is called NO_SUCH/],
])('refused: %j', (request, message) => {
  expect(() => openScenario(request)).toThrow(message);
});

test('columns, and which CPUs are alike', () => {
  expect(openScenario({ scenario: 'zapZap' })).toMatchObject({
    columns: ['zap', 'zap'],
    alike: [0, 0],
  });
  expect(openScenario({ scenario: 'zapWalk' })).toMatchObject({
    columns: ['zap', 'walk'],
    alike: [0, 1],
  });
});

describe('the kernel’s events', () => {
  test('a table is detached and then freed, in every execution', () => {
    const seen = new Set<string>();
    const { complete } = exploreDpor(openScenario({ scenario: 'zapWalk' }).make, {
      ...LIMITS,
      onExecution: (execution) => seen.add(kinds(execution)),
    });
    expect(complete).toBe(true);
    expect([...seen]).toEqual([`${EVENT_TABLE_DETACH} ${EVENT_TABLE_FREE}`]);
  });

  test('going back forgets them, and running again does not repeat them', () => {
    const execution = new Execution(openScenario({ scenario: 'zapWalk', cpus: [0] }).make);
    const run = (): string => {
      while (execution.enabled() !== 0) execution.step(0);
      return JSON.stringify(execution.events);
    };
    const first = run();
    execution.rewind(20);
    expect(execution.events.every(({ step }) => step < 20)).toBe(true);
    expect(run()).toBe(first);
  });
});

describe('parts of a scenario', () => {
  test('CPUs that are left out do not move', () => {
    const { make } = openScenario({ scenario: 'zapZap', cpus: [1] });
    const ran = new Set<number>();
    const { verdict, complete, statistics } = exploreDpor(make, {
      onExecution: (execution) => {
        for (let step = 0; step < execution.depth; step++) ran.add(execution.stepCpu[step]!);
      },
    });
    expect(verdict).toEqual({ kind: 'passes' });
    expect([complete, statistics.executions]).toEqual([true, 1]);
    expect([...ran]).toEqual([1]);
  });

  test('statements that are left out are not carried out', () => {
    const whole = openScenario({ scenario: 'zapWalk', drop: [] });
    const at = whole.statements.findIndex(({ text }) => text.startsWith('rcuBarrier'));
    expect(whole.statements[at]).toMatchObject({ function: 'zap' });
    const less = steps(openScenario({ scenario: 'zapWalk', drop: [[0, at]] }));
    expect(less).toBeLessThan(steps(whole));
    expect(steps(openScenario({ scenario: 'zapWalk', drop: [[1, at]] }))).toBe(steps(whole));
  });
});

describe('choices of the explorer', () => {
  test('one of two allocations of batch pages that fails, or none', () => {
    const { verdict, complete, statistics } = explored({ batch: 1 });
    expect([verdict.kind, complete, statistics.executions]).toEqual(['passes', true, 3]);
  });

  test('need_resched found set, or not', () => {
    const { verdict, complete, statistics } = explored({ resched: 1 });
    expect([verdict.kind, complete, statistics.executions]).toEqual(['passes', true, 2]);
  });

  test('the hardware walks at some moment, or does not', () => {
    const [never, once] = [0, 1].map((speculation) =>
      exploreDpor(openScenario({ scenario: 'zapSpeculation', choices: { speculation } }).make, {
        ...LIMITS,
        commuting: true,
      }),
    );
    expect([never!.verdict.kind, never!.complete]).toEqual(['passes', true]);
    expect([once!.verdict.kind, once!.complete]).toEqual(['passes', true]);
    expect(once!.statistics.executions).toBeGreaterThan(never!.statistics.executions);
  });

  test('a CPU that dies with a lock: the other waits for it for ever', () => {
    const { verdict } = exploreDpor(
      openScenario({ scenario: 'spinlock', choices: { death: 1 } }).make,
      LIMITS,
    );
    if (verdict.kind !== 'unmet') expect.fail(verdict.kind);
    expect(verdict.waiters).toHaveLength(1);
  });
});

test('the scenario of the README is explored to the end', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const text = /```ts\n([^`]*'ptlab\/scenario'[^`]*)```/.exec(readme)![1]!;
  const folder = mkdtempSync(join(tmpdir(), 'ptlab-readme-'));
  try {
    const path = join(folder, 'mine.ts');
    writeFileSync(path, text);
    const { verdict, complete } = exploreDpor(openScenario({ scenario: path }).make, LIMITS);
    expect([verdict.kind, complete]).toEqual(['passes', true]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe('a scenario of one’s own, in TypeScript', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ptlab-scenario-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const mine = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const about = `export const about = { summary: 'two that add', source: 'here', expected: 'violation', memoryBytes: 64 };`;

  test('is found wrong at its own line', () => {
    mine('words.ts', `export const COUNTER: number = 4;`);
    const scenario = mine(
      'mine.ts',
      `import { expect, load, store } from 'ptlab/scenario';
import { COUNTER } from './words.ts';
${about}
function bump(_cpu: number): void {
  const before: number = load(COUNTER);
  store(COUNTER, before + 1);
}
export const cpus = [bump, bump];
export function finish(): void {
  expect(load(COUNTER) === (2 as number), 'both counted');
}
`,
    );
    const opened = openScenario({ scenario });
    expect([opened.name, opened.columns, opened.about.summary]).toEqual([
      'mine',
      ['bump', 'bump'],
      'two that add',
    ]);
    const { verdict } = exploreDpor(opened.make, LIMITS);
    if (verdict.kind !== 'violation') expect.fail(verdict.kind);
    expect(verdict.error.message).toBe('both counted');
    expect(opened.sites.find(({ function: name }) => name === 'bump')).toMatchObject({
      file: scenario,
      line: 5,
    });
  });

  test.each([
    ['enum.ts', `${about}\nenum Bad { A }`, /enum\.ts:2: TypeScript enum is not supported/],
    ['syntax.js', `${about}\nconst x = ;`, /syntax\.js:2: Unexpected token/],
    ['import.ts', `import { readFileSync } from 'fs';\n${about}`, /import of 'fs'; allowed: ptlab/],
    [
      'computed.ts',
      `export const about = { summary: String(1) };`,
      /about\.summary: must be a lit/,
    ],
    [
      'unknown.ts',
      about.replace('memoryBytes: 64', `kernel: 'big'`),
      /unknown\.ts: about\.kernel: "big"; allowed: pairs, folios/,
    ],
    [
      'words.ts',
      about.replace('memoryBytes: 64', `memoryBytes: 64, kernel: 'pairs'`),
      /about\.kernel: "pairs"; allowed: none with memoryBytes/,
    ],
    ['bare.ts', `export const cpus = [];`, /exports no const about/],
    [
      'none.ts',
      `${about}\nexport const cpus: (() => void)[] = [];`,
      /cpus: must be a list of 1 to 31/,
    ],
  ])('refused: %s', (name, text, message) => {
    expect(() => openScenario({ scenario: mine(name, text) })).toThrow(message);
  });
});
