/**
 * Faulting a range in before it is used: MAP_POPULATE and MADV_POPULATE_READ, _WRITE.
 *
 * Works page by page under mmap_lock for read, from the lowest address up; pages before a failure stay. Source: Linux
 * mm/gup.c (__mm_populate, populate_vma_page_range, faultin_page_range), mm/madvise.c (madvise_populate).
 */

import { F_DIRTY, folioHead, folioOf } from '../alloc/folio.ts';
import { pmdTransHugeLock } from '../huge/hugePmd.ts';
import { condResched } from '../rcu/rcu.ts';
import { mmapReadLock, mmapReadUnlock } from '../sleep/mmapLock.ts';
import { folioWaitUnlocked } from '../sleep/sleepLock.ts';
import { findVma, vmaLookup } from '../space/vma.ts';
import { walkBegin, walkEnd } from '../word/hooks.ts';
import { pmdUnlock } from '../tables/offsets.ts';
import { pteOffsetMapLock, pteUnmapUnlock } from '../tables/pteMap.ts';
import { pmdFind } from '../tables/walk.ts';
import { userfaultWait } from '../uffd/uffdWait.ts';
import {
  EFAULT,
  EINVAL,
  ENOMEM,
  FAULT_USERFAULT,
  FAULT_WAITS,
  ON_MMAP_LOCK,
  SIGBUS,
  VM_EXEC,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '../word/config.ts';
import { entryNumber, entryPresent, PTE_DIRTY, PTE_WRITE } from '../word/entry.ts';
import { C_FAULT_FOLIO, F_FLAGS, VMA_END, VMA_FLAGS, VMA_START } from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { load, or, peek } from '../word/word.ts';
import { handleMmFault } from './fault.ts';

/** Whether `entry`, whose lock is held, suffices. */
function entrySuffices(entry: Entry, write: u32): boolean {
  const enough = entryPresent(entry) && (write === 0 || (entry & PTE_WRITE) !== 0);
  if (enough && write !== 0 && (entry & PTE_DIRTY) === 0)
    or(folioOf(folioHead(entryNumber(entry))) + F_FLAGS, F_DIRTY);
  return enough;
}

/**
 * Whether the entry of `vpn` suffices already. A page that suffices for writing counts as written from here on:
 * MADV_FREE does not discard it any more.
 */
function suffices(mm: Mm, vpn: Vpn, write: u32): boolean {
  walkBegin(mm);
  const pmd = pmdFind(mm, vpn);
  let enough = false;
  if (pmd !== 0 && pmdTransHugeLock(pmd)) {
    enough = entrySuffices(load(pmd), write);
    pmdUnlock(pmd);
  } else {
    const pte = pmd === 0 ? 0 : pteOffsetMapLock(pmd, vpn);
    if (pte !== 0) {
      enough = entrySuffices(load(pte), write);
      pteUnmapUnlock(pte);
    }
  }
  walkEnd(mm);
  return enough;
}

/**
 * Waits for a userfaultfd's monitor without mmap_lock, held for read: what was found under it is no longer known.
 * Returns 0 or EINTR.
 */
function waitUnlocked(mm: Mm): u32 {
  mmapReadUnlock(mm);
  const result = userfaultWait(mm);
  mmapReadLock(mm);
  return result;
}

/**
 * Faults one page in until its entry suffices. mmap_lock held for read, also while it waits for a folio. Returns 0,
 * ENOMEM, SIGBUS or FAULT_USERFAULT.
 */
function populatePage(mm: Mm, vma: Vma, vpn: Vpn, write: u32): u32 {
  let result: u32 = 0;
  while (result === 0 && !suffices(mm, vpn, write)) {
    result = handleMmFault(mm, vma, vpn, write, ON_MMAP_LOCK);
    if (result === FAULT_WAITS) {
      folioWaitUnlocked(peek(thisCpu() + C_FAULT_FOLIO));
      result = 0;
    }
  }
  return result;
}

/**
 * MADV_POPULATE_READ (`write` 0) or _WRITE over [start, end). No lock held on entry or return. Returns 0; ENOMEM: a
 * page is not mapped, or no memory; EINVAL: the VMA does not permit it; EFAULT: beyond the end of an object;
 * EINTR: the run ended while a userfaultfd's monitor was waited for.
 */
export function populateRange(mm: Mm, start: Vpn, end: Vpn, write: u32): u32 {
  mmapReadLock(mm);
  let result: u32 = 0;
  let vpn = start;
  while (vpn < end && result === 0) {
    const vma = vmaLookup(mm, vpn);
    if (vma === 0) result = ENOMEM;
    else if (!populatePermitted(vma, write)) result = EINVAL;
    else result = populatePage(mm, vma, vpn, write);
    if (result === SIGBUS) result = EFAULT;
    if (result === FAULT_USERFAULT) result = waitUnlocked(mm);
    else vpn += 1;
    condResched();
  }
  mmapReadUnlock(mm);
  return result;
}

/**
 * MAP_POPULATE over [start, end): skips what is not mapped or not accessible, stops silently where a page cannot be
 * had. No lock held.
 */
export function populateMapped(mm: Mm, start: Vpn, end: Vpn): void {
  mmapReadLock(mm);
  let result: u32 = 0;
  let vma = findVma(mm, start);
  while (vma !== 0 && load(vma + VMA_START) < end && result === 0) {
    const accessible = (load(vma + VMA_FLAGS) & (VM_READ | VM_WRITE | VM_EXEC)) !== 0;
    const from = load(vma + VMA_START) > start ? load(vma + VMA_START) : start;
    const to = load(vma + VMA_END) < end ? load(vma + VMA_END) : end;
    let vpn = from;
    while (accessible && vpn < to && result === 0) {
      result = populatePage(mm, vma, vpn, populateWrites(vma));
      if (result === 0) vpn += 1;
      condResched();
    }
    if (result === FAULT_USERFAULT) {
      result = waitUnlocked(mm);
      vma = findVma(mm, vpn);
    } else {
      vma = to === end ? 0 : findVma(mm, to);
    }
  }
  mmapReadUnlock(mm);
}

/** Whether `vma` permits a populating read (`write` 0) or write. */
function populatePermitted(vma: Vma, write: u32): boolean {
  const flags = load(vma + VMA_FLAGS);
  return write !== 0 ? (flags & VM_WRITE) !== 0 : (flags & VM_READ) !== 0;
}

/** Whether mmap's MAP_POPULATE faults the pages of `vma` in for writing. */
function populateWrites(vma: Vma): u32 {
  return (load(vma + VMA_FLAGS) & (VM_WRITE | VM_SHARED)) === VM_WRITE ? 1 : 0;
}
