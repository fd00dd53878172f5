import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exploreDpor } from '../../src/explore/strategies/dpor.ts';
import { Folding } from '../../src/explore/fromStress/fold.ts';
import { operationsOf, type RecordedOperation } from '../../src/explore/fromStress/recorded.ts';
import {
  exploreFromRing,
  scenarioFromRing,
  type RecordedRun,
} from '../../src/explore/fromStress/scenarioFromRing.ts';
import { RingError } from '../../src/explore/fromStress/window.ts';
import { OracleError } from '../../src/explore/kernelScenario.ts';
import { replaySchedule } from '../../src/explore/replay.ts';
import { exploreSampling } from '../../src/explore/strategies/sampling.ts';
import { openScenario } from '../../src/explore/scenario.ts';
import { replayOnThreads } from '../../src/explore/threads/replayOnThreads.ts';
import { boot } from '../../src/index.ts';

const LIMITS = { maxMs: 45_000 };

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ptlab-ring-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fixture = (name: string): RecordedRun =>
  JSON.parse(
    readFileSync(new URL(`../fixtures/rings/${name}.json`, import.meta.url), 'utf8'),
  ) as RecordedRun;
const recorded = fixture('freedAtOnce');

const begun = (name: string, page: number, ...given: number[]): RecordedOperation => ({
  cpu: 0,
  name,
  mm: 4096,
  page,
  arguments: given,
  begin: 0,
  end: Infinity,
  events: [],
});

describe('a recorded violation', () => {
  test.each([
    ['freedAtOnce', 'madvise'],
    // Semi-RCU, and no batch page left: needs the injected failure, and an interrupt handled in the middle of the walk.
    ['freedByInterrupt', 'walk'],
  ])('%s fails in the same way, here and on threads', async (name, operation) => {
    const run = fixture(name);
    const { request, prefix, guide, verdict } = exploreFromRing(run, { folder, ...LIMITS });
    expect(guide.met).toBeGreaterThan(0);
    expect(prefix.length).toBeGreaterThan(0);
    if (verdict === null) expect.fail('nothing found');
    const [violation] = (verdict.error as OracleError).violations;
    expect(violation).toMatchObject({ oracle: 'table-use-after-free', operation });
    expect(operation).toBe(run.violations[0]!.operation);
    expect(verdict.schedule.slice(0, prefix.length)).toEqual(prefix);
    const { make } = openScenario(request);
    expect(replaySchedule(make, verdict.schedule).verdict).toMatchObject({ kind: 'violation' });
    const replayed = await replayOnThreads(request, verdict.schedule);
    expect(replayed.verdict).toMatchObject({ error: { message: verdict.error.message } });
    expect(replayed.differences).toEqual([]);
  });

  test('leads to the same with another search from the prefix, and every execution begins with it', () => {
    const { request, prefix } = exploreFromRing(recorded, { folder, ...LIMITS });
    const { make } = openScenario(request);
    const limits = { maxExecutions: 500, maxMs: 20_000 };
    for (const search of [
      () => exploreDpor(make, { ...limits, commuting: true, prefix }),
      () => exploreSampling(make, { ...limits, strategy: 'random', prefix }),
    ]) {
      const { verdict } = search();
      if (verdict.kind !== 'violation') expect.fail(verdict.kind);
      expect(verdict.error.message).toMatch(/^table-use-after-free/);
      expect(verdict.schedule.slice(0, prefix.length)).toEqual(prefix);
    }
  });

  test('is told with the operations and the order of their events', () => {
    const { cpus, guide, text, victim } = scenarioFromRing(recorded, 1);
    expect(cpus[victim]).toBe(recorded.violations[0]!.cpu);
    expect(guide.length).toBeGreaterThan(cpus.length);
    expect(text).toContain('MADV_DONTNEED');
    expect(text).toContain(recorded.violations[0]!.message);
  });

  test('without events, or with those of one CPU, is refused', () => {
    const derive = (change: Partial<RecordedRun>) => () =>
      scenarioFromRing({ ...recorded, ...change }, 1);
    expect(derive({ violations: [] })).toThrow(/no violation/);
    expect(derive({ events: [] })).toThrow(RingError);
    const { cpu } = recorded.violations[0]!;
    const own = recorded.events.filter((event) => event.cpu === cpu);
    expect(derive({ events: own })).toThrow(/no other CPU/);
  });
});

test('a violation on real threads now becomes one of the explorer', async () => {
  let tries = '';
  for (const seed of [1, 2, 3]) {
    await using machine = await boot({ cpus: 2, free: 'immediate', eventsPerCpu: 4096, seed });
    const report = await machine.run('zap-heavy', { durationMs: 10_000, audit: false });
    const oracle = report.violations[0]?.oracle;
    const rerun = `ptlab stress --cpus 2 --free immediate --events 4096 --mix zap-heavy --seed ${seed}`;
    const { verdict } = exploreFromRing(report, { folder, maxMs: 15_000 });
    if (verdict !== null) {
      expect((verdict.error as OracleError).violations[0]!.oracle).toBe(oracle);
      return;
    }
    tries += `${rerun}: ${oracle ?? 'no violation'}\n`;
  }
  expect.fail(`not found again by the explorer:\n${tries}`);
});

describe('operations', () => {
  test('are read with their arguments, and end where their CPU says so', () => {
    const all = operationsOf(recorded.events);
    expect(all.every(({ begin, end }) => begin < end)).toBe(true);
    const advised = all.filter(({ name }) => name === 'madvise');
    expect(advised.length).toBeGreaterThan(1);
    for (const { arguments: given } of advised) expect(given).toHaveLength(2);
  });
});

describe('folding', () => {
  test('keeps tables, equal pages, and their order', () => {
    const folding = new Folding([
      begun('access', 5 * 512 + 100, 1, 0),
      begun('walk', 5 * 512 + 7, 0, 0),
      begun('access', 9 * 512 + 100, 1, 0),
      begun('madvise', 5 * 512, 512, 4),
    ]);
    expect(folding.tableBits).toBe(2);
    const [one, other] = [5, 9].map((table) => folding.page(table * 512 + 100));
    expect(other! - one!).toBe(4);
    expect(folding.page(5 * 512 + 7)).toBeLessThan(one!);
    expect(folding.range([5 * 512, 6 * 512])).toEqual([0, 4]);
    expect(folding.tableOf(7 * 512)).toBe(null);
  });

  test('takes larger tables when five pages of one are named', () => {
    const five = [0, 100, 200, 300, 400].map((page) => begun('access', page, 1, 0));
    const folding = new Folding(five);
    expect(folding.tableBits).toBe(3);
    const pages = five.map(({ page }) => folding.page(page));
    expect(new Set(pages).size).toBe(5);
    expect(pages).toEqual(pages.toSorted((one, other) => one - other));
  });

  test('puts tables of different upper tables into different ones', () => {
    const folding = new Folding([begun('access', 0, 1, 0), begun('access', 512 * 512, 1, 0)]);
    expect(folding.page(512 * 512) - folding.page(0)).toBe(16);
  });

  test('leaves no range empty', () => {
    const folding = new Folding([
      ...[1, 2, 3, 4].map((page) => begun('access', page, 1, 0)),
      begun('madvise', 200, 100, 4),
    ]);
    const [from, to] = folding.range([200, 300]);
    expect(to).toBeGreaterThan(from);
    expect(to).toBeLessThanOrEqual(4);
  });
});
