/** What CPUs remember of waits for locks: cells by holder, the bounded table of locks, rows of addresses that grow. */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import * as config from '../../src/kernel/word/config.ts';
import * as contention from '../../src/kernel/observe/contention.ts';
import * as layout from '../../src/kernel/word/layout.ts';
import * as order from '../../src/kernel/observe/lockOrder.ts';
import * as lockStat from '../../src/kernel/observe/lockStat.ts';
import { beginOperation, endOperation } from '../../src/kernel/observe/operation.ts';
import { OPERATIONS } from '../../src/machine/syscalls.ts';
import { spinLock, spinTrylock, spinUnlock } from '../../src/kernel/lock/lock.ts';
import {
  rwsemDowngrade,
  rwsemReadLock,
  rwsemReadUnlock,
  rwsemWriteLock,
} from '../../src/kernel/sleep/rwsem.ts';
import { countLoggedWaits, lockWaited } from '../../src/kernel/observe/waitLog.ts';
import { attachMemory, peek, poke } from '../../src/kernel/word/word.ts';
import { readContention } from '../../src/machine/contention.ts';
import { readStatistics } from '../../src/machine/statistics.ts';
import { alignHeat, heatLines } from '../../src/report/heatMap.ts';
import { setThisCpu } from '../../src/kernel/word/percpu.ts';
import { as, floorMemory, FREE } from './floor.ts';

const MEASURE_BASE = FREE + 0x100000;
const CPUS = 2;
const A = FREE + 0x1000;
/** Descriptors of PTE tables. */
const TABLES = FREE + 0x8000;

let words: Uint32Array;
let now = 0;

/** A floor that measures contention, whose clock stands until `now` is moved. */
function measuring(lockStatBits: number): void {
  const memory = floorMemory({ cpus: CPUS, lockStat: lockStatBits });
  words = new Uint32Array(memory.buffer);
  now = 0;
  attachMemory(memory.buffer, {
    clockNs: () => now,
    end: () => {
      throw new Error('a CPU ended');
    },
  });
  poke(layout.H_MEASURE_BASE, MEASURE_BASE);
  poke(layout.H_MM_BASE, FREE);
  setThisCpu(0);
}

/** CPU `cpu` has waited `ns` for a lock. */
function waited(cpu: number, lock: number, cls: number, ns: number, holder: number): void {
  as(cpu, () => {
    lockWaited(lock, cls, lock + layout.LOCK_LAST, ns, holder);
    countLoggedWaits();
  });
}

/** The lock of a table that maps from page `first` on. */
function tableLock(number: number, first: number): number {
  const ptdesc = TABLES + number * 64;
  poke(ptdesc + layout.PT_FIRST, first);
  poke(ptdesc + layout.PT_MM, 0);
  return ptdesc + layout.PT_LOCK;
}

beforeEach(() => measuring(lockStat.LOCK_STAT_CONTENTION));

describe('who waited for whom', () => {
  test('by CPU, readers and nobody', () => {
    waited(0, A, order.LC_FRAMES, 100, 2);
    waited(0, A, order.LC_FRAMES, 50, 2);
    waited(1, A, order.LC_MMAP_WRITE, 2 ** 31, contention.HOLDER_READERS);
    waited(1, A, order.LC_MMAP_WRITE, 2 ** 31, contention.HOLDER_READERS);
    waited(1, A, order.LC_FRAMES, 7, contention.HOLDER_NOBODY);
    const none = { waits: 0, totalNs: 0 };
    expect(readContention(words)!.matrix).toEqual([
      { cpu: 0, forCpus: [none, { waits: 2, totalNs: 150 }], forReaders: none, forNobody: none },
      {
        cpu: 1,
        forCpus: [none, none],
        forReaders: { waits: 2, totalNs: 2 ** 32 },
        forNobody: { waits: 1, totalNs: 7 },
      },
    ]);
  });

  test('points name the operations on both sides', () => {
    poke(layout.cpuArea(0) + layout.C_OP, 3);
    poke(layout.cpuArea(1) + layout.C_OP, 2);
    waited(0, A, order.LC_FRAMES, 100, 2);
    expect(readContention(words)!.points).toEqual({
      frames: { waiting: { touch: 1 }, holding: { munmap: 1 } },
    });
  });

  test('waits of an operation are counted at its end, or when its log is full', () => {
    const logged = (): number => readContention(words)!.matrix[0]!.forCpus[1]!.waits;
    as(0, () => {
      beginOperation(OPERATIONS.touch, 0, 0);
      for (let wait = 1; wait <= layout.WAITS_LOGGED; wait++) {
        lockWaited(A, order.LC_FRAMES, A + layout.LOCK_LAST, 10, 2);
        expect(logged()).toBe(0);
      }
      lockWaited(A, order.LC_FRAMES, A + layout.LOCK_LAST, 10, 2);
      expect(logged()).toBe(layout.WAITS_LOGGED);
      endOperation();
    });
    expect(logged()).toBe(layout.WAITS_LOGGED + 1);
    const waiting = { touch: layout.WAITS_LOGGED + 1 };
    expect(readContention(words)!.points.frames!.waiting).toEqual(waiting);
  });

  test('a table is named as it was when it was waited for', () => {
    const lock = tableLock(3, 1024);
    as(0, () => lockWaited(lock, order.LC_PTE, 0, 10, 2));
    tableLock(3, 2048);
    as(0, countLoggedWaits);
    expect(readContention(words)!.instances[0]).toMatchObject({ start: 1024 * 4096 });
  });

  test('a machine that does not measure has nothing to tell', () => {
    poke(layout.H_MEASURE_BASE, 0);
    expect(readContention(words)).toBeNull();
  });
});

