/**
 * Faults on file mappings and on anonymous shared memory, through the page cache.
 *
 *  read of any mapping     the cached page, write-protected; of shared memory writable at once if the VMA is. First,
 *                          what is cached around it is mapped, too, which may be all there is to do
 *  write, private          a new anonymous page, copied from the cached one
 *  write, shared           the cached page, writable and dirty
 *
 * An access beyond the object's end is a SIGBUS; upper tables that were allocated on the way stay. The PTE table is not
 * allocated, unless a read has mapped cached pages around it.
 *
 * A page is mapped, or copied from, with its folio locked, and only if it is in the cache and within the object then:
 * truncation makes the object smaller first, and afterwards locks each page, unmaps it, and drops it. The lock is only
 * tried; a fault that does not get it waits with no lock held.
 *
 * Guarantee and locks: as fault.ts, steps 3 and 4. Source: Linux mm/memory.c (do_read_fault, do_fault_around,
 * do_cow_fault, do_shared_fault, finish_fault), mm/filemap.c (filemap_map_pages).
 */

import {
  F_ANON,
  F_DIRTY,
  F_EXCLUSIVE,
  F_SHMEM,
  folioGet,
  folioHead,
  folioLarge,
  folioOf,
} from '../alloc/folio.ts';
import { folioPut, frameAlloc } from '../alloc/frame.ts';
import { filemapGet, filemapGetOrAdd, filemapHolds, filemapRemove } from '../rmap/filemap.ts';
import { folioTrylock, folioUnlock } from '../sleep/sleepLock.ts';
import { rmapAddPtes } from '../space/mapcount.ts';
import { RSS_FILE, RSS_SHMEM, rssAdd } from '../space/rss.ts';
import { linearPageIndex } from '../space/vma.ts';
import { clearPte, pteOffsetMapLock, pteUnmapUnlock, setPte } from '../tables/pteMap.ts';
import { pteAlloc } from '../tables/walk.ts';
import { handleUserfault, UFFD_FAULT_MISSING } from '../watch/uffdFault.ts';
import {
  ENOMEM,
  FAULT_AROUND_PAGES,
  PMD_PAGES,
  SIGBUS,
  VM_SHARED,
  VM_UFFD_MISSING,
  VM_UFFD_WP,
  VM_WRITE,
} from '../word/config.ts';
import { entryFlags, entryMake, PTE_DIRTY, PTE_UFFD_WP, PTE_WRITE } from '../word/entry.ts';
import {
  C_FAULT_RESULT,
  F_FLAGS,
  INODE_PAGES,
  VMA_END,
  VMA_FLAGS,
  VMA_INODE,
  VMA_START,
} from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { load, or, peek, poke } from '../word/word.ts';
import { setFilePmd } from './hugeFile.ts';
import { faultWaits, mapAnonFrame } from './newEntry.ts';

/**
 * Maps the cached page `frame`, whose reference the entry takes over; `wp`: write-protected for a userfaultfd. Shared
 * memory that one watches for writes is not writable before the first.
 */
export function mapCachedFrame(
  mm: Mm,
  pte: Pte,
  frame: Frame,
  flags: u32,
  write: u32,
  wp: boolean,
): void {
  const folio = folioOf(folioHead(frame));
  const kind = load(folio + F_FLAGS);
  const shared = (flags & (VM_SHARED | VM_WRITE)) === (VM_SHARED | VM_WRITE);
  let bits = entryFlags(flags);
  const watched = (flags & VM_UFFD_WP) !== 0;
  if (shared && (write !== 0 || ((kind & F_SHMEM) !== 0 && !watched))) bits = bits | PTE_WRITE;
  if (write !== 0) {
    bits = bits | PTE_DIRTY;
    or(folio + F_FLAGS, F_DIRTY);
  }
  if (wp) bits = ((bits | PTE_UFFD_WP) & ~PTE_WRITE) >>> 0;
  rmapAddPtes(frame, 1);
  rssAdd(mm, (kind & F_SHMEM) !== 0 ? RSS_SHMEM : RSS_FILE, 1);
  setPte(pte, entryMake(frame, bits));
}

