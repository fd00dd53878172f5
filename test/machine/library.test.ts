import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { boot, CpuDiedError, OptionError, type Machine } from '../../src/index.ts';
import { workerThreads } from './threads.ts';

const GIB = 2 ** 30;
const touches = new URL('fixtures/touches.js', import.meta.url);

/** The statements of the README's example, printing left out. */
function exampleLines(): string[] {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const [, example] = /^## As a library\n+```ts\n(.*?)^```/ms.exec(readme)!;
  return example!.split('\n').filter((line) => /^(?:await|const) /.test(line));
}

/** The example, line by line. */
async function runExample(): Promise<void> {
  await using machine = await boot({ cpus: 2, protocol: 'sync', check: 'full' });
  const space = await machine.createAddressSpace();
  await machine.cpu(0).mmap(space, 0, 2 ** 30);
  await machine.cpu(0).touch(space, 0, 2 ** 30, 'w', 2 ** 21);
  expect(space.vmpteKb).toBe(2056);
  await machine.cpu(1).madvise(space, 0, 2 ** 30, 'dontneed');
  expect(space.vmpteKb).toBe(8);
  const report = await machine.run('all', { durationMs: 1000, seed: 7 });
  expect(report.operations).toBeGreaterThan(0);
  expect(machine.violations()).toEqual([]);
  expect((await machine.audit()).findings).toEqual([]);
}

describe('the example of the README', () => {
  it('is what is tested here', () => {
    const tested = readFileSync(fileURLToPath(import.meta.url), 'utf8');
    const lines = exampleLines();
    expect(lines.length).toBeGreaterThan(5);
    for (const line of lines) expect(tested).toContain(`  ${line}\n`);
  });

  it('does what its comments say, and leaves nothing running', async () => {
    const before = workerThreads();
    await runExample();
    expect(workerThreads()).toBe(before);
  });
});

describe("a user's workload, by the URL of its module", () => {
  const machines: Machine[] = [];
  async function start(): Promise<Machine> {
    const machine = await boot({ cpus: 2, tables: 1024, frames: 8192 });
    machines.push(machine);
    return machine;
  }
  afterEach(async () => {
    for (const machine of machines.splice(0)) await machine.shutdown();
  });

  it('runs for a count, and for a time', async () => {
    const machine = await start();
    const space = await machine.createAddressSpace();
    const counted = await machine.run(touches, { operations: 50, spaces: [space] });
    expect(counted).toMatchObject({
      workload: touches.href,
      ended: 'count',
      operations: 100,
      operationsPerCpu: [50, 50],
      violations: [],
      events: [],
      audit: { ok: true },
    });
    expect(space.anonPages).toBeGreaterThan(0);
    expect(await machine.cpu(0).munmap(space, GIB, 2 ** 22)).toBeNull();
    const timed = await machine.run(touches.href, { durationMs: 20, spaces: [space] });
    expect(timed).toMatchObject({ ended: 'time', violations: [], audit: { ok: true } });
    expect(timed.operations).toBeGreaterThan(0);
  });

  it('that throws ends the machine, with the name, message and stack of what it threw', async () => {
    const machine = await start();
    const run = machine.run(new URL('fixtures/breaks.js', import.meta.url), { durationMs: 60_000 });
    const error = await run.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(CpuDiedError);
    const { message, death, report, cause } = error as CpuDiedError;
    expect(message).toMatch(
      /^CPU [01] died in none: LedgerError: the books do not balance; holding no lock$/,
    );
    expect(death.stack).toMatch(/the books do not balance\n +at .*fixtures\/breaks\.js:9/);
    expect(cause).toMatchObject({ stack: death.stack });
    expect(report).toMatchObject({ ended: 'death', audit: null });
    await expect(machine.createAddressSpace()).rejects.toBe(error);
  });

  it.each([
    ['export async function run() {}', /TypeError: run of the workload returned a promise/],
    ["export function run() { throw 'a string'; }", /thrown: 'a string'/],
    ["export function prepare() { throw new RangeError('no'); } export function run() {}", /: no;/],
  ])('%s: says so', async (source, message) => {
    const machine = await start();
    const run = machine.run(`data:text/javascript,${source}`, { operations: 5 });
    await expect(run).rejects.toThrow(message);
    await expect(run).rejects.toThrow(CpuDiedError);
  });

  it.each([
    ['data:text/javascript,export const walk = 1', OptionError],
    ['data:text/javascript,export function run( {', SyntaxError],
    [new URL('fixtures/missing.js', import.meta.url).href, Error],
  ])('%s cannot be run; the machine goes on', async (url, kind) => {
    const machine = await start();
    const error = await machine.run(url, { operations: 5 }).catch((caught: unknown) => caught);
    expect((error as Error).name).toBe(kind === OptionError ? 'OptionError' : kind.name);
    expect(error instanceof OptionError).toBe(kind === OptionError);
    expect((await machine.run('walkers', { operations: 5 })).operations).toBe(10);
  });
});
