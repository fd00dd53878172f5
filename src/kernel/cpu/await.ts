/**
 * The kernel's two waits on a word. Every wait ends here: there is no other loop that looks at a word until somebody
 * else changes it.
 *
 * Guarantee: the condition held at one look since the call. A waiter polls interrupts between looks when it has them
 * enabled, parks after its spins, and gives up, by ending its CPU, when the run is aborted or the wait has lasted
 * longer than the machine's limit (`pollWhileWaiting`).
 *
 * To the explorer each is one step, blocked until it can be taken: it does not look into this file.
 */

import { AWAIT_EQUALS } from '../word/config.ts';
import { satisfies } from '../word/condition.ts';
import { clockNs, compareExchange, load, parkOn } from '../word/word.ts';
import { pollWhileWaiting } from './irq.ts';

/**
 * Waits until the word at `address`, masked by `mask`, satisfies `condition` (AWAIT_ codes) against `operand`, and
 * returns the unmasked value that did. Spins `spins` times, then parks on the word between looks, so that a writer that
 * does not notify is seen all the same.
 */
export function awaitWord(address: u32, mask: u32, condition: u32, operand: u32, spins: u32): u32 {
  let value = load(address);
  if (satisfies((value & mask) >>> 0, condition, operand)) return value;
  let left = spins;
  const startNs = clockNs();
  while (!satisfies((value & mask) >>> 0, condition, operand)) {
    pollWhileWaiting(address, startNs);
    if (left > 0) left -= 1;
    else parkOn(address, value);
    value = load(address);
  }
  return value;
}

/**
 * Waits until the word at `address` is 0 and stores `value` there. For short waits: polls interrupts only between
 * looks, parks nowhere else. Pairs with the store of 0 by whoever has the word: this CPU sees all that was written
 * before it.
 */
export function takeWord(address: u32, value: u32): void {
  while (compareExchange(address, 0, value) !== 0)
    awaitWord(address, 0xffffffff, AWAIT_EQUALS, 0, 0);
}
