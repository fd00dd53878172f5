/**
 * UFFDIO_COPY and UFFDIO_ZEROPAGE: a monitor brings pages.
 *
 * Guarantee: a page is mapped where the entry was none or a marker, and nowhere else (EEXIST); those who wait for what
 * was brought are woken.
 *
 *  private anonymous   a new page, dirty, writable as the VMA is; or the zero page, where the machine has one
 *  shared memory       a new page of the page cache, zeroed or not, and the entry; a page that is cached already is
 *                      EEXIST
 *
 * With UFFD_COPY_WP the entry is write-protected for the userfaultfd from the start.
 *
 * Page by page: upper tables; the PTE table; the page, with no spinlock held; PTE lock; the entry must still be none;
 * install. A table that was reclaimed before it could be locked is EAGAIN, which is the caller's to try again.
 *
 * Lock: that of the VMA when it suffices (axis `fault` vma-lock), else mmap_lock for read. PTE lock; page-cache bucket.
 * Source: Linux mm/userfaultfd.c (mfill_atomic, mfill_atomic_install_pte, mfill_atomic_pte_zeropage,
 * mfill_atomic_pte_zeroed_folio, uffd_mfill_lock), mm/shmem.c (shmem_mfill_atomic_pte).
 */

import { F_ANON, F_EXCLUSIVE, ZERO_FRAME } from '../alloc/folio.ts';
import { folioPut, frameAlloc } from '../alloc/frame.ts';
import { mapCachedFrame } from '../fault/faultFile.ts';
import { mapAnonFrame } from '../fault/newEntry.ts';
import { count, COUNTER_USERFAULT_FILLED } from '../observe/stats.ts';
import { condResched } from '../rcu/rcu.ts';
import { FILEMAP_EXISTS, filemapAdd, filemapRemoveUnused } from '../rmap/filemap.ts';
import { mmapReadLock, mmapReadUnlock } from '../sleep/mmapLock.ts';
import { anonVmaPrepare } from '../space/anonVma.ts';
import { linearPageIndex, vmaLookup } from '../space/vma.ts';
import { lockVmaUnderRcu, vmaReadUnlock } from '../space/vmaLock.ts';
import { walkBegin, walkEnd } from '../word/hooks.ts';
import { clearPte, pteOffsetMapLock, pteUnmapUnlock, setPte } from '../tables/pteMap.ts';
import { pmdAlloc, pteAlloc } from '../tables/walk.ts';
import { uffdWake } from '../watch/uffdFault.ts';
import { uffdRangeValid, VM_UFFD_FLAGS } from '../watch/uffdRange.ts';
import {
  EAGAIN,
  EEXIST,
  EFAULT,
  EINVAL,
  ENOENT,
  ENOMEM,
  FAULT_VMA_LOCK,
  UFFD_COPY_DONTWAKE,
  UFFD_COPY_WP,
  UFFD_ZEROPAGE_DONTWAKE,
  VM_SHARED,
  VM_UFFD_WP,
  VM_WRITE,
} from '../word/config.ts';
import {
  entryFlags,
  entryHuge,
  entryMake,
  entryNoneMostly,
  PTE_DIRTY,
  PTE_SPECIAL,
  PTE_UFFD_WP,
  PTE_WRITE,
} from '../word/entry.ts';
import {
  C_UFFD_DONE,
  INODE_PAGES,
  VMA_ANON,
  VMA_END,
  VMA_FLAGS,
  VMA_INODE,
} from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { runFaultPath, runNoZeroPage } from '../word/run.ts';
import { load, peek, poke } from '../word/word.ts';

/** What a page is filled with. */
const FILL_COPY: u32 = 0;
const FILL_ZERO: u32 = 1;

/**
 * The VMA of `vpn` with its own lock, when that suffices: it has its anon_vma, or needs none. 0: take mmap_lock.
 */
