/**
 * khugepaged: what its scan makes huge, what it leaves alone and counts as what, and where it goes on from pass to
 * pass. Passes run between operations; the clock is a counter. Both executions.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import {
  entryPresent,
  INODE_FILE,
  INODE_SHMEM,
  MADV_COLD,
  MADV_DONTNEED,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  PMD_PAGES,
  PTE_HUGE,
  PUD_PAGES,
  UFFD_FEATURE_SIGBUS,
  UFFD_FEATURE_WP_UNPOPULATED,
  UFFD_REGISTER_WP,
  UFFD_WRITEPROTECT_WP,
} from '../../src/kernel/abi.ts';
import * as layout from '../../src/kernel/abi.ts';
import * as stats from '../../src/kernel/abi.ts';
import { EXECUTIONS, type MachineOptions } from '../../src/machine/options.ts';
import { MachineHere, READ, SHARED } from './machineHere.ts';

const A = 4 * PUD_PAGES + 8 * PMD_PAGES;

describe.each(EXECUTIONS)('khugepaged, %s', (execution) => {
  let m: MachineHere;

  const make = async (options: MachineOptions = {}): Promise<void> => {
    m = (await MachineHere.make({ execution, thp: 'madvise', ...options })).reset();
  };
  const pass = (): number => m.kernel.khugepagedPass!() >>> 0;
  const huge = (vpn: number, mm = m.mm): boolean => {
    const pmd = m.kernel.pmdOf!(mm, vpn) >>> 0;
    return pmd !== 0 && (m.at(pmd) & PTE_HUGE) !== 0;
  };
  /** How often each result was met, by its counter's name. */
  const results = (): Record<string, number> =>
    Object.fromEntries(
      Object.entries(stats)
        .filter(
          ([name, code]) => name.startsWith('COUNTER_KHUGEPAGED_') && m.counter(code as number),
        )
        .map(([name, code]) => [
          name.slice('COUNTER_KHUGEPAGED_'.length),
          m.counter(code as number),
        ])
        .filter(([name]) => !['PASSES', 'FULL_SCANS'].includes(name as string)),
    );
  /** Maps `spans` spans from A on, writes `pages` pages of each, and allows huge pages there. */
  const spans = (count: number, pages: number): void => {
    expect(m.mmap(A, count * PMD_PAGES)).toBe(0);
    for (let i = 0; i < count; i++) m.fill(A + i * PMD_PAGES, pages);
    expect(m.madvise(A, count * PMD_PAGES, MADV_HUGEPAGE)).toBe(0);
  };
  const end = (): void => {
    m.balanced();
    m.calls.mmDestroy(m.mm);
    m.balanced();
    expect(m.at(layout.G_KHUGEPAGED_FIRST)).toBe(0);
  };

  describe('anonymous memory', () => {
    beforeEach(() => make());

    it('makes a span huge that faults mapped page by page', () => {
      spans(1, 5);
      const tables = m.tables;
      expect(pass()).toBe(1);
      expect(huge(A)).toBe(true);
      expect(m.tables).toEqual(tables);
      expect(m.rss.anon).toBe(PMD_PAGES);
      expect(results()).toEqual({ COLLAPSED: 1 });
      for (let i = 0; i < PMD_PAGES; i += 73) expect(entryPresent(m.entry(A + i))).toBe(true);
      expect(pass()).toBe(0);
      expect(results()).toEqual({ COLLAPSED: 1, PMD_MAPPED: 1 });
      end();
    });

    it('leaves what is forbidden, what is no whole span, and what has no table', () => {
      m.mmap(A, 4 * PMD_PAGES);
      m.madvise(A, 4 * PMD_PAGES, MADV_HUGEPAGE);
      m.madvise(A, PMD_PAGES, MADV_NOHUGEPAGE);
      m.fill(A, 4);
      m.mmap(A + 8 * PMD_PAGES + 1, PMD_PAGES);
      m.fill(A + 8 * PMD_PAGES + 1, 4);
      m.madvise(A + 8 * PMD_PAGES + 1, PMD_PAGES, MADV_HUGEPAGE);
      expect(pass()).toBe(0);
      expect(results()).toEqual({ PMD_NONE: 3 });
      end();
    });

    it('leaves what nobody has accessed, until somebody does', () => {
      spans(1, 5);
      m.madvise(A, PMD_PAGES, MADV_COLD);
      expect(pass()).toBe(0);
      expect(results()).toEqual({ LACK_REFERENCED_PAGE: 1 });
      m.read(A + 2);
      expect(pass()).toBe(1);
      end();
    });

    it('leaves a page that somebody has pinned', () => {
      spans(1, 5);
      const frame = m.calls.gupFast(m.mm, A + 3, 1);
      expect(pass()).toBe(0);
      expect(results()).toEqual({ PAGE_COUNT: 1 });
      expect(m.frame(A + 3)).toBe(frame);
      m.calls.gupPut(frame);
      expect(pass()).toBe(1);
      end();
    });

    it('leaves what a userfaultfd write-protects', () => {
      spans(1, 5);
      m.calls.uffdApi(m.mm, UFFD_FEATURE_SIGBUS | UFFD_FEATURE_WP_UNPOPULATED);
      m.calls.uffdRegister(m.mm, A, PMD_PAGES, UFFD_REGISTER_WP);
      m.calls.uffdWriteprotect(m.mm, A, 1, UFFD_WRITEPROTECT_WP);
      expect(pass()).toBe(0);
      expect(results()).toEqual({ PTE_UFFD_WP: 1 });
      m.calls.uffdUnregister(m.mm, A, PMD_PAGES);
      m.calls.uffdClose(m.mm);
      end();
    });

    it('reads swapped pages in, if half of the others were accessed', () => {
      spans(1, PMD_PAGES);
      m.madvise(A, 10, MADV_PAGEOUT);
      expect(m.rss.swap).toBe(10);
      expect(pass()).toBe(1);
      expect(m.rss).toMatchObject({ anon: PMD_PAGES, swap: 0 });
      end();
    });

    it('copies pages that a child shares, which keeps its own', () => {
      spans(1, 5);
      const frame = m.frame(A);
      const child = m.calls.fork(m.mm);
      expect(pass()).toBe(1);
      expect(huge(A)).toBe(true);
      // What fork copied has not been accessed.
      expect(huge(A, child)).toBe(false);
      expect(results()).toEqual({ COLLAPSED: 1, LACK_REFERENCED_PAGE: 1 });
      expect(m.frame(A, child)).toBe(frame);
      m.read(A, child);
      expect(pass()).toBe(1);
      expect(huge(A, child)).toBe(true);
      expect(m.frame(A)).not.toBe(m.frame(A, child));
      expect(m.frame(A, child)).not.toBe(frame);
      m.calls.mmDestroy(child);
      end();
    });
  });

  describe('limits', () => {
    it.each([
      ['none, or the zero page', { maxPtesNone: PMD_PAGES - 8 }, 'EXCEED_NONE_PTE'],
      ['swapped out', { maxPtesSwap: 2 }, 'EXCEED_SWAP_PTE'],
      ['mapped elsewhere as well', { maxPtesShared: 4 }, 'EXCEED_SHARED_PTE'],
    ] as const)('too many entries %s', async (_, khugepaged, reason) => {
      await make({ khugepaged });
      spans(1, reason === 'EXCEED_NONE_PTE' ? 7 : PMD_PAGES);
      if (reason === 'EXCEED_NONE_PTE') m.madvise(A, PMD_PAGES, MADV_POPULATE_READ);
      if (reason === 'EXCEED_SWAP_PTE') m.madvise(A + 8, 3, MADV_PAGEOUT);
      const child = m.calls.fork(m.mm);
      if (reason !== 'EXCEED_SHARED_PTE') m.calls.mmDestroy(child);
      expect(pass()).toBe(0);
      expect(Object.keys(results())).toEqual([reason]);
      // One less is not too many.
      if (reason === 'EXCEED_NONE_PTE') m.write(A + 8);
      if (reason === 'EXCEED_SWAP_PTE') m.read(A + 8);
      if (reason === 'EXCEED_SHARED_PTE') m.calls.mmDestroy(child);
      expect(pass()).toBe(1);
      end();
    });

    it('a pass looks at so many pages, and the next goes on behind them, in the next address space at the end', async () => {
      await make({ khugepaged: { pagesToScan: 2 * PMD_PAGES } });
      spans(3, 4);
      const other = m.calls.mmCreate();
      m.mmap(A, PMD_PAGES, { mm: other });
      m.write(A, other);
      m.calls.madvise(other, A, PMD_PAGES, MADV_HUGEPAGE);
      const state = (): boolean[] => [
        ...[0, 1, 2].map((i) => huge(A + i * PMD_PAGES)),
        huge(A, other),
      ];
      expect(pass()).toBe(2);
      expect(state()).toEqual([true, true, false, false]);
      expect(pass()).toBe(2);
      expect(state()).toEqual([true, true, true, true]);
      expect(m.counter(stats.COUNTER_KHUGEPAGED_FULL_SCANS)).toBe(0);
      expect(pass()).toBe(0);
      expect(m.counter(stats.COUNTER_KHUGEPAGED_FULL_SCANS)).toBe(1);
      m.calls.mmDestroy(other);
      end();
    });

    it('no folio to be had ends the pass, and nothing has changed', async () => {
      await make({ frames: 1536 });
      spans(2, 300);
      const frames = [0, 1, 299].map((i) => m.frame(A + i));
      expect(pass()).toBe(0);
      expect(results()).toEqual({ ALLOC_HUGE_PAGE_FAIL: 1 });
      expect([0, 1, 299].map((i) => m.frame(A + i))).toEqual(frames);
      end();
    });
  });

  describe('objects', () => {
    beforeEach(() => make({ thp: 'always' }));

    it.each([
      ['a file', INODE_FILE, 0],
      ['shared memory', INODE_SHMEM, SHARED],
    ])('%s: one folio in the cache, tables retracted, the next fault maps it', (_, kind, flags) => {
      const inode = m.kernel.inodeCreate(2 * PMD_PAGES, kind) >>> 0;
      const prot = kind === INODE_FILE ? READ : READ | 2;
      m.mmap(A, 2 * PMD_PAGES, { inode, flags, prot });
      for (let i = 0; i < 40; i++) m.calls.access(m.mm, A + i, kind === INODE_FILE ? 0 : 1);
      expect(huge(A)).toBe(false);
      expect(m.tables[0]).toBe(1);
      expect(pass()).toBe(1);
      expect(m.tables[0]).toBe(0);
      m.read(A);
      expect(huge(A)).toBe(true);
      expect(m.at(inode + layout.INODE_NR_CACHED)).toBe(PMD_PAGES);
      m.kernel.inodePut(inode);
      end();
    });

    it('a span that another address space made one folio loses its table here', () => {
      const inode = m.kernel.inodeCreate(PMD_PAGES, INODE_SHMEM) >>> 0;
      m.mmap(A, PMD_PAGES, { inode, flags: SHARED });
      m.fill(A, 40);
      expect(pass()).toBe(1);
      m.read(A);
      expect(huge(A)).toBe(true);
      // Where huge pages are forbidden, by PTEs of the folio.
      m.madvise(A, PMD_PAGES, MADV_NOHUGEPAGE);
      m.madvise(A, PMD_PAGES, MADV_DONTNEED);
      m.read(A);
      m.read(A + 1);
      m.madvise(A, PMD_PAGES, MADV_HUGEPAGE);
      expect(huge(A)).toBe(false);
      expect(m.tables[0]).toBe(1);
      expect(pass()).toBe(1);
      expect(m.tables[0]).toBe(0);
      m.read(A);
      expect(huge(A)).toBe(true);
      m.kernel.inodePut(inode);
      end();
    });

    it('leaves a file that was written to', () => {
      const inode = m.kernel.inodeCreate(PMD_PAGES, INODE_FILE) >>> 0;
      m.mmap(A, PMD_PAGES, { inode, flags: SHARED });
      m.fill(A, 4);
      expect(pass()).toBe(0);
      expect(results()).toEqual({ PAGE_DIRTY: 1 });
      m.kernel.inodePut(inode);
      end();
    });
  });

  describe('as a daemon', () => {
    it('does nothing while huge pages are nowhere allowed', async () => {
      await make({ thp: 'never' });
      spans(1, 5);
      expect(m.kernel.runDaemons()).toBe(0);
      expect(m.at(layout.G_KHUGEPAGED_FIRST)).toBe(0);
      expect(m.counter(stats.COUNTER_KHUGEPAGED_PASSES)).toBe(0);
      end();
    });

    it('sleeps between passes', async () => {
      await make({ khugepaged: { scanSleepMs: 10 } });
      spans(1, 5);
      m.hurry(11e6);
      expect(m.kernel.runDaemons()).toBe(1);
      m.hurry(1e3);
      for (let i = 0; i < 10; i++) m.kernel.runDaemons();
      expect(m.counter(stats.COUNTER_KHUGEPAGED_PASSES)).toBe(1);
      m.hurry(11e6);
      m.kernel.runDaemons();
      expect(m.counter(stats.COUNTER_KHUGEPAGED_PASSES)).toBe(2);
      end();
    });

    it('an address space leaves its list in the middle of a scan, and its place is used again', async () => {
      await make({ khugepaged: { pagesToScan: PMD_PAGES } });
      spans(3, 4);
      expect(pass()).toBe(1);
      expect(m.at(layout.G_KHUGEPAGED_MM)).toBe(m.mm);
      m.calls.mmDestroy(m.mm);
      expect(m.at(layout.G_KHUGEPAGED_MM)).toBe(0);
      expect(m.calls.mmCreate()).toBe(m.mm);
      expect(m.at(m.mm + layout.MM_COUNT)).toBe(1);
      end();
    });

    it('splits folios of which a part is unmapped', async () => {
      await make({ thp: 'never', mthp: [4] });
      m.mmap(A, PMD_PAGES);
      m.fill(A, 64);
      const used = m.rss.anon;
      m.madvise(A, 8, MADV_DONTNEED);
      m.madvise(A + 24, 8, MADV_DONTNEED);
      expect(m.at(layout.G_DEFERRED_LENGTH)).toBe(2);
      expect(m.kernel.runDaemons()).toBe(2);
      expect(m.at(layout.G_DEFERRED_LENGTH)).toBe(0);
      expect(m.counter(stats.COUNTER_DEFERRED_SPLIT)).toBe(2);
      expect(m.rss.anon).toBe(used - 16);
      end();
    });
  });
});
