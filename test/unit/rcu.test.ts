import { beforeEach, describe, expect, test } from 'vitest';
import {
  HOST_STALLED,
  ORACLE_GRACE_PERIOD,
  ORACLE_NO_PROGRESS,
  SEQ_START,
} from '../../src/kernel/word/config.ts';
import * as layout from '../../src/kernel/word/layout.ts';
import { spinLock } from '../../src/kernel/lock/lock.ts';
import { LC_PTE } from '../../src/kernel/observe/lockOrder.ts';
import {
  callRcu,
  condResched,
  rcuBarrier,
  rcuIdleEnter,
  rcuIdleExit,
  rcuQuiescentState,
  rcuReadLock,
  rcuReadUnlock,
  synchronizeRcu,
  synchronizeRcuExpedited,
} from '../../src/kernel/rcu/rcu.ts';
import { RCU_TORTURE } from '../../src/kernel/rcu/rcuCallbacks.ts';
import { beginOperation } from '../../src/kernel/observe/operation.ts';
import { OPERATIONS } from '../../src/machine/syscalls.ts';
import { load, peek, store } from '../../src/kernel/word/word.ts';
import { as, cpuWord, floorHere, FREE, takeViolations } from './floor.ts';

/** The nth test object: an RCU head, then the number of times its callback has run. */
const object = (n: number) => FREE + n * 16;
const invoked = (n: number) => peek(object(n) + layout.RCU_HEAD_BYTES);
const queue = (n: number) => callRcu(object(n), RCU_TORTURE);
const oracles = (cpu = 0) => takeViolations(cpu).map(({ oracle }) => oracle);

