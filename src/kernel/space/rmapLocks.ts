/**
 * The two locks that keep walks of the rmap away from a VMA: i_mmap of its inode and the rwsem of its anon_vma's root,
 * both for write.
 *
 * Taken to change the VMA's bounds or page offset (vmaMerge.ts), and to move its tables or entries to where a walk may
 * have looked already (moveTables.ts). Precondition: mmap_lock for write, so that VMA_ANON stays.
 *
 * Lock order: mmap_lock, VMA lock; i_mmap; anon_vma. Source: Linux mm/vma.c (vma_prepare, vma_complete), mm/mremap.c
 * (take_rmap_locks).
 */

import { VMA_ANON, VMA_INODE } from '../word/layout.ts';
import { load } from '../word/word.ts';
import { anonVmaLockWrite, anonVmaUnlockWrite } from './anonVma.ts';
import { iMmapLockWrite, iMmapUnlockWrite } from './iMmap.ts';

/** Takes those of the two locks that `vma` has. */
export function takeRmapLocks(vma: Vma): void {
  const inode = load(vma + VMA_INODE);
  const anon = load(vma + VMA_ANON);
  if (inode !== 0) iMmapLockWrite(inode);
  if (anon !== 0) anonVmaLockWrite(anon);
}

/** Undoes `takeRmapLocks`. */
export function dropRmapLocks(vma: Vma): void {
  const inode = load(vma + VMA_INODE);
  const anon = load(vma + VMA_ANON);
  if (anon !== 0) anonVmaUnlockWrite(anon);
  if (inode !== 0) iMmapUnlockWrite(inode);
}
