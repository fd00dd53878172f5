/**
 * The deferred-split queue: anonymous folios of several pages some of which are not mapped any more, and could be free
 * if the folio were split (splitFolio.ts).
 *
 * Guarantee: a folio on the queue is allocated; it is on it once; F_PARTIALLY_MAPPED says that somebody has put it
 * there since it was allocated, and it stays until the folio is split or freed.
 *
 *  - Queued by the removal of map counts that leaves some page without a mapping while another has one (mapcount.ts).
 *    The entries that are being removed still hold their references, so the folio is not being freed.
 *  - Taken off by whoever frees it (frame.ts): nobody else can add it then, so one look without the lock tells whether
 *    it is there.
 *  - A pass over the queue (splitFolio.ts) isolates a folio by taking a reference: it stays marked, so that it is not
 *    queued a second time, but is in no list. A folio whose references are gone already is dropped from the list
 *    instead; whoever frees it looks for it in vain.
 *
 *     LARGE_DEFERRED    list           reference of the queue
 *     NOT_QUEUED        none           none
 *     QUEUED            the queue      none
 *     ISOLATED          none           the pass's
 *
 * All three change under G_DEFERRED_LOCK alone. Lock order: G_DEFERRED_LOCK may be taken under PTE locks; nothing is
 * taken under it.
 * Source: Linux 6.18 mm/huge_memory.c (deferred_split_folio, __folio_unqueue_deferred_split, deferred_split_scan).
 */

import { spinLock, spinUnlock } from '../lock/lock.ts';
import { LC_DEFERRED_SPLIT } from '../observe/lockOrder.ts';
import { violation } from '../observe/report.ts';
import {
  count,
  COUNTER_DEFERRED_LOCKS,
  COUNTER_DEFERRED_QUEUED,
  COUNTER_DEFERRED_REMOVED,
} from '../observe/stats.ts';
import { CHECK } from '../word/check.ts';
import { ORACLE_ACCOUNTING } from '../word/config.ts';
import {
  F_FLAGS,
  G_DEFERRED_HEAD,
  G_DEFERRED_LENGTH,
  G_DEFERRED_LOCK,
  G_DEFERRED_TAIL,
  LARGE_DEFERRED,
  LARGE_DEFERRED_NEXT,
  LARGE_DEFERRED_PREV,
} from '../word/layout.ts';
import { and, load, or, peek, poke, store } from '../word/word.ts';
import { F_PARTIALLY_MAPPED, folioOf, tryGetHead } from './folio.ts';

export const NOT_QUEUED: u32 = 0;
export const QUEUED: u32 = 1;
export const ISOLATED: u32 = 2;

/** Takes the queue's lock. */
export function deferredLock(): void {
  spinLock(G_DEFERRED_LOCK, LC_DEFERRED_SPLIT);
  count(COUNTER_DEFERRED_LOCKS);
}

/** Releases it. */
export function deferredUnlock(): void {
  spinUnlock(G_DEFERRED_LOCK, LC_DEFERRED_SPLIT);
}

/**
 * Appends a folio that is in no list. Lock held. No pair: without the lock the length and the state are hints
 * (unqueueDeferredSplit looks again).
 */
function append(head: Head): void {
  const folio = folioOf(head);
  const last = peek(G_DEFERRED_TAIL);
  poke(folio + LARGE_DEFERRED_NEXT, 0);
  poke(folio + LARGE_DEFERRED_PREV, last);
  if (last === 0) poke(G_DEFERRED_HEAD, head);
  else poke(folioOf(last) + LARGE_DEFERRED_NEXT, head);
  poke(G_DEFERRED_TAIL, head);
  store(G_DEFERRED_LENGTH, peek(G_DEFERRED_LENGTH) + 1);
  store(folio + LARGE_DEFERRED, QUEUED);
  count(COUNTER_DEFERRED_QUEUED);
}

/** Takes a queued folio out of the list; it is in state `next` then. Lock held. No pair, as in append. */
function unlink(head: Head, next: Head): void {
  const folio = folioOf(head);
  const after = peek(folio + LARGE_DEFERRED_NEXT);
  const before = peek(folio + LARGE_DEFERRED_PREV);
  if (before === 0) poke(G_DEFERRED_HEAD, after);
  else poke(folioOf(before) + LARGE_DEFERRED_NEXT, after);
  if (after === 0) poke(G_DEFERRED_TAIL, before);
  else poke(folioOf(after) + LARGE_DEFERRED_PREV, before);
  poke(folio + LARGE_DEFERRED_NEXT, 0);
  poke(folio + LARGE_DEFERRED_PREV, 0);
  store(G_DEFERRED_LENGTH, peek(G_DEFERRED_LENGTH) - 1);
  store(folio + LARGE_DEFERRED, next);
  count(COUNTER_DEFERRED_REMOVED);
}

/**
 * Takes a folio off the queue, if it is on it, for good: it is about to be split or freed. Lock held. No pair: nobody
 * maps it, so nobody queues it meanwhile.
 */
export function deferredForget(head: Head): void {
  const folio = folioOf(head);
  if (load(folio + LARGE_DEFERRED) === QUEUED) unlink(head, NOT_QUEUED);
  else store(folio + LARGE_DEFERRED, NOT_QUEUED);
  and(folio + F_FLAGS, ~F_PARTIALLY_MAPPED >>> 0);
}

/**
 * Queues the folio whose first frame is `head` to be split, unless it has been already. Precondition: it is anonymous,
 * of more than one page, and referenced by the caller.
 */
export function deferredSplitFolio(head: Head): void {
  const folio = folioOf(head);
  if ((load(folio + F_FLAGS) & F_PARTIALLY_MAPPED) !== 0) return;
  deferredLock();
  // Another removal may have been faster. While the folio is isolated, whoever isolated it puts it back. Pairs with the
  // look above, of other removals.
  or(folio + F_FLAGS, F_PARTIALLY_MAPPED);
  if (load(folio + LARGE_DEFERRED) === NOT_QUEUED) append(head);
  deferredUnlock();
}

/**
 * Takes a folio that is being freed off the queue. Precondition: its last reference is gone, so nobody queues or
 * isolates it any more.
 */
export function unqueueDeferredSplit(head: Head): void {
  const folio = folioOf(head);
  const state = load(folio + LARGE_DEFERRED);
  if (CHECK >= 1 && state === ISOLATED) violation(ORACLE_ACCOUNTING, head, state, 0);
  if (state === NOT_QUEUED) return;
  deferredLock();
  // A pass that found the count at zero may have dropped it meanwhile.
  deferredForget(head);
  deferredUnlock();
}

/**
 * Isolates the oldest folio of the queue that still has references. Returns its first frame, with a reference for the
 * caller; 0: none.
 */
export function deferredIsolate(): Head {
  deferredLock();
  let head = peek(G_DEFERRED_HEAD);
  let isolated: u32 = 0;
  while (head !== 0 && isolated === 0) {
    // Queued, so allocated, so no tail of another folio: its frame is the head whatever becomes of it while the lock is
    // held.
    if (tryGetHead(head)) {
      unlink(head, ISOLATED);
      isolated = head;
    } else {
      deferredForget(head);
      head = peek(G_DEFERRED_HEAD);
    }
  }
  deferredUnlock();
  return isolated;
}

/**
 * Puts an isolated folio that was not split back at the end of the queue. The caller still has the reference of
 * deferredIsolate.
 */
export function deferredPutBack(head: Head): void {
  deferredLock();
  append(head);
  deferredUnlock();
}

/** Folios on the queue. For reports and tests. */
export function deferredLength(): u32 {
  return load(G_DEFERRED_LENGTH);
}
