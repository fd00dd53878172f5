/** Large folios: which order a fault takes, what happens to parts of a folio, and zaps page by page and by runs. */
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  COUNTER_DEFERRED_LOCKS,
  COUNTER_DEFERRED_QUEUED,
  COUNTER_DEFERRED_REMOVED,
  COUNTER_GATHER_FULL,
  COUNTER_TABLES_RECLAIMED_FAST,
  COUNTER_TABLES_RECLAIMED_SLOW,
  EAGAIN,
  F_LAZYFREE,
  F_ORDER,
  F_PARTIALLY_MAPPED,
  MADV_COLD,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_NOHUGEPAGE,
  MADV_PAGEOUT,
  PIN_BIAS,
  PMD_PAGES,
  PUD_PAGES,
  UFFD_REGISTER_MISSING,
} from '../../src/kernel/abi.ts';
import * as layout from '../../src/kernel/abi.ts';
import { EXECUTIONS, ZAP_MODES, type MachineOptions } from '../../src/machine/options.ts';
import { MachineHere, READ } from './machineHere.ts';

const A = 4 * PUD_PAGES + 8 * PMD_PAGES;
const B = 6 * PUD_PAGES + 32 * PMD_PAGES;

const headOf = (m: MachineHere, frame: number): number => m.kernel.folioHead!(frame);
const flagsOf = (m: MachineHere, vpn: number): number =>
  m.at(m.folio(headOf(m, m.frame(vpn))) + layout.F_FLAGS);
const orderAt = (m: MachineHere, vpn: number): number => flagsOf(m, vpn) & F_ORDER;
const queueLength = (m: MachineHere): number => m.at(layout.G_DEFERRED_LENGTH);
/** Pages present in [first, first + pages). */
const present = (m: MachineHere, first: number, pages: number): number =>
  Array.from({ length: pages }, (_, i) => m.frame(first + i)).filter((frame) => frame !== 0).length;

describe.each(EXECUTIONS)('faults of large folios, %s', (execution) => {
  const make = (mthp: MachineOptions['mthp']) =>
    MachineHere.make({ execution, ...(mthp === undefined ? {} : { mthp }) });

  it('take the greatest enabled order, aligned, in address order, and no more faults', async () => {
    const m = (await make('16K,64K')).reset();
    m.mmap(A, PMD_PAGES);
    expect(m.write(A + 37)).toBe(0);
    expect(orderAt(m, A + 37)).toBe(4);
    const head = headOf(m, m.frame(A + 37));
    for (let i = 0; i < 16; i++) expect(m.frame(A + 32 + i)).toBe(head + i);
    expect(m.frame(A + 31) + m.frame(A + 48)).toBe(0);
    expect(m.rss.anon).toBe(16);
    m.balanced();
  });

  it('stay within the VMA, and beside what is mapped', async () => {
    const m = (await make('always')).reset();
    m.mmap(A + 3, 41);
    m.write(A + 10);
    expect(orderAt(m, A + 10)).toBe(3);
    m.write(A + 20);
    expect(orderAt(m, A + 20)).toBe(4);
    m.write(A + 40);
    expect([orderAt(m, A + 40), orderAt(m, A + 41)]).toEqual([2, 2]);
    m.write(A + 5);
    expect(orderAt(m, A + 5)).toBe(2);
    m.write(A + 3);
    expect(orderAt(m, A + 3)).toBe(0);
    m.mmap(B, PMD_PAGES);
    m.read(B + 70);
    m.write(B + 64);
    expect(orderAt(m, B + 64)).toBe(2);
    m.write(B + 300);
    expect(orderAt(m, B + 300)).toBe(8);
    m.balanced();
  });

  it('take a whole table when nothing is in it, and none where madvise forbids', async () => {
    const m = (await make('2M')).reset();
    m.mmap(A, 2 * PMD_PAGES);
    expect(m.madvise(A + PMD_PAGES, PMD_PAGES, MADV_NOHUGEPAGE)).toBe(0);
    m.write(A + 400);
    m.write(A + PMD_PAGES + 1);
    expect([orderAt(m, A), orderAt(m, A + PMD_PAGES + 1)]).toEqual([9, 0]);
    expect(m.rss.anon).toBe(PMD_PAGES + 1);
    m.balanced();
  });

  it('fall back to a smaller order when memory is scattered', async () => {
    const m = (await MachineHere.make({ execution, mthp: [3, 9], frames: 1536 })).reset();
    m.mmap(A, 4 * PMD_PAGES);
    m.write(A);
    m.write(A + PMD_PAGES);
    expect([orderAt(m, A), orderAt(m, A + PMD_PAGES)]).toEqual([9, 9]);
    expect(m.write(A + 2 * PMD_PAGES)).not.toBe(0);
    m.madvise(A, PMD_PAGES, MADV_DONTNEED);
    m.mmap(B, 1);
    m.write(B);
    m.write(A + 2 * PMD_PAGES);
    expect(orderAt(m, A + 2 * PMD_PAGES)).toBe(3);
    m.balanced();
  });
});

