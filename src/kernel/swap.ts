/**
 * Simulated swap: slots without bytes, so that non-present entries are real.
 *
 * Guarantee: a slot is free, or its count equals the entries that name it. Lock order: G_SWAP_LOCK is innermost; it may be taken
 * under a PTE lock. Source: Linux mm/swapfile.c (get_swap_pages, swap_free).
 */

import { CHECK } from './check.ts';
import { ORACLE_ACCOUNTING } from './config.ts';
import { injectNth } from './inject.ts';
import {
  G_SWAP_BUMP,
  G_SWAP_FREE,
  G_SWAP_LOCK,
  H_SWAP_BASE,
  H_SWAP_SLOTS,
  SWAP_NEXT,
  SWAP_REF,
  SWAP_SHIFT,
} from './layout.ts';
import { LC_SWAP, spinLock, spinUnlock } from './lock.ts';
import { violation } from './report.ts';
import { load, peek, poke, store } from './word.ts';

function slotOf(slot: u32): u32 {
  return peek(H_SWAP_BASE) + (slot << SWAP_SHIFT);
}

/** Takes a slot for one entry. Returns its number, from 1 on; 0: swap is full, or there is none. */
export function swapAlloc(): u32 {
  if (peek(H_SWAP_SLOTS) === 0 || injectNth()) return 0;
  spinLock(G_SWAP_LOCK, LC_SWAP);
  let slot = peek(G_SWAP_FREE);
  if (slot !== 0) {
    poke(G_SWAP_FREE, peek(slotOf(slot) + SWAP_NEXT));
  } else if (peek(G_SWAP_BUMP) < peek(H_SWAP_SLOTS)) {
    slot = peek(G_SWAP_BUMP);
    poke(G_SWAP_BUMP, slot + 1);
  }
  spinUnlock(G_SWAP_LOCK, LC_SWAP);
  if (slot !== 0) store(slotOf(slot) + SWAP_REF, 1);
  return slot;
}

/** Gives up one entry's claim to a slot. Precondition: the caller took the entry out of a page table, or never put it in. */
export function swapFree(slot: u32): void {
  const word = slotOf(slot) + SWAP_REF;
  if (CHECK >= 1 && load(word) !== 1) {
    violation(ORACLE_ACCOUNTING, slot, load(word), 0);
    return;
  }
  store(word, 0);
  spinLock(G_SWAP_LOCK, LC_SWAP);
  poke(slotOf(slot) + SWAP_NEXT, peek(G_SWAP_FREE));
  poke(G_SWAP_FREE, slot);
  spinUnlock(G_SWAP_LOCK, LC_SWAP);
}
