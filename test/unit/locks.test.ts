import { LOCK_CODES } from '../../src/machine/lockKinds.ts';
import { beforeEach, describe, expect, test } from 'vitest';
import * as config from '../../src/kernel/word/config.ts';
import { HOST_ABORTED, HOST_DEATH_EXCEPTION, HOST_STALLED } from '../../src/kernel/word/config.ts';
import * as layout from '../../src/kernel/word/layout.ts';
import {
  lockOwner,
  spinIsLocked,
  spinLock,
  spinLockNested,
  spinTrylock,
  spinUnlock,
} from '../../src/kernel/lock/lock.ts';
import * as order from '../../src/kernel/observe/lockOrder.ts';
import * as lockStat from '../../src/kernel/observe/lockStat.ts';
import { peek, poke, store } from '../../src/kernel/word/word.ts';
import { as, CLOCK_STEP_NS, CpuEnded, cpuWord, floorHere, FREE, takeViolations } from './floor.ts';

const A = FREE;
const B = FREE + 64;
const C = FREE + 128;

const kinds = [
  ['adaptive', LOCK_CODES.adaptive],
  ['tas', LOCK_CODES.tas],
  ['ticket', LOCK_CODES.ticket],
  ['mcs', LOCK_CODES.mcs],
] as const;

const complaints = () => takeViolations().map(({ oracle, a, c }) => [oracle, a, c]);

function statWord(cpu: number, cls: number, column: number): number {
  return cpuWord(cpu, layout.C_LOCK_STAT + cls * layout.LOCK_STAT_BYTES + column);
}

describe.each(kinds)('%s lock', (_name, lockKind) => {
  beforeEach(() => floorHere({ cpus: 3, lockKind }));

  test('is held by one CPU at a time', () => {
    spinLock(A, order.LC_PTE);
    expect(lockOwner(A, order.LC_PTE)).toBe(1);
    expect(as(1, () => spinTrylock(A, order.LC_PTE))).toBe(false);
    spinUnlock(A, order.LC_PTE);
    expect(spinIsLocked(A, order.LC_PTE)).toBe(false);
    expect(as(2, () => spinTrylock(A, order.LC_PTE))).toBe(true);
    expect(lockOwner(A, order.LC_PTE)).toBe(3);
    expect(spinTrylock(A, order.LC_PTE)).toBe(false);
    as(2, () => spinUnlock(A, order.LC_PTE));
    spinLock(A, order.LC_PTE);
    spinUnlock(A, order.LC_PTE);
    expect(takeViolations()).toEqual([]);
  });

  test('nests with others and is released in any order', () => {
    for (let round = 0; round < 10; round++) {
      spinLock(A, order.LC_PAGE_TABLE);
      spinLock(B, order.LC_PMD);
      spinLock(C, order.LC_PTE);
      spinUnlock(B, order.LC_PMD);
      spinUnlock(A, order.LC_PAGE_TABLE);
      spinUnlock(C, order.LC_PTE);
    }
    for (const [lock, cls] of [
      [A, order.LC_PAGE_TABLE],
      [B, order.LC_PMD],
      [C, order.LC_PTE],
    ] as const)
      expect(spinIsLocked(lock, cls)).toBe(false);
    expect(cpuWord(0, layout.C_HELD_DEPTH)).toBe(0);
    expect(cpuWord(0, layout.C_MCS_USED)).toBe(0);
    expect(takeViolations()).toEqual([]);
  });

  test('counts acquisitions per class', () => {
    for (let i = 0; i < 5; i++) {
      spinLock(A, order.LC_PTE);
      spinUnlock(A, order.LC_PTE);
    }
    expect(spinTrylock(A, order.LC_PTE)).toBe(true);
    spinUnlock(A, order.LC_PTE);
    expect(statWord(0, order.LC_PTE, lockStat.LS_ACQUIRED)).toBe(6);
    expect(statWord(0, order.LC_PTE, lockStat.LS_CONTENDED)).toBe(0);
    expect(statWord(0, order.LC_PMD, lockStat.LS_ACQUIRED)).toBe(0);
  });

  test('a wait that cannot end is reported and ends the CPU', () => {
    as(1, () => spinLock(A, order.LC_PTE));
    expect(() => spinLock(A, order.LC_PTE)).toThrow(CpuEnded);
    const [found] = takeViolations();
    expect(found?.oracle).toBe(config.ORACLE_NO_PROGRESS);
  });

  test('a wait ends when the run is aborted', () => {
    as(1, () => spinLock(A, order.LC_PTE));
    store(layout.H_STOP, config.STOP_ABORT);
    expect(() => spinLock(A, order.LC_PTE)).toThrow(
      expect.objectContaining({ reason: HOST_ABORTED }),
    );
  });
});

