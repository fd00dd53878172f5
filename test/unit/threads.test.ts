/**
 * The concurrency floor on real threads, in both executions. More CPUs than cores on purpose: whatever relies on its
 * waker running is slow here, whatever loses a wake-up or a callback does not end.
 */
import { LOCK_CODES } from '../../src/machine/lockKinds.ts';
import { describe, expect, test } from 'vitest';
import { HOST_ABORTED, HOST_DEATH_EXCEPTION } from '../../src/kernel/word/config.ts';
import * as layout from '../../src/kernel/word/layout.ts';
import { LC_PTE, LC_TABLES } from '../../src/kernel/observe/lockOrder.ts';
import { PLACES, runThreads, type Execution, type ThreadRun } from './threads.ts';

const executions: [Execution][] = [['wasm'], ['js']];

/** Runs, expects no error and no violation, and returns the CPUs' results. */
async function runClean(run: ThreadRun) {
  const { outcomes, words, violations } = await runThreads(run);
  expect(outcomes.flatMap(({ error }) => error ?? [])).toEqual([]);
  expect(violations).toBe(0);
  return { results: outcomes.map(({ result }) => result ?? {}), words };
}

const kinds: [string, number, number, number][] = [
  ['adaptive', LOCK_CODES.adaptive, 2, 20_000],
  ['adaptive', LOCK_CODES.adaptive, 4, 20_000],
  ['tas', LOCK_CODES.tas, 2, 20_000],
  ['tas', LOCK_CODES.tas, 4, 5000],
  ['ticket', LOCK_CODES.ticket, 2, 2000],
  ['ticket', LOCK_CODES.ticket, 4, 100],
  ['mcs', LOCK_CODES.mcs, 2, 2000],
  ['mcs', LOCK_CODES.mcs, 4, 100],
];

