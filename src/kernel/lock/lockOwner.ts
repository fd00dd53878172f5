/**
 * Who holds a lock whose own words do not say it (ticket, MCS): the word LOCK_OWNER, the holder's number + 1, 0 for
 * nobody.
 *
 * Only the holder writes it. With checks others look at it while CPUs run, so it is stored atomically; without, only
 * reports do, when a CPU has died, and a plain store does: a sequentially consistent one costs about as much as the
 * rest of taking the lock, twice, on the line that the next holder waits for.
 */

import { CHECK } from '../word/check.ts';
import { LOCK_OWNER } from '../word/layout.ts';
import { poke, store } from '../word/word.ts';

/** Notes that `owner` holds the lock at `lock`. Precondition: this CPU holds it. */
export function noteOwner(lock: u32, owner: u32): void {
  if (CHECK >= 1) store(lock + LOCK_OWNER, owner);
  else poke(lock + LOCK_OWNER, owner);
}
