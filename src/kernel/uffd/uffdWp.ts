/**
 * userfaultfd write protection: PTE_UFFD_WP on entries, and markers where there is none.
 *
 * Guarantee: when UFFDIO_WRITEPROTECT has set the protection of a range, no CPU writes to a page of it without a
 * message; when it has taken it away, none waits for it.
 *
 *  present entry   PTE_UFFD_WP set, PTE_WRITE clear; the flush may follow the PTE lock, as in mprotect: the call has
 *                  not returned
 *  swap entry      PTE_UFFD_WP in it; swap-in hands it on to the entry of the page
 *  none            shared memory: a marker, since the page may be in the cache and be mapped without a fault that could
 *                  be told; tables are allocated for them. Anonymous memory: the same with UFFD_FEATURE_WP_UNPOPULATED,
 *                  else nothing: a fault there is no write to what was protected
 *
 * A marker is an entry: it keeps its table from being reclaimed. A zap of shared memory but for munmap leaves markers,
 * and puts one where it clears a protected page (`uffdInstallMarker`), or the protection would be lost with the table
 * entry while the page lives on. So does pageout. In anonymous memory a zap takes everything: the page is gone.
 * mremap takes the protection off on the way, as the new place is not watched (moveTables.ts).
 *
 * Protection is set and taken under mmap_lock for *read*, beside faults: it is the PTE lock that orders them.
 * Lock order: mmap_lock, PTE lock. Source: Linux mm/userfaultfd.c (mwriteprotect_range, uffd_wp_range), mm/mprotect.c
 * (change_pte_range, pgtable_populate_needed), include/linux/mm_inline.h (pte_install_uffd_wp_if_needed),
 * include/linux/userfaultfd_k.h (userfaultfd_wp_use_markers).
 */

import { F_ANON, folioFlags, pageExclusive } from '../alloc/folio.ts';
import { pollInterrupts } from '../cpu/irq.ts';
import { splitHugePmd } from '../huge/hugePmd.ts';
import { condResched } from '../rcu/rcu.ts';
import { mmapReadLock, mmapReadUnlock } from '../sleep/mmapLock.ts';
import { findVma } from '../space/vma.ts';
import { gatherFinish, gatherNoteRange, gatherStart } from '../tables/gather.ts';
import { walkBegin, walkEnd } from '../word/hooks.ts';
import { spanEnd } from '../tables/offsets.ts';
import { clearPte, pteOffsetMapLock, pteUnmapUnlock, setPte } from '../tables/pteMap.ts';
import { pmdAlloc, pmdFind, pteAlloc } from '../tables/walk.ts';
import { uffdWake } from '../watch/uffdFault.ts';
import { uffdRangeValid } from '../watch/uffdRange.ts';
import {
  EINVAL,
  ENOENT,
  ENOMEM,
  PMD_PAGES,
  UFFD_FEATURE_WP_UNPOPULATED,
  UFFD_WRITEPROTECT_DONTWAKE,
  UFFD_WRITEPROTECT_WP,
  VM_SHARED,
  VM_UFFD_WP,
  VM_WRITE,
} from '../word/config.ts';
import {
  ENTRY_KIND,
  ENTRY_SWAP,
  entryHuge,
  entryMigrating,
  entryNamesTable,
  entryNumber,
  entryPresent,
  MIGRATION_EXCLUSIVE,
  MIGRATION_WRITE,
  PTE_DIRTY,
  PTE_SPECIAL,
  PTE_UFFD_WP,
  PTE_WRITE,
  UFFD_MARKER,
} from '../word/entry.ts';
import { MM_UFFD_FEATURES, VMA_END, VMA_FLAGS, VMA_INODE, VMA_START } from '../word/layout.ts';
import { and, compareExchange, load, or } from '../word/word.ts';

/** Whether none entries of `vma` are protected by markers. */
function usesMarkers(mm: Mm, vma: Vma): boolean {
  if (load(vma + VMA_INODE) !== 0) return true;
  return (load(mm + MM_UFFD_FEATURES) & UFFD_FEATURE_WP_UNPOPULATED) !== 0;
}

/** Whether the page is anonymous and this entry's alone. */
function anonExclusive(page: Frame): boolean {
  return (folioFlags(page) & F_ANON) !== 0 && pageExclusive(page);
}

/**
 * A present entry without the protection, writable at once where a fault would only find that it may be
 * (can_change_pte_writable).
 */
function unprotected(flags: u32, entry: Entry): Entry {
  const plain = (entry & ~PTE_UFFD_WP) >>> 0;
  if ((flags & VM_WRITE) === 0 || (plain & PTE_SPECIAL) !== 0) return plain;
  const mine =
    (flags & VM_SHARED) !== 0 ? (plain & PTE_DIRTY) !== 0 : anonExclusive(entryNumber(plain));
  return mine ? (plain | PTE_WRITE) >>> 0 : plain;
}

/**
 * Changes a present entry, against walkers that set accessed and dirty. PTE lock held. Returns whether it lost
 * PTE_WRITE.
 */
function changePresent(pte: Pte, flags: u32, protect: boolean): boolean {
  let entry = load(pte);
  let settled = false;
  while (!settled) {
    const wanted = protect ? ((entry | PTE_UFFD_WP) & ~PTE_WRITE) >>> 0 : unprotected(flags, entry);
    const seen = wanted === entry ? entry : compareExchange(pte, entry, wanted);
    settled = seen === entry;
    entry = seen;
  }
  return protect && (entry & PTE_WRITE) !== 0;
}

