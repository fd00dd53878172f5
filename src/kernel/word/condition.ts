/**
 * What a wait waits for: conditions on the value of a word (AWAIT_ codes), and the order of sequence numbers modulo
 * 2^32.
 *
 * Pure functions: nothing here looks at a word. Two sequence numbers compare rightly while they are less than 2^31
 * apart.
 */

import { AWAIT_DIFFERS, AWAIT_EQUALS, AWAIT_REACHES } from './config.ts';

/** Whether sequence number `value` is at `target` or past it, modulo 2^32. */
export function reaches(value: u32, target: u32): boolean {
  return (value - target) >>> 0 < 0x80000000;
}

export function satisfies(value: u32, condition: u32, operand: u32): boolean {
  if (condition === AWAIT_EQUALS) return value === operand;
  if (condition === AWAIT_DIFFERS) return value !== operand;
  if (condition === AWAIT_REACHES) return reaches(value, operand);
  return value === 0 || reaches(value, operand);
}
