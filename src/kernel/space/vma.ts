/**
 * VMAs: their memory, and the skip list that orders the VMAs of an address space.
 *
 * Guarantee. Under mmap_lock, in either mode, `findVma` and its relatives are exact. In an RCU section without the lock
 * they are a guess: while a writer is between two of its steps a reader may miss a mapping that exists, and may be
 * handed a VMA that is just leaving the list or changing its bounds. What it is handed is always VMA memory of this
 * section (never reused memory), so it can lock it and look again: `lockVmaUnderRcu` (vmaLock.ts) does both.
 *
 * Structure. A skip list [Pugh 1990] of VMA_LEVELS levels over non-overlapping ranges, ordered by address; a VMA is on
 * the next higher level with probability 1/4, drawn from MM_LEVEL_SEED, so that a run is repeatable. The head is
 * MM_VMA_HEAD; both it and a VMA's VMA_NEXT are arrays of links, one for each level, and a search only keeps the
 * address of such an array.
 *
 * Protocol of a writer (mmap_lock for write):
 *  - insertion fills the new VMA's links before it publishes the VMA, lowest level first: a reader that meets it can go
 *    on;
 *  - removal takes links out from the highest level down and leaves the removed VMA's own links alone: a reader
 *    standing on it finds its way back to the list, since whatever those links name cannot be freed before the reader
 *    leaves;
 *  - bounds change in place and never cross a neighbour: VMAs that a range passes to leave the list before the range
 *    grows, and a VMA gives up a range before the one that receives it enters the list. So ranges in the list never
 *    overlap.
 *  - removed VMAs go back to the allocator through RCU.
 *
 * Lock order: mmap_lock, then G_VMA_LOCK (a leaf).
 * Source: Linux mm/vma.c and mm/mmap.c use a maple tree for the same contract (vma_find, vma_prev, vma_iter_store_new).
 */

import { vmaAlloc } from '../alloc/vmaAlloc.ts';
import { violation } from '../observe/report.ts';
import { callRcu } from '../rcu/rcu.ts';
import { RCU_FREE_VMA } from '../rcu/rcuCallbacks.ts';
import { CHECK } from '../word/check.ts';
import { ORACLE_ACCOUNTING, VMA_LEVELS } from '../word/config.ts';
import {
  MM_LEVEL_SEED,
  MM_MAP_COUNT,
  MM_VMA_HEAD,
  MM_VMA_PATH,
  VMA_ANON,
  VMA_CHAIN,
  VMA_CHAIN_OLDEST,
  VMA_END,
  VMA_FLAGS,
  VMA_FREE,
  VMA_GEN,
  VMA_INODE,
  VMA_LAST,
  VMA_LEVEL,
  VMA_LOCK_SEQ,
  VMA_MM,
  VMA_NEXT,
  VMA_PGOFF,
  VMA_RCU,
  VMA_REF,
  VMA_START,
} from '../word/layout.ts';
import { load, peek, poke, store } from '../word/word.ts';
import { xorshift } from '../word/xorshift.ts';

/** Gives a VMA that no search can reach back after a grace period. Precondition: detached, no reader has it locked. */
export function vmaFree(vma: Vma): void {
  if (CHECK >= 1 && load(vma + VMA_REF) !== 0) {
    violation(ORACLE_ACCOUNTING, vma, load(vma + VMA_REF), load(vma + VMA_START));
  }
  callRcu(vma + VMA_RCU, RCU_FREE_VMA);
}

/**
 * A new, detached VMA of `mm` over [start, end), in no rmap list. Precondition: mmap_lock for write; the caller has a
 * reference to `inode`, which passes to the VMA. Returns its address, 0 when there is none left.
 * Its words are published by vmaLink: no reader knows the memory from before, as a grace period has passed (vmaFree).
 */
export function vmaNew(
  mm: Mm,
  start: Vpn,
  end: Vpn,
  flags: u32,
  inode: Inode,
  pgoff: PageIndex,
): Vma {
  const vma = vmaAlloc();
  if (vma === 0) return 0;
  store(vma + VMA_START, start);
  store(vma + VMA_END, end);
  store(vma + VMA_FLAGS, flags);
  store(vma + VMA_MM, mm);
  store(vma + VMA_PGOFF, pgoff);
  store(vma + VMA_INODE, inode);
  store(vma + VMA_ANON, 0);
  store(vma + VMA_CHAIN, 0);
  store(vma + VMA_CHAIN_OLDEST, 0);
  store(vma + VMA_LEVEL, drawLevel(mm));
  store(vma + VMA_REF, 0);
  store(vma + VMA_LOCK_SEQ, 0);
  poke(vma + VMA_LAST, 0);
  poke(vma + VMA_FREE, 0);
  return vma;
}

/** Levels of the next VMA: 1 with probability 3/4, each further one with 1/4, VMA_LEVELS at most. */
function drawLevel(mm: Mm): u32 {
  let x = peek(mm + MM_LEVEL_SEED);
  if (x === 0) x = 0x9e3779b9;
  x = xorshift(x);
  poke(mm + MM_LEVEL_SEED, x);
  let level: u32 = 1;
  let bits = x >>> 8;
  while (level < VMA_LEVELS && (bits & 3) === 0) {
    level += 1;
    bits = bits >>> 2;
  }
  return level;
}

