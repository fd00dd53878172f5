/**
 * Page faults: from an address to a mapped page.
 *
 * Guarantee: on return of 0 the entry was suitable at some moment since the call, or another CPU changed the tables
 * meanwhile; either way the access is tried again. No fault installs an entry into a table that its PMD does not name.
 *
 *  1. Find and lock the VMA: on the VMA lock (axis `fault` vma-lock), else, or when that lock is busy, on mmap_lock for
 *     read. With `fault` speculative a fault is tried without any of them first (speculative.ts).
 *  2. Allocate upper tables, then look at the PMD and the entry, without a lock (`handleMmFault`). A none or huge PMD
 *     may be hugeFault.ts's.
 *  3. none entry: anonymous memory (here), file (faultFile.ts); not present: swap-in; present: write protection
 *     (faultWrite.ts). A marker is as good as none, but what is mapped in its place is write-protected for the
 *     userfaultfd. Where one is to be told the fault ends, and waits without its locks (uffdFault.ts).
 *  4. Prepare the page with no spinlock held; take the PTE lock of the table that the PMD names *then*
 *     (pteOffsetMapLock); if the entry is no longer what step 2 saw, somebody else was faster: drop the page, done.
 *
 * Reclaim of an empty table between 2 and 4 makes pteOffsetMapLock meet another table, or none: then the fault is tried
 * again, which allocates one.
 *
 * Lock order: mmap_lock or VMA lock, PTE lock, allocator locks (none is taken under the PTE lock but by swapFree).
 * Source: Linux mm/memory.c (handle_mm_fault, handle_pte_fault, do_anonymous_page, do_swap_page), mm/mmap_lock.c,
 * arch/x86/mm/fault.c.
 */

import {
  F_ANON,
  F_DIRTY,
  F_EXCLUSIVE,
  folioLarge,
  folioOrder,
  ZERO_FRAME,
} from '../alloc/folio.ts';
import { folioPut, frameAlloc } from '../alloc/frame.ts';
import { swapFree } from '../alloc/swap.ts';
import { faultFile } from '../fault/faultFile.ts';
import { faultWrite } from '../fault/faultWrite.ts';
import { faultHuge, faultOnHuge, HUGE_FALLBACK, HUGE_NEEDS_ANON } from '../fault/hugeFault.ts';
import { alignDown, allocAnonFolio, pteRangeNone } from '../fault/largeFault.ts';
import {
  anonPrepareForFault,
  faultAllocates,
  faultWaits,
  mapAnonFolio,
  mapAnonFrame,
} from '../fault/newEntry.ts';
import { faultSpeculatively } from '../fault/speculative.ts';
import {
  count,
  COUNTER_FAULT_RETRIES,
  COUNTER_FAULTS,
  COUNTER_FAULTS_VMA_LOCK,
  COUNTER_LARGE_FAULTS,
  COUNTER_SWAP_INS,
} from '../observe/stats.ts';
import { mmapReadLock, mmapReadUnlock } from '../sleep/mmapLock.ts';
import { folioWaitUnlocked } from '../sleep/sleepLock.ts';
import { RSS_SWAP, rssSub } from '../space/rss.ts';
import { vmaLookup } from '../space/vma.ts';
import { lockVmaUnderRcu, vmaReadUnlock } from '../space/vmaLock.ts';
import { tableLeft, walkBegin, walkEnd } from '../word/hooks.ts';
import {
  clearPte,
  pteOffsetMap,
  pteOffsetMapLock,
  pteUnmap,
  pteUnmapUnlock,
  setPte,
} from '../tables/pteMap.ts';
import { pmdAlloc, pteAlloc } from '../tables/walk.ts';
import { userfaultWait } from '../uffd/uffdWait.ts';
import { handleUserfault, UFFD_FAULT_MISSING } from '../watch/uffdFault.ts';
import { uffdPteWp } from '../watch/uffdMarker.ts';
import {
  EFAULT,
  ENOMEM,
  FAULT_NEEDS_MMAP_LOCK,
  FAULT_SPECULATIVE,
  FAULT_USERFAULT,
  FAULT_VMA_LOCK,
  FAULT_WAITS,
  ON_MMAP_LOCK,
  ON_VMA_LOCK,
  THP_NEVER,
  VM_EXEC,
  VM_READ,
  VM_SHARED,
  VM_UFFD_MISSING,
  VM_UFFD_WP,
  VM_WRITE,
} from '../word/config.ts';
import {
  ENTRY_KIND,
  ENTRY_SWAP,
  entryFlags,
  entryHuge,
  entryMake,
  entryMigrating,
  entryNamesTable,
  entryNoneMostly,
  entryNumber,
  entryPresent,
  PTE_DIRTY,
  PTE_SPECIAL,
  PTE_UFFD_WP,
  PTE_WRITE,
  UFFD_MARKER,
} from '../word/entry.ts';
import { C_FAULT_FOLIO, H_THP, VMA_FLAGS, VMA_INODE } from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { runFaultPath } from '../word/run.ts';
import { load, peek } from '../word/word.ts';

