/**
 * mprotect: gives a range other rights, VMA by VMA, and its entries with them.
 *
 * Protocol: mmap_lock for write. For each VMA of the range, from left to right: nothing if it has the rights already;
 * else the piece joins a neighbour or is split off (vmaMerge.ts), is write-locked, gets its flags; then its entries
 * lose what the new rights do not allow, under the PTE lock, and the range is flushed. Rights that are gained appear at
 * the next fault, but for pages that only this mapping has, which become writable at once.
 * The first hole ends it with ENOMEM; what came before stays changed. A hole at the very start has no effect.
 *
 * The flush may follow the PTE lock: until it is done a CPU may use the old rights, and the call has not returned.
 * Nobody frees a page in between: that takes mmap_lock or the VMA's lock, both of which are held for write.
 *
 * A huge PMD is changed as a whole under the PMD lock, or split first when the range covers a part of it.
 *
 * Lock order: mmap_lock, VMA write lock, PMD lock, PTE lock.
 * Source: Linux 6.18 mm/mprotect.c (do_mprotect_pkey, mprotect_fixup, change_protection, change_pmd_range,
 * change_pte_range).
 */

import { pageExclusive } from '../alloc/folio.ts';
import { flushTlbRange } from '../cpu/flush.ts';
import { pmdTransHugeLock, splitHugePmd } from '../huge/hugePmd.ts';
import { condResched } from '../rcu/rcu.ts';
import { mmapWriteLock, mmapWriteUnlock } from '../sleep/mmapLock.ts';
import { findVma, vmaNext } from '../space/vma.ts';
import { walkBegin, walkEnd } from '../word/hooks.ts';
import { pmdUnlock } from '../tables/offsets.ts';
import { pteOffsetMapLock, pteUnmapUnlock } from '../tables/pteMap.ts';
import { pmdFind, pudFind } from '../tables/walk.ts';
import { uffdPteWp } from '../watch/uffdMarker.ts';
import {
  ENOMEM,
  PGD_PAGES,
  PMD_PAGES,
  PUD_PAGES,
  TASK_END,
  VM_EXEC,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '../word/config.ts';
import {
  entryHuge,
  entryMigrating,
  entryNumber,
  entryPresent,
  MIGRATION_EXCLUSIVE,
  MIGRATION_WRITE,
  PTE_DIRTY,
  PTE_SPECIAL,
  PTE_USER,
  PTE_WRITE,
} from '../word/entry.ts';
import { VMA_END, VMA_FLAGS, VMA_START } from '../word/layout.ts';
import { compareExchange, load, store } from '../word/word.ts';
import { vmaModifyFlags } from './vmaMerge.ts';

const RIGHTS: u32 = VM_READ | VM_WRITE | VM_EXEC;

/**
 * Sets the rights of [start, start + pages) to `prot` (VM_READ, VM_WRITE, VM_EXEC; 0: none). Returns 0 (also for no
 * pages) or ENOMEM (a hole, no VMA for a split, too many mappings).
 */
export function doMprotect(mm: Mm, start: Vpn, pages: u32, prot: u32): u32 {
  if (pages === 0) return 0;
  if (start > TASK_END) return ENOMEM;
  // A range that reaches beyond the address space meets a hole there.
  const end = pages > TASK_END - start ? TASK_END : start + pages;
  mmapWriteLock(mm);
  let error = protectRange(mm, start, end, prot & RIGHTS);
  if (error === 0 && pages > TASK_END - start) error = ENOMEM;
  mmapWriteUnlock(mm);
  return error;
}

function protectRange(mm: Mm, start: Vpn, end: Vpn, rights: u32): u32 {
  let vma = findVma(mm, start);
  if (vma === 0 || load(vma + VMA_START) > start) return ENOMEM;
  let at = start;
  while (at < end) {
    if (vma === 0 || load(vma + VMA_START) > at) return ENOMEM;
    const last = load(vma + VMA_END);
    const pieceEnd = last < end ? last : end;
    const old = load(vma + VMA_FLAGS);
    const flags = ((old & ~RIGHTS) | rights) >>> 0;
    if (flags !== old) {
      const changed = vmaModifyFlags(vma, at, pieceEnd, flags);
      if (changed === 0) return ENOMEM;
      store(changed + VMA_FLAGS, flags);
      changeProtection(mm, at, pieceEnd, flags);
      vma = changed;
    }
    at = pieceEnd;
    if (load(vma + VMA_END) <= at) vma = vmaNext(vma);
  }
  return 0;
}

/**
 * Gives the entries of [start, end) the rights of `flags`, and flushes if any lost one; for what is gained a TLB walks
 * again.
 * Precondition: the VMA is write-locked.
 */
function changeProtection(mm: Mm, start: Vpn, end: Vpn, flags: u32): void {
  let at = start;
  let lost: u32 = 0;
  walkBegin(mm);
  while (at < end) {
    condResched();
    let step = PMD_PAGES;
    const pud = pudFind(mm, at);
    if (pud === 0) {
      step = PGD_PAGES;
    } else {
      const pmd = pmdFind(mm, at);
      if (pmd === 0) step = PUD_PAGES;
      else lost |= changePmd(mm, pmd, at, end, flags);
    }
    const left = step - (at & (step - 1));
    if (left >= end - at) at = end;
    else at += left;
  }
  walkEnd(mm);
  if (lost !== 0) flushTlbRange(mm, start, end, false);
}

/** The part of changeProtection within one PMD entry. Returns 1 when an entry lost a right that a TLB may hold. */
function changePmd(mm: Mm, pmd: Pmd, start: Vpn, end: Vpn, flags: u32): u32 {
  if (entryHuge(load(pmd))) {
    const whole = (start & (PMD_PAGES - 1)) === 0 && end - start >= PMD_PAGES;
    if (!whole) {
      splitHugePmd(mm, pmd, start);
    } else if (pmdTransHugeLock(pmd)) {
      const lost = changeEntry(pmd, flags);
      pmdUnlock(pmd);
      return lost;
    }
  }
  return changePteRange(pmd, start, end, flags);
}

/**
 * Gives the entry at `address`, present or not, the rights of `flags`. Its lock is held. Returns 1 when it lost a right
 * that a TLB may hold.
 */
function changeEntry(address: TableEntry, flags: u32): u32 {
  let lost: u32 = 0;
  let entry = load(address);
  let wanted = newEntry(entry, flags);
  while (entryPresent(entry) && wanted !== entry) {
    // A walker may set accessed or dirty in between.
    const seen = compareExchange(address, entry, wanted);
    if (seen === entry) {
      if ((entry & ~wanted & (PTE_USER | PTE_WRITE)) !== 0) lost = 1;
      entry = wanted;
    } else {
      entry = seen;
      wanted = newEntry(entry, flags);
    }
  }
  return lost;
}

/**
 * The part of changeProtection within one PTE table, if there is one. Returns 1 when an entry lost a right that a TLB
 * may hold.
 */
function changePteRange(pmd: Pmd, start: Vpn, end: Vpn, flags: u32): u32 {
  const pte = pteOffsetMapLock(pmd, start);
  if (pte === 0) return 0;
  const room = PMD_PAGES - (start & (PMD_PAGES - 1));
  const pages = end - start < room ? end - start : room;
  let lost: u32 = 0;
  for (let at: u32 = 0; at < pages << 2; at += 4) {
    const entry = load(pte + at);
    if (entryMigrating(entry) && (flags & VM_WRITE) === 0) protectMigrating(pte + at, entry);
    lost |= changeEntry(pte + at, flags);
  }
  pteUnmapUnlock(pte);
  return lost;
}

/**
 * Takes the right to write off a migration entry: when the page is there again, it is as this mapping's rights are now.
 * PTE lock held.
 */
function protectMigrating(pte: Pte, entry: Entry): void {
  if ((entry & MIGRATION_WRITE) === 0) return;
  // The same entry with other flags: no walker reads it, and the count of entries stays.
  store(pte, ((entry & ~MIGRATION_WRITE) | MIGRATION_EXCLUSIVE) >>> 0);
}

/** A present entry under the rights of `flags`. */
function newEntry(entry: Entry, flags: u32): Entry {
  let result = (entry & ~PTE_USER) >>> 0;
  if ((flags & RIGHTS) !== 0) result = (result | PTE_USER) >>> 0;
  if ((flags & VM_WRITE) === 0) result = (result & ~PTE_WRITE) >>> 0;
  else if (!uffdPteWp(flags, entry) && canBeWritable(entry, flags))
    result = (result | PTE_WRITE) >>> 0;
  return result;
}

/**
 * Whether a write to the page needs no fault: a shared one that is dirty already, an anonymous one that only this entry
 * has.
 */
function canBeWritable(entry: Entry, flags: u32): boolean {
  if ((entry & PTE_SPECIAL) !== 0) return false;
  if ((flags & VM_SHARED) !== 0) return (entry & PTE_DIRTY) !== 0;
  return pageExclusive(entryNumber(entry));
}
