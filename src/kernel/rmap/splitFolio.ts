/**
 * Splitting an anonymous folio of several pages into single pages, in place; and the pass over the deferred-split queue
 * that does so to folios of which some pages are not mapped any more, so that those become free.
 *
 * Guarantee: after a split each page that was mapped is mapped where it was, by a folio of its own, and the others are
 * free, or the caller's (the first). A folio that anybody but its entries and the caller has a reference on is left as
 * it is, and so is one that nothing maps.
 *
 *  1. The folio is locked; get its anon_vma. Do the references agree with the entries and the caller? (A look without
 *     locks, to spare the rest.)
 *  2. Migration entries in the places of all that map it (rmap.ts): nobody can get a further reference through an
 *     entry, and a GUP-fast that came before holds one. Faults wait for the folio lock.
 *  3. Freeze: the caller's reference becomes none, if it is the last; under the deferred-split lock, since a pass over
 *     the queue takes references from the list alone. Off the queue. Otherwise: go on at 5 with the folio as it was.
 *  4. Each frame becomes a folio: no head, the flags, owner and place of its own, locked, and only then a reference.
 *     With the first look at F_HEAD of before somebody may still try to get the old head: folioTryGet looks again.
 *  5. Entries in the places of migration entries. 6. Unlock and put all but the first; what nothing maps is freed by
 *     that.
 *
 * Lock order: folio lock; anon_vma; PTE lock, deferred-split lock. Precondition: no spinlock, no RCU section, not
 * within a walk (walkBegin).
 * Source: Linux 6.18 mm/huge_memory.c (__folio_split, unmap_folio, remap_page, __split_folio_to_order,
 * deferred_split_scan).
 */

import { anonVmaPut } from '../alloc/anonVmaAlloc.ts';
import {
  deferredForget,
  deferredIsolate,
  deferredLength,
  deferredLock,
  deferredPutBack,
  deferredUnlock,
} from '../alloc/deferredSplit.ts';
import {
  F_EXCLUSIVE,
  F_LOCKED,
  F_ORDER,
  F_PARTIALLY_MAPPED,
  F_WAITERS,
  folioLarge,
  folioOf,
  folioOrder,
} from '../alloc/folio.ts';
import { folioPut } from '../alloc/frame.ts';
import { beginOperation, endOperation } from '../observe/operation.ts';
import { OP_DEFERRED_SPLIT, violation } from '../observe/report.ts';
import {
  count,
  countBy,
  COUNTER_DEFERRED_PASSES,
  COUNTER_DEFERRED_SPLIT,
  COUNTER_DEFERRED_TRIED,
  COUNTER_FOLIOS_SPLIT,
  COUNTER_SPLITS_FAILED,
} from '../observe/stats.ts';
import { condResched } from '../rcu/rcu.ts';
import { folioTrylock, folioUnlock, folioUnlockNew } from '../sleep/sleepLock.ts';
import { folioMapCount } from '../space/mapcount.ts';
import { CHECK } from '../word/check.ts';
import { DEFERRED_SPLIT_BATCH, EAGAIN, EBUSY, ORACLE_ACCOUNTING } from '../word/config.ts';
import { F_FLAGS, F_HEAD, F_INDEX, F_NEXT, F_OWNER, F_REF } from '../word/layout.ts';
import { and, compareExchange, load, poke, store } from '../word/word.ts';
import { folioGetAnonVma, removeMigrationPtes, tryToMigrate } from './rmap.ts';

/** Flags of the folio that are not those of its pages once it is split. */
const FOLIO_ONLY: u32 = F_ORDER | F_PARTIALLY_MAPPED | F_WAITERS | F_EXCLUSIVE;

/** Step 3. Returns whether the folio has no reference any more. */
function freeze(head: Head): boolean {
  deferredLock();
  const frozen = compareExchange(folioOf(head) + F_REF, 1, 0) === 1;
  if (frozen) deferredForget(head);
  deferredUnlock();
  return frozen;
}

