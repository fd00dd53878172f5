/**
 * CPUs that take the same page-table lock, ROUNDS times each, and count in a plain word under it. The lock is of the
 * kind that the machine has been given (axis `lock`).
 *
 * Expected: no count is lost, no two CPUs touch the word without order, and nobody waits for ever.
 */

import { expect, peek, poke, several, spinLock, spinUnlock } from '../../portable/scenarioApi.ts';
import { H_TABLES, tableAddress } from '../../../kernel/word/layout.ts';
import { LC_PTE } from '../../../kernel/lock/lock.ts';

export const about = {
  summary: 'CPUs that count under one page-table lock, of the kind that the machine has',
  source:
    'Linux kernel/locking/qspinlock.c, Mellor-Crummey and Scott 1991 (mcs), Reed and Kanodia 1979 (ticket)',
  expected: 'passes',
  constants: { PARKING: 1 },
};

const CPUS: u32 = 2;
const ROUNDS: u32 = 1;

/** Two tables that nobody allocates: one is the lock, the other holds the count. */
let lock: u32 = 0;
let counter: u32 = 0;

export function setUp(): void {
  lock = tableAddress(peek(H_TABLES) - 1);
  counter = tableAddress(peek(H_TABLES) - 2);
}

function count(): void {
  for (let round: u32 = 0; round < ROUNDS; round++) {
    spinLock(lock, LC_PTE);
    poke(counter, peek(counter) + 1);
    spinUnlock(lock, LC_PTE);
  }
}

export const cpus = several(CPUS, count);

export function finish(): void {
  expect(peek(counter) === CPUS * ROUNDS, 'every round counted');
}