/** Whether the rights of a VMA refuse the access. */
function accessRefused(flags: u32, write: u32): boolean {
  if (write !== 0) return (flags & VM_WRITE) === 0;
  return (flags & (VM_READ | VM_WRITE | VM_EXEC)) === 0;
}

/**
 * Step 3 for private anonymous memory and `orig`, none or a marker: the zero page, or, where the fault allocates, a new
 * page or a folio of several around it (largeFault.ts). A page for a read is clean in a VMA that may not be written to.
 */
function faultAnonymous(mm: Mm, vma: Vma, pmd: Pmd, vpn: Vpn, write: u32, orig: Entry): u32 {
  if (pteAlloc(mm, pmd, vpn) === 0) return ENOMEM;
  const flags = load(vma + VMA_FLAGS);
  const told = (flags & VM_UFFD_MISSING) !== 0;
  let frame: Head = 0;
  if (faultAllocates(write)) {
    if (!told) {
      frame = allocAnonFolio(vma, pmd, vpn, 0);
      if (frame === 0) {
        tableLeft(pmd);
        return ENOMEM;
      }
    }
  }
  const order = frame !== 0 && folioLarge(frame) ? folioOrder(frame) : 0;
  const first = alignDown(vpn, order);
  const pte = pteOffsetMapLock(pmd, first);
  if (pte === 0) {
    if (frame !== 0) folioPut(frame);
    return 0;
  }
  if (order === 0 ? load(pte) !== orig : !pteRangeNone(pte, 1 << order)) {
    pteUnmapUnlock(pte);
    if (frame !== 0) folioPut(frame);
    return 0;
  }
  if (told) {
    pteUnmapUnlock(pte);
    return handleUserfault(mm, vpn, UFFD_FAULT_MISSING);
  }
  if (orig !== 0) clearPte(pte);
  const protect = orig !== 0 ? PTE_UFFD_WP : 0;
  if (frame === 0) {
    setPte(pte, entryMake(ZERO_FRAME, entryFlags(flags) | PTE_SPECIAL | protect));
  } else {
    mapAnonFolio(mm, vma, first, frame, order);
    const writable = (flags & VM_WRITE) !== 0 && orig === 0 ? PTE_WRITE : 0;
    const dirty = (flags & VM_WRITE) !== 0 ? PTE_DIRTY : 0;
    for (let i: u32 = 0; i < 1 << order; i += 1)
      setPte(pte + (i << 2), entryMake(frame + i, entryFlags(flags) | writable | dirty | protect));
    if (order !== 0) count(COUNTER_LARGE_FAULTS);
  }
  pteUnmapUnlock(pte);
  return 0;
}

