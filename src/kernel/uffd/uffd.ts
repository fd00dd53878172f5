/**
 * userfaultfd: the handshake, and which ranges it watches.
 *
 * An address space has at most one userfaultfd (Linux: any number, a range belonging to one at most), and what it
 * watches are flags of
 * VMAs: VM_UFFD_MISSING, VM_UFFD_WP. They split and keep apart VMAs as rights do. Anonymous memory and shared memory
 * can be watched, ordinary files cannot.
 *
 * Guarantee: when `uffdUnregister` or `uffdClose` returns, no CPU waits for a page of what is not watched any more, and
 * no entry there is write-protected for the userfaultfd.
 *
 * Unregistering, VMA by VMA, mmap_lock held for write: 1. write-lock the VMA: a fault on its lock that is about to join
 * the queue has joined it, and no other follows; 2. take PTE_UFFD_WP and the markers away; 3. split or merge, clear the
 * flags; 4. wake who waits for the range. Whoever is woken faults again, and waits for mmap_lock. The order of 1 and 4
 * matters: woken first, a fault on the VMA lock could join the queue afterwards and wait for ever.
 *
 * Lock order: mmap_lock, VMA write locks; PTE lock; MM_UFFD_LOCK. Source: Linux fs/userfaultfd.c (userfaultfd_api,
 * userfaultfd_register, userfaultfd_unregister, userfaultfd_release), mm/userfaultfd.c (userfaultfd_register_range,
 * userfaultfd_clear_vma), include/linux/userfaultfd_k.h (vma_can_userfault).
 */

import { INODE_SHMEM } from '../rmap/inode.ts';
import { mmapWriteLock, mmapWriteUnlock } from '../sleep/mmapLock.ts';
import { findVma, findVmaIntersection, vmaNext } from '../space/vma.ts';
import { vmaStartWrite } from '../space/vmaLock.ts';
import { vmaModifyFlags } from '../vma/vmaMerge.ts';
import { uffdWake } from '../watch/uffdFault.ts';
import { uffdRangeValid, VM_UFFD_FLAGS } from '../watch/uffdRange.ts';
import {
  EINVAL,
  ENOMEM,
  TASK_END,
  UFFD_FEATURE_MISSING_SHMEM,
  UFFD_FEATURE_SIGBUS,
  UFFD_FEATURE_WP_UNPOPULATED,
  UFFD_READY,
  UFFD_REGISTER_MISSING,
  UFFD_REGISTER_WP,
  VM_UFFD_MISSING,
  VM_UFFD_WP,
} from '../word/config.ts';
import {
  INODE_STATE,
  MM_UFFD_FEATURES,
  VMA_END,
  VMA_FLAGS,
  VMA_INODE,
  VMA_START,
} from '../word/layout.ts';
import { load, store } from '../word/word.ts';
import { uffdWpRange } from './uffdWp.ts';

const FEATURES: u32 =
  UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_SIGBUS | UFFD_FEATURE_WP_UNPOPULATED;

/** Whether `vma` can be watched: private anonymous memory, or shared memory. */
function canUserfault(vma: Vma): boolean {
  const inode = load(vma + VMA_INODE);
  return inode === 0 || load(inode + INODE_STATE) === INODE_SHMEM;
}

/**
 * userfaultfd() and UFFDIO_API: gives `mm` a userfaultfd with `features` (UFFD_FEATURE_). Returns 0, or EINVAL: an
 * unknown feature, or there is one already.
 */
export function uffdApi(mm: Mm, features: u32): u32 {
  if ((features & ~FEATURES) !== 0) return EINVAL;
  mmapWriteLock(mm);
  const taken = load(mm + MM_UFFD_FEATURES) !== 0;
  if (!taken) store(mm + MM_UFFD_FEATURES, (features | UFFD_READY) >>> 0);
  mmapWriteUnlock(mm);
  return taken ? EINVAL : 0;
}

/** Whether every VMA of the range, of which there must be one, can be watched. mmap_lock held. */
function rangeCanUserfault(mm: Mm, start: Vpn, end: Vpn): boolean {
  let vma = findVmaIntersection(mm, start, end);
  if (vma === 0) return false;
  let fits = true;
  while (fits && vma !== 0 && load(vma + VMA_START) < end) {
    fits = canUserfault(vma);
    vma = vmaNext(vma);
  }
  return fits;
}

