/**
 * The waker's half of waiting (wait.ts): who has stored a word wakes those that are parked on it, if there are any.
 */

import { PARKING } from '../word/config.ts';
import { load, notify } from '../word/word.ts';

/** Wakes all that wait for the word at `address`, just stored, if there are any. */
export function wake(address: u32, waiters: u32): void {
  // Pairs with the add in waitFor.
  if (PARKING !== 0 && load(waiters) !== 0) notify(address, 0x7fffffff);
}