describe('grace periods', () => {
  beforeEach(() => floorHere({ cpus: 3 }));

  test('a callback waits for every reader that was inside when it was queued', () => {
    as(1, rcuReadLock);
    queue(0);
    for (let i = 0; i < 5; i++) {
      rcuQuiescentState();
      as(2, rcuQuiescentState);
    }
    expect(invoked(0)).toBe(0);
    as(1, rcuReadUnlock);
    rcuQuiescentState();
    expect(invoked(0)).toBe(0); // CPU 1 has not said so yet
    as(1, rcuQuiescentState);
    rcuQuiescentState();
    expect(invoked(0)).toBe(1);
    for (let i = 0; i < 5; i++) rcuQuiescentState();
    expect(invoked(0)).toBe(1);
    expect(oracles()).toEqual([]);
  });

  test('a quiescent state reported before the callback was queued does not count', () => {
    queue(0); // starts a grace period ...
    rcuQuiescentState();
    as(1, rcuQuiescentState); // ... that CPU 1 passes
    as(1, rcuReadLock);
    queue(1);
    as(2, rcuQuiescentState); // the grace period ends
    rcuQuiescentState();
    expect([invoked(0), invoked(1)]).toEqual([1, 0]);
    for (let i = 0; i < 5; i++) {
      rcuQuiescentState();
      as(2, rcuQuiescentState);
    }
    expect(invoked(1)).toBe(0);
    as(1, () => {
      rcuReadUnlock();
      condResched();
    });
    rcuQuiescentState();
    expect(invoked(1)).toBe(1);
    expect(oracles()).toEqual([]);
  });

  test('idle CPUs are not waited for', () => {
    as(1, rcuIdleEnter);
    as(2, rcuIdleEnter);
    queue(0);
    rcuQuiescentState();
    expect(invoked(0)).toBe(1);
    synchronizeRcu();
    synchronizeRcuExpedited();
    as(1, () => {
      rcuIdleExit();
      rcuReadLock();
    });
    expect(() => synchronizeRcu()).toThrow(expect.objectContaining({ reason: HOST_STALLED }));
  });

  test('synchronizeRcu leaves the caller idle only while it waits', () => {
    as(1, rcuIdleEnter);
    as(2, rcuIdleEnter);
    synchronizeRcu();
    expect(cpuWord(0, layout.C_RCU_QS)).toBe(load(layout.G_RCU_GP_SEQ));
  });

  test('numbers skip 0 and wrap', () => {
    floorHere({ cpus: 2, firstGp: 0xfffffffd });
    for (let i = 0; i < 8; i++) {
      queue(i);
      rcuQuiescentState();
      as(1, () => {
        rcuReadLock();
        rcuReadUnlock();
        rcuQuiescentState();
      });
      rcuQuiescentState();
      expect(invoked(i)).toBe(1);
      expect(load(layout.G_RCU_GP_SEQ)).not.toBe(0);
      expect(cpuWord(1, layout.C_RCU_QS)).not.toBe(0);
    }
    expect(load(layout.G_RCU_COMPLETED)).toBe(6);
    expect(oracles()).toEqual([]);
  });

  test('a reader across the wrap still holds the grace period up', () => {
    floorHere({ cpus: 2, firstGp: 0xffffffff });
    as(1, rcuReadLock);
    queue(0);
    for (let i = 0; i < 4; i++) rcuQuiescentState();
    expect(load(layout.G_RCU_GP_SEQ)).toBe(1);
    expect(invoked(0)).toBe(0);
    as(1, () => {
      rcuReadUnlock();
      rcuQuiescentState();
    });
    rcuQuiescentState();
    expect(invoked(0)).toBe(1);
  });

  test('nothing is written when nothing is pending', () => {
    const before = SEQ_START;
    for (let i = 0; i < 100; i++) as(i % 3, rcuQuiescentState);
    expect(load(layout.G_RCU_GP_SEQ)).toBe(before);
  });

  test('callbacks of one CPU run in their order, those queued meanwhile later', () => {
    as(1, rcuIdleEnter);
    as(2, rcuIdleEnter);
    for (let i = 0; i < 40; i++) queue(i);
    rcuQuiescentState();
    expect(Array.from({ length: 40 }, (_, i) => invoked(i))).toEqual(Array(40).fill(1));
    expect(cpuWord(0, layout.C_RCU_INVOKED)).toBe((SEQ_START + 40) >>> 0);
  });

  test('a stall names the CPU that is missing and its operation', () => {
    as(1, () => {
      beginOperation(OPERATIONS.walk, 0, 0);
      rcuReadLock();
    });
    as(2, rcuIdleEnter);
    queue(0);
    for (let i = 0; i < 5000 && peek(layout.H_VIOLATIONS) === 0; i++) rcuQuiescentState();
    expect(takeViolations()).toEqual([
      {
        oracle: ORACLE_NO_PROGRESS,
        a: layout.cpuArea(1) + layout.C_RCU_QS,
        b: 1,
        c: OPERATIONS.walk,
      },
    ]);
  });
});