/**
 * Result of a fault in `mm` whose locks are dropped; waits first if it has to (migration_entry_wait, handle_userfault).
 */
function settled(mm: Mm, result: u32): u32 {
  if (result === FAULT_USERFAULT) return userfaultWait(mm);
  if (result !== FAULT_WAITS) return result;
  folioWaitUnlocked(peek(thisCpu() + C_FAULT_FOLIO));
  return 0;
}

/** Step 3 for a swap entry: a new frame in its place, which nobody shares, whoever else has an entry of the slot. */
function faultSwap(mm: Mm, vma: Vma, pmd: Pmd, vpn: Vpn, entry: Entry, write: u32): u32 {
  if (entryMigrating(entry)) return faultWaits(entryNumber(entry));
  if ((entry & ENTRY_KIND) !== ENTRY_SWAP) return 0;
  // Dirty, since the slot's content is nowhere else once it is given up: MADV_FREE by one of two that share the page
  // must not lose it.
  const frame = frameAlloc(0, F_ANON | F_EXCLUSIVE | F_DIRTY);
  if (frame === 0) return ENOMEM;
  const pte = pteOffsetMapLock(pmd, vpn);
  if (pte === 0) {
    folioPut(frame);
    return 0;
  }
  if (load(pte) !== entry) {
    pteUnmapUnlock(pte);
    folioPut(frame);
    return 0;
  }
  const flags = load(vma + VMA_FLAGS);
  mapAnonFrame(mm, vma, vpn, frame);
  rssSub(mm, RSS_SWAP, 1);
  const protect = entry & PTE_UFFD_WP;
  const writable = (flags & VM_WRITE) !== 0 && !uffdPteWp(flags, entry) ? PTE_WRITE : 0;
  const dirty = write !== 0 ? PTE_DIRTY : 0;
  // The entry is not none, so an equal entry shows that the table is still the one of step 2.
  clearPte(pte);
  setPte(pte, entryMake(frame, entryFlags(flags) | writable | dirty | protect));
  swapFree(entryNumber(entry));
  pteUnmapUnlock(pte);
  count(COUNTER_SWAP_INS);
  return 0;
}

/**
 * Step 3 for a present entry: accessed and dirty bits when the rights suffice (another CPU was faster), else write
 * protection.
 */
function faultPresent(mm: Mm, vma: Vma, pmd: Pmd, vpn: Vpn, entry: Entry, write: u32): u32 {
  if (write !== 0 && (entry & PTE_WRITE) === 0) return faultWrite(mm, vma, pmd, vpn, entry);
  return 0;
}

/** Takes a marker away where nobody watches any more (pte_marker_clear). */
function clearMarker(pmd: Pmd, vpn: Vpn): void {
  const pte = pteOffsetMapLock(pmd, vpn);
  if (pte === 0) return;
  if (load(pte) === UFFD_MARKER) clearPte(pte);
  pteUnmapUnlock(pte);
}

/** Whether the fault may map an anonymous page in `vma`, which then has its anon_vma first. */
function faultWantsAnon(vma: Vma, write: u32): boolean {
  if (!faultAllocates(write) || (load(vma + VMA_FLAGS) & VM_SHARED) !== 0) return false;
  return write !== 0 || peek(vma + VMA_INODE) === 0;
}

