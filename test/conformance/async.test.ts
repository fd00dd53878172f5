/**
 * Protocol `async`: what is freed in the background, and what is not. Passes run between operations, on one CPU after
 * the other; the clock is a counter, so that a delay passes when a test says so.
 */
import { describe, expect, it } from 'vitest';
import {
  COUNTER_CANDIDATES_GONE,
  COUNTER_CANDIDATES_KEPT,
  COUNTER_CANDIDATES_LOST,
  COUNTER_CANDIDATES_NOTED,
  COUNTER_CANDIDATES_SCANNED,
  COUNTER_TABLES_RECLAIMED_ASYNC,
  COUNTER_TABLES_WASTED,
  COUNTER_UPPER_TABLES_RECLAIMED,
  COUNTER_ZERO_PAGES_DROPPED,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  PGD_PAGES,
  PMD_PAGES,
  PUD_PAGES,
  UPPER_VMAS_MAX,
} from '../../src/kernel/abi.ts';
import * as layout from '../../src/kernel/abi.ts';
import type { MachineOptions } from '../../src/machine/options.ts';
import { MachineHere, READ } from './machineHere.ts';

/** A PMD-aligned page with room around it, and one under another PMD table. */
const A = 4 * PUD_PAGES + 8 * PMD_PAGES;
const B = 6 * PUD_PAGES + 32 * PMD_PAGES;
const DELAY_MS = 10;

async function machine(options: MachineOptions = {}): Promise<MachineHere> {
  const made = await MachineHere.make({
    protocol: 'async',
    execution: 'js',
    asyncDelayMs: 0,
    ...options,
  });
  return made.reset();
}

/** Passes until there is nothing to do. */
function passes(m: MachineHere): void {
  while (m.kernel.runDaemons!() !== 0);
}

/** Passes once more than a table needs that only maps the zero page: its first look takes the accessed bits away. */
function allPasses(m: MachineHere): void {
  m.kernel.drainDaemons!();
}