describe('callbacks of idle CPUs', () => {
  beforeEach(() => floorHere({ cpus: 3 }));

  test('are driven and invoked by the others', () => {
    as(1, () => {
      queue(0);
      queue(1);
      rcuIdleEnter();
    });
    expect(load(layout.G_RCU_ORPHANS)).toBe(1);
    for (let i = 0; i < 3; i++) {
      rcuQuiescentState();
      as(2, rcuQuiescentState);
    }
    expect([invoked(0), invoked(1)]).toEqual([1, 1]);
    expect(load(layout.G_RCU_ORPHANS)).toBe(0);
    as(1, rcuIdleExit);
    expect(load(layout.G_RCU_ORPHANS)).toBe(0);
  });

  test('are taken back by their owner', () => {
    as(1, () => {
      queue(0);
      rcuIdleEnter();
      rcuIdleExit();
    });
    expect(load(layout.G_RCU_ORPHANS)).toBe(0);
    as(1, rcuQuiescentState);
    rcuQuiescentState();
    as(2, rcuQuiescentState);
    as(1, rcuQuiescentState);
    expect(invoked(0)).toBe(1);
  });

  test('an owner that is back does not count as its own what an adopter has not finished', () => {
    const list = layout.cpuArea(1);
    as(2, rcuIdleEnter);
    as(1, () => {
      queue(0);
      rcuIdleEnter();
      rcuIdleExit();
      rcuQuiescentState();
    });
    store(list + layout.C_RCU_INVOKING, 1); // an adopter is at work on an older batch
    rcuQuiescentState();
    as(1, () => {
      for (let i = 0; i < 4; i++) rcuQuiescentState();
    });
    expect(invoked(0)).toBe(0);
    expect(cpuWord(1, layout.C_RCU_INVOKED)).toBe(SEQ_START);
    store(list + layout.C_RCU_INVOKING, 0);
    as(1, rcuQuiescentState);
    expect(invoked(0)).toBe(1);
  });

  test('rcuBarrier invokes them, and its own', () => {
    queue(0);
    as(1, () => {
      queue(1);
      queue(2);
      rcuIdleEnter();
    });
    as(2, rcuIdleEnter);
    rcuBarrier();
    expect([0, 1, 2].map(invoked)).toEqual([1, 1, 1]);
    expect(oracles()).toEqual([]);
  });

  test('rcuBarrier waits for readers', () => {
    as(1, () => {
      queue(0);
      rcuIdleEnter();
    });
    as(2, rcuReadLock);
    expect(() => rcuBarrier()).toThrow(expect.objectContaining({ reason: HOST_STALLED }));
    expect(invoked(0)).toBe(0);
  });
});

describe('grace-period oracle', () => {
  beforeEach(() => floorHere({ cpus: 2 }));

  test('complains about a callback that runs under a reader', () => {
    as(1, rcuReadLock);
    queue(0);
    rcuQuiescentState();
    store(layout.cpuArea(1) + layout.C_RCU_QS, load(layout.G_RCU_GP_SEQ)); // as if it had reported
    rcuQuiescentState();
    expect(takeViolations().map(({ oracle, a, b }) => [oracle, a, b])).toEqual([
      [ORACLE_GRACE_PERIOD, object(0), 1],
    ]);
  });

  test('does not complain about a reader that came later', () => {
    queue(0);
    as(1, () => {
      rcuReadLock();
      rcuReadUnlock();
    });
    rcuQuiescentState();
    as(1, () => {
      rcuQuiescentState();
      rcuReadLock();
    });
    rcuQuiescentState();
    expect(invoked(0)).toBe(1);
    expect(oracles()).toEqual([]);
  });

  test('complains about synchronizeRcu under a reader that was forgotten', () => {
    as(1, rcuReadLock);
    store(layout.cpuArea(1) + layout.C_RCU_QS, 0);
    synchronizeRcu();
    expect(oracles()).toEqual([ORACLE_GRACE_PERIOD]);
  });

  test.each([
    ['a quiescent state inside a section', () => (rcuReadLock(), rcuQuiescentState())],
    ['a quiescent state under a spinlock', () => (spinLock(FREE, LC_PTE), rcuQuiescentState())],
    ['becoming idle inside a section', () => (rcuReadLock(), rcuIdleEnter())],
    ['becoming idle twice', () => (rcuIdleEnter(), rcuIdleEnter())],
    ['a section of an idle CPU', () => (rcuIdleEnter(), rcuReadLock())],
  ])('complains about %s', (_what, act) => {
    act();
    expect(oracles()).toContain(ORACLE_GRACE_PERIOD);
  });

  test('nested sections end with the outermost', () => {
    as(1, () => {
      rcuReadLock();
      rcuReadLock();
      rcuReadUnlock();
    });
    expect(cpuWord(1, layout.C_RCU_SECTION)).not.toBe(0);
    as(1, rcuReadUnlock);
    expect(cpuWord(1, layout.C_RCU_SECTION)).toBe(0);
  });
});