describe.each(EXECUTIONS.flatMap((execution) => ZAP_MODES.map((zap) => [execution, zap] as const)))(
  'parts of large folios, %s, zap %s',
  (execution, zap) => {
    let m: MachineHere;
    beforeAll(async () => {
      m = await MachineHere.make({ execution, zap, mthp: [4], batchEntries: 3, batchCount: 2 });
    });
    beforeEach(() => {
      m.reset();
      m.mmap(A, PMD_PAGES);
      m.fill(A, 64);
    });

    it('a part that goes leaves the folio partially mapped, queued once', () => {
      m.madvise(A + 4, 3, MADV_DONTNEED);
      m.madvise(A + 9, 1, MADV_DONTNEED);
      expect(present(m, A, 64)).toBe(60);
      expect(queueLength(m)).toBe(1);
      expect(flagsOf(m, A) & F_PARTIALLY_MAPPED).not.toBe(0);
      expect(flagsOf(m, A + 16) & F_PARTIALLY_MAPPED).toBe(0);
      expect(m.counter(COUNTER_DEFERRED_QUEUED)).toBe(1);
      m.balanced();
      m.madvise(A, 16, MADV_DONTNEED);
      expect(queueLength(m)).toBe(0);
      expect(m.counter(COUNTER_DEFERRED_REMOVED)).toBe(1);
      m.balanced();
    });

    it('a whole folio goes without the queue by runs, and over it page by page', () => {
      m.munmap(A + 16, 32);
      expect(present(m, A, 64)).toBe(32);
      // A run that ends because the gather is full looks like a part.
      const full = m.counter(COUNTER_GATHER_FULL);
      expect(full).toBeGreaterThan(0);
      expect(m.counter(COUNTER_DEFERRED_QUEUED)).toBe(2);
      expect(queueLength(m)).toBe(0);
      m.balanced();
    });

    it('an emptied table is reclaimed although the gather filled in the middle of folios', () => {
      m.madvise(A, PMD_PAGES, MADV_DONTNEED);
      expect(m.tables[0]).toBe(0);
      const reclaimed = [COUNTER_TABLES_RECLAIMED_FAST, COUNTER_TABLES_RECLAIMED_SLOW];
      expect(reclaimed.map((code) => m.counter(code)).reduce((a, b) => a + b)).toBe(1);
      expect(m.counter(COUNTER_GATHER_FULL)).toBeGreaterThan(2);
      m.balanced();
    });

    it('mprotect and mremap of parts, and zaps across what they leave', () => {
      m.mprotect(A + 6, 4, READ);
      m.move(A + 20, 8, B + 5);
      const frames = Array.from({ length: 8 }, (_, i) => m.frame(B + 5 + i));
      expect(new Set(frames.map((frame) => headOf(m, frame))).size).toBe(1);
      m.madvise(A + 2, 12, MADV_DONTNEED);
      expect(present(m, A, 16)).toBe(4);
      m.munmap(B + 6, 3);
      expect(queueLength(m)).toBe(2);
      m.balanced();
      m.munmap(A, PMD_PAGES);
      expect(queueLength(m)).toBe(1);
      m.munmap(B, 32);
      expect(queueLength(m)).toBe(0);
      expect(m.rss.anon).toBe(0);
      m.balanced();
    });

    it('a folio that is partially mapped is split by the pass, its unmapped pages are free', () => {
      const head = headOf(m, m.frame(A));
      m.madvise(A + 4, 12, MADV_DONTNEED);
      expect(m.kernel.deferredSplitPass!()).toBe(1);
      expect(queueLength(m)).toBe(0);
      for (let i = 0; i < 4; i++)
        expect([m.frame(A + i), orderAt(m, A + i)]).toEqual([head + i, 0]);
      for (let i = 4; i < 16; i++) expect(m.at(m.folio(head + i) + layout.F_REF)).toBe(0);
      expect(m.write(A + 2)).toBe(0);
      expect(m.frame(A + 2)).toBe(head + 2);
      expect(orderAt(m, A + 16)).toBe(4);
      m.balanced();
    });

    it('a folio with a pinned page is put back, and split when the pin is gone', () => {
      const frame = m.calls.gupFast(m.mm, A + 2, 1);
      m.madvise(A + 4, 12, MADV_DONTNEED);
      expect(m.kernel.deferredSplitPass!()).toBe(0);
      expect(queueLength(m)).toBe(1);
      expect([m.frame(A + 2), orderAt(m, A)]).toEqual([frame, 4]);
      m.calls.gupPut(frame);
      expect(m.kernel.deferredSplitPass!()).toBe(1);
      m.balanced();
    });

    it('migration and paging out of one page split its folio first', () => {
      const frames = [0, 5, 15].map((i) => m.frame(A + i));
      expect(m.calls.migrate(m.mm, A + 3)).toBe(0);
      expect([orderAt(m, A), orderAt(m, A + 3), orderAt(m, A + 16)]).toEqual([0, 0, 4]);
      expect(m.frame(A + 3)).not.toBe(frames[0]! + 3);
      expect([0, 5, 15].map((i) => m.frame(A + i))).toEqual(frames);
      expect(m.calls.reclaim(m.mm, A + 18)).toBe(0);
      expect(m.rss.swap).toBe(1);
      expect([present(m, A + 16, 16), orderAt(m, A + 16)]).toEqual([15, 0]);
      const pinned = m.calls.gupFast(m.mm, A + 34, 1);
      expect(m.calls.migrate(m.mm, A + 33)).toBe(EAGAIN);
      expect(orderAt(m, A + 33)).toBe(4);
      m.calls.gupPut(pinned);
      m.balanced();
    });

    it('UFFDIO_MOVE of one page splits its folio first', () => {
      m.mmap(B, PMD_PAGES);
      m.calls.uffdApi(m.mm, 0);
      m.calls.uffdRegister(m.mm, B, PMD_PAGES, UFFD_REGISTER_MISSING);
      const frames = [2, 3, 4].map((i) => m.frame(A + i));
      expect(m.calls.uffdMove(m.mm, B, A + 3, 1, 0)).toBe(0);
      expect([m.frame(A + 2), m.frame(B), m.frame(A + 4)]).toEqual(frames);
      expect([m.frame(A + 3), orderAt(m, A + 2), orderAt(m, A + 16)]).toEqual([0, 0, 4]);
      expect(m.calls.uffdMove(m.mm, B + 8, A + 20, 16, 0)).toBe(0);
      expect([present(m, A + 16, 32), present(m, B + 8, 16)]).toEqual([16, 16]);
      m.balanced();
    });

    it('MADV_FREE and MADV_COLD split a folio of which they are asked for a part, not a whole one', () => {
      m.madvise(A + 4, 4, MADV_FREE);
      expect([orderAt(m, A), orderAt(m, A + 4), orderAt(m, A + 16)]).toEqual([0, 0, 4]);
      expect(flagsOf(m, A + 4) & F_LAZYFREE).not.toBe(0);
      expect(flagsOf(m, A + 3) & F_LAZYFREE).toBe(0);
      m.madvise(A + 16, 16, MADV_FREE);
      expect(orderAt(m, A + 16)).toBe(4);
      expect(flagsOf(m, A + 16) & F_LAZYFREE).not.toBe(0);
      m.madvise(A + 40, 16, MADV_COLD);
      expect([orderAt(m, A + 32), orderAt(m, A + 48)]).toEqual([0, 0]);
      m.balanced();
    });

    it('MADV_PAGEOUT splits, then pages out', () => {
      m.madvise(A + 8, 16, MADV_PAGEOUT);
      expect(present(m, A, 64)).toBe(48);
      expect(m.rss.swap).toBe(16);
      expect(m.read(A + 9)).toBe(0);
      m.madvise(A + 32, 32, MADV_PAGEOUT);
      expect(present(m, A, 64)).toBe(17);
      m.balanced();
    });

    it('a pinned tail keeps its folio, mapped or not', () => {
      const frame = m.calls.gupFast(m.mm, A + 7, 1);
      expect(frame).toBe(m.frame(A + 7));
      const head = headOf(m, frame);
      const generation = m.kernel.frameGeneration(frame);
      m.munmap(A, 16);
      expect(m.at(m.folio(head) + layout.F_REF)).toBe(PIN_BIAS);
      m.kernel.gupCheck(frame, generation);
      m.calls.gupPut(frame);
      m.balanced();
    });
  },
);

describe.each(EXECUTIONS)('the deferred-split queue and its lock, %s', (execution) => {
  it.each([
    ['page', 64],
    ['folio', 0],
  ] as const)('zap %s of 32 whole folios takes it %i times', async (zap, locks) => {
    const m = (await MachineHere.make({ execution, zap, mthp: [4] })).reset();
    m.mmap(A, PMD_PAGES);
    m.fill(A, PMD_PAGES);
    m.munmap(A, PMD_PAGES);
    expect(m.counter(COUNTER_DEFERRED_LOCKS)).toBe(locks);
    m.balanced();
  });
});
