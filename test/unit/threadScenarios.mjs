/**
 * What each CPU of a real-thread test does. Addresses come from threads.ts by way of `options`; `at(address)` below is
 * an atomic read of one word. Loops are bounded by counts; waits by the kernel's own limit, or by `until`.
 */
import * as layout from '../../dist/src/kernel/word/layout.js';
import { xorshift } from '../../dist/src/kernel/word/xorshift.js';
import { RCU_TORTURE } from '../../dist/src/kernel/rcu/rcuCallbacks.js';

const OBJECT_BYTES = 64;
const OBJECT_FREED = layout.RCU_HEAD_BYTES;
const GIVE_UP_MS = 20_000;

/** A generator of small numbers, seeded per CPU. */
function dice(seed) {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  return (below) => {
    state = xorshift(state);
    return state % below;
  };
}

/** Polls the kernel until `done()`; throws after GIVE_UP_MS. */
function until({ kernel, cpu }, done, what) {
  const end = performance.now() + GIVE_UP_MS;
  while (!done()) {
    kernel.pollInterrupts();
    kernel.rcuQuiescentState();
    if (performance.now() > end) throw new Error(`CPU ${cpu}: no end of waiting for ${what}`);
  }
}

/** All CPUs come here before any goes on. `meeting` is a word that starts at 0; `round` counts from 1. */
function meet(context, meeting, round = 1) {
  Atomics.add(context.words, meeting >>> 2, 1);
  until(
    context,
    () => Atomics.load(context.words, meeting >>> 2) >= context.cpus * round,
    'the other CPUs',
  );
}