/**
 * Maps `frame`, with the reference that it comes with, at `vpn` unless something is there. The PMD entry may name no
 * table: then nothing is.
 */
function mapIfNone(mm: Mm, pmd: Pmd, vpn: Vpn, frame: Frame, flags: u32): void {
  const pte = pteOffsetMapLock(pmd, vpn);
  const none = pte !== 0 && load(pte) === 0;
  if (none) mapCachedFrame(mm, pte, frame, flags, 0, false);
  if (pte !== 0) pteUnmapUnlock(pte);
  if (!none) folioPut(frame);
}

/**
 * The cached page `index` of `inode`, locked and with a reference, if nobody else has it locked and it is within the
 * object; else 0.
 */
function tryLockCached(inode: Inode, index: PageIndex): Frame {
  const frame = filemapGet(inode, index);
  if (frame === 0) return 0;
  if (folioTrylock(folioHead(frame))) {
    if (filemapHolds(frame, inode, index) && index < load(inode + INODE_PAGES)) return frame;
    folioUnlock(folioHead(frame));
  }
  folioPut(frame);
  return 0;
}

/**
 * Maps cached pages of the aligned group around `vpn`, within the VMA and the PTE table, for reading. Returns 0, 1:
 * `vpn` was among them, or
 * ENOMEM: no table.
 */
function faultAround(mm: Mm, vma: Vma, pmd: Pmd, vpn: Vpn): u32 {
  const inode = peek(vma + VMA_INODE);
  const flags = load(vma + VMA_FLAGS);
  let from: Vpn = (vpn & ~(FAULT_AROUND_PAGES - 1)) >>> 0;
  if (from < load(vma + VMA_START)) from = load(vma + VMA_START);
  let pages: u32 = PMD_PAGES - (from & (PMD_PAGES - 1));
  if (pages > FAULT_AROUND_PAGES) pages = FAULT_AROUND_PAGES;
  if (pages > load(vma + VMA_END) - from) pages = load(vma + VMA_END) - from;
  const first = linearPageIndex(vma, from);
  let result: u32 = 0;
  for (let i: u32 = 0; i < pages; i += 1) {
    const index: PageIndex = (first + i) >>> 0;
    const frame = index < load(inode + INODE_PAGES) ? tryLockCached(inode, index) : 0;
    if (frame !== 0) {
      let allocated: u32 = 1;
      if (folioLarge(frame) && setFilePmd(mm, vma, pmd, vpn, folioHead(frame), 0)) {
        result = 1;
      } else {
        allocated = pteAlloc(mm, pmd, vpn);
        if (allocated !== 0) {
          folioGet(frame);
          mapIfNone(mm, pmd, from + i, frame, flags);
          if (from + i === vpn) result = 1;
        }
      }
      folioUnlock(folioHead(frame));
      folioPut(frame);
      if (allocated === 0) return ENOMEM;
    }
  }
  return result;
}

/**
 * The page `index` of `inode`, its folio locked, with a reference for the caller. Returns its frame; or 0, and then
 * C_FAULT_RESULT is what the fault returns: SIGBUS beyond the end, ENOMEM, FAULT_WAITS for the folio's lock, 0 when the
 * page left the cache meanwhile.
 */
function lockCachedPage(inode: Inode, index: PageIndex): Frame {
  const result = thisCpu() + C_FAULT_RESULT;
  poke(result, SIGBUS);
  if (index >= load(inode + INODE_PAGES)) return 0;
  poke(result, ENOMEM);
  const frame = filemapGetOrAdd(inode, index);
  if (frame === 0) return 0;
  if (!folioTrylock(folioHead(frame))) {
    poke(result, faultWaits(frame));
    folioPut(frame);
    return 0;
  }
  const there = filemapHolds(frame, inode, index);
  // Truncation makes the size smaller first, then drops each page under its lock: who adds one afterwards takes it out
  // again here.
  const beyond = index >= load(inode + INODE_PAGES);
  if (there && !beyond) return frame;
  if (there && !folioLarge(frame)) filemapRemove(frame as Head);
  folioUnlock(folioHead(frame));
  folioPut(frame);
  poke(result, beyond ? SIGBUS : 0);
  return 0;
}