/** Steps 2 to 4, within one walk of the tables; a VMA that the fault may map an anonymous page in has its anon_vma. */
function faultInTables(mm: Mm, vma: Vma, vpn: Vpn, write: u32): u32 {
  const pmd = pmdAlloc(mm, vpn);
  if (pmd === 0) return ENOMEM;
  let upper = load(pmd);
  if (upper === 0 && peek(H_THP) !== THP_NEVER) {
    const result = faultHuge(mm, vma, pmd, vpn, write);
    if (result !== HUGE_FALLBACK) return result;
    upper = load(pmd);
  }
  if (entryHuge(upper)) {
    const result = faultOnHuge(mm, vma, pmd, vpn, upper, write);
    if (result !== HUGE_FALLBACK) return result;
    upper = load(pmd);
  }
  let entry: Entry = 0;
  if (entryNamesTable(upper)) {
    const pte = pteOffsetMap(pmd, vpn);
    if (pte !== 0) {
      entry = load(pte);
      pteUnmap(pte);
    }
  }
  if (entry === UFFD_MARKER && (load(vma + VMA_FLAGS) & VM_UFFD_WP) === 0) {
    clearMarker(pmd, vpn);
    return 0;
  }
  if (entryNoneMostly(entry)) {
    if (peek(vma + VMA_INODE) !== 0) return faultFile(mm, vma, pmd, vpn, write, entry);
    return faultAnonymous(mm, vma, pmd, vpn, write, entry);
  }
  if (!entryPresent(entry)) return faultSwap(mm, vma, pmd, vpn, entry, write);
  return faultPresent(mm, vma, pmd, vpn, entry, write);
}

/**
 * Steps 2 to 4 for one page of `vma`. Precondition: the lock that `locked` (ON_) names; the VMA contains `vpn` and
 * permits the access. Returns 0, ENOMEM, SIGBUS, FAULT_WAITS, FAULT_USERFAULT, or FAULT_NEEDS_MMAP_LOCK, the lock still
 * held in every case.
 */
export function handleMmFault(mm: Mm, vma: Vma, vpn: Vpn, write: u32, locked: u32): u32 {
  // Before the walk, since the locks of rmap come before those of page tables.
  if (faultWantsAnon(vma, write)) {
    const refused = anonPrepareForFault(mm, vma, locked);
    if (refused !== 0) return refused;
  }
  walkBegin(mm);
  let result = faultInTables(mm, vma, vpn, write);
  walkEnd(mm);
  while (result === HUGE_NEEDS_ANON) {
    const refused = anonPrepareForFault(mm, vma, locked);
    if (refused !== 0) return refused;
    walkBegin(mm);
    result = faultInTables(mm, vma, vpn, write);
    walkEnd(mm);
  }
  return result;
}

/** The fault on mmap_lock for read. */
function faultOnMmapLock(mm: Mm, vpn: Vpn, write: u32): u32 {
  mmapReadLock(mm);
  const vma = vmaLookup(mm, vpn);
  if (vma === 0 || accessRefused(load(vma + VMA_FLAGS), write)) {
    mmapReadUnlock(mm);
    return EFAULT;
  }
  const result = handleMmFault(mm, vma, vpn, write, ON_MMAP_LOCK);
  mmapReadUnlock(mm);
  return settled(mm, result);
}

/**
 * A page fault of user code at `vpn`. Returns 0 (try the access again), EFAULT, ENOMEM, SIGBUS, or EINTR: the run ended
 * while a userfaultfd's monitor was waited for. No lock held on entry or return.
 */
export function userFault(mm: Mm, vpn: Vpn, write: u32): u32 {
  count(COUNTER_FAULTS);
  const path = runFaultPath();
  if (path === FAULT_SPECULATIVE) {
    if (faultSpeculatively(mm, vpn, write)) return 0;
    count(COUNTER_FAULT_RETRIES);
  }
  if (path === FAULT_VMA_LOCK) {
    const vma = lockVmaUnderRcu(mm, vpn);
    if (vma !== 0) {
      let result = EFAULT;
      if (!accessRefused(load(vma + VMA_FLAGS), write))
        result = handleMmFault(mm, vma, vpn, write, ON_VMA_LOCK);
      vmaReadUnlock(vma);
      if (result !== FAULT_NEEDS_MMAP_LOCK) {
        count(COUNTER_FAULTS_VMA_LOCK);
        return settled(mm, result);
      }
    }
    count(COUNTER_FAULT_RETRIES);
  }
  return faultOnMmapLock(mm, vpn, write);
}