describe.each(executions)('%s threads', (execution) => {
  test.each(kinds)('%s lock (kind %i) excludes %i CPUs', async (_name, lockKind, cpus, times) => {
    const { words } = await runClean({
      execution,
      cpus,
      lockKind,
      scenario: 'countUnderLock',
      options: { cls: LC_PTE, times },
    });
    expect(words[(PLACES.lock + layout.LOCK_BYTES) >>> 2]).toBe(cpus * times);
    const acquired = Array.from({ length: cpus }, (_, cpu) => words[statWord(cpu, LC_PTE)]!);
    expect(acquired.reduce((sum, n) => sum + n)).toBe(cpus * times);
  });

  test.each(kinds)('nested %s locks (kind %i) exclude %i CPUs', async (_name, lockKind, cpus) => {
    const times = lockKind === LOCK_CODES.adaptive ? 3000 : 100;
    const { words } = await runClean({
      execution,
      cpus,
      lockKind,
      scenario: 'countNested',
      options: { times },
    });
    for (let i = 0; i < 3; i++)
      expect(words[(PLACES.lock + i * 64 + layout.LOCK_BYTES) >>> 2]).toBe(cpus * times);
  });

  test('without its checks the kernel excludes as well', async () => {
    const { words } = await runClean({
      execution,
      check: 'off',
      cpus: 3,
      scenario: 'countUnderLock',
      options: { cls: LC_TABLES, times: 100_000 },
    });
    expect(words[(PLACES.lock + layout.LOCK_BYTES) >>> 2]).toBe(300_000);
  });

  test.each([
    ['full', 2],
    ['full', 4],
    ['off', 3],
  ] as const)('RCU torture, checks %s, %i CPUs', async (check, cpus) => {
    const { results } = await runClean({
      execution,
      check,
      cpus,
      firstGp: 0xffffffe0,
      scenario: ['tortureUpdater', ...Array<string>(cpus - 1).fill('tortureReader')],
      options: { times: cpus > 2 ? 600 : 1500, objectCount: 12 },
    });
    expect(results[0]).toEqual({ left: 0 });
    for (const result of results.slice(1)) {
      expect(result['errors']).toBe(0);
      expect(result['sections']).toBeGreaterThan(0);
    }
  });

  test('RCU torture with two updaters', async () => {
    const objects2 = PLACES.objects + 0x8000;
    const first = { execution, cpus: 4, firstGp: 0xffffffe0 } as const;
    const { results } = await runClean({
      ...first,
      scenario: ['tortureUpdater', 'tortureReader', 'tortureReader', 'barriers2'],
      options: { times: 400, objectCount: 12, objects2 },
    });
    expect(results[0]).toEqual({ left: 0 });
    expect(results[3]).toEqual({ missing: 0 });
    expect([results[1]!['errors'], results[2]!['errors']]).toEqual([0, 0]);
  });

  test.each([[2], [4]])('rcuBarrier on %i CPUs at once', async (cpus) => {
    const { results } = await runClean({
      execution,
      cpus,
      scenario: 'barriers',
      options: { times: 120 / cpus },
    });
    expect(results).toEqual(Array.from({ length: cpus }, () => ({ missing: 0 })));
  });

  test.each([[2], [4]])('mmap_lock keeps readers and writers apart on %i CPUs', async (cpus) => {
    const { results, words } = await runClean({
      execution,
      cpus,
      scenario: 'mmapReadersAndWriters',
      options: { times: 1500 },
    });
    expect(results.map(({ errors }) => errors)).toEqual(Array(cpus).fill(0));
    const writes = results.reduce((sum, result) => sum + result['writes']!, 0);
    expect(words[PLACES.plain >>> 2]).toBe(writes);
    expect(words[(PLACES.mm + layout.MM_LOCK_SEQ) >>> 2]).toBe(writes);
    expect(words[(PLACES.mm + layout.MM_LOCK) >>> 2]).toBe(0);
  });

  test('mmap_lock is taken in the order in which it was asked for', async () => {
    const { results } = await runClean({ execution, cpus: 3, scenario: 'mmapTurns' });
    expect(results.map(({ turn }) => turn)).toEqual([0, 1, 2]);
  });

  test.each([[2], [4]])('interrupts between %i CPUs are all acknowledged', async (cpus) => {
    const { results, words } = await runClean({
      execution,
      cpus,
      scenario: 'interruptEachOther',
      options: { times: 400, cls: LC_PTE },
    });
    expect(results).toEqual(Array.from({ length: cpus }, () => ({ errors: 0 })));
    for (let cpu = 0; cpu < cpus; cpu++) {
      const area = layout.cpuArea(cpu);
      expect(words[(area + layout.C_IPI_ACK) >>> 2]).toBe(words[(area + layout.C_IPI_REQ) >>> 2]);
    }
  });

  test('a CPU that dies holding a lock ends all that wait for it', async () => {
    const { outcomes } = await runThreads({
      execution,
      cpus: 3,
      scenario: 'dieHoldingLock',
      options: { cls: LC_PTE, times: 1e6 },
      words: [
        [layout.H_INJECT_DEATH_CPU, 1],
        [layout.H_INJECT_DEATH_KIND, HOST_DEATH_EXCEPTION],
        [layout.H_INJECT_DEATH_AFTER, 50],
      ],
    });
    expect(outcomes.map(({ reason }) => reason)).toEqual([
      HOST_DEATH_EXCEPTION,
      HOST_ABORTED,
      HOST_ABORTED,
    ]);
  });
});

describe('controls: what these tests see when the protection is missing', () => {
  test('a counter without a lock loses additions', async () => {
    const { words } = await runClean({
      execution: 'wasm',
      cpus: 2,
      scenario: 'countWithoutLock',
      options: { times: 10_000_000 },
    });
    expect(words[(PLACES.lock + layout.LOCK_BYTES) >>> 2]).toBeLessThan(20_000_000);
  });

  test('readers that are in no section find freed objects', async () => {
    const { results } = await runClean({
      execution: 'wasm',
      cpus: 2,
      scenario: ['tortureUpdater', 'tortureReader'],
      options: { times: 3000, objectCount: 12, control: true },
    });
    expect(results[1]!['errors']).toBeGreaterThan(0);
  });
});

function statWord(cpu: number, cls: number): number {
  return (layout.cpuArea(cpu) + layout.C_LOCK_STAT + cls * layout.LOCK_STAT_BYTES) >>> 2;
}