/**
 * Whether the page, which is not mapped, is one that a userfaultfd is to be told of: it watches, and the page is not in
 * the cache.
 */
function missingForUserfault(inode: Inode, index: PageIndex, flags: u32): boolean {
  if ((flags & VM_UFFD_MISSING) === 0 || index >= load(inode + INODE_PAGES)) return false;
  const frame = filemapGet(inode, index);
  if (frame !== 0) folioPut(frame);
  return frame === 0;
}

/**
 * Maps `frame`, the cached page itself or a copy of it, at `vpn` unless the entry is not `orig` any more. Takes over
 * its reference. Returns 0 or ENOMEM.
 */
function finishFault(
  mm: Mm,
  vma: Vma,
  pmd: Pmd,
  vpn: Vpn,
  frame: Frame,
  copies: boolean,
  write: u32,
  orig: Entry,
): u32 {
  const flags = load(vma + VMA_FLAGS);
  const allocated = pteAlloc(mm, pmd, vpn);
  const pte = allocated === 0 ? 0 : pteOffsetMapLock(pmd, vpn);
  const none = pte !== 0 && load(pte) === orig;
  if (none && orig !== 0) clearPte(pte);
  if (none && copies) {
    mapAnonFrame(mm, vma, vpn, frame as Head);
    setPte(pte, entryMake(frame, entryFlags(flags) | PTE_WRITE | PTE_DIRTY));
  } else if (none) {
    mapCachedFrame(mm, pte, frame, flags, write, orig !== 0);
  }
  if (pte !== 0) pteUnmapUnlock(pte);
  if (!none) folioPut(frame);
  return allocated === 0 ? ENOMEM : 0;
}

/**
 * A fault on `orig`, a none entry or a marker, of a mapping with an inode. What is mapped in a marker's place is
 * write-protected for the userfaultfd, and nothing is mapped around where one watches for writes. Preconditions and
 * results as for handleMmFault.
 */
export function faultFile(mm: Mm, vma: Vma, pmd: Pmd, vpn: Vpn, write: u32, orig: Entry): u32 {
  const flags = load(vma + VMA_FLAGS);
  const inode = peek(vma + VMA_INODE);
  const copies = write !== 0 && (flags & VM_SHARED) === 0;
  if (write === 0 && (flags & VM_UFFD_WP) === 0) {
    const around = faultAround(mm, vma, pmd, vpn);
    if (around !== 0) return around === 1 ? 0 : around;
  }
  const index = linearPageIndex(vma, vpn);
  if (missingForUserfault(inode, index, flags)) return handleUserfault(mm, vpn, UFFD_FAULT_MISSING);
  const cached = lockCachedPage(inode, index);
  if (cached === 0) return peek(thisCpu() + C_FAULT_RESULT);
  let result = ENOMEM;
  if (copies) {
    const fresh = frameAlloc(0, F_ANON | F_EXCLUSIVE);
    if (fresh !== 0) result = finishFault(mm, vma, pmd, vpn, fresh, true, write, orig);
    folioUnlock(folioHead(cached));
    folioPut(cached);
  } else {
    // A userfaultfd is told of each page.
    const huge = folioLarge(cached) && (flags & (VM_UFFD_MISSING | VM_UFFD_WP)) === 0;
    if (huge && setFilePmd(mm, vma, pmd, vpn, folioHead(cached), write)) {
      result = 0;
    } else {
      folioGet(cached);
      result = finishFault(mm, vma, pmd, vpn, cached, false, write, orig);
    }
    folioUnlock(folioHead(cached));
    folioPut(cached);
  }
  return result;
}
