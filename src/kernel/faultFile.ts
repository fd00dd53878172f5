/**
 * Faults on file mappings and on anonymous shared memory, through the page cache.
 *
 *  read of any mapping     the cached page, write-protected; of shared memory writable at once if the VMA is
 *  write, private          a new anonymous page, copied from the cached one
 *  write, shared           the cached page, writable and dirty
 *
 * An access beyond the object's end is a SIGBUS; upper tables that were allocated on the way stay, the PTE table is not allocated.
 *
 * Guarantee and locks: as fault.ts, steps 3 and 4. Source: Linux mm/memory.c (do_read_fault, do_cow_fault, do_shared_fault, finish_fault).
 */

import { ENOMEM, VM_SHARED, VM_WRITE } from './config.ts';
import { entryMake, PTE_DIRTY, PTE_WRITE } from './entry.ts';
import { anonPrepareForFault, entryFlags, mapAnonFrame, SIGBUS } from './fault.ts';
import { filemapGetOrAdd } from './filemap.ts';
import { F_ANON, F_DIRTY, F_SHMEM, folioOf, folioPut, frameAlloc } from './frame.ts';
import {
  F_FLAGS,
  F_MAP,
  INODE_PAGES,
  VMA_FLAGS,
  VMA_INODE,
  VMA_PGOFF,
  VMA_START,
} from './layout.ts';
import { pteOffsetMapLock, pteUnmapUnlock, setPte } from './pteMap.ts';
import { RSS_FILE, RSS_SHMEM, rssAdd } from './rss.ts';
import { pteAlloc } from './walk.ts';
import { add, load, or, peek } from './word.ts';

/** Page index, in its inode, of `vpn` in `vma`. */
export function pageIndex(vma: u32, vpn: u32): u32 {
  return (load(vma + VMA_PGOFF) + vpn - load(vma + VMA_START)) >>> 0;
}

/** Maps the cached page `frame`, whose reference the entry takes over. */
function mapCachedFrame(mm: u32, pte: u32, frame: u32, flags: u32, write: u32): void {
  const folio = folioOf(frame);
  const kind = load(folio + F_FLAGS);
  const shared = (flags & (VM_SHARED | VM_WRITE)) === (VM_SHARED | VM_WRITE);
  let bits = entryFlags(flags);
  if (shared && (write !== 0 || (kind & F_SHMEM) !== 0)) bits = bits | PTE_WRITE;
  if (write !== 0) {
    bits = bits | PTE_DIRTY;
    or(folio + F_FLAGS, F_DIRTY);
  }
  add(folio + F_MAP, 1);
  rssAdd(mm, (kind & F_SHMEM) !== 0 ? RSS_SHMEM : RSS_FILE, 1);
  setPte(pte, entryMake(frame, bits));
}

/**
 * A fault on a none entry of a mapping with an inode. Preconditions and results as for handleMmFault.
 */
export function faultFile(mm: u32, vma: u32, pmd: u32, vpn: u32, write: u32, locked: u32): u32 {
  const flags = load(vma + VMA_FLAGS);
  const inode = peek(vma + VMA_INODE);
  const copies = write !== 0 && (flags & VM_SHARED) === 0;
  const index = pageIndex(vma, vpn);
  if (copies) {
    const refused = anonPrepareForFault(mm, vma, locked);
    if (refused !== 0) return refused;
  }
  if (index >= load(inode + INODE_PAGES)) return SIGBUS;
  let frame = filemapGetOrAdd(inode, index);
  if (frame === 0) return ENOMEM;
  if (copies) {
    folioPut(frame);
    frame = frameAlloc(0, F_ANON);
    if (frame === 0) return ENOMEM;
  }
  if (pteAlloc(mm, pmd, vpn) === 0) {
    folioPut(frame);
    return ENOMEM;
  }
  const pte = pteOffsetMapLock(pmd, vpn);
  if (pte === 0) {
    folioPut(frame);
    return 0;
  }
  if (load(pte) !== 0) {
    pteUnmapUnlock(pte);
    folioPut(frame);
    return 0;
  }
  if (copies) {
    mapAnonFrame(mm, vpn, frame);
    setPte(pte, entryMake(frame, entryFlags(flags) | PTE_WRITE | PTE_DIRTY));
  } else {
    mapCachedFrame(mm, pte, frame, flags, write);
  }
  pteUnmapUnlock(pte);
  return 0;
}