describe('tables that empty', () => {
  it('bit by bit, by madvise(MADV_DONTNEED) of a page at a time', async () => {
    const m = await machine();
    m.mmap(A, PMD_PAGES);
    m.fill(A, 8);
    for (let i = 0; i < 7; i++) m.madvise(A + i, 1, MADV_DONTNEED);
    passes(m);
    expect(m.tables).toEqual([1, 1, 1]);
    expect(m.counter(COUNTER_CANDIDATES_KEPT)).toBe(1);
    m.madvise(A + 7, 1, MADV_DONTNEED);
    expect(m.tables).toEqual([1, 1, 1]);
    passes(m);
    expect(m.tables).toEqual([0, 0, 0]);
    expect(m.counter(COUNTER_TABLES_RECLAIMED_ASYNC)).toBe(1);
    expect(m.counter(COUNTER_UPPER_TABLES_RECLAIMED)).toBe(2);
    expect(m.fill(A, 8)).toBe(0);
    m.balanced();
  });

  it('a table with one page left, wherever it is, costs no scan', async () => {
    const m = await machine();
    m.mmap(A, PMD_PAGES);
    m.fill(A, PMD_PAGES);
    m.madvise(A, PMD_PAGES - 1, MADV_DONTNEED);
    passes(m);
    expect(m.counter(COUNTER_CANDIDATES_SCANNED)).toBe(1);
    for (let i = 0; i < 100; i++) {
      m.fill(A + i, 1);
      m.madvise(A + i, 1, MADV_DONTNEED);
    }
    passes(m);
    expect(m.counter(COUNTER_CANDIDATES_SCANNED)).toBe(1);
    m.madvise(A + PMD_PAGES - 1, 1, MADV_DONTNEED);
    passes(m);
    expect(m.tables[0]).toBe(0);
    m.balanced();
  });

  it('by MADV_FREE and pageout, and by pageout and swap-in', async () => {
    const m = await machine();
    m.mmap(A, PMD_PAGES);
    m.fill(A, 4);
    m.madvise(A, 4, MADV_FREE);
    m.madvise(A, 4, MADV_PAGEOUT);
    passes(m);
    expect(m.tables).toEqual([0, 0, 0]);
    m.fill(A, 4);
    m.madvise(A, 4, MADV_PAGEOUT);
    passes(m);
    expect([m.tables[0], m.rss.swap]).toEqual([1, 4]);
    m.fill(A, 4);
    m.madvise(A, 4, MADV_FREE);
    m.madvise(A, 4, MADV_PAGEOUT);
    passes(m);
    expect([m.tables[0], m.rss.swap]).toEqual([0, 0]);
    m.balanced();
  });

  it('by a munmap that leaves them to a neighbour', async () => {
    const m = await machine();
    m.mmap(A, PMD_PAGES);
    m.fill(A + 100, 100);
    m.munmap(A + 100, 100);
    expect(m.tables).toEqual([1, 1, 1]);
    passes(m);
    expect(m.tables).toEqual([0, 0, 0]);
    expect(m.write(A)).toBe(0);
    m.balanced();
  });

  it('munmap of whole tables and exit note nothing', async () => {
    const m = await machine();
    m.mmap(A, 4 * PMD_PAGES);
    m.fill(A, 4 * PMD_PAGES);
    m.munmap(A, 4 * PMD_PAGES);
    const other = m.calls.mmCreate();
    m.mmap(A, 16, { mm: other });
    m.write(A, other);
    m.calls.mmDestroy(other);
    expect(m.counter(COUNTER_CANDIDATES_NOTED)).toBe(0);
    m.balanced();
  });

  it('by mremap entry by entry, from a table that a neighbour shares', async () => {
    const m = await machine();
    m.mmap(A, PMD_PAGES);
    m.fill(A + 5, 10);
    expect(m.move(A + 5, 10, B + 1)).toBe(0);
    passes(m);
    expect(m.table(A)).toBe(0);
    expect(m.tables).toEqual([1, 1, 1]);
    m.balanced();
  });

  it('a candidate that moves is found where it is', async () => {
    const m = await machine();
    m.mmap(A, PMD_PAGES);
    m.fill(A, 2);
    m.madvise(A, 2, MADV_DONTNEED);
    expect(m.move(A, PMD_PAGES, B)).toBe(0);
    expect(m.table(B)).not.toBe(0);
    passes(m);
    expect(m.tables).toEqual([0, 0, 0]);
    const [from, to] = [3 * PGD_PAGES, 5 * PGD_PAGES];
    m.mmap(from, PUD_PAGES);
    m.fill(from + 77, 1);
    m.madvise(from + 77, 1, MADV_DONTNEED);
    expect(m.move(from, PUD_PAGES, to)).toBe(0);
    passes(m);
    expect(m.tables).toEqual([0, 0, 0]);
    m.balanced();
  });

  it('a table that was allocated and not used, since there was no frame', async () => {
    const m = await machine({ frames: 1024 });
    m.mmap(A, PMD_PAGES);
    const taken: number[] = [];
    for (let frame = -1; frame !== 0;) {
      frame = m.kernel.frameAlloc!(0, 0);
      if (frame !== 0) taken.push(frame);
    }
    expect(m.write(A)).toBe(12);
    expect(m.tables[0]).toBe(1);
    passes(m);
    expect(m.tables[0]).toBe(0);
    for (const frame of taken) m.kernel.folioPut!(frame);
    m.balanced();
  });
});

