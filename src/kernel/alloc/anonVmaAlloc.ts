/**
 * Memory of anon_vmas and anon_vma_chains, and an anon_vma's life by its references.
 *
 * Guarantee: an anon_vma lives while AV_REF is not 0. Its memory is an anon_vma's for ever, so AV_REF and AV_ROOT of
 * one that was freed meanwhile can still be read: `anonVmaTryGet` fails, or gets another anon_vma, which its caller
 * finds out afterwards.
 *
 * References: one for the VMAs in its list (dropped when the last leaves), one for each other anon_vma with this root,
 * one for each holder.
 *
 * Lock order: G_ANON_LOCK is innermost. Source: Linux mm/rmap.c (anon_vma_alloc, __put_anon_vma, anon_vma_chain_alloc),
 * which uses SLAB_TYPESAFE_BY_RCU to the same end.
 */

import { LC_VMAS, spinLock, spinUnlock } from '../lock/lock.ts';
import { injectNth } from '../observe/inject.ts';
import { violation } from '../observe/report.ts';
import { CHECK } from '../word/check.ts';
import { ORACLE_ACCOUNTING } from '../word/config.ts';
import {
  ANON_VMA_SHIFT,
  AV_ACTIVE,
  AV_CHILDREN,
  AV_FIRST,
  AV_LAST,
  AV_NEXT_FREE,
  AV_PARENT,
  AV_REF,
  AV_ROOT,
  AVC_NEWER,
  CHAIN_SHIFT,
  G_ANON_BUMP,
  G_ANON_FREE,
  G_ANON_LOCK,
  G_CHAIN_BUMP,
  G_CHAIN_FREE,
  H_ANON_VMA_BASE,
  H_ANON_VMAS,
  H_CHAIN_BASE,
  H_CHAINS,
} from '../word/layout.ts';
import { add, compareExchange, load, peek, poke, store, sub } from '../word/word.ts';

/**
 * A new anon_vma, its own root and parent, with one reference and no VMA. Returns its address, 0 when there is none
 * left.
 */
export function anonVmaAlloc(): AnonVma {
  if (injectNth()) return 0;
  spinLock(G_ANON_LOCK, LC_VMAS);
  let anon = peek(G_ANON_FREE);
  if (anon !== 0) {
    poke(G_ANON_FREE, peek(anon + AV_NEXT_FREE));
  } else {
    const number = peek(G_ANON_BUMP) + 1;
    if (number < peek(H_ANON_VMAS)) {
      poke(G_ANON_BUMP, number);
      anon = peek(H_ANON_VMA_BASE) + (number << ANON_VMA_SHIFT);
    }
  }
  spinUnlock(G_ANON_LOCK, LC_VMAS);
  if (anon === 0) return 0;
  store(anon + AV_ROOT, anon);
  store(anon + AV_PARENT, anon);
  poke(anon + AV_CHILDREN, 0);
  poke(anon + AV_ACTIVE, 0);
  poke(anon + AV_FIRST, 0);
  poke(anon + AV_LAST, 0);
  // Pairs with anonVmaTryGet: whoever gets a reference sees the words above.
  store(anon + AV_REF, 1);
  return anon;
}

function anonVmaFree(anon: AnonVma): void {
  if (CHECK >= 1 && peek(anon + AV_FIRST) !== 0)
    violation(ORACLE_ACCOUNTING, anon, peek(anon + AV_FIRST), 0);
  spinLock(G_ANON_LOCK, LC_VMAS);
  poke(anon + AV_NEXT_FREE, peek(G_ANON_FREE));
  poke(G_ANON_FREE, anon);
  spinUnlock(G_ANON_LOCK, LC_VMAS);
}

/** Takes a further reference. Precondition: the caller has one, or a lock that keeps one. */
export function anonVmaGet(anon: AnonVma): void {
  const old = add(anon + AV_REF, 1);
  if (CHECK >= 1 && old === 0) violation(ORACLE_ACCOUNTING, anon, old, 1);
}

/**
 * Takes a reference unless there is none left; whether it did. The anon_vma may be another one by now: the caller
 * checks that.
 */
export function anonVmaTryGet(anon: AnonVma): boolean {
  let seen = load(anon + AV_REF);
  while (seen !== 0) {
    const old = compareExchange(anon + AV_REF, seen, seen + 1);
    if (old === seen) return true;
    seen = old;
  }
  return false;
}

/**
 * Drops a reference. The last one frees the anon_vma and drops its reference on the root. Not under the root's rwsem.
 */
export function anonVmaPut(anon: AnonVma): void {
  const old = sub(anon + AV_REF, 1);
  if (CHECK >= 1 && old === 0) violation(ORACLE_ACCOUNTING, anon, old, 2);
  if (old !== 1) return;
  const root = load(anon + AV_ROOT);
  anonVmaFree(anon);
  if (root !== anon) anonVmaPut(root);
}

/** A chain that is in no list; 0: none is left. */
export function chainAlloc(): AnonVmaChain {
  if (injectNth()) return 0;
  spinLock(G_ANON_LOCK, LC_VMAS);
  let chain = peek(G_CHAIN_FREE);
  if (chain !== 0) {
    poke(G_CHAIN_FREE, peek(chain + AVC_NEWER));
  } else {
    const number = peek(G_CHAIN_BUMP) + 1;
    if (number < peek(H_CHAINS)) {
      poke(G_CHAIN_BUMP, number);
      chain = peek(H_CHAIN_BASE) + (number << CHAIN_SHIFT);
    }
  }
  spinUnlock(G_ANON_LOCK, LC_VMAS);
  return chain;
}

/** Gives a chain that is in no list back. */
export function chainFree(chain: AnonVmaChain): void {
  spinLock(G_ANON_LOCK, LC_VMAS);
  poke(chain + AVC_NEWER, peek(G_CHAIN_FREE));
  poke(G_CHAIN_FREE, chain);
  spinUnlock(G_ANON_LOCK, LC_VMAS);
}