function lockFilledVma(mm: Mm, vpn: Vpn): Vma {
  if (runFaultPath() !== FAULT_VMA_LOCK) return 0;
  const vma = lockVmaUnderRcu(mm, vpn);
  if (vma === 0) return 0;
  if ((load(vma + VMA_FLAGS) & VM_SHARED) !== 0 || load(vma + VMA_ANON) !== 0) return vma;
  vmaReadUnlock(vma);
  return 0;
}

/**
 * Installs a page of anonymous memory at `vpn`: `frame`, whose reference the entry takes over, or the zero page (0).
 * Returns 0, EAGAIN or EEXIST.
 */
function installAnonymous(mm: Mm, vma: Vma, pmd: Pmd, vpn: Vpn, frame: Head, wp: boolean): u32 {
  const pte = pteOffsetMapLock(pmd, vpn);
  if (pte === 0) return EAGAIN;
  const old = load(pte);
  if (frame === 0 ? old !== 0 : !entryNoneMostly(old)) {
    pteUnmapUnlock(pte);
    return EEXIST;
  }
  const flags = load(vma + VMA_FLAGS);
  if (old !== 0) clearPte(pte);
  if (frame === 0) {
    setPte(pte, entryMake(ZERO_FRAME, entryFlags(flags) | PTE_SPECIAL));
  } else {
    mapAnonFrame(mm, vma, vpn, frame);
    const writable = (flags & VM_WRITE) !== 0 ? PTE_WRITE : 0;
    const rights = wp ? PTE_UFFD_WP : writable;
    setPte(pte, entryMake(frame, entryFlags(flags) | rights | PTE_DIRTY));
  }
  pteUnmapUnlock(pte);
  return 0;
}

function fillAnonymous(mm: Mm, vma: Vma, pmd: Pmd, vpn: Vpn, what: u32, wp: boolean): u32 {
  if (what === FILL_ZERO && !runNoZeroPage()) return installAnonymous(mm, vma, pmd, vpn, 0, false);
  const frame = frameAlloc(0, F_ANON | F_EXCLUSIVE);
  if (frame === 0) return ENOMEM;
  const error = installAnonymous(mm, vma, pmd, vpn, frame, wp);
  if (error !== 0) folioPut(frame);
  return error;
}

/** Adds a page to the cache and maps it. Returns 0, EAGAIN, EEXIST, ENOMEM, or EFAULT: beyond the end of the object. */
function fillShared(mm: Mm, vma: Vma, pmd: Pmd, vpn: Vpn, wp: boolean): u32 {
  const inode = load(vma + VMA_INODE);
  const index = linearPageIndex(vma, vpn);
  if (index >= load(inode + INODE_PAGES)) return EFAULT;
  const frame = filemapAdd(inode, index);
  if (frame === 0) return ENOMEM;
  if (frame === FILEMAP_EXISTS) return EEXIST;
  const pte = pteOffsetMapLock(pmd, vpn);
  const old = pte === 0 ? 0 : load(pte);
  if (pte === 0 || !entryNoneMostly(old)) {
    if (pte !== 0) pteUnmapUnlock(pte);
    filemapRemoveUnused(frame);
    folioPut(frame);
    return pte === 0 ? EAGAIN : EEXIST;
  }
  if (old !== 0) clearPte(pte);
  mapCachedFrame(mm, pte, frame, load(vma + VMA_FLAGS), 1, wp);
  pteUnmapUnlock(pte);
  return 0;
}

/** Fills one page of `vma`, which is locked. Returns 0, EAGAIN, EEXIST, ENOMEM or EFAULT. */
function fillPage(mm: Mm, vma: Vma, vpn: Vpn, what: u32, wp: boolean): u32 {
  const pmd = pmdAlloc(mm, vpn);
  if (pmd === 0 || pteAlloc(mm, pmd, vpn) === 0) return ENOMEM;
  if (entryHuge(load(pmd))) return EEXIST;
  if ((load(vma + VMA_FLAGS) & VM_SHARED) !== 0) return fillShared(mm, vma, pmd, vpn, wp);
  return fillAnonymous(mm, vma, pmd, vpn, what, wp);
}