describe('what stays', () => {
  it('a table that is filled again before it is looked at', async () => {
    const m = await machine();
    m.mmap(A, PMD_PAGES);
    m.fill(A, 2);
    const table = m.table(A);
    m.madvise(A, PMD_PAGES, MADV_DONTNEED);
    m.fill(A + 9, 1);
    passes(m);
    expect(m.table(A)).toBe(table);
    expect(m.counter(COUNTER_CANDIDATES_KEPT)).toBe(1);
    m.balanced();
  });

  it('a candidate, until its delay has passed', async () => {
    const m = await machine({ asyncDelayMs: DELAY_MS, wasteSlots: 64, wasteMs: 100 });
    const setClock = (ms: number): void => m.kernel.setDaemonClock!(ms * 1e6) as unknown as void;
    setClock(1000);
    m.mmap(A, PMD_PAGES);
    m.fill(A, 2);
    m.madvise(A, 2, MADV_DONTNEED);
    setClock(1000 + DELAY_MS - 1);
    passes(m);
    expect(m.tables[0]).toBe(1);
    setClock(1000 + DELAY_MS);
    passes(m);
    expect(m.tables[0]).toBe(0);
    setClock(1050);
    m.fill(A, 1);
    expect(m.counter(COUNTER_TABLES_WASTED)).toBe(1);
    m.madvise(A, 1, MADV_DONTNEED);
    setClock(2000);
    passes(m);
    setClock(2100);
    m.fill(A, 1);
    expect(m.counter(COUNTER_TABLES_WASTED)).toBe(1);
    m.balanced();
  });

  it('a name whose table, or address space, is another by now', async () => {
    const m = await machine();
    m.mmap(A, PMD_PAGES);
    m.fill(A, 1);
    m.madvise(A, 1, MADV_DONTNEED);
    m.munmap(A, PMD_PAGES);
    m.mmap(A, PMD_PAGES);
    m.fill(A, 1);
    const other = m.calls.mmCreate();
    m.mmap(A, PMD_PAGES, { mm: other });
    m.write(A, other);
    m.madvise(A, 1, MADV_DONTNEED);
    m.fill(A, 1);
    m.calls.madvise(other, A, 1, MADV_DONTNEED);
    m.calls.mmDestroy(other);
    expect(m.calls.mmCreate()).toBe(other);
    passes(m);
    expect(m.counter(COUNTER_CANDIDATES_GONE)).toBe(2);
    expect(m.tables[0]).toBe(1);
    m.calls.mmDestroy(other);
    m.balanced();
  });

  it('what overflows a ring, counted, until an entry comes and goes there', async () => {
    const m = await machine({ candidates: 2 });
    m.mmap(A, 4 * PMD_PAGES);
    for (let i = 0; i < 4; i++) m.fill(A + i * PMD_PAGES, 1);
    m.madvise(A, 4 * PMD_PAGES, MADV_DONTNEED);
    expect(m.counter(COUNTER_CANDIDATES_LOST)).toBe(2);
    passes(m);
    expect(m.tables[0]).toBe(2);
    m.fill(A + 3 * PMD_PAGES, 1);
    m.madvise(A + 3 * PMD_PAGES, 1, MADV_DONTNEED);
    passes(m);
    expect(m.tables[0]).toBe(1);
    m.balanced();
  });

  it('upper tables below which a page is mapped, or that too many VMAs share', async () => {
    const m = await machine();
    m.mmap(A, 3 * PMD_PAGES);
    m.fill(A, 1);
    m.fill(A + 2 * PMD_PAGES, 1);
    m.madvise(A, 1, MADV_DONTNEED);
    passes(m);
    expect(m.tables).toEqual([1, 1, 1]);
    for (let i = 0; i <= UPPER_VMAS_MAX; i++)
      m.mmap(B + 2 * i, 1, i % 2 === 0 ? {} : { prot: READ });
    m.fill(B, 1);
    m.madvise(B, 1, MADV_DONTNEED);
    passes(m);
    expect(m.tables).toEqual([1, 2, 1]);
    m.balanced();
  });
});

describe('tables of the zero page', () => {
  it('go at the second look, everywhere, and reads find zeroes again', async () => {
    const m = await machine();
    m.mmap(A, PMD_PAGES);
    m.madvise(A, PMD_PAGES, MADV_POPULATE_READ);
    m.on(1, () => expect(m.read(A + 3)).toBe(0));
    expect(m.tables).toEqual([1, 1, 1]);
    passes(m);
    expect(m.tables).toEqual([0, 0, 0]);
    expect(m.counter(COUNTER_ZERO_PAGES_DROPPED)).toBe(PMD_PAGES);
    m.fill(A + 3, 1);
    m.on(1, () => expect(m.frame(A + 3)).not.toBe(0));
    m.on(1, () => expect(m.read(A + 3)).toBe(0));
    m.balanced();
  });

  it('stay with one page among them', async () => {
    const m = await machine();
    m.mmap(A, PMD_PAGES);
    m.madvise(A, PMD_PAGES, MADV_POPULATE_READ);
    m.fill(A + 400, 1);
    allPasses(m);
    expect(m.tables).toEqual([1, 1, 1]);
    m.madvise(A + 400, 1, MADV_DONTNEED);
    allPasses(m);
    expect(m.tables).toEqual([0, 0, 0]);
    m.balanced();
  });
});

describe('options', () => {
  it('asyncEager detaches at once', async () => {
    const m = await machine({ asyncEager: true });
    m.mmap(A, PMD_PAGES);
    m.fill(A, 3);
    m.madvise(A, PMD_PAGES, MADV_DONTNEED);
    expect(m.tables).toEqual([0, 1, 1]);
    passes(m);
    expect(m.tables).toEqual([0, 0, 0]);
    m.balanced();
  });

  it('the peak of what waits is known', async () => {
    const m = await machine({ asyncDelayMs: 2000 });
    m.mmap(A, 8 * PMD_PAGES);
    for (let i = 0; i < 8; i++) m.fill(A + i * PMD_PAGES, 1);
    m.madvise(A, 8 * PMD_PAGES, MADV_DONTNEED);
    passes(m);
    expect(m.at(layout.G_SCAN_PEAK)).toBe(8);
    expect(m.tables[0]).toBe(8);
    allPasses(m);
    expect(m.tables).toEqual([0, 0, 0]);
    m.balanced();
  });
});
