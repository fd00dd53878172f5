import { beforeEach, describe, expect, test } from 'vitest';
import {
  HOST_STALLED,
  ORACLE_LOCK_ORDER,
  ORACLE_NO_PROGRESS,
  STOP_SOON,
} from '../../src/kernel/word/config.ts';
import { interruptAll, waitInterrupt } from '../../src/kernel/cpu/ipi.ts';
import {
  IPI_RESCHED,
  IPI_SYNC,
  irqDisable,
  irqEnable,
  needResched,
  pollInterrupts,
  sendInterrupt,
} from '../../src/kernel/cpu/irq.ts';
import * as layout from '../../src/kernel/word/layout.ts';
import { rcuIdleEnter, rcuIdleExit, rcuQuiescentState } from '../../src/kernel/rcu/rcu.ts';
import { beginOperation } from '../../src/kernel/observe/operation.ts';
import { EVENT_BEGIN, violation } from '../../src/kernel/observe/report.ts';
import { OPERATIONS } from '../../src/machine/syscalls.ts';
import { COUNTER_INTERRUPTS_HANDLED, counterValue } from '../../src/kernel/observe/stats.ts';
import { peek } from '../../src/kernel/word/word.ts';
import { as, cpuWord, floorHere, FREE, takeViolations } from './floor.ts';

const handled = (cpu: number) => as(cpu, () => counterValue(COUNTER_INTERRUPTS_HANDLED));
const acknowledged = (cpu: number) =>
  cpuWord(cpu, layout.C_IPI_ACK) === cpuWord(cpu, layout.C_IPI_REQ);

describe('interrupts', () => {
  beforeEach(() => floorHere({ cpus: 3 }));

  test('are handled at the next poll, all that came at once', () => {
    const first = sendInterrupt(1, IPI_SYNC);
    const second = sendInterrupt(1, IPI_RESCHED);
    expect(acknowledged(1)).toBe(false);
    as(1, pollInterrupts);
    expect(handled(1)).toBe(1);
    waitInterrupt(1, first);
    waitInterrupt(1, second);
    as(1, () => {
      expect(needResched()).toBe(true);
      rcuQuiescentState();
      expect(needResched()).toBe(false);
    });
  });

  test('wait until they are enabled again, however deep they were disabled', () => {
    as(1, () => {
      irqDisable();
      irqDisable();
    });
    sendInterrupt(1, IPI_SYNC);
    as(1, () => {
      pollInterrupts();
      irqEnable();
      pollInterrupts();
    });
    expect(acknowledged(1)).toBe(false);
    as(1, irqEnable);
    expect(acknowledged(1)).toBe(true);
  });

  test('a CPU that never polls is named', () => {
    as(1, () => {
      beginOperation(OPERATIONS.walk, 0, 0);
      irqDisable();
    });
    const sequence = sendInterrupt(1, IPI_SYNC);
    expect(() => waitInterrupt(1, sequence)).toThrow(
      expect.objectContaining({ reason: HOST_STALLED }),
    );
    expect(takeViolations()).toEqual([
      {
        oracle: ORACLE_NO_PROGRESS,
        a: layout.cpuArea(1) + layout.C_IPI_ACK,
        b: 1,
        c: OPERATIONS.walk,
      },
    ]);
  });

  test('an idle CPU is not waited for and catches up on leaving', () => {
    as(1, rcuIdleEnter);
    const sequence = sendInterrupt(1, IPI_RESCHED);
    waitInterrupt(1, sequence);
    expect(acknowledged(1)).toBe(false);
    as(1, () => {
      rcuIdleExit();
      expect(acknowledged(1)).toBe(true);
      expect(needResched()).toBe(true);
    });
  });

  test('one that comes before a CPU becomes idle is acknowledged', () => {
    const sequence = sendInterrupt(1, IPI_SYNC);
    as(1, rcuIdleEnter);
    expect(acknowledged(1)).toBe(true);
    waitInterrupt(1, sequence);
  });

  test('interruptAll skips the caller and idle CPUs', () => {
    as(1, rcuIdleEnter);
    as(2, rcuIdleEnter);
    const before = [0, 1, 2].map((cpu) => cpuWord(cpu, layout.C_IPI_REQ));
    interruptAll(IPI_SYNC);
    expect([0, 1, 2].map((cpu) => cpuWord(cpu, layout.C_IPI_REQ))).toEqual(before);
  });

  test('interruptAll waits for a CPU with interrupts disabled', () => {
    as(2, irqDisable);
    as(1, rcuIdleEnter);
    expect(() => interruptAll(IPI_SYNC)).toThrow(expect.objectContaining({ reason: HOST_STALLED }));
  });

  test('waiting with interrupts disabled is a violation', () => {
    irqDisable();
    as(1, rcuIdleEnter);
    waitInterrupt(1, sendInterrupt(1, IPI_SYNC));
    expect(takeViolations().map(({ oracle }) => oracle)).toEqual([ORACLE_LOCK_ORDER]);
  });

  test('sequence numbers wrap', () => {
    for (let i = 0; i < 600; i++) {
      const sequence = sendInterrupt(1, IPI_SYNC);
      as(1, pollInterrupts);
      waitInterrupt(1, sequence);
    }
    expect(cpuWord(1, layout.C_IPI_ACK)).toBe(0xffffff00 + 600 - 2 ** 32);
  });
});

describe('reports', () => {
  test('a violation is recorded with its operation and stops the run', () => {
    floorHere({ cpus: 1 });
    beginOperation(OPERATIONS.madvise, 17, 18);
    violation(3, 4, 5, 6);
    const record = layout.cpuArea(0) + layout.C_VIOLATION;
    expect([0, 4, 8, 12, 16, 20, 24].map((offset) => peek(record + offset))).toEqual([
      3,
      OPERATIONS.madvise,
      17,
      18,
      4,
      5,
      6,
    ]);
    expect(peek(layout.H_VIOLATIONS)).toBe(1);
    expect(peek(layout.H_STOP)).toBe(STOP_SOON);
  });

  test('the first records stay, the last place holds the newest', () => {
    floorHere({ cpus: 1 });
    for (let i = 1; i <= 20; i++) violation(1, i, 0, 0);
    expect(takeViolations().map(({ a }) => a)).toEqual([1, 2, 3, 4, 5, 6, 7, 20]);
    expect(peek(layout.H_VIOLATIONS)).toBe(20);
  });

  test('a ring keeps the newest events', () => {
    floorHere({ cpus: 2, ringEvents: 4 });
    as(1, () => {
      for (let i = 0; i < 6; i++) beginOperation(OPERATIONS.walk, i << 12, i);
    });
    expect(cpuWord(1, layout.C_RING_NEXT)).toBe(6);
    const ring = FREE + 0x80000 + (4 << layout.EVENT_SHIFT);
    const event = (i: number) => [4, 8, 12].map((offset) => peek(ring + i * 16 + offset));
    expect([0, 1, 2, 3].map(event)).toEqual(
      [4, 5, 2, 3].map((i) => [EVENT_BEGIN, (i << 12) | OPERATIONS.walk, i]),
    );
  });
});
