import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { exploreDpor } from '../../src/explore/strategies/dpor.ts';
import { explainFailure, type ExplainedFailure } from '../../src/explore/failure/explain.ts';
import { renderFailure } from '../../src/explore/failure/render.ts';
import { replayFile } from '../../src/explore/failure/replayFile.ts';
import { exploreSampling } from '../../src/explore/strategies/sampling.ts';
import { openScenario } from '../../src/explore/scenario.ts';

const folder = mkdtempSync(join(tmpdir(), 'ptlab-failure-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The failure of a scenario of one's own, of bare words. */
function failureOf(name: string, body: string, maxSteps = 1000): ExplainedFailure {
  const path = join(folder, `${name}.ts`);
  writeFileSync(
    path,
    `import { AWAIT_EQUALS, awaitWord, add, choose, compareExchange, expect, load, peek, poke, store, takeWord } from 'ptlab/scenario';
export const about = { summary: 'a test', source: 'none', expected: 'passes', memoryBytes: 64 };
${body}`,
  );
  const scenario = openScenario({ scenario: path });
  const { verdict } = exploreDpor(scenario.make, {
    maxExecutions: 10_000,
    maxMs: 60_000,
    maxSteps,
  });
  return explainFailure(scenario, verdict);
}

const draw = (failure: ExplainedFailure, width = 80): string =>
  renderFailure(failure, width).join('\n');

test('two locks in two orders: each CPU waits for the other', () => {
  const failure = failureOf(
    'locks',
    `const FIRST: u32 = 0;
const SECOND: u32 = 4;
function up(): void { takeWord(FIRST, 1); takeWord(SECOND, 1); store(SECOND, 0); store(FIRST, 0); }
function down(): void { takeWord(SECOND, 1); takeWord(FIRST, 1); store(FIRST, 0); store(SECOND, 0); }
export const cpus = [up, down];`,
  );
  expect(failure.failure.kind).toBe('deadlock');
  expect(failure.waits).toMatchObject([
    { cpu: 0, word: 'SECOND', on: 1, because: 'wrote it last', state: 'waits', value: '1' },
    { cpu: 1, word: 'FIRST', on: 0, because: 'wrote it last', state: 'waits' },
  ]);
  expect(failure.turningPoint).toMatchObject({ steps: 1, exact: true });
  expect(draw(failure)).toMatch(/CPU 0 waits in up \(locks\.ts:\d+\) for SECOND to be 0; it is 1;/);
  expect(replayFile(failure.file).same).toBe(true);
});

test('plain words that two CPUs touch without order', () => {
  const failure = failureOf(
    'plainWords',
    `const FLAG: u32 = 0;
const DATA: u32 = 4;
function produce(): void { store(FLAG, 1); poke(DATA, 1); store(FLAG, 2); }
function consume(): void { if (load(FLAG) !== 0) { const data = peek(DATA); store(8, data); } }
export const cpus = [produce, consume];`,
  );
  expect(failure.failure).toMatchObject({ kind: 'violation', oracle: 'plain-race' });
  expect(failure.failure.message).toMatch(/race on plain word 0x4.*\(DATA\)$/);
  const drawn = draw(failure);
  expect(drawn).toMatch(/\* writes DATA plainly in produce\(\)/);
  expect(drawn).toMatch(/\* reads DATA plainly in consume\(\)/);
  expect(failure.turningPoint?.passing).not.toBeNull();
  expect(replayFile(failure.file).same).toBe(true);
});

test('a choice that decides', () => {
  const failure = failureOf(
    'chooses',
    `const WORD: u32 = 0;
function one(): void { store(WORD, choose(3)); expect(load(WORD) !== 2, 'not two'); }
function other(): void { load(4); }
export const cpus = [one, other];`,
  );
  expect(failure.request.cpus).toEqual([0]);
  expect(failure.decides?.text).toBe('here the choice decides: CPU0 choose 2 of 0 to 2');
  expect(failure.file.steps[0]).toEqual([0, 'choose', 'one', expect.any(String), '', 0, 0, 2]);
  expect(replayFile(failure.file).same).toBe(true);
});

test('three CPUs, each of which has to come in between: switches are the fewest', () => {
  const failure = failureOf(
    'chain',
    `const A: u32 = 0;
const B: u32 = 4;
const C: u32 = 8;
function first(): void { load(B); store(A, 1); expect(load(C) !== 1, 'the chain does not close'); }
function second(): void { if (load(A) === 1) store(B, 1); }
function third(): void { if (load(B) === 1) store(C, 1); }
export const cpus = [first, second, third];`,
  );
  expect(failure.request.cpus).toBeUndefined();
  expect(failure.switches).toEqual({ preemptions: 1, all: 3 });
  expect(failure.shrinking?.fewest).toBe(true);
  expect(failure.turningPoint?.exact).toBe(true);
  expect(draw(failure, 120)).toMatch(/^CPU0 first +CPU1 second +CPU2 third\n/);
});

test('a CPU that nobody wakes', () => {
  const failure = failureOf(
    'nobody',
    `const WORD: u32 = 12;
function wait(): void { awaitWord(WORD, 0xffffffff, AWAIT_EQUALS, 7, 0); }
function idle(): void { load(4); }
export const cpus = [wait, idle];`,
  );
  expect(failure.waits).toMatchObject([{ word: 'WORD', condition: '7', value: '0', on: null }]);
  expect(draw(failure, 120)).toMatch(/for WORD to be 7; it is 0; no CPU has written it/);
});

test('what passes is found although every execution that is cut off at its failure looks the same', () => {
  const failure = failureOf(
    'cutOff',
    `const FLAG: u32 = 0;
const OWN: u32 = 4;
function check(): void { load(8); expect(load(FLAG) === 1, 'the flag is up'); }
function raise(): void { load(OWN); load(OWN); store(FLAG, 1); }
export const cpus = [check, raise];`,
  );
  expect(failure.request.cpus).toBeUndefined();
  expect(failure.turningPoint).toMatchObject({
    steps: 1,
    exact: true,
    decides: { first: 1, second: null, passing: 3 },
  });
  expect(failure.decides).toEqual({
    step: 1,
    text: 'here the order decides: CPU0 load FLAG: 0, before CPU1 store FLAG: 0 -> 1',
  });
});

test('a failure of a search that does not look for races on plain words is that one', () => {
  const scenario = openScenario({
    scenario: 'spinlock',
    machine: { lock: 'tas' },
    patch: {
      module: 'tas',
      find: 'return compareExchange(lock + LOCK_WORD, 0, cpuId() + 1) === 0;',
      replace: `if (compareExchange(lock + LOCK_WORD, 0, 0) !== 0) return false;
        store(lock + LOCK_WORD, cpuId() + 1);
        return true;`,
    },
  });
  const { verdict } = exploreSampling(scenario.make, { strategy: 'random', maxExecutions: 1000 });
  const failure = explainFailure(scenario, verdict);
  expect(failure.failure.oracle).toBe('lock-order');
  expect(replayFile(failure.file).same).toBe(true);
});

test('an execution without an end is shown by its last steps', () => {
  const failure = failureOf(
    'endless',
    `const FLAG: u32 = 0;
const COUNT: u32 = 4;
function spin(): void { while (load(FLAG) === 0) add(COUNT, 1); }
function other(): void { while (load(COUNT) !== 0x7fffffff) store(8, add(COUNT, 1)); }
export const cpus = [spin, other];`,
    3000,
  );
  expect(failure.failure).toMatchObject({ kind: 'endless', message: 'no end after 3000 steps' });
  expect(failure.steps.length).toBeLessThan(200);
  expect(replayFile(failure.file).same).toBe(true);
});
