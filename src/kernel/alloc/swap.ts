/**
 * Simulated swap: slots without bytes, so that non-present entries are real.
 *
 * Guarantee: a slot is free, or its count equals the entries that name it (several after fork), and one while it is
 * being given out. There is no cache between swap and the page tables: each entry that is faulted in gets a page of its
 * own. Lock order: G_SWAP_LOCK is innermost; it may be taken under a PTE lock. Source: Linux mm/swapfile.c
 * (get_swap_pages, swap_duplicate, swap_free).
 */

import { LC_SWAP, spinLock, spinUnlock } from '../lock/lock.ts';
import { injectNth } from '../observe/inject.ts';
import { violation } from '../observe/report.ts';
import { CHECK } from '../word/check.ts';
import { ORACLE_ACCOUNTING } from '../word/config.ts';
import {
  G_SWAP_BUMP,
  G_SWAP_FREE,
  G_SWAP_LOCK,
  H_SWAP_BASE,
  H_SWAP_SLOTS,
  SWAP_NEXT,
  SWAP_REF,
  SWAP_SHIFT,
} from '../word/layout.ts';
import { add, peek, poke, store, sub } from '../word/word.ts';

function slotOf(slot: SwapSlot): u32 {
  return peek(H_SWAP_BASE) + (slot << SWAP_SHIFT);
}

/** Takes a slot for one entry. Returns its number, from 1 on; 0: swap is full, or there is none. */
export function swapAlloc(): SwapSlot {
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

/** Counts a further entry of a slot. Precondition: the caller has one, or holds the PTE lock of one. */
export function swapDup(slot: SwapSlot): void {
  const old = add(slotOf(slot) + SWAP_REF, 1);
  if (CHECK >= 1 && old === 0) violation(ORACLE_ACCOUNTING, slot, old, 1);
}

/**
 * Gives up one entry's claim to a slot; the last one frees it. Precondition: the caller took the entry out of a page
 * table, or never put it in.
 */
export function swapFree(slot: SwapSlot): void {
  const old = sub(slotOf(slot) + SWAP_REF, 1);
  if (CHECK >= 1 && old === 0) {
    violation(ORACLE_ACCOUNTING, slot, old, 0);
    return;
  }
  if (old !== 1) return;
  spinLock(G_SWAP_LOCK, LC_SWAP);
  poke(slotOf(slot) + SWAP_NEXT, peek(G_SWAP_FREE));
  poke(G_SWAP_FREE, slot);
  spinUnlock(G_SWAP_LOCK, LC_SWAP);
}
