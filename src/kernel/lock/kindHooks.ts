/**
 * The hooks of lock kinds: what a page-table lock of the run's kind does. This file declares them; a file of kinds/
 * exports functions with these names and types, and the foundry (src/foundry/plug.ts) puts them in their place in every
 * build. What stands here is the base, adaptive.
 *
 *     hook           called                                                under
 *     kindTrylock    to take the lock if it is free                        any locks
 *     kindLock       after a failed kindTrylock: waits until it has it     the lock order
 *     kindUnlock     by the holder                                         the lock
 *     kindOwner      by reports, and with checks by everybody              nothing
 *
 * A lock is LOCK_BYTES of zeros when free and never used: LOCK_WORD, LOCK_AUX and LOCK_OWNER are the kind's. Taking and
 * releasing are sequentially consistent atomics on one word, so that a holder sees what the one before did. A wait is
 * one of cpu/wait.ts, in which interrupts are polled.
 */

import { adaptiveLock, adaptiveOwner, adaptiveTrylock, adaptiveUnlock } from './adaptiveLock.ts';

/** How many hooks the kinds of this kernel export, all together; 0: nobody has plugged them in. */
export const PLUGGED_LOCK_HOOKS: u32 = 0;

/** One attempt to take the lock; whether it did. */
export function kindTrylock(lock: u32): boolean {
  return adaptiveTrylock(lock);
}

/** Takes the lock, which was not free at an attempt just now. */
export function kindLock(lock: u32): void {
  adaptiveLock(lock);
}

/** Releases the lock, which this CPU holds. */
export function kindUnlock(lock: u32): void {
  adaptiveUnlock(lock);
}

/** Number + 1 of the CPU that holds the lock, 0: nobody. To others than the holder a hint. */
export function kindOwner(lock: u32): u32 {
  return adaptiveOwner(lock);
}
