/**
 * mmap at a fixed place, the one-page mappings that recorded programs need, and the limits both obey.
 *
 * Protocol: mmap_lock for write; the range must be free (EEXIST), or with MMAP_REPLACE is unmapped first, pages, tables
 * and all; the new range merges into a neighbour or becomes a VMA; mmap_lock is released; then MMAP_POPULATE faults the
 * range in, on its own, so others may already change what was mapped.
 *
 * Lock order: mmap_lock, VMA write locks.
 * Source: Linux 6.18 mm/mmap.c (do_mmap), mm/vma.c (__mmap_region), mm/gup.c (__mm_populate).
 */

import { populateMapped } from '../access/populate.ts';
import { INODE_SHMEM, inodeCreate, inodeGet } from '../rmap/inode.ts';
import { mmapWriteLock, mmapWriteUnlock } from '../sleep/mmapLock.ts';
import { findVmaIntersection, vmaLookup } from '../space/vma.ts';
import { unmapRange } from '../vma/munmap.ts';
import { vmaMap } from '../vma/vmaMerge.ts';
import {
  EEXIST,
  EINVAL,
  ENOMEM,
  MAP_COUNT_MAX,
  MMAP_POPULATE,
  MMAP_REPLACE,
  MMAP_SHARED,
  TASK_END,
  VM_EXEC,
  VM_IMPLICIT,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '../word/config.ts';
import { MM_MAP_COUNT } from '../word/layout.ts';
import { peek } from '../word/word.ts';

/**
 * Maps `pages` pages at `start` with `prot` (VM_READ, VM_WRITE, VM_EXEC) and `flags` (MMAP_). `inode` 0: anonymous, and
 * then MMAP_SHARED makes an inode of that size; otherwise the caller keeps its reference and the VMA gets one.
 * Returns 0, EINVAL (no pages), ENOMEM (beyond the address space, no VMA or inode left, too many mappings) or EEXIST.
 * What MMAP_POPULATE could not fault in is not an error.
 */
export function doMmap(
  mm: Mm,
  start: Vpn,
  pages: u32,
  prot: u32,
  flags: u32,
  inode: Inode,
  pgoff: PageIndex,
): u32 {
  if (pages === 0) return EINVAL;
  if (start > TASK_END || pages > TASK_END - start) return ENOMEM;
  mmapWriteLock(mm);
  const error = mapFixed(mm, start, pages, prot, flags, inode, pgoff);
  mmapWriteUnlock(mm);
  if (error === 0 && (flags & MMAP_POPULATE) !== 0) populateMapped(mm, start, start + pages);
  return error;
}

/** doMmap between taking and releasing mmap_lock. */
function mapFixed(
  mm: Mm,
  start: Vpn,
  pages: u32,
  prot: u32,
  flags: u32,
  inode: Inode,
  pgoff: PageIndex,
): u32 {
  if (peek(mm + MM_MAP_COUNT) > MAP_COUNT_MAX) return ENOMEM;
  const end = start + pages;
  if (findVmaIntersection(mm, start, end) !== 0) {
    if ((flags & MMAP_REPLACE) === 0) return EEXIST;
    const error = unmapRange(mm, start, end, false);
    if (error !== 0) return error;
  }
  let vmFlags = prot & (VM_READ | VM_WRITE | VM_EXEC);
  let backing = inode;
  let offset = pgoff;
  if ((flags & MMAP_SHARED) !== 0) vmFlags |= VM_SHARED;
  if (inode !== 0) {
    inodeGet(inode);
  } else if ((flags & MMAP_SHARED) !== 0) {
    backing = inodeCreate(pages, INODE_SHMEM);
    if (backing === 0) return ENOMEM;
    offset = 0;
  } else {
    offset = start as u32;
  }
  return vmaMap(mm, start, end, vmFlags >>> 0, backing, offset, 0) === 0 ? ENOMEM : 0;
}

/**
 * For a fault of a recorded program where the recording shows no mapping: maps the one page `vpn`, private, anonymous,
 * readable, writable and executable, merged with neighbours that were made like this. Returns 0, also when a mapping is
 * there by now, or ENOMEM.
 */
export function mapImplicit(mm: Mm, vpn: Vpn): u32 {
  if (vpn >= TASK_END) return ENOMEM;
  let error: u32 = 0;
  mmapWriteLock(mm);
  if (vmaLookup(mm, vpn) === 0) {
    const flags = VM_READ | VM_WRITE | VM_EXEC | VM_IMPLICIT;
    if (vmaMap(mm, vpn, vpn + 1, flags, 0, vpn as u32, 0) === 0) error = ENOMEM;
  }
  mmapWriteUnlock(mm);
  return error;
}