/** Changes one entry, whatever it is. PTE lock held. */
function changeEntry(
  gather: Gather,
  pte: Pte,
  vpn: Vpn,
  flags: u32,
  protect: boolean,
  markers: boolean,
): void {
  const entry = load(pte);
  if (entryPresent(entry)) {
    if (changePresent(pte, flags, protect)) gatherNoteRange(gather, vpn, vpn + 1);
  } else if (entry === 0) {
    if (protect && markers) setPte(pte, UFFD_MARKER);
  } else if (entry === UFFD_MARKER) {
    if (!protect) clearPte(pte);
  } else if ((entry & ENTRY_KIND) === ENTRY_SWAP || entryMigrating(entry)) {
    // Of a migration entry, as of a present one, the right to write goes; that it had it means that the page is
    // exclusive.
    if (protect && entryMigrating(entry) && (entry & MIGRATION_WRITE) !== 0) {
      or(pte, MIGRATION_EXCLUSIVE);
      and(pte, ~MIGRATION_WRITE >>> 0);
    }
    if (protect) or(pte, PTE_UFFD_WP);
    else and(pte, ~PTE_UFFD_WP >>> 0);
  }
}

/**
 * Splits the huge PMD at `pmd` (0: there is no PMD table), if it is one: pages are protected one by one, none of a huge
 * page is.
 */
function splitIfHuge(mm: Mm, pmd: Pmd, vpn: Vpn): void {
  if (pmd !== 0 && entryHuge(load(pmd))) splitHugePmd(mm, pmd, vpn);
}

/** Changes the entries of [start, end), which one PMD entry covers. Returns 0, or ENOMEM: no table for markers. */
function changeSpan(gather: Gather, mm: Mm, vma: Vma, start: Vpn, end: Vpn, protect: boolean): u32 {
  const flags = load(vma + VMA_FLAGS);
  const markers = protect && usesMarkers(mm, vma);
  let pte: Pte = 0;
  let pmd: Pmd = 0;
  let allocated = true;
  if (markers) {
    // A table may be reclaimed, or a huge page take its place, between being installed and being locked.
    pmd = pmdAlloc(mm, start);
    while (allocated && pte === 0) {
      splitIfHuge(mm, pmd, start);
      allocated = pmd !== 0 && pteAlloc(mm, pmd, start) !== 0;
      if (allocated) pte = pteOffsetMapLock(pmd, start);
      pollInterrupts();
    }
    if (!allocated) return ENOMEM;
  } else {
    pmd = pmdFind(mm, start);
    if (protect) splitIfHuge(mm, pmd, start);
    pte = pmd !== 0 && entryNamesTable(load(pmd)) ? pteOffsetMapLock(pmd, start) : 0;
  }
  if (pte === 0) return 0;
  for (let vpn = start; vpn !== end; vpn += 1)
    changeEntry(gather, pte + ((vpn - start) << 2), vpn, flags, protect, markers);
  pteUnmapUnlock(pte);
  return 0;
}

/**
 * Sets (`protect`) or takes away the protection of [start, end) of `vma`; flushes. mmap_lock held. Returns 0, or
 * ENOMEM: no table for markers.
 */
export function uffdWpRange(mm: Mm, vma: Vma, start: Vpn, end: Vpn, protect: boolean): u32 {
  const gather = gatherStart(mm);
  let error: u32 = 0;
  let vpn = start;
  while (vpn !== end && error === 0) {
    const next = spanEnd(vpn, PMD_PAGES, end);
    walkBegin(mm);
    error = changeSpan(gather, mm, vma, vpn, next, protect);
    walkEnd(mm);
    condResched();
    vpn = next;
  }
  gatherFinish(gather);
  return error;
}

/**
 * UFFDIO_WRITEPROTECT of [start, start + pages), `mode` UFFD_WRITEPROTECT_. No lock held. Returns 0; EINVAL: no such
 * range or mode; ENOENT: nothing mapped there, or a VMA that is not watched for writes (what comes before it is done);
 * ENOMEM.
 */
export function uffdWriteprotect(mm: Mm, start: Vpn, pages: u32, mode: u32): u32 {
  const known: u32 = UFFD_WRITEPROTECT_WP | UFFD_WRITEPROTECT_DONTWAKE;
  if (!uffdRangeValid(start, pages) || (mode & ~known) !== 0 || mode === known) return EINVAL;
  const end = start + pages;
  const protect = (mode & UFFD_WRITEPROTECT_WP) !== 0;
  let error = ENOENT;
  mmapReadLock(mm);
  let vma = findVma(mm, start);
  while (vma !== 0 && load(vma + VMA_START) < end) {
    if ((load(vma + VMA_FLAGS) & VM_UFFD_WP) === 0) {
      error = ENOENT;
      vma = 0;
    } else {
      const from = load(vma + VMA_START) > start ? load(vma + VMA_START) : start;
      const to = load(vma + VMA_END) < end ? load(vma + VMA_END) : end;
      error = uffdWpRange(mm, vma, from, to, protect);
      vma = error !== 0 || to === end ? 0 : findVma(mm, to);
    }
  }
  mmapReadUnlock(mm);
  if (error === 0 && mode === 0) uffdWake(mm, start, pages);
  return error;
}
