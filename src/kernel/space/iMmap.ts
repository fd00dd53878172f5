/**
 * i_mmap: per inode, the VMAs that map it, from a page of the page cache to where it may be mapped.
 *
 * Guarantee: every VMA with an inode that is in its address space's list is in the inode's, from before its first page
 * is mapped until after its last page is zapped, and before its tables are freed. While i_mmap is held, in any mode,
 * the VMAs in the list are alive and their bounds and page offsets stay; upper tables of what they map stay, too.
 *
 * A VMA that is copied (fork, mremap) stands before its copy, for the reason given in anonVma.ts.
 *
 * Lock order: mmap_lock, folio lock; i_mmap; anon_vma. Source: Linux mm/vma.c (vma_link_file, unlink_file_vma),
 * mm/mmap.c (dup_mmap); an interval tree there, a list here, of which walks skip what does not overlap.
 */

import { LC_I_MMAP_READ } from '../lock/lock.ts';
import {
  rwsemReadLock,
  rwsemReadUnlock,
  rwsemWriteLock,
  rwsemWriteUnlock,
} from '../sleep/rwsem.ts';
import {
  INODE_MMAP,
  INODE_MMAP_FIRST,
  INODE_MMAP_LAST,
  VMA_FILE_NEXT,
  VMA_FILE_PREV,
  VMA_INODE,
} from '../word/layout.ts';
import { load, peek, poke } from '../word/word.ts';

export function iMmapLockWrite(inode: Inode): void {
  rwsemWriteLock(inode + INODE_MMAP, LC_I_MMAP_READ);
}

export function iMmapUnlockWrite(inode: Inode): void {
  rwsemWriteUnlock(inode + INODE_MMAP, LC_I_MMAP_READ);
}

export function iMmapLockRead(inode: Inode): void {
  rwsemReadLock(inode + INODE_MMAP, LC_I_MMAP_READ);
}

export function iMmapUnlockRead(inode: Inode): void {
  rwsemReadUnlock(inode + INODE_MMAP, LC_I_MMAP_READ);
}

/** First VMA that maps `inode`, or 0. i_mmap held. */
export function iMmapFirst(inode: Inode): Vma {
  return peek(inode + INODE_MMAP_FIRST);
}

/** The VMA behind `vma` in its inode's list, or 0. i_mmap held. */
export function iMmapNext(vma: Vma): Vma {
  return peek(vma + VMA_FILE_NEXT);
}

/** Puts `vma` into its inode's list: behind `after`, or last (0). i_mmap held for write. */
export function iMmapInsert(vma: Vma, after: Vma): void {
  const inode = load(vma + VMA_INODE);
  const before = after === 0 ? peek(inode + INODE_MMAP_LAST) : after;
  const behind = before === 0 ? 0 : peek(before + VMA_FILE_NEXT);
  poke(vma + VMA_FILE_PREV, before);
  poke(vma + VMA_FILE_NEXT, behind);
  if (before === 0) poke(inode + INODE_MMAP_FIRST, vma);
  else poke(before + VMA_FILE_NEXT, vma);
  if (behind === 0) poke(inode + INODE_MMAP_LAST, vma);
  else poke(behind + VMA_FILE_PREV, vma);
}

/** Takes `vma` out of its inode's list. i_mmap held for write. */
export function iMmapRemove(vma: Vma): void {
  const inode = load(vma + VMA_INODE);
  const before = peek(vma + VMA_FILE_PREV);
  const behind = peek(vma + VMA_FILE_NEXT);
  if (before === 0) poke(inode + INODE_MMAP_FIRST, behind);
  else poke(before + VMA_FILE_NEXT, behind);
  if (behind === 0) poke(inode + INODE_MMAP_LAST, before);
  else poke(behind + VMA_FILE_PREV, before);
}

/** Makes a new VMA findable from its inode, if it has one; behind `after`, a VMA of the same inode, or last (0). */
export function vmaLinkFile(vma: Vma, after: Vma): void {
  const inode = load(vma + VMA_INODE);
  if (inode === 0) return;
  iMmapLockWrite(inode);
  iMmapInsert(vma, after);
  iMmapUnlockWrite(inode);
}

/** Hides a VMA from its inode, if it has one: no walk finds it any more when this returns. */
export function unlinkFileVma(vma: Vma): void {
  const inode = load(vma + VMA_INODE);
  if (inode === 0) return;
  iMmapLockWrite(inode);
  iMmapRemove(vma);
  iMmapUnlockWrite(inode);
}
