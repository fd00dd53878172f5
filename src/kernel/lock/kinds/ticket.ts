/**
 * Ticket lock: first come, first served. Its waiters spin, nobody wakes them: when threads outnumber the cores, the one
 * whose turn it is may not be running, and everybody behind it waits for the scheduler.
 *
 * Protocol: LOCK_AUX is the next ticket, LOCK_WORD the ticket being served, both modulo 2^32; free when equal. Lock:
 * draw a ticket by an atomic add, await one's turn. Unlock: serve the next. LOCK_OWNER names the holder to reports.
 *
 * Source: Mellor-Crummey and Scott 1991, section 2.2; Linux before 4.2, arch/x86/include/asm/spinlock.h.
 */

import { spinFor } from '../../cpu/wait.ts';
import { AWAIT_EQUALS } from '../../word/config.ts';
import { LOCK_AUX, LOCK_OWNER, LOCK_WORD } from '../../word/layout.ts';
import { cpuId } from '../../word/percpu.ts';
import { add, compareExchange, load, store } from '../../word/word.ts';
import { noteOwner } from '../lockOwner.ts';

export const about = {
  name: 'ticket',
  summary: 'a ticket lock: in the order of asking; waiters spin',
  owner: 'owner',
  held: 'difference',
};

/** One attempt: draws a ticket only when it is the one being served. */
export function kindTrylock(lock: u32): boolean {
  const next = load(lock + LOCK_AUX);
  if (load(lock + LOCK_WORD) !== next) return false;
  // The tickets cannot have moved on in between unless LOCK_AUX changed: nobody serves a ticket that was not drawn.
  if (compareExchange(lock + LOCK_AUX, next, (next + 1) >>> 0) !== next) return false;
  noteOwner(lock, cpuId() + 1);
  return true;
}

/** Takes the lock. */
export function kindLock(lock: u32): void {
  const mine = add(lock + LOCK_AUX, 1);
  spinFor(lock + LOCK_WORD, AWAIT_EQUALS, mine); // pairs with the store in kindUnlock
  noteOwner(lock, cpuId() + 1);
}

export function kindUnlock(lock: u32): void {
  noteOwner(lock, 0);
  store(lock + LOCK_WORD, (load(lock + LOCK_WORD) + 1) >>> 0);
}

export function kindOwner(lock: u32): u32 {
  return load(lock + LOCK_OWNER);
}
