/**
 * UFFDIO_MOVE: pages of anonymous memory change their place without being copied.
 *
 * Guarantee: an entry that leaves the source arrives at the destination, whose entry was none, in a table that its PMD names. A page that is pinned, or
 * that another entry maps as well, does not move.
 *
 * For each stretch of pages that one PTE table covers on both sides (`moveStretch`):
 *  1. Find or allocate the tables. Map both PTE tables with no lock, the destination's first; remember the destination's PMD.
 *  2. Look: the destination's entry must be none (EEXIST), the source's something (ENOENT, or a hole that is passed over).
 *  3. Take both PTE locks, in order of their addresses, as two moves may go in opposite directions.
 *  4. Look again: both entries *and the destination's PMD* must be as they were, else begin again at 1. The source's entry is not none, so an equal
 *     entry shows that its table is still linked. The destination's is none: only the PMD shows that its table was not reclaimed.
 *  5. Page by page, its folio locked by trying (else begin again when it is free): clear the source's entry, then look at the page's references, as GUP-fast takes one first and looks at the entry afterwards; one
 *     too many: put the entry back (EBUSY).Note the page's new place and anon_vma; set the destination's entry, writable, without write protection.
 *  6. Flush the source's range, still under the locks; then nobody writes through the old address.
 *
 * Lock order: mmap_lock for read (Linux: two VMA locks, which it takes in a way that cannot wait in a circle); PTE locks, the lower address first.
 * Source: Linux 6.18 mm/userfaultfd.c (move_pages, move_pages_ptes, move_present_ptes, move_swap_pte, move_zeropage_pte, is_pte_pages_stable,
 * double_pt_lock, validate_move_areas).
 */

