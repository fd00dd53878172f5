/**
 * The adaptive lock: what every lock is that is not of a page table, and those, too, unless the run chose another kind.
 *
 * LOCK_WORD = 0, or the owner's number + 1, and bit 31 when somebody may be parked:
 *   Lock: compare-and-exchange 0 to the owner. Failing that, look LOCK_SPINS times, trying when it is free. Failing
 *   that, set bit 31 in whatever the owner left there and park until the word changes; take a free lock with bit 31
 *   set, since others may be parked too.
 *   Unlock: exchange with 0; if bit 31 was set, wake one.
 *
 * Guarantee: no wake-up is lost. A waiter parks only on a value with bit 31 set, the park compares the word again, and
 * every holder that may have parked waiters behind it has bit 31 in the word, either because a waiter put it there or
 * because it had itself been one. A running CPU may overtake a parked one, which is what keeps threads that outnumber
 * the cores going.
 *
 * Source: Drepper, Futexes Are Tricky, section 6 (mutex3); Linux kernel/locking/mutex.c for spinning first.
 */

import { pollInterrupts } from '../cpu/irq.ts';
import { awaitNamed, spinFor, waitLasts } from '../cpu/wait.ts';
import { AWAIT_DIFFERS, AWAIT_EQUALS, LOCK_SPINS, PARKING } from '../word/config.ts';
import { LOCK_WORD } from '../word/layout.ts';
import { cpuId } from '../word/percpu.ts';
import { compareExchange, exchange, load, notify } from '../word/word.ts';

const WAITERS: u32 = 0x80000000;

/**
 * One attempt to take the lock; whether it did.
 * @inline
 */
export function adaptiveTrylock(lock: u32): boolean {
  // Pairs with the exchange of the last holder's adaptiveUnlock.
  return compareExchange(lock + LOCK_WORD, 0, cpuId() + 1) === 0;
}

/**
 * Releases a lock that this CPU holds.
 * @inline
 */
export function adaptiveUnlock(lock: u32): void {
  // Publishes the critical section; pairs with the compare-and-exchange of the next holder.
  if ((exchange(lock + LOCK_WORD, 0) & WAITERS) !== 0) notify(lock + LOCK_WORD, 1);
}

/** Number + 1 of the CPU that holds the lock, 0: nobody. */
export function adaptiveOwner(lock: u32): u32 {
  return (load(lock + LOCK_WORD) & ~WAITERS) >>> 0;
}

/** Takes a lock that was not free at an attempt just now. */
export function adaptiveLock(lock: u32): void {
  const mine = cpuId() + 1;
  let taken = false;
  while (PARKING === 0 && !taken) {
    spinFor(lock + LOCK_WORD, AWAIT_EQUALS, 0);
    taken = compareExchange(lock + LOCK_WORD, 0, mine) === 0;
  }
  let left = LOCK_SPINS;
  while (left > 0 && !taken) {
    if (load(lock + LOCK_WORD) === 0) taken = compareExchange(lock + LOCK_WORD, 0, mine) === 0;
    else pollInterrupts();
    left -= 1;
  }
  if (!taken) waitLasts();
  while (!taken) {
    const seen = load(lock + LOCK_WORD);
    const marked = (seen | WAITERS) >>> 0;
    if (seen === 0) taken = compareExchange(lock + LOCK_WORD, 0, (mine | WAITERS) >>> 0) === 0;
    else if (seen === marked || compareExchange(lock + LOCK_WORD, seen, marked) === seen)
      awaitNamed(lock + LOCK_WORD, 0xffffffff, AWAIT_DIFFERS, marked, 0);
  }
}
