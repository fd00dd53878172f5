/**
 * The page cache: which frame holds page `index` of an inode. A hash table of (inode, index); a bucket is a lock and a
 * list of frames.
 *
 * Guarantee: an inode's page is in at most one frame. The cache holds one reference on each frame in it; whoever gets a
 * frame from here has one more.
 *
 * A huge folio (collapseFile.ts) is in the bucket of its first page. Who looks for a page looks for that alone first.
 * G_CACHE_HUGE_SEQ counts huge folios that have come, so that nobody adds a page that one has.
 *
 * Neighbouring pages of an inode are in neighbouring buckets. INODE_BUCKETS has a bit for each of 256 groups of
 * neighbouring buckets, set before a page of the inode enters one of them, so that dropping an inode looks at few
 * others.
 *
 * A page leaves the cache, or is replaced in it, only while its folio is locked. Lock order: folio lock; a bucket's
 * lock (LC_CACHE) is innermost but for the frame allocator's; never taken under a PTE lock.
 * Source: Linux mm/filemap.c (filemap_get_folio, filemap_add_folio), mm/shmem.c (shmem_fault), mm/truncate.c.
 */

import {
  F_CACHED,
  F_DIRTY,
  F_ORDER,
  F_SHMEM,
  folioGet,
  folioHead,
  folioOf,
  folioOrder,
} from '../alloc/folio.ts';
import { folioPut, frameAlloc } from '../alloc/frame.ts';
import { LC_CACHE, spinLock, spinUnlock } from '../lock/lock.ts';
import { violation } from '../observe/report.ts';
import { folioLock, folioUnlock } from '../sleep/sleepLock.ts';
import { folioMapped } from '../space/mapcount.ts';
import { CHECK } from '../word/check.ts';
import { ORACLE_ACCOUNTING, PMD_PAGES, PMD_SHIFT } from '../word/config.ts';
import {
  BUCKET_HEAD,
  BUCKET_SHIFT,
  F_FLAGS,
  F_INDEX,
  F_NEXT,
  F_OWNER,
  F_REF,
  G_CACHE_HUGE_SEQ,
  H_CACHE_BASE,
  H_CACHE_MASK,
  H_INODE_BASE,
  INODE_BUCKET_WORDS,
  INODE_BUCKETS,
  INODE_NR_CACHED,
  INODE_SHIFT,
  INODE_STATE,
} from '../word/layout.ts';
import { add, and, load, or, peek, poke, store, sub } from '../word/word.ts';
import { tryToUnmap } from './rmap.ts';

/** What filemapAdd returns for a page that is cached already. */
export const FILEMAP_EXISTS: u32 = 0xffffffff;

/** INODE_STATE of anonymous shared memory. */
const SHMEM: u32 = 2;

function bucketOf(inode: Inode, index: PageIndex): u32 {
  const number: u32 = ((inode - peek(H_INODE_BASE)) >>> 0) >>> INODE_SHIFT;
  return peek(H_CACHE_BASE) + (((index + number * 97) & peek(H_CACHE_MASK)) << BUCKET_SHIFT);
}

/** log2 of the buckets in a group. */
function groupShift(): u32 {
  const mask = peek(H_CACHE_MASK);
  let shift: u32 = 0;
  while (mask >>> shift >= INODE_BUCKET_WORDS << 5) shift += 1;
  return shift;
}

/**
 * Notes that `inode` is about to have a page in `bucket`. Pairs with filemapTruncate, which reads the bits first and
 * the buckets then.
 */
function noteBucket(inode: Inode, bucket: u32): void {
  const group = ((bucket - peek(H_CACHE_BASE)) >>> BUCKET_SHIFT) >>> groupShift();
  const word = inode + INODE_BUCKETS + ((group >>> 5) << 2);
  const bit: u32 = (1 << (group & 31)) >>> 0;
  if ((load(word) & bit) === 0) or(word, bit);
}

/** The folio of 2^order pages of `inode` from `index` on in a bucket whose lock is held, 0: none. */
function lookup(bucket: u32, inode: Inode, index: PageIndex, order: u32): Head {
  let frame = peek(bucket + BUCKET_HEAD);
  while (frame !== 0) {
    const folio = folioOf(frame);
    if (peek(folio + F_OWNER) === inode && peek(folio + F_INDEX) === index)
      if ((load(folio + F_FLAGS) & F_ORDER) === order) return frame;
    frame = peek(folio + F_NEXT);
  }
  return 0;
}

