/**
 * Page faults: from an address to a mapped page.
 *
 * Guarantee: on return of 0 the entry was suitable at some moment since the call, or another CPU changed the tables meanwhile; either
 * way the access is tried again. No fault installs an entry into a table that its PMD does not name.
 *
 *  1. Find and lock the VMA: on the VMA lock (axis `fault` vma-lock), else, or when that lock is busy, on mmap_lock for read. With `fault`
 *     speculative a fault is tried without any of them first (speculative.ts).
 *  2. Allocate upper tables, then look at the PMD and the entry, without a lock (`handleMmFault`). A none or huge PMD may be hugeFault.ts's.
 *  3. none entry: anonymous memory (here), file (faultFile.ts); not present: swap-in; present: write protection (faultWrite.ts). A marker is as
 *     good as none, but what is mapped in its place is write-protected for the userfaultfd. Where one is to be told the fault ends, and
 *     waits without its locks (uffdFault.ts).
 *  4. Prepare the page with no spinlock held; take the PTE lock of the table that the PMD names *then* (pteOffsetMapLock); if the entry
 *     is no longer what step 2 saw, somebody else was faster: drop the page, done.
 *
 * Reclaim of an empty table between 2 and 4 makes pteOffsetMapLock meet another table, or none: then the fault is tried again, which allocates one.
 *
 * Lock order: mmap_lock or VMA lock, PTE lock, allocator locks (none is taken under the PTE lock but by swapFree).
 * Source: Linux mm/memory.c (handle_mm_fault, handle_pte_fault, do_anonymous_page, do_swap_page), mm/mmap_lock.c, arch/x86/mm/fault.c.
 */

import { anonVmaPrepare } from './anonVma.ts';
import {
  EFAULT,
  ENOMEM,
  FAULT_SPECULATIVE,
  FAULT_VMA_LOCK,
  THP_NEVER,
  VM_EXEC,
  VM_READ,
  VM_SHARED,
  VM_UFFD_MISSING,
  VM_UFFD_WP,
  VM_WRITE,
} from './config.ts';
import {
  ENTRY_KIND,
  ENTRY_SWAP,
  entryHuge,
  entryMake,
  entryMigrating,
  entryNamesTable,
  entryNoneMostly,
  entryNumber,
  entryPresent,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_UFFD_WP,
  PTE_USER,
  PTE_WRITE,
  UFFD_MARKER,
} from './entry.ts';
import { faultFile } from './faultFile.ts';
import { faultHuge, faultOnHuge, HUGE_FALLBACK, HUGE_NEEDS_ANON } from './hugeFault.ts';
import { faultWrite } from './faultWrite.ts';
import {
  F_ANON,
  F_DIRTY,
  F_EXCLUSIVE,
  folioGetMany,
  folioLarge,
  folioOf,
  folioOrder,
  folioPut,
  migratingHead,
  frameAlloc,
  ZERO_FRAME,
} from './frame.ts';
import {
  C_FAULT_FOLIO,
  F_INDEX,
  F_OWNER,
  H_FAULT_PATH,
  H_THP,
  VMA_ANON,
  VMA_FLAGS,
  VMA_INODE,
} from './layout.ts';
import { alignDown, allocAnonFolio, pteRangeNone } from './largeFault.ts';
import { rmapAddNewAnon } from './mapcount.ts';
import { mmapReadLock, mmapReadTrylock, mmapReadUnlock } from './mmapLock.ts';
import { thisCpu } from './percpu.ts';
import {
  clearPte,
  pteOffsetMap,
  pteOffsetMapLock,
  pteUnmap,
  pteUnmapUnlock,
  setPte,
} from './pteMap.ts';
import { tableLeft, walkBegin, walkEnd } from './protocol.ts';
import { RSS_ANON, RSS_SWAP, rssAdd, rssSub } from './rss.ts';
import { faultSpeculatively } from './speculative.ts';
import {
  count,
  COUNTER_FAULT_RETRIES,
  COUNTER_FAULTS,
  COUNTER_FAULTS_VMA_LOCK,
  COUNTER_LARGE_FAULTS,
  COUNTER_SWAP_INS,
} from './stats.ts';
import { folioWaitUnlocked } from './sleepLock.ts';
import { swapFree } from './swap.ts';
import { handleUserfault, UFFD_FAULT_MISSING, userfaultWait } from './uffdFault.ts';
import { uffdPteWp } from './uffdWp.ts';
import { linearPageIndex, vmaLookup } from './vma.ts';
import { lockVmaUnderRcu, vmaReadUnlock } from './vmaLock.ts';
import { pmdAlloc, pteAlloc } from './walk.ts';
import { load, peek, poke, store } from './word.ts';

