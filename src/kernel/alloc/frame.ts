/**
 * Data frames: a buddy allocator of orders 0 to FRAME_ORDER_MAX, with a list of single frames per CPU. Frames have
 * descriptors and no bytes; the generation is the stamp by which an access through a stale translation is noticed.
 *
 * Guarantee: a frame handed out belongs to nobody else, has one reference, no mapping, and an odd generation until it
 * is freed.
 *
 * What is allocated at once is one folio: its first frame, the head, has the references, the flags and the order, the
 * owner and the index of all of them. The other frames, tails, have no references, and count only who maps them; words
 * of theirs that a single frame needs for itself hold the folio's other counts (mapcount.ts, deferredSplit.ts). Every
 * frame of a folio of several names the head in F_HEAD, a frame alone has 0 there. It stays the same for as long as the
 * folio has a reference: splitting takes all of them away first.
 *
 *  - A free block of order k is named by its first frame, which carries F_BUDDY, the order, and links in the list of
 *    its order (F_NEXT, F_OWNER).
 *  - Allocation takes the smallest block that is large enough and gives the halves it does not need back.
 *  - Freeing merges a block with its buddy (number xor size) for as long as that one is free and of the same order.
 *  - Frames at and above G_FRAME_BUMP have never been used; they are taken a block of the greatest order at a time.
 *
 * The smallest folio of several frames that anything but tests asks for has four: the descriptors of three hold its
 * counts.
 *
 * A reference on the folio is held by each entry that maps one of its frames, by the page cache, by a gather that has
 * yet to flush, and by whoever pinned it (GUP). Lock order: G_FRAME_LOCK is innermost. Source: Knuth, TAOCP 1, section
 * 2.5; Linux mm/page_alloc.c (__rmqueue_smallest, __free_one_page, prep_compound_page,
 * the per-CPU page lists), mm/gup.c (try_get_folio).
 */

import { LC_FRAMES, spinLock, spinUnlock } from '../lock/lock.ts';
import { injectFailure, injectNth } from '../observe/inject.ts';
import { violation } from '../observe/report.ts';
import { CHECK } from '../word/check.ts';
import {
  FRAME_ORDER_MAX,
  ORACLE_ACCOUNTING,
  ORACLE_FRAME_USE_AFTER_FREE,
  PCP_BATCH,
  PCP_HIGH,
} from '../word/config.ts';
import {
  C_PCP_COUNT,
  C_PCP_HEAD,
  F_FLAGS,
  F_GEN,
  F_HEAD,
  F_INDEX,
  F_MAP,
  F_NEXT,
  F_OWNER,
  F_REF,
  G_FRAME_AREAS,
  G_FRAME_BUMP,
  G_FRAME_LOCK,
  H_FRAMES,
  H_INJECT_FRAME,
} from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { load, peek, poke, store, sub } from '../word/word.ts';
import { unqueueDeferredSplit } from './deferredSplit.ts';
import {
  F_BUDDY,
  F_CACHED,
  F_EXCLUSIVE,
  F_ORDER,
  F_TAIL,
  folioHead,
  folioOf,
  NO_FRAME,
  tryGetHead,
} from './folio.ts';

function areaOf(order: u32): u32 {
  return G_FRAME_AREAS + (order << 3);
}

/**
 * Puts a block on the list of its order. G_FRAME_LOCK held. No pair: F_BUDDY is set, cleared and looked for (giveBlock)
 * under it.
 */
function pushBlock(frame: Frame, order: u32): void {
  const folio = folioOf(frame);
  const area = areaOf(order);
  const next = peek(area);
  poke(folio + F_NEXT, next);
  poke(folio + F_OWNER, NO_FRAME);
  if (next !== NO_FRAME) poke(folioOf(next) + F_OWNER, frame);
  store(folio + F_FLAGS, F_BUDDY | order);
  poke(area, frame);
  poke(area + 4, peek(area + 4) + 1);
}

/** Takes a block off the list of its order. G_FRAME_LOCK held. No pair, as in pushBlock. */
function removeBlock(frame: Frame, order: u32): void {
  const folio = folioOf(frame);
  const area = areaOf(order);
  const next = peek(folio + F_NEXT);
  const previous = peek(folio + F_OWNER);
  if (next !== NO_FRAME) poke(folioOf(next) + F_OWNER, previous);
  if (previous !== NO_FRAME) poke(folioOf(previous) + F_NEXT, next);
  else poke(area, next);
  store(folio + F_FLAGS, 0);
  poke(area + 4, peek(area + 4) - 1);
}