/**
 * Sets the flags of each VMA's part of [start, end) that lacks one of `flags`. mmap_lock held for write. Returns 0 or
 * ENOMEM; what was done stays.
 */
function registerRange(mm: Mm, start: Vpn, end: Vpn, flags: u32): u32 {
  let vma = findVma(mm, start);
  while (vma !== 0 && load(vma + VMA_START) < end) {
    const old = load(vma + VMA_FLAGS);
    const from = load(vma + VMA_START) > start ? load(vma + VMA_START) : start;
    const to = load(vma + VMA_END) < end ? load(vma + VMA_END) : end;
    if ((old & flags) !== flags) {
      const wanted: u32 = ((old & ~VM_UFFD_FLAGS) | flags) >>> 0;
      const changed = vmaModifyFlags(vma, from, to, wanted);
      if (changed === 0) return ENOMEM;
      store(changed + VMA_FLAGS, wanted);
    }
    vma = to === end ? 0 : findVma(mm, to);
  }
  return 0;
}

/**
 * UFFDIO_REGISTER of [start, start + pages) for `mode` (UFFD_REGISTER_). Returns 0; EINVAL: no userfaultfd, no mode or
 * an unknown one, no such range, nothing mapped in it, or something that cannot be watched; ENOMEM: no VMA for a split,
 * or too many.
 */
export function uffdRegister(mm: Mm, start: Vpn, pages: u32, mode: u32): u32 {
  if (mode === 0 || (mode & ~(UFFD_REGISTER_MISSING | UFFD_REGISTER_WP)) !== 0) return EINVAL;
  if (!uffdRangeValid(start, pages)) return EINVAL;
  let flags: u32 = 0;
  if ((mode & UFFD_REGISTER_MISSING) !== 0) flags = flags | VM_UFFD_MISSING;
  if ((mode & UFFD_REGISTER_WP) !== 0) flags = flags | VM_UFFD_WP;
  mmapWriteLock(mm);
  let error = EINVAL;
  if (load(mm + MM_UFFD_FEATURES) !== 0 && rangeCanUserfault(mm, start, start + pages))
    error = registerRange(mm, start, start + pages, flags);
  mmapWriteUnlock(mm);
  return error;
}

/**
 * Steps 1 to 4 for each watched VMA's part of [start, end). mmap_lock held for write. Returns 0 or ENOMEM; what was
 * done stays.
 */
function unregisterRange(mm: Mm, start: Vpn, end: Vpn): u32 {
  let vma = findVma(mm, start);
  while (vma !== 0 && load(vma + VMA_START) < end) {
    const old = load(vma + VMA_FLAGS);
    const from = load(vma + VMA_START) > start ? load(vma + VMA_START) : start;
    const to = load(vma + VMA_END) < end ? load(vma + VMA_END) : end;
    if ((old & VM_UFFD_FLAGS) !== 0) {
      vmaStartWrite(vma);
      if ((old & VM_UFFD_WP) !== 0) uffdWpRange(mm, vma, from, to, false);
      const wanted: u32 = (old & ~VM_UFFD_FLAGS) >>> 0;
      const changed = vmaModifyFlags(vma, from, to, wanted);
      if (changed === 0) return ENOMEM;
      store(changed + VMA_FLAGS, wanted);
      uffdWake(mm, from, to - from);
    }
    vma = to === end ? 0 : findVma(mm, to);
  }
  return 0;
}

/** UFFDIO_UNREGISTER. Errors as for uffdRegister; a range that is not watched is none. */
export function uffdUnregister(mm: Mm, start: Vpn, pages: u32): u32 {
  if (!uffdRangeValid(start, pages)) return EINVAL;
  mmapWriteLock(mm);
  let error = EINVAL;
  if (load(mm + MM_UFFD_FEATURES) !== 0 && rangeCanUserfault(mm, start, start + pages))
    error = unregisterRange(mm, start, start + pages);
  mmapWriteUnlock(mm);
  return error;
}

/**
 * The userfaultfd is closed: nothing is watched any more, and nobody waits. Returns 0, or ENOMEM: no VMA left, some is
 * still watched.
 */
export function uffdClose(mm: Mm): u32 {
  mmapWriteLock(mm);
  const error = unregisterRange(mm, 0, TASK_END);
  if (error === 0) store(mm + MM_UFFD_FEATURES, 0);
  mmapWriteUnlock(mm);
  return error;
}