/** Results of a fault beside 0 and error numbers: an access beyond the end of an object; a VMA lock that does not suffice. */
export const SIGBUS: u32 = 7;
export const FAULT_NEEDS_MMAP_LOCK: u32 = 0x100;
/** Another result: a userfaultfd was told; drop the locks and call `userfaultWait` (uffdFault.ts). */
export const FAULT_USERFAULT: u32 = 0x101;
/** The folio of the frame in C_FAULT_FOLIO is locked: wait for it with no lock held, then try again. */
export const FAULT_WAITS: u32 = 0x200;

/** Which lock the fault under way holds. */
export const ON_MMAP_LOCK: u32 = 0;
export const ON_VMA_LOCK: u32 = 1;

/** Whether the rights of a VMA refuse the access. */
function accessRefused(flags: u32, write: u32): boolean {
  if (write !== 0) return (flags & VM_WRITE) === 0;
  return (flags & (VM_READ | VM_WRITE | VM_EXEC)) === 0;
}

/** Flags of an entry for a page of a VMA with `flags`, without PTE_WRITE. */
export function entryFlags(flags: u32): u32 {
  const user = (flags & (VM_READ | VM_WRITE | VM_EXEC)) !== 0 ? PTE_USER : 0;
  return PTE_PRESENT | PTE_ACCESSED | user;
}

/**
 * Gives the VMA an anon_vma before an anonymous page is mapped. Returns 0, ENOMEM, or FAULT_NEEDS_MMAP_LOCK when only the VMA lock is held
 * and mmap_lock, which looking at neighbours needs, is busy.
 */
export function anonPrepareForFault(mm: u32, vma: u32, locked: u32): u32 {
  if (load(vma + VMA_ANON) !== 0) return 0;
  if (locked === ON_MMAP_LOCK) return anonVmaPrepare(mm, vma);
  if (!mmapReadTrylock(mm)) return FAULT_NEEDS_MMAP_LOCK;
  const result = anonVmaPrepare(mm, vma);
  mmapReadUnlock(mm);
  return result;
}

/** Makes a folio of 2^order frames that nobody else has the anonymous pages of `vma`, which has an anon_vma, from `vpn` on, each mapped once and counted. */
export function mapAnonFolio(mm: u32, vma: u32, vpn: u32, head: u32, order: u32): void {
  const folio = folioOf(head);
  // Atomic: whoever still has the frame's number from before may look at its owner.
  store(folio + F_OWNER, load(vma + VMA_ANON));
  store(folio + F_INDEX, linearPageIndex(vma, vpn));
  if (order !== 0) folioGetMany(head, (1 << order) - 1);
  rmapAddNewAnon(head);
  rssAdd(mm, RSS_ANON, 1 << order);
}

/** As mapAnonFolio, for a single page. */
export function mapAnonFrame(mm: u32, vma: u32, vpn: u32, frame: u32): void {
  mapAnonFolio(mm, vma, vpn, frame, 0);
}

/**
 * Step 3 for private anonymous memory and `orig`, none or a marker: the zero page for a read, a new page, or a folio of several around it
 * (largeFault.ts), for a write.
 */
function faultAnonymous(mm: u32, vma: u32, pmd: u32, vpn: u32, write: u32, orig: u32): u32 {
  if (pteAlloc(mm, pmd, vpn) === 0) return ENOMEM;
  const flags = load(vma + VMA_FLAGS);
  const told = (flags & VM_UFFD_MISSING) !== 0;
  let frame: u32 = 0;
  if (write !== 0) {
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
    for (let i: u32 = 0; i < 1 << order; i += 1)
      setPte(
        pte + (i << 2),
        entryMake(frame + i, entryFlags(flags) | writable | PTE_DIRTY | protect),
      );
    if (order !== 0) count(COUNTER_LARGE_FAULTS);
  }
  pteUnmapUnlock(pte);
  return 0;
}