/** Step 4 for the tail `frame`: `flags`, `owner`, `index` are its own from here on. */
function makeSingle(frame: Frame, flags: u32, owner: u32, index: PageIndex): void {
  const folio = folioOf(frame);
  store(folio + F_FLAGS, (flags | (load(folio + F_FLAGS) & F_EXCLUSIVE)) >>> 0);
  store(folio + F_OWNER, owner);
  store(folio + F_INDEX, index);
  poke(folio + F_NEXT, 0);
  store(folio + F_HEAD, 0);
  // Publishes the folio: pairs with folioTryGet.
  store(folio + F_REF, 1);
}

/** Step 4: a frozen folio of `pages` frames becomes as many single ones, all locked, each with a reference. */
function splitFrozen(head: Head, pages: u32): void {
  const folio = folioOf(head);
  if (CHECK >= 1 && folioMapCount(head) !== 0)
    violation(ORACLE_ACCOUNTING, head, folioMapCount(head), pages);
  const flags = (load(folio + F_FLAGS) & ~FOLIO_ONLY) >>> 0;
  if (CHECK >= 1 && (flags & F_LOCKED) === 0) violation(ORACLE_ACCOUNTING, head, flags, pages);
  const owner = load(folio + F_OWNER);
  const index = load(folio + F_INDEX);
  for (let i: u32 = 1; i < pages; i += 1) makeSingle(head + i, flags, owner, index + i);
  // Atomic: faults that wait for the lock mark the word.
  and(folio + F_FLAGS, ~F_ORDER >>> 0);
  store(folio + F_HEAD, 0);
  store(folio + F_REF, 1);
}

/** Steps 2 to 6; the caller keeps the anon_vma. Returns whether the folio was split. */
function splitMapped(head: Head): boolean {
  const pages: u32 = 1 << folioOrder(head);
  if (load(folioOf(head) + F_REF) !== folioMapCount(head) + 1) return false;
  tryToMigrate(head);
  if (!freeze(head)) {
    removeMigrationPtes(head, head);
    return false;
  }
  splitFrozen(head, pages);
  for (let i: u32 = 0; i < pages; i += 1) removeMigrationPtes(head + i, head + i);
  for (let i: u32 = 1; i < pages; i += 1) {
    folioUnlockNew(head + i);
    folioPut(head + i);
  }
  return true;
}

/**
 * Splits the anonymous folio of several pages whose first frame is `head`. Preconditions: see above; it is locked, and
 * the caller has one reference, which is on the first page afterwards; that stays locked. Returns 0; EAGAIN: somebody
 * else has a reference; EBUSY: nothing maps it.
 */
export function splitFolio(head: Head): u32 {
  const anon = folioGetAnonVma(head);
  const done = anon !== 0 && splitMapped(head);
  if (anon !== 0) anonVmaPut(anon);
  count(done ? COUNTER_FOLIOS_SPLIT : COUNTER_SPLITS_FAILED);
  if (done) return 0;
  return anon === 0 ? EBUSY : EAGAIN;
}

/**
 * Splits the folio of `head` unless it is a single page, or somebody else has its lock. The caller has a reference.
 * Whether it did.
 */
export function trySplitFolio(head: Head): boolean {
  if (!folioTrylock(head)) return false;
  // It may have been split before it was locked.
  const done = folioLarge(head) && splitFolio(head) === 0;
  folioUnlock(head);
  return done;
}

/**
 * One pass over the deferred-split queue: tries the oldest folios, DEFERRED_SPLIT_BATCH at most, once each. Those that
 * cannot be split now go back to the end. Returns how many were split. Any number of CPUs at a time. No lock held, no
 * RCU section.
 */
export function deferredSplitPass(): u32 {
  let left = deferredLength();
  if (left === 0) return 0;
  if (left > DEFERRED_SPLIT_BATCH) left = DEFERRED_SPLIT_BATCH;
  let split: u32 = 0;
  beginOperation(OP_DEFERRED_SPLIT, 0, left);
  count(COUNTER_DEFERRED_PASSES);
  while (left !== 0) {
    left -= 1;
    const head = deferredIsolate();
    if (head === 0) {
      left = 0;
    } else {
      count(COUNTER_DEFERRED_TRIED);
      if (trySplitFolio(head)) split += 1;
      else deferredPutBack(head);
      folioPut(head);
      condResched();
    }
  }
  endOperation();
  countBy(COUNTER_DEFERRED_SPLIT, split);
  return split;
}