/** A block of exactly `order`, its first frame, or 0. G_FRAME_LOCK held. */
function takeBlock(order: u32): Head {
  let from = order;
  while (from < FRAME_ORDER_MAX && peek(areaOf(from)) === NO_FRAME) from += 1;
  let frame = peek(areaOf(from));
  if (frame === NO_FRAME) {
    frame = peek(G_FRAME_BUMP);
    const size: u32 = 1 << FRAME_ORDER_MAX;
    if (frame + size > peek(H_FRAMES)) return 0;
    poke(G_FRAME_BUMP, frame + size);
  } else {
    removeBlock(frame, from);
  }
  while (from > order) {
    from -= 1;
    pushBlock(frame + (1 << from), from);
  }
  return frame;
}

/** Gives a block back and merges it with its free buddies. G_FRAME_LOCK held. */
function giveBlock(block: Head, blockOrder: u32): void {
  let frame = block;
  let order = blockOrder;
  while (order < FRAME_ORDER_MAX) {
    const buddy: Head = (frame ^ (1 << order)) >>> 0;
    if (load(folioOf(buddy) + F_FLAGS) !== (F_BUDDY | order)) break;
    removeBlock(buddy, order);
    frame = (frame & ~(1 << order)) >>> 0;
    order += 1;
  }
  pushBlock(frame, order);
}

/** Moves up to PCP_BATCH single frames to this CPU's empty list. */
function refillFrames(cpu: CpuArea): void {
  spinLock(G_FRAME_LOCK, LC_FRAMES);
  let head: Head = NO_FRAME;
  let taken: u32 = 0;
  while (taken < PCP_BATCH) {
    const frame = takeBlock(0);
    if (frame === NO_FRAME) break;
    poke(folioOf(frame) + F_NEXT, head);
    head = frame;
    taken += 1;
  }
  spinUnlock(G_FRAME_LOCK, LC_FRAMES);
  poke(cpu + C_PCP_HEAD, head);
  poke(cpu + C_PCP_COUNT, taken);
}

/** Gives all but `keep` of this CPU's free frames back to the buddy allocator. */
export function drainFrameCache(keep: u32): void {
  const cpu = thisCpu();
  let left: u32 = peek(cpu + C_PCP_COUNT);
  let head: Head = peek(cpu + C_PCP_HEAD);
  if (left <= keep) return;
  spinLock(G_FRAME_LOCK, LC_FRAMES);
  while (left > keep) {
    const next = peek(folioOf(head) + F_NEXT);
    giveBlock(head, 0);
    head = next;
    left -= 1;
  }
  spinUnlock(G_FRAME_LOCK, LC_FRAMES);
  poke(cpu + C_PCP_HEAD, head);
  poke(cpu + C_PCP_COUNT, left);
}

/**
 * Makes `frame` a tail of a folio with `flags`, and clears what its folio counts in it. Published by the head's
 * reference (prepareFrames).
 */
function prepareTail(frame: Frame, flags: u32): void {
  const folio = folioOf(frame);
  store(folio + F_FLAGS, F_TAIL | (flags & F_EXCLUSIVE));
  poke(folio + F_OWNER, 0);
  poke(folio + F_INDEX, 0);
  poke(folio + F_NEXT, 0);
}

/**
 * Makes the frames of a block that was just taken one folio: one reference on the first, odd generations, `flags`. The
 * store of that reference, last of all, publishes the others to whoever has a frame's number from before (folioTryGet)
 * and takes a reference by it: pairs with tryGetHead.
 */
function prepareFrames(frame: Frame, order: u32, flags: u32): void {
  const pages: u32 = 1 << order;
  for (let i: u32 = 0; i < pages; i += 1) {
    const folio = folioOf(frame + i);
    const generation = load(folio + F_GEN);
    if (
      CHECK >= 1 &&
      ((generation & 1) !== 0 || load(folio + F_REF) !== 0 || load(folio + F_MAP) !== 0)
    )
      violation(ORACLE_FRAME_USE_AFTER_FREE, frame + i, generation, load(folio + F_REF));
    store(folio + F_GEN, (generation + 1) >>> 0);
    if (i !== 0) prepareTail(frame + i, flags);
    if (order !== 0) store(folio + F_HEAD, frame);
  }
  const folio = folioOf(frame);
  store(folio + F_FLAGS, flags | order);
  poke(folio + F_OWNER, 0);
  poke(folio + F_INDEX, 0);
  store(folio + F_REF, 1);
}

/**
 * Allocates 2^order frames as one folio with `flags` (F_). Returns the first, with one reference; 0 when there are
 * none, or an injected failure asks for one.
 */
export function frameAlloc(order: u32, flags: u32): Head {
  if (injectNth() || injectFailure(H_INJECT_FRAME)) return 0;
  let frame: Head = NO_FRAME;
  if (order === 0) {
    const cpu = thisCpu();
    if (peek(cpu + C_PCP_COUNT) === 0) refillFrames(cpu);
    frame = peek(cpu + C_PCP_HEAD);
    if (frame === NO_FRAME) return 0;
    poke(cpu + C_PCP_HEAD, peek(folioOf(frame) + F_NEXT));
    poke(cpu + C_PCP_COUNT, peek(cpu + C_PCP_COUNT) - 1);
  } else {
    spinLock(G_FRAME_LOCK, LC_FRAMES);
    frame = takeBlock(order);
    spinUnlock(G_FRAME_LOCK, LC_FRAMES);
    if (frame === NO_FRAME) return 0;
  }
  prepareFrames(frame, order, flags);
  return frame;
}

