/**
 * Test-and-set lock with a test before each attempt. Unfair. Its waiters spin, nobody wakes them: threads that
 * outnumber the cores burn the time slices that the holder needs.
 *
 * Protocol: LOCK_WORD is 0 or the owner's number + 1. Lock: compare-and-exchange from 0. Unlock: store 0.
 *
 * Source: Herlihy and Shavit, The Art of Multiprocessor Programming, 7.2 (TTASLock).
 */

import { spinFor } from '../../cpu/wait.ts';
import { AWAIT_EQUALS } from '../../word/config.ts';
import { LOCK_WORD } from '../../word/layout.ts';
import { cpuId } from '../../word/percpu.ts';
import { compareExchange, load, store } from '../../word/word.ts';

export const about = {
  name: 'tas',
  summary: 'a test-and-set lock: waiters spin, nobody is woken',
  owner: 'word',
  held: 'word',
};

/** One attempt. */
export function kindTrylock(lock: u32): boolean {
  return compareExchange(lock + LOCK_WORD, 0, cpuId() + 1) === 0; // pairs with the store in kindUnlock
}

/** Takes the lock after a failed attempt. */
export function kindLock(lock: u32): void {
  while (!kindTrylock(lock)) spinFor(lock + LOCK_WORD, AWAIT_EQUALS, 0);
}

export function kindUnlock(lock: u32): void {
  store(lock + LOCK_WORD, 0);
}

export function kindOwner(lock: u32): u32 {
  return load(lock + LOCK_WORD);
}
