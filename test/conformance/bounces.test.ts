/** Bounces of locks whose memory is used again: a new table's or VMA's lock has had no holder. Both executions. */
import { expect, it } from 'vitest';
import { PMD_PAGES, PUD_PAGES } from '../../src/kernel/abi.ts';
import { EXECUTIONS } from '../../src/machine/options.ts';
import { readStatistics } from '../../src/machine/statistics.ts';
import { MachineHere } from './machineHere.ts';

const A = 4 * PUD_PAGES + 8 * PMD_PAGES;

it.each(EXECUTIONS)(
  'tables and VMAs that go from CPU to CPU do not bounce, %s',
  async (execution) => {
    const m = (await MachineHere.make({ execution, contention: true, vmas: 16 })).reset();
    const space = m.on(1, () => m.calls.mmCreate());
    const use = (mm: number): void => {
      expect(m.mmap(A, 4, { mm })).toBe(0);
      expect(m.write(A, mm)).toBe(0);
      expect(m.calls.munmap(mm, A, 4)).toBe(0);
    };
    for (let round = 0; round < 12; round++) {
      use(m.mm);
      m.settle();
      m.on(1, () => use(space));
      m.settle();
    }
    const { locks } = readStatistics(m.words, 0);
    const of = (name: string): number => locks[name]!.bounces;
    expect(['pte', 'pmd', 'vmaWrite'].map(of)).toEqual([0, 0, 0]);
    expect(of('vmas')).toBeGreaterThan(0);
  },
);