describe('adaptive lock', () => {
  test('leaves the waiters bit for the holder to see', () => {
    floorHere({ cpus: 2 });
    as(1, () => spinLock(A, order.LC_PTE));
    expect(() => spinLock(A, order.LC_PTE)).toThrow(
      expect.objectContaining({ reason: HOST_STALLED }),
    );
    expect(peek(A)).toBe(0x80000002);
    expect(lockOwner(A, order.LC_PTE)).toBe(2);
    as(1, () => spinUnlock(A, order.LC_PTE));
    expect(peek(A)).toBe(0);
  });
});

describe('lock-order oracle', () => {
  beforeEach(() => floorHere({ cpus: 2 }));

  test('complains about a lock taken against the order', () => {
    spinLock(B, order.LC_PTE);
    spinLock(A, order.LC_PMD);
    expect(complaints()).toEqual([[config.ORACLE_LOCK_ORDER, A, B]]);
  });

  test('complains about two of one class, unless nested on purpose', () => {
    spinLock(A, order.LC_PTE);
    spinLockNested(B, order.LC_PTE);
    expect(complaints()).toEqual([]);
    spinLock(C, order.LC_PTE);
    expect(complaints()).toHaveLength(2);
  });

  test('lets a trylock go against the order', () => {
    spinLock(B, order.LC_PTE);
    expect(spinTrylock(A, order.LC_PMD)).toBe(true);
    spinUnlock(A, order.LC_PMD);
    spinUnlock(B, order.LC_PTE);
    expect(complaints()).toEqual([]);
  });

  test('complains about a lock taken twice', () => {
    spinLock(A, order.LC_PTE);
    expect(() => spinLockNested(A, order.LC_PTE)).toThrow(CpuEnded);
    expect(complaints()[0]).toEqual([config.ORACLE_LOCK_ORDER, A, A]);
  });

  test('complains about a lock released by a CPU that does not hold it', () => {
    as(1, () => spinLock(A, order.LC_PTE));
    spinUnlock(A, order.LC_PTE);
    const found = complaints();
    expect(found).toContainEqual([config.ORACLE_LOCK_ORDER, A, 0]);
    expect(found).toContainEqual([config.ORACLE_LOCK_ORDER, A, 2]);
  });
});

describe('lock_stat', () => {
  test('sums waits and holds over 2^32 ns and sorts waits by length', () => {
    floorHere({ cpus: 1 });
    lockStat.countWait(order.LC_PMD, 0x80000000, A);
    lockStat.countWait(order.LC_PMD, 0x80000000, A);
    lockStat.countWait(order.LC_PMD, 1000, A);
    expect(statWord(0, order.LC_PMD, lockStat.LS_CONTENDED)).toBe(3);
    expect(statWord(0, order.LC_PMD, lockStat.LS_WAIT_TOTAL)).toBe(1000);
    expect(statWord(0, order.LC_PMD, lockStat.LS_WAIT_TOTAL + 4)).toBe(1);
    expect(statWord(0, order.LC_PMD, lockStat.LS_WAIT_MAX)).toBe(0x80000000);
    expect(statWord(0, order.LC_PMD, lockStat.LS_WAIT_HISTOGRAM + 31 * 4)).toBe(2);
    expect(statWord(0, order.LC_PMD, lockStat.LS_WAIT_HISTOGRAM + 9 * 4)).toBe(1);
  });

  test('measures holds when asked to', () => {
    floorHere({ cpus: 1, lockStat: 1 });
    spinLock(A, order.LC_FRAMES);
    spinUnlock(A, order.LC_FRAMES);
    expect(statWord(0, order.LC_FRAMES, lockStat.LS_HOLD_TOTAL)).toBe(CLOCK_STEP_NS);
    expect(statWord(0, order.LC_FRAMES, lockStat.LS_HOLD_MAX)).toBe(CLOCK_STEP_NS);
  });
});

describe('injected death', () => {
  test('ends the chosen CPU at the chosen acquisition, lock held', () => {
    floorHere({ cpus: 2 });
    poke(layout.H_INJECT_DEATH_CPU, 2);
    poke(layout.H_INJECT_DEATH_KIND, HOST_DEATH_EXCEPTION);
    poke(layout.H_INJECT_DEATH_AFTER, 3);
    const takeAndGiveBack = () => {
      spinLock(A, order.LC_PTE);
      spinUnlock(A, order.LC_PTE);
    };
    for (let i = 0; i < 10; i++) takeAndGiveBack();
    as(1, takeAndGiveBack);
    as(1, takeAndGiveBack);
    expect(() => as(1, takeAndGiveBack)).toThrow(
      expect.objectContaining({ reason: HOST_DEATH_EXCEPTION, detail: A }),
    );
    expect(lockOwner(A, order.LC_PTE)).toBe(2);
  });
});
