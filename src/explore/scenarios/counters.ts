/**
 * Counters that several CPUs increment: nothing can go wrong, and the number of executions is known.
 *
 * PATTERN 0: one counter; 1: two, in turn; 2: one for each CPU.
 */

import { expect } from '../primitives.ts';
import { add, load } from '../../kernel/word.ts';

export const CPUS: u32 = 3;
export const BYTES: u32 = 64;
const INCREMENTS: u32 = 4;
const PATTERN: u32 = 0;
/** Whether the increments' results are used, and therefore their order is observed. */
const USED: u32 = 1;

function counter(cpu: u32, i: u32): u32 {
  if (PATTERN === 1) return (i & 1) << 2;
  if (PATTERN === 2) return cpu << 2;
  return 0;
}

export function run(cpu: u32): void {
  for (let i: u32 = 0; i < INCREMENTS; i++) {
    const at = counter(cpu, i);
    if (USED !== 0) {
      const before = add(at, 1);
      expect(before < CPUS * INCREMENTS, 'a counter below the sum');
    } else add(at, 1);
  }
}

export function finish(): void {
  let sum: u32 = 0;
  for (let at: u32 = 0; at < CPUS << 2; at += 4) sum += load(at);
  expect(sum === CPUS * INCREMENTS, 'every increment counted');
}
