import { beforeEach, describe, expect, test } from 'vitest';
import {
  HOST_STALLED,
  ORACLE_GRACE_PERIOD,
  ORACLE_LOCK_ORDER,
} from '../../src/kernel/word/config.ts';
import * as layout from '../../src/kernel/word/layout.ts';
import { spinLock } from '../../src/kernel/lock/lock.ts';
import { LC_PTE } from '../../src/kernel/observe/lockOrder.ts';
import {
  mmapReadLock,
  mmapReadTrylock,
  mmapReadUnlock,
  mmapWriteDowngrade,
  mmapWriteLock,
  mmapWriteTrylock,
  mmapWriteUnlock,
} from '../../src/kernel/sleep/mmapLock.ts';
import { rwsemReaders, rwsemWriteHeld, rwsemWriter } from '../../src/kernel/sleep/rwsem.ts';
import { rcuReadLock } from '../../src/kernel/rcu/rcu.ts';
import { peek, poke } from '../../src/kernel/word/word.ts';
import { as, cpuWord, floorHere, FREE, takeViolations } from './floor.ts';

const MM = FREE;
const sequence = () => peek(MM + layout.MM_LOCK_SEQ);
const waiting = () => [1, 2, 3].map((cpu) => cpuWord(cpu, layout.C_RWSEM_WAIT) !== 0);
const oracles = () => takeViolations().map(({ oracle }) => oracle);

describe('mmap_lock', () => {
  beforeEach(() => floorHere({ cpus: 4 }));

  test('has many readers or one writer', () => {
    mmapReadLock(MM);
    expect(as(1, () => mmapReadTrylock(MM))).toBe(true);
    expect(as(2, () => mmapWriteTrylock(MM))).toBe(false);
    expect(rwsemReaders(MM + layout.MM_LOCK)).toBe(2);
    mmapReadUnlock(MM);
    as(1, () => mmapReadUnlock(MM));
    as(2, () => {
      mmapWriteLock(MM);
      expect(rwsemWriteHeld(MM + layout.MM_LOCK)).toBe(true);
    });
    expect(rwsemWriter(MM + layout.MM_LOCK)).toBe(3);
    expect(mmapReadTrylock(MM)).toBe(false);
    expect(mmapWriteTrylock(MM)).toBe(false);
    as(2, () => mmapWriteUnlock(MM));
    expect(mmapReadTrylock(MM)).toBe(true);
    mmapReadUnlock(MM);
    expect(peek(MM + layout.MM_LOCK)).toBe(0);
    expect(oracles()).toEqual([]);
  });

  test('downgrading lets readers in and keeps writers out', () => {
    mmapWriteLock(MM);
    mmapWriteDowngrade(MM);
    expect(as(1, () => mmapReadTrylock(MM))).toBe(true);
    expect(as(2, () => mmapWriteTrylock(MM))).toBe(false);
    as(1, () => mmapReadUnlock(MM));
    mmapReadUnlock(MM);
    expect(peek(MM + layout.MM_LOCK)).toBe(0);
  });

  test('the sequence moves on when a writer lets go or downgrades, and wraps', () => {
    poke(MM + layout.MM_LOCK_SEQ, 0xffffffff);
    mmapReadLock(MM);
    mmapReadUnlock(MM);
    expect(sequence()).toBe(0xffffffff);
    mmapWriteLock(MM);
    expect(sequence()).toBe(0xffffffff);
    mmapWriteDowngrade(MM);
    expect(sequence()).toBe(0);
    mmapReadUnlock(MM);
    expect(sequence()).toBe(0);
    mmapWriteLock(MM);
    mmapWriteUnlock(MM);
    expect(sequence()).toBe(1);
  });

  test('those who wait are served in their order, readers in a row together', () => {
    mmapReadLock(MM);
    // A wait here ends by its limit and leaves its CPU in the queue, idle.
    const join = (cpu: number, lock: (mm: number) => void) =>
      expect(() => as(cpu, () => lock(MM))).toThrow(
        expect.objectContaining({ reason: HOST_STALLED }),
      );
    join(1, mmapWriteLock);
    join(2, mmapReadLock);
    join(3, mmapReadLock);
    expect(waiting()).toEqual([true, true, true]);
    expect(cpuWord(1, layout.C_RCU_QS)).toBe(0);
    expect(mmapReadTrylock(MM)).toBe(false);
    mmapReadUnlock(MM);
    expect(waiting()).toEqual([false, true, true]);
    expect(rwsemWriter(MM + layout.MM_LOCK)).toBe(2);
    as(1, () => mmapWriteUnlock(MM));
    expect(waiting()).toEqual([false, false, false]);
    expect(rwsemReaders(MM + layout.MM_LOCK)).toBe(2);
    as(2, () => mmapReadUnlock(MM));
    as(3, () => mmapReadUnlock(MM));
    expect(peek(MM + layout.MM_LOCK)).toBe(0);
  });

  test('complains when it is released by a CPU that does not hold it', () => {
    as(1, () => mmapWriteLock(MM));
    mmapWriteUnlock(MM);
    expect(new Set(oracles())).toEqual(new Set([ORACLE_LOCK_ORDER]));
  });

  test('complains inside a section and under a spinlock', () => {
    spinLock(FREE + 0x2000, LC_PTE);
    mmapReadLock(MM);
    expect(new Set(oracles())).toEqual(new Set([ORACLE_LOCK_ORDER, ORACLE_GRACE_PERIOD]));
    floorHere({ cpus: 1 });
    rcuReadLock();
    mmapWriteLock(MM);
    expect(oracles()).toEqual([ORACLE_GRACE_PERIOD]);
  });
});