/** As filemapGet, for folios of that order only; their first frame. */
function getOfOrder(inode: Inode, index: PageIndex, order: u32): Head {
  const bucket = bucketOf(inode, index);
  spinLock(bucket, LC_CACHE);
  const frame = lookup(bucket, inode, index, order);
  if (frame !== 0) folioGet(frame);
  spinUnlock(bucket, LC_CACHE);
  return frame;
}

/** As filemapGet, but for a page that a huge folio in the cache replaces only if it is there itself. */
export function filemapGetSmall(inode: Inode, index: PageIndex): Head {
  return getOfOrder(inode, index, 0);
}

/** The frame of (inode, index), of a page or of a huge folio, with a reference for the caller; 0: not in the cache. */
export function filemapGet(inode: Inode, index: PageIndex): Frame {
  const frame = getOfOrder(inode, index, 0);
  if (frame !== 0 || load(G_CACHE_HUGE_SEQ) === 0) return frame;
  const first: PageIndex = (index & ~(PMD_PAGES - 1)) >>> 0;
  const head = getOfOrder(inode, first, PMD_SHIFT);
  return head === 0 ? 0 : head + (index - first);
}

/**
 * Puts a folio that is in no bucket into that of its place; the cache takes over a reference. The bucket's lock is
 * held. Its release publishes the page to lookups; BUCKET_HEAD pairs with the look without it in dropFromGroup,
 * INODE_NR_CACHED is a sum for the last put.
 */
function link(bucket: u32, frame: Head, inode: Inode, index: PageIndex): void {
  const folio = folioOf(frame);
  store(folio + F_OWNER, inode);
  store(folio + F_INDEX, index);
  poke(folio + F_NEXT, peek(bucket + BUCKET_HEAD));
  or(folio + F_FLAGS, F_CACHED);
  noteBucket(inode, bucket);
  store(bucket + BUCKET_HEAD, frame);
  add(inode + INODE_NR_CACHED, 1 << folioOrder(frame));
}

/** As filemapGet, but reads the page in when it is missing; 0: no memory. */
export function filemapGetOrAdd(inode: Inode, index: PageIndex): Frame {
  let frame: Frame = 0;
  while (frame === 0) {
    const seq = load(G_CACHE_HUGE_SEQ);
    frame = filemapGet(inode, index);
    if (frame !== 0) return frame;
    const fresh = frameAlloc(0, load(inode + INODE_STATE) === SHMEM ? F_SHMEM : 0);
    if (fresh === 0) return 0;
    const bucket = bucketOf(inode, index);
    spinLock(bucket, LC_CACHE);
    frame = lookup(bucket, inode, index, 0);
    // A huge folio that has come since the look above may have the page. One that comes after this finds the page
    // (filemapAddHuge).
    if (frame === 0 && load(G_CACHE_HUGE_SEQ) === seq) {
      link(bucket, fresh, inode, index);
      frame = fresh;
    }
    if (frame !== 0) folioGet(frame);
    spinUnlock(bucket, LC_CACHE);
    if (frame !== fresh) folioPut(fresh);
  }
  return frame;
}

/**
 * A new page of shared memory, with a reference for the caller; 0: no memory; FILEMAP_EXISTS: the page is in the cache.
 */
export function filemapAdd(inode: Inode, index: PageIndex): Head {
  let result: u32 = 0;
  while (result === 0) {
    const seq = load(G_CACHE_HUGE_SEQ);
    const present = filemapGet(inode, index);
    if (present !== 0) {
      folioPut(present);
      return FILEMAP_EXISTS;
    }
    const fresh = frameAlloc(0, F_SHMEM);
    if (fresh === 0) return 0;
    const bucket = bucketOf(inode, index);
    spinLock(bucket, LC_CACHE);
    if (lookup(bucket, inode, index, 0) !== 0) {
      result = FILEMAP_EXISTS;
    } else if (load(G_CACHE_HUGE_SEQ) === seq) {
      link(bucket, fresh, inode, index);
      folioGet(fresh);
      result = fresh;
    }
    spinUnlock(bucket, LC_CACHE);
    if (result !== fresh) folioPut(fresh);
  }
  return result;
}

/**
 * Puts the locked huge folio `head`, which nobody knows, into the cache as the pages of `inode` from `index` on. Those
 * of them that are in the cache are found before it; each is to be taken out (`filemapTakeAlone`), or the folio again.
 */
