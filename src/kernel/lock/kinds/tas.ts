/**
 * Test-and-set lock with a test before each attempt. Unfair. Its waiters spin, nobody wakes them: threads that outnumber
 * the cores burn the time slices that the holder needs.
 *
 * Protocol: LOCK_WORD is 0 or the owner's number + 1. Lock: compare-and-exchange from 0. Unlock: store 0.
 *
 * Source: Herlihy and Shavit, The Art of Multiprocessor Programming, 7.2 (TTASLock).
 */

import { spinFor } from '../../cpu/wait.ts';
import { AWAIT_EQUALS } from '../../word/config.ts';
import { LOCK_WORD } from '../../word/layout.ts';
import { cpuId } from '../../word/percpu.ts';
import { compareExchange, store } from '../../word/word.ts';

/** One attempt. */
export function tasTrylock(lock: u32): boolean {
  return compareExchange(lock + LOCK_WORD, 0, cpuId() + 1) === 0; // pairs with the store in tasUnlock
}

/** Takes the lock after a failed attempt. */
export function tasLockSlow(lock: u32): void {
  while (!tasTrylock(lock)) spinFor(lock + LOCK_WORD, AWAIT_EQUALS, 0);
}

export function tasUnlock(lock: u32): void {
  store(lock + LOCK_WORD, 0);
}