describe('worst locks', () => {
  test('are named with the range they protect, CPUs added up', () => {
    const lock = tableLock(3, 1024);
    waited(0, lock, order.LC_PTE, 100, 2);
    waited(1, lock, order.LC_PTE, 300, 1);
    waited(1, A, order.LC_FRAMES, 50, 1);
    const [first, second] = readContention(words)!.instances;
    expect(first).toMatchObject({
      lock: 'pte',
      waits: 2,
      totalNs: 400,
      maxNs: 300,
      errorNs: 0,
      start: 1024 * 4096,
      end: (1024 + config.PMD_PAGES) * 4096,
    });
    expect(second).toMatchObject({ lock: 'frames', start: null, end: null });
  });

  test('a table that is used again elsewhere is another lock', () => {
    waited(0, tableLock(3, 1024), order.LC_PTE, 100, 2);
    waited(0, tableLock(3, 2048), order.LC_PTE, 100, 2);
    expect(readContention(words)!.instances).toHaveLength(2);
  });

  test('of far more than fit, the worst are there, and no total is off by more than its error', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        measuring(lockStat.LOCK_STAT_CONTENTION);
        let state = seed;
        const random = (below: number): number => {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
          return Math.floor((state / 2 ** 32) * below);
        };
        const truth = new Map<number, number>();
        for (let i = 0; i < 6000; i++) {
          const number = random(10) < 3 ? random(4) : random(3000);
          const ns = 1 + random(100);
          const lock = tableLock(number, number * config.PMD_PAGES);
          waited(0, lock, order.LC_PTE, ns, 2);
          truth.set(lock, (truth.get(lock) ?? 0) + ns);
        }
        const told = readContention(words)!.instances;
        expect(told.length).toBeLessThanOrEqual(
          contention.INSTANCE_SETS * contention.INSTANCE_WAYS,
        );
        for (const { address, totalNs, errorNs } of told) {
          expect(totalNs).toBeGreaterThanOrEqual(truth.get(address)!);
          expect(totalNs - errorNs).toBeLessThanOrEqual(truth.get(address)!);
        }
        const worst = [...truth].toSorted(([, a], [, b]) => b - a).slice(0, 4);
        const addresses = told.slice(0, 4).map(({ address }) => address);
        expect(new Set(addresses)).toEqual(new Set(worst.map(([lock]) => lock)));
      }),
      { numRuns: 5 },
    );
  });
});

describe('heat', () => {
  test('rows grow with their addresses and lose no wait', () => {
    const pages = fc.oneof(
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      fc.integer({ min: 2 ** 28, max: 2 ** 28 + 2 ** 18 }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(pages, fc.nat(1)), { minLength: 1, maxLength: 40 }), (list) => {
        measuring(lockStat.LOCK_STAT_CONTENTION);
        list.forEach(([page, cpu], at) => {
          const first = (page - (page % config.PMD_PAGES)) >>> 0;
          waited(cpu, tableLock(at, first), order.LC_PTE, 10 + at, 2);
        });
        const [row] = readContention(words)!.heat;
        const cells = row!.cells;
        for (const [at, [page]] of list.entries()) {
          const cell = Math.floor((page * 4096 - row!.start) / row!.cellBytes);
          expect(cells[cell]?.waits, `page ${page} of wait ${at}`).toBeGreaterThan(0);
        }
        expect(cells.reduce((sum, cell) => sum + cell.waits, 0)).toBe(list.length);
        expect(cells.reduce((sum, cell) => sum + cell.totalNs, 0)).toBe(
          list.reduce((sum, _, at) => sum + 10 + at, 0),
        );
      }),
      { numRuns: 40 },
    );
  });

  test('other levels are told by the page of the operation that waited', () => {
    poke(layout.cpuArea(1) + layout.C_OP_B, 5 * config.PMD_PAGES);
    waited(1, A, order.LC_MMAP_READ, 10, 1);
    expect(readContention(words)!.heat).toEqual([
      {
        level: 'mmap_lock',
        start: 5 * config.PMD_PAGES * 4096,
        cellBytes: config.PMD_PAGES * 4096,
        cells: [{ waits: 1, totalNs: 10 }],
      },
    ]);
  });

  test('is drawn on one axis', () => {
    const cell = (totalNs: number) => ({ waits: totalNs > 0 ? 1 : 0, totalNs });
    const rows = [
      { level: 'PTE', start: 0x200000, cellBytes: 0x200000, cells: [cell(10), cell(0), cell(990)] },
      { level: 'PMD', start: 0, cellBytes: 0x400000, cells: [cell(0), cell(31_600)] },
    ];
    const heat = alignHeat(rows, 64);
    expect(heat).toMatchObject({ start: 0, cellBytes: 0x400000 });
    expect(heat.rows.map(({ cells }) => cells.map(({ totalNs }) => totalNs))).toEqual([
      [10, 990],
      [0, 31_600],
    ]);
    expect(heatLines(rows)).toEqual([
      '  PTE |:*| 1.0 us',
      '  PMD | @| 31.6 us',
      expect.stringMatching(/^ {6}0x0 0x800000 {2}4 MiB a column; "@" is 31.6 us/),
    ]);
  });
});