/** First VMA that ends after `vpn`, or 0. Exact under mmap_lock, a guess in an RCU section. */
export function findVma(mm: Mm, vpn: Vpn): Vma {
  let links = mm + MM_VMA_HEAD;
  let next: u32 = 0;
  let at: u32 = VMA_LEVELS << 2;
  while (at > 0) {
    at -= 4;
    next = load(links + at);
    while (next !== 0 && load(next + VMA_END) <= vpn) {
      links = next + VMA_NEXT;
      next = load(links + at);
    }
  }
  return next;
}

/** The VMA that contains `vpn`, or 0. Exact under mmap_lock, a guess in an RCU section. */
export function vmaLookup(mm: Mm, vpn: Vpn): Vma {
  const vma = findVma(mm, vpn);
  if (vma === 0 || load(vma + VMA_START) > vpn) return 0;
  return vma;
}

/** First VMA that has a page in [start, end), or 0. */
export function findVmaIntersection(mm: Mm, start: Vpn, end: Vpn): Vma {
  const vma = findVma(mm, start);
  if (vma === 0 || load(vma + VMA_START) >= end) return 0;
  return vma;
}

/** The VMA after `vma`, or 0. */
export function vmaNext(vma: Vma): Vma {
  return load(vma + VMA_NEXT);
}

/** Last VMA that ends at or before `vpn`, or 0. */
export function vmaPrev(mm: Mm, vpn: Vpn): Vma {
  let links = mm + MM_VMA_HEAD;
  let at: u32 = VMA_LEVELS << 2;
  while (at > 0) {
    at -= 4;
    let next = load(links + at);
    while (next !== 0 && load(next + VMA_END) <= vpn) {
      links = next + VMA_NEXT;
      next = load(links + at);
    }
  }
  return links === mm + MM_VMA_HEAD ? 0 : links - VMA_NEXT;
}

/** First VMA of `mm`, or 0. */
export function vmaFirst(mm: Mm): Vma {
  return load(mm + MM_VMA_HEAD);
}

/** Page index, in its inode or among the pages of its anon_vma, of `vpn` in `vma` (linear_page_index). */
export function linearPageIndex(vma: Vma, vpn: Vpn): PageIndex {
  return (load(vma + VMA_PGOFF) + vpn - load(vma + VMA_START)) >>> 0;
}

/** Notes in MM_VMA_PATH, for each level, the links after which a VMA that starts at `start` stands. */
function searchPath(mm: Mm, start: Vpn): void {
  let links = mm + MM_VMA_HEAD;
  let at: u32 = VMA_LEVELS << 2;
  while (at > 0) {
    at -= 4;
    let next = load(links + at);
    while (next !== 0 && load(next + VMA_START) < start) {
      links = next + VMA_NEXT;
      next = load(links + at);
    }
    poke(mm + MM_VMA_PATH + at, links);
  }
}

/** Puts a detached VMA into its place. Precondition: mmap_lock for write; no VMA of `mm` overlaps it. */
export function vmaLink(mm: Mm, vma: Vma): void {
  searchPath(mm, load(vma + VMA_START));
  const top = load(vma + VMA_LEVEL) << 2;
  for (let at: u32 = 0; at < top; at += 4) {
    // Published by the loop below.
    store(vma + VMA_NEXT + at, load(peek(mm + MM_VMA_PATH + at) + at));
  }
  for (let at: u32 = 0; at < top; at += 4) {
    // Publishes the VMA's words; pairs with the loads of links in findVma.
    store(peek(mm + MM_VMA_PATH + at) + at, vma);
  }
  poke(mm + MM_MAP_COUNT, peek(mm + MM_MAP_COUNT) + 1);
}

/** Takes a VMA out. Precondition: mmap_lock for write; the VMA is in the list of `mm`. */
export function vmaUnlink(mm: Mm, vma: Vma): void {
  searchPath(mm, load(vma + VMA_START));
  let at = load(vma + VMA_LEVEL) << 2;
  while (at > 0) {
    at -= 4;
    const links = peek(mm + MM_VMA_PATH + at);
    if (CHECK >= 1 && load(links + at) !== vma) {
      violation(ORACLE_ACCOUNTING, vma, load(links + at), at);
    }
    // Pairs with the loads of links in findVma: a reader that is on the VMA already goes on by the links that it keeps.
    store(links + at, load(vma + VMA_NEXT + at));
  }
  poke(mm + MM_MAP_COUNT, peek(mm + MM_MAP_COUNT) - 1);
}

/**
 * Audit of the list of `mm`; the caller keeps writers away. Returns the number of faults found: a VMA that is empty, of
 * another mm, free, or not after its predecessor; a level that is not a sublist of the one below; a wrong MM_MAP_COUNT.
 */
export function vmaAudit(mm: Mm): u32 {
  let faults: u32 = 0;
  let counted: u32 = 0;
  let end: Vpn = 0;
  for (let vma = vmaFirst(mm); vma !== 0; vma = vmaNext(vma)) {
    if (load(vma + VMA_MM) !== mm || (load(vma + VMA_GEN) & 1) === 0) faults += 1;
    if (load(vma + VMA_START) < end || load(vma + VMA_END) <= load(vma + VMA_START)) faults += 1;
    end = load(vma + VMA_END);
    counted += 1;
  }
  if (counted !== peek(mm + MM_MAP_COUNT)) faults += 1;
  for (let at: u32 = 4; at < VMA_LEVELS << 2; at += 4) {
    let below = vmaFirst(mm);
    for (let vma = load(mm + MM_VMA_HEAD + at); vma !== 0; vma = load(vma + VMA_NEXT + at)) {
      while (below !== 0 && below !== vma) below = vmaNext(below);
      if (below === 0 || load(vma + VMA_LEVEL) << 2 <= at) return faults + 1;
    }
  }
  return faults;
}
