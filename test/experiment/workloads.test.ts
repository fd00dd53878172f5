/** Every named workload under all oracles: it counts what its original counts, and gives everything back. */
import { describe, expect, it } from 'vitest';
import { G_FRAME_BUMP } from '../../src/kernel/abi.ts';
import { WORKLOADS } from '../../src/experiment/workloads/index.ts';
import { boot } from '../../src/boot/boot.ts';
import type { RunReport } from '../../src/machine/machine.ts';

const PAGES_OF_128_MIB = 32_768;
const WINDOW_SPANS = 8;

async function run(
  name: string,
  cpus: number,
  options: Parameters<typeof boot>[0] = {},
  operations = 20,
): Promise<RunReport> {
  const { sizes } = WORKLOADS.find((workload) => workload.name === name)!;
  await using machine = await boot({ cpus, check: 'full', ...sizes(cpus), ...options });
  const report = await machine.run(name, { operations });
  expect(machine.statistics().addressSpaces).toEqual([]);
  expect((await machine.audit()).ok).toBe(true);
  return report;
}

const iterations = (report: RunReport): number => report.statistics.counters['iterations'] ?? 0;

function expectRight(report: RunReport): void {
  expect(report.violations).toEqual([]);
  expect(report.audit?.findings).toEqual([]);
}

describe.each(WORKLOADS.map(({ name }) => name))('%s', (name) => {
  const operations = name.startsWith('page_fault') ? 1 : 20;

  it.each([1, 3])('is right on %i CPUs', async (cpus) => {
    const report = await run(name, cpus, {}, operations);
    expectRight(report);
    expect(iterations(report)).toBeGreaterThan(0);
  });
});

describe('iterations', () => {
  it.each([
    ['page_fault1_threads', 2 * PAGES_OF_128_MIB],
    ['page_fault2_processes', 2 * PAGES_OF_128_MIB],
    ['mmap1_threads', 2],
    ['mapbench-local', 2],
    ['mapbench-global', 2],
    ['reproducer', 2 * 64],
    ['churn', 2],
  ])('of one operation on each of 2 CPUs: %s %i', async (name, expected) => {
    expect(iterations(await run(name, 2, {}, 1))).toBe(expected);
  });

  it('of a pipeline are the regions unmapped, by whoever took them', async () => {
    const report = await run('mapbench-pipeline', 1, {}, 7);
    expect(iterations(report)).toBe(7);
    expectRight(report);
  });
});

it('a workload that maps faster than RCU lets VMAs go waits for them', async () => {
  const report = await run('mmap1_processes', 2, { vmas: 32 }, 2000);
  expectRight(report);
  expect(iterations(report)).toBe(4000);
});

describe('page tables', () => {
  it('a fault of page_fault2 takes a frame beside the cached one, one of page_fault3 does not', async () => {
    const frames = async (name: string): Promise<number> => {
      const { sizes } = WORKLOADS.find((workload) => workload.name === name)!;
      await using machine = await boot({ cpus: 1, ...sizes(1) });
      await machine.run(name, { operations: 1, audit: false });
      return machine.words[G_FRAME_BUMP >>> 2]!;
    };
    const [copied, shared] = [
      await frames('page_fault2_threads'),
      await frames('page_fault3_threads'),
    ];
    expect(copied).toBeGreaterThanOrEqual(2 * PAGES_OF_128_MIB);
    expect(shared).toBeLessThan(2 * PAGES_OF_128_MIB);
  });

  it('the reproducer leaves a table for each span without reclaim, hardly any with it', async () => {
    const peak = async (protocol: 'none' | 'sync'): Promise<number> => {
      const { statistics } = await run('reproducer', 1, { protocol }, 10);
      return statistics.tables.everUsed;
    };
    const [none, sync] = [await peak('none'), await peak('sync')];
    expect(none).toBeGreaterThanOrEqual(640);
    expect(sync).toBeLessThan(640);
  });

  it('churn empties tables that no single call covers', async () => {
    const { statistics } = await run('churn', 1, { protocol: 'sync' }, 4000);
    expect(statistics.counters['tablesReclaimedFast']).toBe(0);
    expect(statistics.counters['tablesAllocated']).toBeGreaterThan(WINDOW_SPANS);
  });
});
