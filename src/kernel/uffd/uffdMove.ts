/**
 * UFFDIO_MOVE: pages of anonymous memory change their place without being copied.
 *
 * Guarantee: an entry that leaves the source arrives at the destination, whose entry was none, in a table that its PMD
 * names. A page that is pinned, or that another entry maps as well, does not move.
 *
 * For each stretch of pages that one PTE table covers on both sides (`moveStretch`):
 *  1. Find or allocate the tables. Map both PTE tables with no lock; remember the destination's PMD.
 *  2. to 6. Move entries (uffdMoveEntries.ts). A page of a larger folio: split the folio, begin again.
 * A huge PMD goes as a whole to a PMD that is none, if all of it is to go (uffdMoveHuge.ts); otherwise it is split
 * first.
 *
 * Lock order: mmap_lock for read (Linux: two VMA locks, which it takes in a way that cannot wait in a circle); folio
 * lock, PMD and PTE locks.
 * Source: Linux 6.18 mm/userfaultfd.c (move_pages, move_pages_ptes, move_splits_huge_pmd, validate_move_areas).
 */

import { folioPut } from '../alloc/frame.ts';
import { pmdTransHugeLock, splitHugePmdLocked } from '../huge/hugePmd.ts';
import {
  count,
  countBy,
  COUNTER_USERFAULT_MOVE_RETRIES,
  COUNTER_USERFAULT_MOVED,
} from '../observe/stats.ts';
import { condResched } from '../rcu/rcu.ts';
import { splitFolio } from '../rmap/splitFolio.ts';
import { mmapReadLock, mmapReadUnlock } from '../sleep/mmapLock.ts';
import { folioUnlock, folioWaitUnlocked } from '../sleep/sleepLock.ts';
import { anonVmaPrepare } from '../space/anonVma.ts';
import { maybePinned } from '../space/pin.ts';
import { vmaLookup } from '../space/vma.ts';
import { walkBegin, walkEnd } from '../word/hooks.ts';
import { hugeFirst, pmdUnlock } from '../tables/offsets.ts';
import { mappedPmd, pteOffsetMapRwNolock, pteUnmap } from '../tables/pteMap.ts';
import { pmdAlloc, pmdFind, pteAlloc } from '../tables/walk.ts';
import { uffdWake } from '../watch/uffdFault.ts';
import { uffdRangeValid, VM_UFFD_FLAGS } from '../watch/uffdRange.ts';
import {
  EAGAIN,
  EBUSY,
  EEXIST,
  EINVAL,
  ENOENT,
  ENOMEM,
  FAULT_WAITS,
  PMD_PAGES,
  UFFD_MOVE_ALLOW_SRC_HOLES,
  UFFD_MOVE_DONTWAKE,
  VM_EXEC,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '../word/config.ts';
import { entryHuge } from '../word/entry.ts';
import { C_FAULT_FOLIO, C_UFFD_DONE, VMA_END, VMA_FLAGS, VMA_INODE } from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { load, peek, poke } from '../word/word.ts';
import { ERROR_SHIFT, failed, MOVE_SPLITS, moveMapped, PAGES_MASK } from './uffdMoveEntries.ts';
import { hugeMovable, uffdMoveHugePmd } from './uffdMoveHuge.ts';

/** Pages from both on, `pages` at most, that stay within one table on either side. */
function withinTables(dstVpn: Vpn, srcVpn: Vpn, pages: u32): u32 {
  let most = pages;
  const dstRoom = PMD_PAGES - (dstVpn & (PMD_PAGES - 1));
  const srcRoom = PMD_PAGES - (srcVpn & (PMD_PAGES - 1));
  if (most > dstRoom) most = dstRoom;
  if (most > srcRoom) most = srcRoom;
  return most;
}

/**
 * A stretch that begins in a huge PMD: moved if all of it is to go to where nothing is, else split. Returns as
 * moveStretch does.
 */
function moveFromHuge(
  mm: Mm,
  vma: Vma,
  dstPmd: Pmd,
  srcPmd: Pmd,
  dstVpn: Vpn,
  srcVpn: Vpn,
  pages: u32,
): u32 {
  const whole = hugeFirst(srcVpn) === srcVpn && hugeFirst(dstVpn) === dstVpn && pages >= PMD_PAGES;
  if (whole && load(dstPmd) === 0) return uffdMoveHugePmd(mm, vma, dstPmd, srcPmd, dstVpn, srcVpn);
  if (!pmdTransHugeLock(srcPmd)) return failed(EAGAIN);
  const error = hugeMovable(load(srcPmd)) ? EAGAIN : EBUSY;
  if (error === EAGAIN) splitHugePmdLocked(mm, srcPmd, hugeFirst(srcVpn));
  pmdUnlock(srcPmd);
  return failed(error);
}

/**
 * Splits the folio that a stretch handed over (MOVE_SPLITS), within no walk. Returns 0, also when somebody else has a
 * reference for a moment, or EBUSY: it is pinned.
 */
function splitClaimed(head: Head): u32 {
  const pinned = splitFolio(head) !== 0 && maybePinned(head);
  folioUnlock(head);
  folioPut(head);
  return pinned ? EBUSY : 0;
}

/**
 * Steps 1 to 6 for up to `pages` pages. Returns the pages done, 1 at least, or `failed` of an error: EAGAIN means once
 * more. Either table is mapped as soon as it is there: one that is counted and that nobody visits goes when the walk
 * installs another.
 */
function moveStretch(mm: Mm, vma: Vma, dstVpn: Vpn, srcVpn: Vpn, pages: u32, holes: boolean): u32 {
  let srcPmd = pmdFind(mm, srcVpn);
  const hole = srcPmd === 0 || load(srcPmd) === 0;
  if (hole && !holes) return failed(ENOENT);
  if (hole) srcPmd = pmdAlloc(mm, srcVpn);
  const dstPmd = pmdAlloc(mm, dstVpn);
  if (srcPmd === 0 || dstPmd === 0) return failed(ENOMEM);
  if (entryHuge(load(dstPmd))) return failed(EEXIST);
  if (entryHuge(load(srcPmd))) return moveFromHuge(mm, vma, dstPmd, srcPmd, dstVpn, srcVpn, pages);
  if (hole && pteAlloc(mm, srcPmd, srcVpn) === 0) return failed(ENOMEM);
  const src = pteOffsetMapRwNolock(srcPmd, srcVpn);
  if (src === 0) return failed(EAGAIN);
  let result = failed(EAGAIN);
  if (pteAlloc(mm, dstPmd, dstVpn) === 0) {
    result = failed(ENOMEM);
  } else {
    const dst = pteOffsetMapRwNolock(dstPmd, dstVpn);
    if (dst !== 0) {
      const most = withinTables(dstVpn, srcVpn, pages);
      result = moveMapped(mm, vma, dstPmd, mappedPmd(), dst, src, dstVpn, srcVpn, most, holes);
      pteUnmap(dst);
    }
  }
  pteUnmap(src);
  return result;
}

/**
 * Whether pages may go from `src` to `dst`, both VMAs, [.., + pages) within them: 0 or EINVAL (validate_move_areas).
 */
function checkAreas(src: Vma, dst: Vma, srcVpn: Vpn, dstVpn: Vpn, pages: u32): u32 {
  const from = load(src + VMA_FLAGS);
  const to = load(dst + VMA_FLAGS);
  if (((from | to) & VM_SHARED) !== 0) return EINVAL;
  if (pages > load(src + VMA_END) - srcVpn || pages > load(dst + VMA_END) - dstVpn) return EINVAL;
  if (((from ^ to) & (VM_READ | VM_WRITE | VM_EXEC)) !== 0 || (from & VM_WRITE) === 0)
    return EINVAL;
  if ((to & VM_UFFD_FLAGS) === 0) return EINVAL;
  return load(src + VMA_INODE) !== 0 || load(dst + VMA_INODE) !== 0 ? EINVAL : 0;
}

/**
 * Moves what it can, mmap_lock held for read. Returns 0 or the error that ended it; C_UFFD_DONE says how far it came.
 */
function movePages(mm: Mm, dstVpn: Vpn, srcVpn: Vpn, pages: u32, holes: boolean): u32 {
  const dst = vmaLookup(mm, dstVpn);
  const src = vmaLookup(mm, srcVpn);
  if (dst === 0) return ENOENT;
  let error: u32 = 0;
  if ((load(dst + VMA_FLAGS) & VM_SHARED) === 0) error = anonVmaPrepare(mm, dst);
  if (error !== 0) return error;
  if (src === 0) return ENOENT;
  error = checkAreas(src, dst, srcVpn, dstVpn, pages);
  let done: u32 = 0;
  while (error === 0 && done < pages) {
    walkBegin(mm);
    const result = moveStretch(mm, dst, dstVpn + done, srcVpn + done, pages - done, holes);
    walkEnd(mm);
    error = result >>> ERROR_SHIFT;
    done += result & PAGES_MASK;
    if (error === EAGAIN || error === FAULT_WAITS || error === MOVE_SPLITS) {
      count(COUNTER_USERFAULT_MOVE_RETRIES);
      const folio = peek(thisCpu() + C_FAULT_FOLIO);
      if (error === FAULT_WAITS) folioWaitUnlocked(folio);
      error = error === MOVE_SPLITS ? splitClaimed(folio) : 0;
    }
    condResched();
  }
  poke(thisCpu() + C_UFFD_DONE, done);
  countBy(COUNTER_USERFAULT_MOVED, done);
  return error;
}

/**
 * UFFDIO_MOVE of the pages [src, src + pages) to `dst`, `mode` UFFD_MOVE_. No lock held. Returns 0; EINVAL: no such
 * range or mode, or VMAs that pages cannot go between (shared, files, other rights, not writable, the destination not
 * watched, not one VMA); ENOENT: no mapping, or a hole in the source; EEXIST: a page at the destination; EBUSY: a page
 * that is pinned, or not this address space's alone; EFAULT: a marker in the source; ENOMEM;
 * EAGAIN: only a part was done (`uffdDone`).
 */
export function uffdMove(mm: Mm, dst: Vpn, src: Vpn, pages: u32, mode: u32): u32 {
  poke(thisCpu() + C_UFFD_DONE, 0);
  if (!uffdRangeValid(dst, pages) || !uffdRangeValid(src, pages)) return EINVAL;
  if ((mode & ~(UFFD_MOVE_DONTWAKE | UFFD_MOVE_ALLOW_SRC_HOLES)) !== 0) return EINVAL;
  mmapReadLock(mm);
  const error = movePages(mm, dst, src, pages, (mode & UFFD_MOVE_ALLOW_SRC_HOLES) !== 0);
  mmapReadUnlock(mm);
  const done = peek(thisCpu() + C_UFFD_DONE);
  if (done === 0) return error;
  if ((mode & UFFD_MOVE_DONTWAKE) === 0) uffdWake(mm, dst, done);
  return error === 0 ? 0 : EAGAIN;
}