/** The fault has to wait for the lock of `frame`'s folio. */
export function faultWaits(frame: u32): u32 {
  poke(thisCpu() + C_FAULT_FOLIO, migratingHead(frame));
  return FAULT_WAITS;
}

/** Result of a fault in `mm` whose locks are dropped; waits first if it has to (migration_entry_wait, handle_userfault). */
function settled(mm: u32, result: u32): u32 {
  if (result === FAULT_USERFAULT) return userfaultWait(mm);
  if (result !== FAULT_WAITS) return result;
  folioWaitUnlocked(peek(thisCpu() + C_FAULT_FOLIO));
  return 0;
}

/** Step 3 for a swap entry: a new frame in its place, which nobody shares, whoever else has an entry of the slot. */
function faultSwap(mm: u32, vma: u32, pmd: u32, vpn: u32, entry: u32, write: u32): u32 {
  if (entryMigrating(entry)) return faultWaits(entryNumber(entry));
  if ((entry & ENTRY_KIND) !== ENTRY_SWAP) return 0;
  // Dirty, since the slot's content is nowhere else once it is given up: MADV_FREE by one of two that share the page must not lose it.
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

/** Step 3 for a present entry: accessed and dirty bits when the rights suffice (another CPU was faster), else write protection. */
function faultPresent(mm: u32, vma: u32, pmd: u32, vpn: u32, entry: u32, write: u32): u32 {
  if (write !== 0 && (entry & PTE_WRITE) === 0) return faultWrite(mm, vma, pmd, vpn, entry);
  return 0;
}

/** Takes a marker away where nobody watches any more (pte_marker_clear). */
function clearMarker(pmd: u32, vpn: u32): void {
  const pte = pteOffsetMapLock(pmd, vpn);
  if (pte === 0) return;
  if (load(pte) === UFFD_MARKER) clearPte(pte);
  pteUnmapUnlock(pte);
}

/** Steps 2 to 4, within one walk of the tables; a VMA that a write will map an anonymous page in has its anon_vma. */
function faultInTables(mm: u32, vma: u32, vpn: u32, write: u32): u32 {
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
  let entry: u32 = 0;
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
 * Steps 2 to 4 for one page of `vma`. Precondition: the lock that `locked` (ON_) names; the VMA contains `vpn` and permits the access.
 * Returns 0, ENOMEM, SIGBUS, FAULT_WAITS, FAULT_USERFAULT, or FAULT_NEEDS_MMAP_LOCK, the lock still held in every case.
 */
export function handleMmFault(mm: u32, vma: u32, vpn: u32, write: u32, locked: u32): u32 {
  // Before the walk, since the locks of rmap come before those of page tables.
  if (write !== 0 && (load(vma + VMA_FLAGS) & VM_SHARED) === 0) {
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
function faultOnMmapLock(mm: u32, vpn: u32, write: u32): u32 {
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
 * A page fault of user code at `vpn`. Returns 0 (try the access again), EFAULT, ENOMEM, SIGBUS, or EINTR: the run ended while a userfaultfd's monitor
 * was waited for. No lock held on entry or return.
 */
export function userFault(mm: u32, vpn: u32, write: u32): u32 {
  count(COUNTER_FAULTS);
  const path = peek(H_FAULT_PATH);
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

/** Whether `vma` permits a populating read (`write` 0) or write. */
export function populatePermitted(vma: u32, write: u32): boolean {
  const flags = load(vma + VMA_FLAGS);
  return write !== 0 ? (flags & VM_WRITE) !== 0 : (flags & VM_READ) !== 0;
}

/** Whether mmap's MAP_POPULATE faults the pages of `vma` in for writing. */
export function populateWrites(vma: u32): u32 {
  return (load(vma + VMA_FLAGS) & (VM_WRITE | VM_SHARED)) === VM_WRITE ? 1 : 0;
}
