/**
 * Waiting in two phases: look at a word for a while, then say so and park.
 *
 * The waker stores the word, then reads the waiters' count and notifies only when there are some (`wake`). The waiter
 * raises the count, then looks at the word once more inside `awaitWord`. Both orders are sequentially consistent:
 * either the waiter's look finds the new value or the waker's read finds the waiter. Between look and park the word's
 * value is compared again by the park itself. So a wake-up is never lost, and a waker pays for it only when somebody is
 * parked.
 */

import { satisfies } from '../word/condition.ts';
import { LOCK_SPINS, PARKING, QUEUE_SPINS } from '../word/config.ts';
import { C_WAIT_SINCE, C_WAIT_TIMED, C_WAITING_FOR } from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { add, clockNs, load, peek, poke, store, sub } from '../word/word.ts';
import { awaitWord } from './await.ts';
import { pollInterrupts } from './irq.ts';

/**
 * Waits as `awaitWord` does for the whole word at `address`: up to `spins` looks, then parked, counted in the word at
 * `waiters`. Returns the value that satisfied the condition.
 */
export function waitFor(address: u32, condition: u32, operand: u32, spins: u32, waiters: u32): u32 {
  if (PARKING === 0) return awaitWord(address, 0xffffffff, condition, operand, 0);
  let value = load(address);
  let left = spins;
  while (left > 0 && !satisfies(value, condition, operand)) {
    pollInterrupts();
    value = load(address);
    left -= 1;
  }
  if (satisfies(value, condition, operand)) return value;
  add(waiters, 1); // pairs with the read in wake
  value = awaitNamed(address, 0xffffffff, condition, operand, 0);
  sub(waiters, 1); // no pair: whoever still sees it notifies for nothing
  return value;
}

/**
 * Waits for the whole word at `address` with no waker to rely on, as spinning locks do: LOCK_SPINS quick looks, then
 * QUEUE_SPINS that also watch for the end of the run. Whoever is still waiting then leaves its core to others for the
 * time of one park between two looks, since the CPU it waits for may not be running.
 */
export function spinFor(address: u32, condition: u32, operand: u32): u32 {
  if (PARKING === 0) return awaitWord(address, 0xffffffff, condition, operand, 0);
  let value = load(address);
  let left = LOCK_SPINS;
  while (left > 0 && !satisfies(value, condition, operand)) {
    pollInterrupts();
    value = load(address);
    left -= 1;
  }
  if (satisfies(value, condition, operand)) return value;
  waitLasts();
  return awaitNamed(address, 0xffffffff, condition, operand, QUEUE_SPINS);
}

/** A wait for a spinlock has outlasted its quick looks: from now on it is timed, unless it is already. */
export function waitLasts(): void {
  const cpu = thisCpu();
  if (peek(cpu + C_WAIT_TIMED) !== 0) return;
  poke(cpu + C_WAIT_TIMED, 1);
  poke(cpu + C_WAIT_SINCE, clockNs());
}

/** `awaitWord`, with the word named to reports and to senders of interrupts for as long as it lasts. */
export function awaitNamed(address: u32, mask: u32, condition: u32, operand: u32, spins: u32): u32 {
  if (PARKING === 0) return awaitWord(address, mask, condition, operand, spins);
  const name = thisCpu() + C_WAITING_FOR;
  // Pairs with sendInterrupt, which reads the name after its request: it sees the name and wakes this CPU, or a poll
  // before the park sees the request.
  store(name, address);
  const value = awaitWord(address, mask, condition, operand, spins);
  store(name, 0); // no pair: whoever still sees the name notifies for nothing
  return value;
}
