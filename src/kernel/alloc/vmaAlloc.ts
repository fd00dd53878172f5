/**
 * The memory of VMAs: a free list and a mark up to which they were ever used.
 *
 * Guarantee: a VMA that left its list is handed out again only after a grace period: a reader that met it in an RCU
 * section may still lock it and look at it again (vmaLock.ts).
 *
 * Lock order: G_VMA_LOCK is a leaf. Source: Linux mm/vma_init.c (vm_area_alloc, vm_area_free; SLAB_TYPESAFE_BY_RCU).
 */

import { LC_VMAS, spinLock, spinUnlock } from '../lock/lock.ts';
import { injectNth } from '../observe/inject.ts';
import { violation } from '../observe/report.ts';
import { CHECK } from '../word/check.ts';
import { ORACLE_ACCOUNTING } from '../word/config.ts';
import {
  G_VMA_BUMP,
  G_VMA_FREE,
  G_VMA_LOCK,
  H_VMA_BASE,
  H_VMAS,
  VMA_FREE,
  VMA_GEN,
  VMA_RCU,
  VMA_SHIFT,
} from '../word/layout.ts';
import { load, peek, poke, store } from '../word/word.ts';

/**
 * Takes a VMA from the allocator; its words are undefined but for VMA_GEN. Returns its address, 0 when there is none
 * left.
 */
export function vmaAlloc(): Vma {
  if (injectNth()) return 0;
  spinLock(G_VMA_LOCK, LC_VMAS);
  let vma = peek(G_VMA_FREE);
  if (vma !== 0) {
    poke(G_VMA_FREE, peek(vma + VMA_FREE));
  } else {
    let number = peek(G_VMA_BUMP);
    if (number === 0) number = 1;
    if (number < peek(H_VMAS)) {
      poke(G_VMA_BUMP, number + 1);
      vma = peek(H_VMA_BASE) + (number << VMA_SHIFT);
    }
  }
  spinUnlock(G_VMA_LOCK, LC_VMAS);
  // No pair: the generation is for checks and audits; vmaLink publishes the VMA.
  if (vma !== 0) store(vma + VMA_GEN, load(vma + VMA_GEN) + 1);
  return vma;
}

/** The RCU callback of `vmaFree`; `head` is the VMA's VMA_RCU. */
export function vmaFreeRcu(head: u32): void {
  const vma = head - VMA_RCU;
  if (CHECK >= 1 && (load(vma + VMA_GEN) & 1) === 0) {
    violation(ORACLE_ACCOUNTING, vma, load(vma + VMA_GEN), 0);
  }
  // No pair: as in vmaAlloc; no reader is left.
  store(vma + VMA_GEN, load(vma + VMA_GEN) + 1);
  spinLock(G_VMA_LOCK, LC_VMAS);
  poke(vma + VMA_FREE, peek(G_VMA_FREE));
  poke(G_VMA_FREE, vma);
  spinUnlock(G_VMA_LOCK, LC_VMAS);
}