export function filemapAddHuge(head: Head, inode: Inode, index: PageIndex): void {
  const bucket = bucketOf(inode, index);
  folioGet(head);
  spinLock(bucket, LC_CACHE);
  link(bucket, head, inode, index);
  spinUnlock(bucket, LC_CACHE);
  // Pairs with the look in filemapGetOrAdd: a page added without seeing this is in its bucket before its bucket is
  // looked at next.
  add(G_CACHE_HUGE_SEQ, 1);
}

/**
 * Takes the locked page `frame` out of the cache if nobody but the cache and the caller has it. Returns whether it did;
 * both references are the caller's then.
 */
export function filemapTakeAlone(frame: Head): boolean {
  const folio = folioOf(frame);
  const bucket = bucketOf(peek(folio + F_OWNER), peek(folio + F_INDEX));
  spinLock(bucket, LC_CACHE);
  const alone = load(folio + F_REF) === 2;
  if (alone) unlink(bucket, frame);
  spinUnlock(bucket, LC_CACHE);
  return alone;
}

/** Puts a page that `filemapTakeAlone` took out back to its place; the cache takes over one of the references. */
export function filemapPutBack(frame: Head): void {
  const inode = peek(folioOf(frame) + F_OWNER);
  const index = peek(folioOf(frame) + F_INDEX);
  const bucket = bucketOf(inode, index);
  spinLock(bucket, LC_CACHE);
  link(bucket, frame, inode, index);
  spinUnlock(bucket, LC_CACHE);
}

/** Whether any of the `pages` pages of `inode` from `index` on is in the cache. */
export function filemapAnyIn(inode: Inode, index: PageIndex, pages: u32): boolean {
  for (let i: u32 = 0; i < pages; i += 1) {
    const frame = filemapGet(inode, index + i);
    if (frame !== 0) {
      folioPut(frame);
      return true;
    }
  }
  return false;
}

/**
 * Takes `frame` out of its bucket, whose lock is held; the cache's reference passes to the caller. No pair: the list is
 * read under that lock, but for the hint of dropFromGroup; who relies on F_CACHED (filemapHolds) has the folio's lock
 * and a reference, and whoever unlinks has that lock, or the page alone.
 */
function unlink(bucket: u32, frame: Head): void {
  const folio = folioOf(frame);
  let at = bucket + BUCKET_HEAD;
  while (peek(at) !== frame && peek(at) !== 0) at = folioOf(peek(at)) + F_NEXT;
  if (CHECK >= 1 && peek(at) === 0) violation(ORACLE_ACCOUNTING, bucket, frame, 0);
  store(at, peek(folio + F_NEXT));
  and(folio + F_FLAGS, ~F_CACHED >>> 0);
  sub(peek(folio + F_OWNER) + INODE_NR_CACHED, 1 << folioOrder(frame));
}

/**
 * Drops a page from the cache if nobody but the cache and the caller (one reference) has it, and its content can be had
 * again: that of shared memory only while nobody has written to it. Returns whether it did. The caller's reference
 * stays.
 */
export function filemapRemoveUnused(frame: Head): boolean {
  const folio = folioOf(frame);
  const bucket = bucketOf(peek(folio + F_OWNER), peek(folio + F_INDEX));
  spinLock(bucket, LC_CACHE);
  // Whoever wrote to the page marked it before dropping a reference.
  const lost: u32 = F_SHMEM | F_DIRTY;
  const unused = load(folio + F_REF) === 2 && (load(folio + F_FLAGS) & lost) !== lost;
  if (unused) unlink(bucket, frame);
  spinUnlock(bucket, LC_CACHE);
  if (unused) folioPut(frame);
  return unused;
}

/** Whether `frame`, whose folio is locked, is still page `index` of `inode`. */
export function filemapHolds(frame: Frame, inode: Inode, index: PageIndex): boolean {
  const head = folioHead(frame);
  const folio = folioOf(head);
  if ((load(folio + F_FLAGS) & F_CACHED) === 0) return false;
  return load(folio + F_OWNER) === inode && load(folio + F_INDEX) + (frame - head) === index;
}

/** Takes a locked folio that is in the cache out of it. The caller's reference stays. */
export function filemapRemove(frame: Head): void {
  const bucket = bucketOf(peek(folioOf(frame) + F_OWNER), peek(folioOf(frame) + F_INDEX));
  spinLock(bucket, LC_CACHE);
  unlink(bucket, frame);
  spinUnlock(bucket, LC_CACHE);
  folioPut(frame);
}