/**
 * Fills [start, start + pages) of `vma`, which is locked, up to the first error, which it returns; C_UFFD_DONE says how
 * far it came.
 */
function fillVma(mm: Mm, vma: Vma, start: Vpn, pages: u32, what: u32, wp: boolean): u32 {
  if (pages > load(vma + VMA_END) - start) return ENOENT;
  const flags = load(vma + VMA_FLAGS);
  if ((flags & VM_UFFD_FLAGS) === 0) return ENOENT;
  if (wp && (flags & VM_UFFD_WP) === 0) return EINVAL;
  let error: u32 = 0;
  let done: u32 = 0;
  while (done < pages && error === 0) {
    walkBegin(mm);
    error = fillPage(mm, vma, start + done, what, wp);
    walkEnd(mm);
    if (error === 0) {
      done += 1;
      count(COUNTER_USERFAULT_FILLED);
    }
    condResched();
  }
  poke(thisCpu() + C_UFFD_DONE, done);
  return error;
}

/** What both calls do once their arguments are known to be right. Pages brought make an error of a later one EAGAIN. */
function fill(mm: Mm, start: Vpn, pages: u32, what: u32, wp: boolean, wake: boolean): u32 {
  let vma = lockFilledVma(mm, start);
  let error: u32 = 0;
  if (vma !== 0) {
    error = fillVma(mm, vma, start, pages, what, wp);
    vmaReadUnlock(vma);
  } else {
    mmapReadLock(mm);
    vma = vmaLookup(mm, start);
    if (vma === 0) error = ENOENT;
    else {
      if ((load(vma + VMA_FLAGS) & VM_SHARED) === 0) error = anonVmaPrepare(mm, vma);
      if (error === 0) error = fillVma(mm, vma, start, pages, what, wp);
    }
    mmapReadUnlock(mm);
  }
  const done = peek(thisCpu() + C_UFFD_DONE);
  if (done === 0) return error;
  if (wake) uffdWake(mm, start, done);
  return error === 0 ? 0 : EAGAIN;
}

/**
 * UFFDIO_COPY to [start, start + pages), `mode` UFFD_COPY_. No lock held. Returns 0; EINVAL: no such range or mode, or
 * write protection of what is not watched for it; ENOENT: not one VMA that is watched; EEXIST: a page is there; EAGAIN:
 * only a part was done (`uffdDone`), or a table has gone; ENOMEM; EFAULT: beyond the end of an object.
 */
export function uffdCopy(mm: Mm, start: Vpn, pages: u32, mode: u32): u32 {
  poke(thisCpu() + C_UFFD_DONE, 0);
  if (!uffdRangeValid(start, pages)) return EINVAL;
  if ((mode & ~(UFFD_COPY_DONTWAKE | UFFD_COPY_WP)) !== 0) return EINVAL;
  return fill(
    mm,
    start,
    pages,
    FILL_COPY,
    (mode & UFFD_COPY_WP) !== 0,
    (mode & UFFD_COPY_DONTWAKE) === 0,
  );
}

/** UFFDIO_ZEROPAGE: as uffdCopy; in anonymous memory a marker is EEXIST, too, where the machine has a zero page. */
export function uffdZeropage(mm: Mm, start: Vpn, pages: u32, mode: u32): u32 {
  poke(thisCpu() + C_UFFD_DONE, 0);
  if (!uffdRangeValid(start, pages)) return EINVAL;
  if ((mode & ~UFFD_ZEROPAGE_DONTWAKE) !== 0) return EINVAL;
  return fill(mm, start, pages, FILL_ZERO, false, mode === 0);
}

/** Pages that this CPU's last UFFDIO_COPY, _ZEROPAGE or _MOVE did. */
export function uffdDone(): u32 {
  return peek(thisCpu() + C_UFFD_DONE);
}