import { anonVmaPrepare } from './anonVma.ts';
import {
  EAGAIN,
  EBUSY,
  EEXIST,
  EFAULT,
  EINVAL,
  ENOENT,
  ENOMEM,
  PMD_PAGES,
  UFFD_MOVE_ALLOW_SRC_HOLES,
  UFFD_MOVE_DONTWAKE,
  VM_EXEC,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from './config.ts';
import {
  ENTRY_KIND,
  ENTRY_SWAP,
  entryHuge,
  entryMake,
  entryMigrating,
  entryNamesTable,
  entryNumber,
  entryPresent,
  PTE_DIRTY,
  PTE_SPECIAL,
  PTE_WRITE,
} from './entry.ts';
import { entryFlags, FAULT_WAITS, faultWaits } from './fault.ts';
import { F_ANON, folioFlags, folioLarge, folioOf, ZERO_FRAME } from './frame.ts';
import { splitHugePmd } from './hugePmd.ts';
import { syncPoint } from './inject.ts';
import {
  C_FAULT_FOLIO,
  C_UFFD_DONE,
  F_INDEX,
  F_OWNER,
  F_REF,
  VMA_ANON,
  VMA_END,
  VMA_FLAGS,
  VMA_INODE,
} from './layout.ts';
import { mmapReadLock, mmapReadUnlock } from './mmapLock.ts';
import { thisCpu } from './percpu.ts';
import { walkBegin, walkEnd } from './protocol.ts';
import {
  clearPte,
  mappedPmd,
  pteLock,
  pteLockNested,
  pteOffsetMapRwNolock,
  pteUnlock,
  pteUnmap,
  setPte,
} from './pteMap.ts';
import { condResched } from './rcu.ts';
import { pageExclusive } from './rmapEntries.ts';
import { folioTrylock, folioUnlock, folioWaitUnlocked } from './sleepLock.ts';
import {
  count,
  COUNTER_USERFAULT_MOVE_RETRIES,
  countBy,
  COUNTER_USERFAULT_MOVED,
} from './stats.ts';
import { tableOfEntry } from './table.ts';
import { flushTlbRange } from './tlb.ts';
import { uffdRangeValid, VM_UFFD_FLAGS } from './uffd.ts';
import { uffdWake } from './uffdFault.ts';
import { linearPageIndex, vmaLookup } from './vma.ts';
import { pmdAlloc, pmdFind, pteAlloc } from './walk.ts';
import { load, peek, poke, store } from './word.ts';

/** Step 3. */
function lockBoth(a: u32, b: u32): void {
  if (tableOfEntry(a) === tableOfEntry(b)) {
    pteLock(a);
  } else if (tableOfEntry(a) < tableOfEntry(b)) {
    pteLock(a);
    pteLockNested(b);
  } else {
    pteLock(b);
    pteLockNested(a);
  }
}

function unlockBoth(a: u32, b: u32): void {
  if (tableOfEntry(a) !== tableOfEntry(b)) pteUnlock(b);
  pteUnlock(a);
}

/** Whether `entry` maps an anonymous page that can move: a folio of one page that is exclusive to this entry (PageAnonExclusive). */
function movable(entry: u32): boolean {
  const page = entryNumber(entry);
  if (folioLarge(page) || (folioFlags(page) & F_ANON) === 0) return false;
  return pageExclusive(page);
}

/** Step 5 for a present page, whose folio is locked: no walk of the rmap looks for it meanwhile. Both PTE locks held. Returns 0 or EBUSY. */
function movePresent(vma: u32, dst: u32, src: u32, dstVpn: u32): u32 {
  const entry = clearPte(src);
  const folio = folioOf(entryNumber(entry));
  if (load(folio + F_REF) !== 1) {
    setPte(src, entry);
    return EBUSY;
  }
  // Atomic: whoever still has the frame's number from before may look at its owner.
  store(folio + F_OWNER, load(vma + VMA_ANON));
  store(folio + F_INDEX, linearPageIndex(vma, dstVpn));
  const flags = entryFlags(load(vma + VMA_FLAGS)) | PTE_WRITE | (entry & PTE_DIRTY);
  setPte(dst, entryMake(entryNumber(entry), flags));
  return 0;
}

/** Whether the entry at `src` is what a stretch may go on with: a movable page; and that at `dst` is none. Both PTE locks held. */
function goesOn(dst: u32, src: u32): boolean {
  const entry = load(src);
  if (load(dst) !== 0 || !entryPresent(entry) || (entry & PTE_SPECIAL) !== 0) return false;
  return movable(entry);
}

/**
 * Steps 5 and 6 for up to `pages` present pages, whose folios are locked by trying. Both PTE locks held. Returns how many moved; or, when the first one
 * does not, `failed`: EBUSY, or FAULT_WAITS for its folio.
 */
function movePresentPages(
  mm: u32,
  vma: u32,
  dst: u32,
  src: u32,
  dstVpn: u32,
  srcVpn: u32,
  pages: u32,
): u32 {
  let moved: u32 = 0;
  let error = movable(load(src)) ? 0 : EBUSY;
  let going = error === 0;
  while (going) {
    const at = moved << 2;
    const page = entryNumber(load(src + at));
    error = faultWaits(page);
    if (folioTrylock(page)) {
      error = movePresent(vma, dst + at, src + at, dstVpn + moved);
      folioUnlock(page);
    }
    going = error === 0;
    if (going) {
      moved += 1;
      going = moved < pages && goesOn(dst + (moved << 2), src + (moved << 2));
    }
  }
  if (moved === 0) return failed(error);
  flushTlbRange(mm, srcVpn, srcVpn + moved, 0);
  return moved;
}

/** What a stretch did, in the bits above the page count: an error number. */
const ERROR_SHIFT: u32 = 16;
const PAGES_MASK: u32 = 0xffff;

function failed(error: u32): u32 {
  return (error << ERROR_SHIFT) >>> 0;
}

/** Steps 2 to 6, both tables mapped; `dstPmdValue` is what the destination's PMD was then. Returns the pages done, or `failed` of an error. */
function moveMapped(
  mm: u32,
  vma: u32,
  dstPmd: u32,
  dstPmdValue: u32,
  dst: u32,
  src: u32,
  dstVpn: u32,
  srcVpn: u32,
  pages: u32,
  holes: boolean,
): u32 {
  if (load(dst) !== 0) return failed(EEXIST);
  const entry = load(src);
  if (entry === 0) return holes ? 1 : failed(ENOENT);
  const present = entryPresent(entry);
  const special = present && (entry & PTE_SPECIAL) !== 0;
  if (entryMigrating(entry)) return failed(faultWaits(entryNumber(entry)));
  if (!present && (entry & ENTRY_KIND) !== ENTRY_SWAP) return failed(EFAULT);
  syncPoint();
  lockBoth(dst, src);
  let result: u32 = 0;
  if (load(src) !== entry || load(dst) !== 0 || load(dstPmd) !== dstPmdValue) {
    result = failed(EAGAIN);
  } else if (present && !special) {
    result = movePresentPages(mm, vma, dst, src, dstVpn, srcVpn, pages);
  } else {
    clearPte(src);
    if (special) flushTlbRange(mm, srcVpn, srcVpn + 1, 0);
    const flags = entryFlags(load(vma + VMA_FLAGS)) | PTE_SPECIAL;
    setPte(dst, special ? entryMake(ZERO_FRAME, flags) : entry);
    result = 1;
  }
  unlockBoth(dst, src);
  return result;
}

/** Pages from both on, `pages` at most, that stay within one table on either side. */
function withinTables(dstVpn: u32, srcVpn: u32, pages: u32): u32 {
  let most = pages;
  const dstRoom = PMD_PAGES - (dstVpn & (PMD_PAGES - 1));
  const srcRoom = PMD_PAGES - (srcVpn & (PMD_PAGES - 1));
  if (most > dstRoom) most = dstRoom;
  if (most > srcRoom) most = srcRoom;
  return most;
}

/**
 * Steps 1 to 6 for up to `pages` pages. Returns the pages done, 1 at least, or `failed` of an error: EAGAIN means once more. Either table is mapped as
 * soon as it is there: one that is counted and that nobody visits goes when the walk installs another.
 */
function moveStretch(mm: u32, vma: u32, dstVpn: u32, srcVpn: u32, pages: u32, holes: boolean): u32 {
  let srcPmd = pmdFind(mm, srcVpn);
  const hole = srcPmd === 0 || load(srcPmd) === 0;
  if (hole && !holes) return failed(ENOENT);
  if (hole) srcPmd = pmdAlloc(mm, srcVpn);
  const dstPmd = pmdAlloc(mm, dstVpn);
  if (srcPmd === 0 || dstPmd === 0) return failed(ENOMEM);
  if (entryHuge(load(srcPmd))) {
    splitHugePmd(mm, srcPmd, srcVpn);
    return failed(EAGAIN);
  }
  const value = load(dstPmd);
  if (value !== 0 && !entryNamesTable(value)) return failed(EEXIST);
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

/** Whether pages may go from `src` to `dst`, both VMAs, [.., + pages) within them: 0 or EINVAL (validate_move_areas). */
function checkAreas(src: u32, dst: u32, srcVpn: u32, dstVpn: u32, pages: u32): u32 {
  const from = load(src + VMA_FLAGS);
  const to = load(dst + VMA_FLAGS);
  if (((from | to) & VM_SHARED) !== 0) return EINVAL;
  if (pages > load(src + VMA_END) - srcVpn || pages > load(dst + VMA_END) - dstVpn) return EINVAL;
  if (((from ^ to) & (VM_READ | VM_WRITE | VM_EXEC)) !== 0 || (from & VM_WRITE) === 0)
    return EINVAL;
  if ((to & VM_UFFD_FLAGS) === 0) return EINVAL;
  return load(src + VMA_INODE) !== 0 || load(dst + VMA_INODE) !== 0 ? EINVAL : 0;
}

/** Moves what it can, mmap_lock held for read. Returns 0 or the error that ended it; C_UFFD_DONE says how far it came. */
function movePages(mm: u32, dstVpn: u32, srcVpn: u32, pages: u32, holes: boolean): u32 {
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
    if (error === EAGAIN || error === FAULT_WAITS) {
      count(COUNTER_USERFAULT_MOVE_RETRIES);
      if (error === FAULT_WAITS) folioWaitUnlocked(peek(thisCpu() + C_FAULT_FOLIO));
      error = 0;
    }
    condResched();
  }
  poke(thisCpu() + C_UFFD_DONE, done);
  countBy(COUNTER_USERFAULT_MOVED, done);
  return error;
}

/**
 * UFFDIO_MOVE of the pages [src, src + pages) to `dst`, `mode` UFFD_MOVE_. No lock held. Returns 0; EINVAL: no such range or mode, or VMAs that pages
 * cannot go between (shared, files, other rights, not writable, the destination not watched, not one VMA); ENOENT: no mapping, or a hole in the
 * source; EEXIST: a page at the destination; EBUSY: a page that is pinned, or not this address space's alone; EFAULT: a marker in the source; ENOMEM;
 * EAGAIN: only a part was done (`uffdDone`).
 */
export function uffdMove(mm: u32, dst: u32, src: u32, pages: u32, mode: u32): u32 {
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