describe('bounces and holds', () => {
  const lockOf = (name: string) => readStatistics(words, 0).locks[name]!;

  test('a bounce is an acquisition by another CPU than the last', () => {
    const take = (): void => {
      spinLock(A, order.LC_PMD);
      spinUnlock(A, order.LC_PMD);
    };
    take();
    take();
    as(1, take);
    as(1, take);
    take();
    expect(lockOf('pmd')).toMatchObject({ acquired: 5, bounces: 2, contendedBounces: 0 });
  });

  test('is counted at the release, and the holder remembered then', () => {
    poke(A + layout.LOCK_LAST, layout.cpuArea(1));
    as(0, () => {
      spinLock(A, order.LC_PMD);
      expect(peek(A + layout.LOCK_LAST)).toBe(layout.cpuArea(1));
      spinUnlock(A, order.LC_PMD);
    });
    expect(peek(A + layout.LOCK_LAST)).toBe(layout.cpuArea(0));
    expect(lockOf('pmd').bounces).toBe(1);
  });

  test('one that waited for another CPU counts as contended', () => {
    as(1, () => {
      spinLock(A, order.LC_PMD);
      spinUnlock(A, order.LC_PMD);
    });
    waited(0, A, order.LC_PMD, 20, 2);
    waited(1, A, order.LC_PMD, 5, 1);
    expect(lockOf('pmd')).toMatchObject({
      contended: 2,
      contendedBounces: 1,
      waitMinNs: 5,
      waitMaxNs: 20,
    });
  });

  test('the first hold of a class is timed, then some, and totals are scaled', () => {
    const times = 20_000;
    for (let i = 0; i < times; i++) {
      spinLock(A, order.LC_PTE);
      now += 10;
      spinUnlock(A, order.LC_PTE);
    }
    const { acquired, holdsTimed, holdTotalNs, holdMinNs, holdMaxNs } = lockOf('pte');
    expect(acquired).toBe(times);
    expect(holdsTimed).toBeGreaterThan(times / lockStat.HOLD_EVERY / 2);
    expect(holdsTimed).toBeLessThan((times / lockStat.HOLD_EVERY) * 2);
    expect(holdTotalNs).toBeCloseTo(times * 10, 3);
    expect([holdMinNs, holdMaxNs]).toEqual([10, 10]);
  });

  test('all are timed when asked for, nested ones and those released out of order too', () => {
    measuring(lockStat.LOCK_STAT_HOLDS);
    const other = A + 64;
    for (let i = 0; i < 3; i++) {
      spinLock(A, order.LC_PMD);
      now += 1;
      expect(spinTrylock(other, order.LC_PTE)).toBe(true);
      now += 10;
      spinUnlock(A, order.LC_PMD);
      now += 100;
      spinUnlock(other, order.LC_PTE);
    }
    expect(lockOf('pmd')).toMatchObject({ holdsTimed: 3, holdTotalNs: 33, holdMinNs: 11 });
    expect(lockOf('pte')).toMatchObject({ holdsTimed: 3, holdTotalNs: 330, holdMaxNs: 110 });
    expect(peek(layout.cpuArea(0) + layout.C_HOLD_DEPTH)).toBe(0);
  });

  test('a downgrade ends the hold for writing and begins one for reading', () => {
    measuring(lockStat.LOCK_STAT_HOLDS);
    const sem = A + 128;
    rwsemWriteLock(sem, order.LC_MMAP_READ);
    now += 5;
    rwsemDowngrade(sem, order.LC_MMAP_READ);
    now += 7;
    rwsemReadUnlock(sem, order.LC_MMAP_READ);
    rwsemReadLock(sem, order.LC_MMAP_READ);
    rwsemReadUnlock(sem, order.LC_MMAP_READ);
    expect(lockOf('mmapWrite')).toMatchObject({ acquired: 1, holdTotalNs: 5 });
    expect(lockOf('mmapRead')).toMatchObject({ acquired: 2, holdTotalNs: 7, holdMinNs: 0 });
  });

  test('nothing is measured that was not asked for', () => {
    measuring(0);
    poke(layout.H_LOCK_STAT, 0);
    spinLock(A, order.LC_PMD);
    as(1, () => spinTrylock(A + 64, order.LC_PMD));
    spinUnlock(A, order.LC_PMD);
    as(1, () => spinLock(A, order.LC_PMD));
    expect(lockOf('pmd')).toMatchObject({ bounces: 0 });
    expect(peek(A + layout.LOCK_LAST)).toBe(0);
  });
});