/**
 * A frame of a folio with `flags` that is about to be free: nobody may map it. It belongs to no folio any more. No
 * pair: its count is zero, so nobody gets a reference by a number from before (folioTryGet); the generation is looked
 * at by checks (access.ts).
 */
function retireFrame(frame: Frame, flags: u32): void {
  const folio = folioOf(frame);
  const generation = load(folio + F_GEN);
  if (CHECK >= 1 && load(folio + F_MAP) !== 0)
    violation(ORACLE_FRAME_USE_AFTER_FREE, frame, load(folio + F_MAP), flags);
  if (CHECK >= 1 && (generation & 1) === 0) violation(ORACLE_ACCOUNTING, frame, generation, flags);
  store(folio + F_GEN, (generation + 1) >>> 0);
  if ((flags & F_ORDER) !== 0) store(folio + F_HEAD, NO_FRAME);
}

/** As retireFrame, a tail: what the folio counts in it must have come to zero. No pair, as there. */
function retireTail(frame: Frame, flags: u32): void {
  const folio = folioOf(frame);
  if (CHECK >= 1) {
    const counts = load(folio + F_OWNER) | load(folio + F_INDEX) | load(folio + F_NEXT);
    if (counts !== 0) violation(ORACLE_ACCOUNTING, frame, counts >>> 0, flags);
  }
  retireFrame(frame, flags);
  store(folio + F_FLAGS, 0);
}

/**
 * Frees the folio whose first frame is `frame`. Precondition: its last reference is gone. No pair, as in retireFrame.
 */
function frameFree(frame: Head): void {
  const head = folioOf(frame);
  const flags = load(head + F_FLAGS);
  const order = flags & F_ORDER;
  if (CHECK >= 1 && (flags & (F_CACHED | F_BUDDY | F_TAIL)) !== 0)
    violation(ORACLE_FRAME_USE_AFTER_FREE, frame, load(head + F_MAP), flags);
  if (order > 1) unqueueDeferredSplit(frame);
  retireFrame(frame, flags);
  const pages: u32 = 1 << order;
  for (let i: u32 = 1; i < pages; i += 1) retireTail(frame + i, flags);
  store(head + F_FLAGS, 0);
  if (order !== 0) {
    spinLock(G_FRAME_LOCK, LC_FRAMES);
    giveBlock(frame, order);
    spinUnlock(G_FRAME_LOCK, LC_FRAMES);
    return;
  }
  const cpu = thisCpu();
  poke(head + F_NEXT, peek(cpu + C_PCP_HEAD));
  poke(cpu + C_PCP_HEAD, frame);
  poke(cpu + C_PCP_COUNT, peek(cpu + C_PCP_COUNT) + 1);
  if (peek(cpu + C_PCP_COUNT) > PCP_HIGH) drainFrameCache(PCP_HIGH - PCP_BATCH);
}

/**
 * Takes a reference on the folio of `frame` unless the count is zero; whether it did. Pairs with folioPut: whoever
 * brings the count to zero owns the folio alone. Nothing keeps `frame` in its folio before the reference does: if it is
 * in another one afterwards, the reference is given back and the new head tried. The frame may belong to somebody else
 * by now: the caller checks that afterwards.
 */
export function folioTryGet(frame: Frame): boolean {
  const word = folioOf(frame) + F_HEAD;
  let head = load(word);
  while (tryGetHead(head !== NO_FRAME ? head : frame)) {
    // Once a frame that was alone is a tail, it has no references of its own to take.
    if (head === NO_FRAME) return true;
    const now = load(word);
    if (now === head) return true;
    putHead(head, 1);
    head = now;
  }
  return false;
}

/**
 * Drops `n` references on a folio's head. Pairs with the same of other CPUs: whoever drops the last sees all that they
 * did with theirs; and with tryGetHead, which takes none once the count is zero.
 */
function putHead(head: Head, n: u32): void {
  const old = sub(folioOf(head) + F_REF, n);
  if (CHECK >= 1 && old < n) {
    violation(ORACLE_FRAME_USE_AFTER_FREE, head, old, load(folioOf(head) + F_FLAGS));
    return;
  }
  if (old === n) frameFree(head);
}

/** Drops a reference on the folio of `frame`; the last one frees the folio. */
export function folioPut(frame: Frame): void {
  putHead(folioHead(frame), 1);
}

/** As folioPut, `n` references. */
export function folioPutMany(frame: Frame, n: u32): void {
  putHead(folioHead(frame), n);
}
