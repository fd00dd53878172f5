/**
 * lockVmaUnderRcu with a writer at every step: before each atomic operation of the reader in turn, another CPU runs a
 * whole system call, or takes a write lock and keeps it. The reader must come back with nothing, or with a VMA that is
 * attached, contains the page and is nobody's to write. A writer that has to wait for the reader is right too, and ends
 * its case.
 */
import { expect, test, vi } from 'vitest';
import { MMAP_REPLACE, MREMAP_FIXED, MREMAP_MAYMOVE } from '../../src/kernel/word/config.ts';
import * as layout from '../../src/kernel/word/layout.ts';
import { mmCreate } from '../../src/kernel/space/mm.ts';
import { doMmap } from '../../src/kernel/calls/mmap.ts';
import { mmapWriteLock } from '../../src/kernel/sleep/mmapLock.ts';
import { doMprotect } from '../../src/kernel/vma/mprotect.ts';
import { doMremap } from '../../src/kernel/calls/mremap.ts';
import { doMunmap } from '../../src/kernel/vma/munmap.ts';
import { setThisCpu } from '../../src/kernel/word/percpu.ts';
import { rcuIdleExit } from '../../src/kernel/rcu/rcu.ts';
import { vmaLookup } from '../../src/kernel/space/vma.ts';
import { lockVmaUnderRcu, vmaReadUnlock, vmaStartWrite } from '../../src/kernel/space/vmaLock.ts';
import { bootHere, violations } from './vmaHarness.ts';

/** Runs before each atomic operation of the reader. */
const hook = vi.hoisted(() => ({ before: (): void => {} }));

vi.mock('../../src/kernel/word/word.ts', async (original) => {
  const real = await original<Record<string, (...args: number[]) => number>>();
  const hooked: Record<string, unknown> = { ...real };
  for (const name of ['load', 'store', 'exchange', 'compareExchange', 'add', 'sub']) {
    hooked[name] = (...args: number[]) => {
      hook.before();
      return real[name]!(...args);
    };
  }
  return hooked;
});

vi.mock('../../src/kernel/cpu/await.ts', async (original) => ({
  ...(await original<object>()),
  awaitWord: () => {
    throw new Waits();
  },
}));

class Waits extends Error {}

const READER = 0;
const WRITER = 1;
const PAGE = 107;

let words: Uint32Array;
let mm: number;

function boot(): void {
  hook.before = () => {};
  words = bootHere({ cpus: 2 });
  setThisCpu(WRITER);
  rcuIdleExit();
  setThisCpu(READER);
  mm = mmCreate();
  doMmap(mm, 80, 10, 1, 0, 0, 0);
  doMmap(mm, 100, 10, 3, 0, 0, 0);
  doMmap(mm, 120, 10, 1, 0, 0, 0);
}

const word = (address: number): number => words[address >>> 2]!;

const writers: [string, () => void][] = [
  ['mprotect below the page', () => doMprotect(mm, 100, 5, 1)],
  ['mprotect of the page', () => doMprotect(mm, 105, 5, 1)],
  ['mprotect above the page', () => doMprotect(mm, 108, 2, 1)],
  ['munmap', () => doMunmap(mm, 100, 10)],
  ['munmap below the page', () => doMunmap(mm, 90, 15)],
  ['munmap above the page', () => doMunmap(mm, 108, 4)],
  ['mmap over it', () => doMmap(mm, 95, 20, 3, MMAP_REPLACE, 0, 0)],
  ['mmap that merges', () => doMmap(mm, 110, 5, 3, 0, 0, 0)],
  ['mremap away', () => doMremap(mm, 100, 10, 200, 10, MREMAP_FIXED | MREMAP_MAYMOVE)],
  [
    'a write lock that is kept',
    () => {
      mmapWriteLock(mm);
      vmaStartWrite(vmaLookup(mm, PAGE));
    },
  ],
  [
    'unmapped and mapped again',
    () => {
      doMunmap(mm, 100, 10);
      doMmap(mm, 106, 2, 3, 0, 0, 0);
    },
  ],
];

/** One run with the writer before operation `at` of the reader; whether the reader got that far. */
function interleave(write: () => void, at: number): boolean {
  let step = 0;
  let waited = false;
  hook.before = () => {
    step += 1;
    if (step !== at) return;
    hook.before = () => {};
    setThisCpu(WRITER);
    try {
      write();
    } catch (error) {
      if (!(error instanceof Waits)) throw error;
      waited = true;
    }
    setThisCpu(READER);
  };
  const vma = lockVmaUnderRcu(mm, PAGE);
  const reached = step >= at;
  hook.before = () => {};
  if (waited) return reached;
  if (vma !== 0) {
    expect(word(vma + layout.VMA_START)).toBeLessThanOrEqual(PAGE);
    expect(word(vma + layout.VMA_END)).toBeGreaterThan(PAGE);
    expect(word(vma + layout.VMA_REF)).toBe(2);
    expect(word(vma + layout.VMA_LOCK_SEQ)).not.toBe(word(mm + layout.MM_LOCK_SEQ));
    expect(vmaLookup(mm, PAGE)).toBe(vma);
    vmaReadUnlock(vma);
  }
  expect(violations(words, 2)).toEqual([]);
  return reached;
}

test.each(writers)('%s', (_, write) => {
  let at = 0;
  do {
    at += 1;
    boot();
  } while (interleave(write, at));
  expect(at).toBeGreaterThan(10);
});
