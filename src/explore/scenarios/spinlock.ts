/**
 * CPUs that take the same page-table lock, ROUNDS times each, and count in a plain word under it. The lock is of the kind that the
 * machine has been given (axis `lock`).
 *
 * Expected: no count is lost, no two CPUs touch the word without order, and nobody waits for ever.
 */

import { LC_PTE, spinLock, spinUnlock } from '../../kernel/lock.ts';
import { H_TABLES, tableAddress } from '../../kernel/layout.ts';
import { peek, poke } from '../../kernel/word.ts';
import { expect } from '../primitives.ts';

export const CPUS: u32 = 2;
const ROUNDS: u32 = 1;

/** Two tables that nobody allocates: one is the lock, the other holds the count. */
let lock: u32 = 0;
let counter: u32 = 0;

export function setUp(): void {
  lock = tableAddress(peek(H_TABLES) - 1);
  counter = tableAddress(peek(H_TABLES) - 2);
}

export function run(_cpu: u32): void {
  for (let round: u32 = 0; round < ROUNDS; round++) {
    spinLock(lock, LC_PTE);
    poke(counter, peek(counter) + 1);
    spinUnlock(lock, LC_PTE);
  }
}

export function finish(): void {
  expect(peek(counter) === CPUS * ROUNDS, 'every round counted');
}