export const scenarios = {
  /** Adds one to a plain word under a lock, `times` times; the kernel's own loop. */
  countUnderLock(context) {
    const { kernel, lock, cls, times, meeting } = context;
    kernel.rcuIdleExit();
    meet(context, meeting);
    kernel.measureCountUnderLock(lock, lock + layout.LOCK_BYTES, cls, times);
    kernel.rcuIdleEnter();
  },

  /** Three nested locks; the counters are split over them, so that each lock has to exclude on its own. */
  countNested(context) {
    const { kernel, words, lock, times, meeting } = context;
    const locks = [
      [lock, 2],
      [lock + 64, 1],
      [lock + 128, 0],
    ];
    kernel.rcuIdleExit();
    meet(context, meeting);
    for (let i = 0; i < times; i++) {
      for (const [at, cls] of locks) kernel.spinLock(at, cls);
      for (const [at] of locks) words[(at + 16) >>> 2] += 1;
      for (const [at, cls] of locks) kernel.spinUnlock(at, cls);
      kernel.rcuQuiescentState();
    }
    kernel.rcuIdleEnter();
  },

  /** What the counters would be without a lock: the control that shows the test can fail. */
  countWithoutLock(context) {
    const { kernel, words, lock, times, meeting } = context;
    kernel.rcuIdleExit();
    meet(context, meeting);
    for (let i = 0; i < times; i++) {
      words[(lock + 16) >>> 2] += 1;
      Atomics.load(words, meeting >>> 2);
    }
    kernel.rcuIdleEnter();
  },

  /**
   * Reads the published object again and again and checks that it is not freed while held. `control`: outside of any
   * section as far as the kernel can tell, so that errors must be seen.
   */
  tortureReader(context) {
    const { kernel, words, cpu, objects, published, meeting, stop, control } = context;
    const roll = dice(cpu);
    let errors = 0;
    let sections = 0;
    kernel.rcuIdleExit();
    meet(context, meeting);
    while (Atomics.load(words, stop >>> 2) === 0) {
      if (!control) kernel.rcuReadLock();
      const object = objects + Atomics.load(words, published >>> 2) * OBJECT_BYTES;
      const before = Atomics.load(words, (object + OBJECT_FREED) >>> 2);
      for (let left = roll(8) === 0 ? roll(2000) : roll(20); left > 0; left--) {
        kernel.pollInterrupts();
        if (control) kernel.rcuQuiescentState();
      }
      if (Atomics.load(words, (object + OBJECT_FREED) >>> 2) !== before) errors += 1;
      if (!control) kernel.rcuReadUnlock();
      sections += 1;
      if (roll(4) !== 0) kernel.rcuQuiescentState();
      if (roll(64) === 0) {
        kernel.rcuIdleEnter();
        for (let left = roll(200); left > 0; left--) Atomics.load(words, stop >>> 2);
        kernel.rcuIdleExit();
      }
    }
    kernel.rcuIdleEnter();
    return { errors, sections };
  },

  /**
   * Publishes `times` objects in turn. The old one is freed by callRcu, by synchronizeRcu, or expedited, or its
   * callback is left to others by becoming idle; an object is used again only when it has been freed.
   */
  tortureUpdater(context) {
    const { kernel, words, cpu, objects, objectCount, published, meeting, stop, times } = context;
    const roll = dice(cpu + 100);
    const freed = (object) =>
      Atomics.load(words, (objects + object * OBJECT_BYTES + OBJECT_FREED) >>> 2);
    const due = Array(objectCount).fill(0);
    let current = 0;
    kernel.rcuIdleExit();
    meet(context, meeting);
    for (let i = 0; i < times; i++) {
      let next = (current + 1) % objectCount;
      until(
        context,
        () => {
          if (next === current || freed(next) !== due[next]) next = (next + 1) % objectCount;
          return next !== current && freed(next) === due[next];
        },
        'an object to be freed',
      );
      Atomics.store(words, published >>> 2, next);
      const head = objects + current * OBJECT_BYTES;
      due[current] += 1;
      const way = roll(8);
      if (way < 6) kernel.callRcu(head, RCU_TORTURE);
      else {
        if (way === 6) kernel.synchronizeRcu();
        else kernel.synchronizeRcuExpedited();
        Atomics.add(words, (head + OBJECT_FREED) >>> 2, 1);
      }
      current = next;
      if (roll(2) === 0) kernel.rcuQuiescentState();
      if (roll(32) === 0) {
        kernel.rcuIdleEnter();
        for (let left = roll(3000); left > 0; left--) Atomics.load(words, stop >>> 2);
        kernel.rcuIdleExit();
      }
    }
    kernel.rcuBarrier();
    const left = due.filter((count, object) => freed(object) !== count).length;
    Atomics.store(words, stop >>> 2, 1);
    kernel.rcuIdleEnter();
    return { left };
  },

  /** The same with objects of its own, beside other scenarios; it does not wait for the others at the end. */
  barriers2(context) {
    return scenarios.barriers({ ...context, objects: context.objects2, alone: true });
  },

  /** Queues callbacks and calls rcuBarrier, `times` times; on return all of them must have run, once. */
  barriers(context) {
    const { kernel, words, cpu, objects, meeting, times, alone } = context;
    const roll = dice(cpu);
    const mine = objects + cpu * 64 * OBJECT_BYTES;
    const due = Array(64).fill(0);
    let missing = 0;
    kernel.rcuIdleExit();
    meet(context, meeting);
    for (let i = 0; i < times; i++) {
      const count = roll(64);
      for (let n = 0; n < count; n++) {
        kernel.callRcu(mine + n * OBJECT_BYTES, RCU_TORTURE);
        due[n] += 1;
        if (roll(8) === 0) kernel.rcuQuiescentState();
        if (roll(32) === 0) {
          kernel.rcuIdleEnter();
          for (let left = roll(300); left > 0; left--) Atomics.load(words, mine >>> 2);
          kernel.rcuIdleExit();
        }
      }
      kernel.rcuBarrier();
      for (let n = 0; n < 64; n++)
        if (Atomics.load(words, (mine + n * OBJECT_BYTES + OBJECT_FREED) >>> 2) !== due[n])
          missing += 1;
      for (let left = roll(10); left > 0; left--) kernel.rcuQuiescentState();
    }
    if (!alone) meet(context, meeting, 2);
    kernel.rcuIdleEnter();
    return { missing };
  },

  /** Readers count themselves in `inside`, writers in `writing`; nobody may see what the lock forbids. */
  mmapReadersAndWriters(context) {
    const { kernel, words, cpu, mm, inside, writing, plain, meeting, times } = context;
    const roll = dice(cpu);
    let errors = 0;
    let writes = 0;
    const asReader = () => {
      Atomics.add(words, inside >>> 2, 1);
      const before = words[plain >>> 2];
      for (let left = roll(30); left > 0; left--) kernel.pollInterrupts();
      if (Atomics.load(words, writing >>> 2) !== 0) errors += 1;
      if (words[plain >>> 2] !== before) errors += 1;
      Atomics.sub(words, inside >>> 2, 1);
    };
    kernel.rcuIdleExit();
    meet(context, meeting);
    for (let i = 0; i < times; i++) {
      if (roll(3) === 0) {
        kernel.mmapWriteLock(mm);
        if (Atomics.add(words, writing >>> 2, 1) !== 0) errors += 1;
        if (Atomics.load(words, inside >>> 2) !== 0) errors += 1;
        words[plain >>> 2] += 1;
        writes += 1;
        Atomics.sub(words, writing >>> 2, 1);
        if (roll(4) === 0) {
          kernel.mmapWriteDowngrade(mm);
          asReader();
          kernel.mmapReadUnlock(mm);
        } else kernel.mmapWriteUnlock(mm);
      } else {
        kernel.mmapReadLock(mm);
        asReader();
        kernel.mmapReadUnlock(mm);
      }
      kernel.rcuQuiescentState();
    }
    kernel.rcuIdleEnter();
    return { errors, writes };
  },

  /** CPU 0 reads; 1 wants to write; 2 then wants to read. Each notes its turn; nobody may pass the one before. */
  mmapTurns(context) {
    const { kernel, words, cpu, mm, log, meeting } = context;
    const waiting = (other) =>
      Atomics.load(words, (layout.cpuArea(other) + layout.C_RWSEM_WAIT) >>> 2) !== 0;
    const note = () => Atomics.add(words, log >>> 2, 1);
    let turn = 0;
    kernel.rcuIdleExit();
    if (cpu === 0) kernel.mmapReadLock(mm);
    meet(context, meeting);
    if (cpu === 0) {
      until(context, () => waiting(1) && waiting(2), 'both in the queue');
      turn = note();
      kernel.mmapReadUnlock(mm);
    } else if (cpu === 1) {
      kernel.mmapWriteLock(mm);
      turn = note();
      kernel.mmapWriteUnlock(mm);
    } else {
      until(context, () => waiting(1), 'the writer in the queue');
      kernel.mmapReadLock(mm);
      turn = note();
      kernel.mmapReadUnlock(mm);
    }
    kernel.rcuIdleEnter();
    return { turn };
  },

  /**
   * Every CPU interrupts every other, `times` times, and waits; meanwhile each also disables interrupts for short
   * stretches, during which nothing may be handled, waits on a lock, and is idle now and then.
   */
  interruptEachOther(context) {
    const { kernel, words, cpu, cpus, lock, cls, meeting, times } = context;
    const roll = dice(cpu);
    const own = layout.cpuArea(cpu);
    let errors = 0;
    kernel.rcuIdleExit();
    meet(context, meeting);
    for (let i = 0; i < times; i++) {
      const target = (cpu + 1 + roll(cpus - 1)) % cpus;
      if (roll(4) === 0) kernel.interruptAll(1);
      else {
        const sequence = kernel.sendInterrupt(target, 1) >>> 0;
        kernel.waitInterrupt(target, sequence);
        const area = layout.cpuArea(target);
        const acknowledged = Atomics.load(words, (area + layout.C_IPI_ACK) >>> 2);
        const idle = Atomics.load(words, (area + layout.C_RCU_QS) >>> 2) === 0;
        if ((acknowledged - sequence) >>> 0 >= 0x80000000 && !idle) {
          // It may have been idle and have left that state since; then it acknowledges at once.
          kernel.waitInterrupt(target, sequence);
        }
      }
      kernel.irqDisable();
      const before = Atomics.load(words, (own + layout.C_IPI_ACK) >>> 2);
      for (let left = roll(20); left > 0; left--) kernel.pollInterrupts();
      if (Atomics.load(words, (own + layout.C_IPI_ACK) >>> 2) !== before) errors += 1;
      kernel.irqEnable();
      kernel.spinLock(lock, cls);
      for (let left = roll(20); left > 0; left--) kernel.pollInterrupts();
      kernel.spinUnlock(lock, cls);
      if (roll(16) === 0) {
        kernel.rcuIdleEnter();
        for (let left = roll(1000); left > 0; left--) Atomics.load(words, own >>> 2);
        kernel.rcuIdleExit();
      }
      kernel.rcuQuiescentState();
    }
    meet(context, meeting, 2);
    kernel.rcuIdleEnter();
    return { errors };
  },

  /** CPU 0 dies inside a lock that the others want. */
  dieHoldingLock(context) {
    const { kernel, words, lock, cls, meeting, times } = context;
    kernel.rcuIdleExit();
    meet(context, meeting);
    try {
      kernel.measureCountUnderLock(lock, lock + layout.LOCK_BYTES, cls, times);
    } catch (error) {
      // The machine's answer to any death.
      Atomics.store(words, layout.H_STOP >>> 2, 2);
      throw error;
    }
  },
};
