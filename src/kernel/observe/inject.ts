/**
 * Injected trouble: failing allocations, delays and interrupts at synchronisation points, and the death of a CPU inside
 * a critical section. Each CPU draws from a generator of its own, so that one CPU's run depends on its seed alone.
 *
 * A synchronisation point stands where another CPU's step in between would matter: after an entry was read and before
 * it is used, between two locks, before a publication. None of this exists in a kernel built with CHECK 0, except the
 * failing allocations, which cost one load each.
 */

import { CHECK } from '../word/check.ts';
import {
  C_ALLOCATIONS,
  C_DEATH_COUNT,
  C_SEED,
  H_INJECT_DEATH_AFTER,
  H_INJECT_DEATH_CPU,
  H_INJECT_DEATH_KIND,
  H_INJECT_NTH,
} from '../word/layout.ts';
import { cpuId, thisCpu } from '../word/percpu.ts';
import { endCpu, peek, poke } from '../word/word.ts';
import { xorshift } from '../word/xorshift.ts';
import { count, COUNTER_INJECTED_FAILURES } from './stats.ts';

/** Next number of this CPU's generator (xorshift.ts). */
export function random(): u32 {
  const address = thisCpu() + C_SEED;
  let x = peek(address);
  if (x === 0) x = 0x9e3779b9;
  x = xorshift(x);
  poke(address, x);
  return x;
}

/** Whether this time is one of those that the configuration word `rate` asks to fail: one in so many, 0 none. */
export function injectFailure(rate: u32): boolean {
  const every = peek(rate);
  if (every === 0) return false;
  if (random() % every !== 0) return false;
  count(COUNTER_INJECTED_FAILURES);
  return true;
}

/**
 * Whether this allocation of a table, batch page, frame, VMA, inode or swap slot is the one that H_INJECT_NTH asks to
 * fail: each CPU counts its own from 1 on, in C_ALLOCATIONS. Only with checks.
 */
export function injectNth(): boolean {
  if (CHECK >= 1) {
    const nth = peek(H_INJECT_NTH);
    if (nth === 0) return false;
    const address = thisCpu() + C_ALLOCATIONS;
    const number = peek(address) + 1;
    poke(address, number);
    if (number !== nth) return false;
    count(COUNTER_INJECTED_FAILURES);
    return true;
  }
  return false;
}

/** Called with each lock just taken: ends the chosen CPU at its chosen acquisition, the lock still held. */
export function injectDeath(lock: u32): void {
  if (peek(H_INJECT_DEATH_CPU) !== cpuId() + 1) return;
  const address = thisCpu() + C_DEATH_COUNT;
  const taken = peek(address) + 1;
  poke(address, taken);
  if (taken === peek(H_INJECT_DEATH_AFTER)) endCpu(peek(H_INJECT_DEATH_KIND), lock);
}