/**
 * Puts `fresh`, which nobody else has, in the place of `old`, a locked folio in the cache that nobody else has: the
 * references are the cache's and the caller's. Returns whether it did; not when somebody has looked the page up
 * meanwhile. The caller's references stay (folio_migrate_mapping).
 */
export function filemapReplace(old: Head, fresh: Head): boolean {
  const from = folioOf(old);
  const to = folioOf(fresh);
  const bucket = bucketOf(peek(from + F_OWNER), peek(from + F_INDEX));
  spinLock(bucket, LC_CACHE);
  const alone = load(from + F_REF) === 2;
  if (alone) {
    // Published by the release of the bucket's lock: nobody else knows the folio.
    store(to + F_OWNER, peek(from + F_OWNER));
    store(to + F_INDEX, peek(from + F_INDEX));
    folioGet(fresh);
    // As above: no pair.
    or(to + F_FLAGS, load(from + F_FLAGS) & (F_CACHED | F_DIRTY));
    let at = bucket + BUCKET_HEAD;
    while (peek(at) !== old) at = folioOf(peek(at)) + F_NEXT;
    poke(to + F_NEXT, peek(from + F_NEXT));
    // No pair: as in unlink; the old folio is locked and the caller's alone.
    store(at, fresh);
    and(from + F_FLAGS, ~F_CACHED >>> 0);
  }
  spinUnlock(bucket, LC_CACHE);
  if (alone) folioPut(old);
  return alone;
}

/**
 * A page of `inode` from index `first` on in one bucket, or a huge folio that has such a page, with a reference, 0:
 * none.
 */
function firstInBucket(inode: Inode, bucket: u32, first: PageIndex): Head {
  spinLock(bucket, LC_CACHE);
  let frame = peek(bucket + BUCKET_HEAD);
  while (
    frame !== 0 &&
    (peek(folioOf(frame) + F_OWNER) !== inode ||
      peek(folioOf(frame) + F_INDEX) + (1 << folioOrder(frame)) <= first)
  )
    frame = peek(folioOf(frame) + F_NEXT);
  if (frame !== 0) folioGet(frame);
  spinUnlock(bucket, LC_CACHE);
  return frame;
}

/**
 * Drops the pages of `inode` from index `first` on in one bucket, each under its folio lock: a walk of the rmap that
 * has it keeps the inode until it unlocks. What a fault has mapped before it could see the new size is unmapped.
 */
function dropFromBucket(inode: Inode, bucket: u32, first: PageIndex): void {
  let victim = firstInBucket(inode, bucket, first);
  while (victim !== 0) {
    folioLock(victim);
    if (filemapHolds(victim, inode, load(folioOf(victim) + F_INDEX))) {
      if (folioMapped(victim)) tryToUnmap(victim, 0);
      filemapRemove(victim);
    }
    folioUnlock(victim);
    folioPut(victim);
    victim = firstInBucket(inode, bucket, first);
  }
}

/** Drops the pages of `inode` from index `first` on in buckets `from` to `end` - 1. */
function dropFromGroup(inode: Inode, from: PageIndex, end: PageIndex, first: PageIndex): void {
  for (let i = from; i < end; i += 1) {
    const bucket = peek(H_CACHE_BASE) + (i << BUCKET_SHIFT);
    if (load(bucket + BUCKET_HEAD) !== 0) dropFromBucket(inode, bucket, first);
  }
}

/**
 * Drops the cached pages of `inode` from index `first` on. Precondition: the object is no larger any more, so that
 * whoever adds such a page afterwards takes it out again: a bucket found empty without its lock is done.
 */
export function filemapTruncate(inode: Inode, first: PageIndex): void {
  const shift = groupShift();
  for (let at: u32 = 0; at < INODE_BUCKET_WORDS; at += 1) {
    let groups = load(inode + INODE_BUCKETS + (at << 2));
    let group: u32 = at << 5;
    while (groups !== 0) {
      if ((groups & 1) !== 0) dropFromGroup(inode, group << shift, (group + 1) << shift, first);
      groups = groups >>> 1;
      group += 1;
    }
  }
}

/**
 * Drops every cached page of `inode`. Precondition: nobody maps or looks the inode up any more; no pair for the bits.
 */
export function filemapDropInode(inode: Inode): void {
  filemapTruncate(inode, 0);
  for (let at: u32 = 0; at < INODE_BUCKET_WORDS; at += 1)
    store(inode + INODE_BUCKETS + (at << 2), 0);
}
