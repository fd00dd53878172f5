/**
 * Inodes: what a file mapping or shared anonymous memory maps, a size in pages and a page cache.
 *
 * Guarantee: an inode lives while it has references, one from whoever made it and one from each VMA. Dropping the last
 * one empties its page cache (filemap.ts) and gives the inode back; nobody can find it any more by then.
 *
 * Lock order: G_MM_LOCK is a leaf, for the free list. Source: Linux fs/inode.c (iget, iput, evict).
 */

import { LC_MMS, spinLock, spinUnlock } from '../lock/lock.ts';
import { injectNth } from '../observe/inject.ts';
import { violation } from '../observe/report.ts';
import { CHECK } from '../word/check.ts';
import { ORACLE_ACCOUNTING } from '../word/config.ts';
import {
  G_INODE_BUMP,
  G_INODE_FREE,
  G_MM_LOCK,
  H_INODE_BASE,
  H_INODES,
  INODE_NEXT,
  INODE_NR_CACHED,
  INODE_PAGES,
  INODE_REF,
  INODE_SHIFT,
  INODE_STATE,
} from '../word/layout.ts';
import { add, load, peek, poke, store, sub } from '../word/word.ts';
import { filemapDropInode } from './filemap.ts';

/** INODE_STATE of a file and of shared anonymous memory. */
export const INODE_FILE: u32 = 1;
export const INODE_SHMEM: u32 = 2;

/**
 * A new inode of `pages` pages and `kind` (INODE_FILE, INODE_SHMEM) with one reference, the caller's. Returns its
 * address, 0 when none is left. No pair: only the caller knows it; whoever is told of it by a VMA finds these words
 * published by vmaLink.
 */
export function inodeCreate(pages: u32, kind: u32): Inode {
  if (injectNth()) return 0;
  spinLock(G_MM_LOCK, LC_MMS);
  let inode = peek(G_INODE_FREE);
  if (inode !== 0) {
    poke(G_INODE_FREE, peek(inode + INODE_NEXT));
  } else {
    const number = peek(G_INODE_BUMP);
    if (number < peek(H_INODES)) {
      poke(G_INODE_BUMP, number + 1);
      inode = peek(H_INODE_BASE) + (number << INODE_SHIFT);
    }
  }
  if (inode !== 0) {
    store(inode + INODE_PAGES, pages);
    store(inode + INODE_REF, 1);
    store(inode + INODE_NR_CACHED, 0);
    store(inode + INODE_STATE, kind);
  }
  spinUnlock(G_MM_LOCK, LC_MMS);
  return inode;
}

/**
 * Takes a further reference. Precondition: the caller has one, or holds a lock that keeps one. No pair: that keeps the
 * count from zero.
 */
export function inodeGet(inode: Inode): void {
  const old = add(inode + INODE_REF, 1);
  if (CHECK >= 1 && old === 0) violation(ORACLE_ACCOUNTING, inode, old, 0);
}

/**
 * Drops a reference; the last one drops the page cache and frees the inode. No lock may be held but mmap_lock. Pairs
 * with itself on other CPUs: the last one sees all that was done with the other references. Freed, the inode is read
 * under G_MM_LOCK alone, but by audits.
 */
export function inodePut(inode: Inode): void {
  const old = sub(inode + INODE_REF, 1);
  if (CHECK >= 1 && old === 0) violation(ORACLE_ACCOUNTING, inode, old, 1);
  if (old !== 1) return;
  filemapDropInode(inode);
  if (CHECK >= 1 && load(inode + INODE_NR_CACHED) !== 0) {
    violation(ORACLE_ACCOUNTING, inode, load(inode + INODE_NR_CACHED), 2);
  }
  spinLock(G_MM_LOCK, LC_MMS);
  store(inode + INODE_STATE, 0);
  poke(inode + INODE_NEXT, peek(G_INODE_FREE));
  poke(G_INODE_FREE, inode);
  spinUnlock(G_MM_LOCK, LC_MMS);
}
