/**
 * What every fault does that is about to map a page, whatever its kind: the VMA's anon_vma, the counts of a new
 * anonymous folio, and the answer of one that has to wait for a folio's lock.
 *
 * Guarantee: an anonymous page is mapped only into a VMA that has an anon_vma, so that the rmap finds it from the
 * moment its entry stands.
 *
 * Lock order: mmap_lock or VMA lock; mapAnonFolio under the PTE or PMD lock. Source: Linux mm/memory.c
 * (vmf_anon_prepare), mm/rmap.c (folio_add_new_anon_rmap).
 */

import { folioGetMany, folioOf, migratingHead } from '../alloc/folio.ts';
import { mmapReadTrylock, mmapReadUnlock } from '../sleep/mmapLock.ts';
import { anonVmaPrepare } from '../space/anonVma.ts';
import { rmapAddNewAnon } from '../space/mapcount.ts';
import { RSS_ANON, rssAdd } from '../space/rss.ts';
import { linearPageIndex } from '../space/vma.ts';
import { FAULT_NEEDS_MMAP_LOCK, FAULT_WAITS, ON_MMAP_LOCK } from '../word/config.ts';
import { C_FAULT_FOLIO, F_INDEX, F_OWNER, VMA_ANON } from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { runNoZeroPage } from '../word/run.ts';
import { load, poke, store } from '../word/word.ts';

/**
 * Gives the VMA an anon_vma before an anonymous page is mapped. Returns 0, ENOMEM, or FAULT_NEEDS_MMAP_LOCK when only
 * the VMA lock is held and mmap_lock, which looking at neighbours needs, is busy.
 */
export function anonPrepareForFault(mm: Mm, vma: Vma, locked: u32): u32 {
  if (load(vma + VMA_ANON) !== 0) return 0;
  if (locked === ON_MMAP_LOCK) return anonVmaPrepare(mm, vma);
  if (!mmapReadTrylock(mm)) return FAULT_NEEDS_MMAP_LOCK;
  const result = anonVmaPrepare(mm, vma);
  mmapReadUnlock(mm);
  return result;
}

/**
 * Whether a fault of private anonymous memory where nothing is mapped gets memory of its own: a write does; a read gets
 * the zero page, unless the machine has none.
 */
export function faultAllocates(write: u32): boolean {
  return write !== 0 || runNoZeroPage();
}

/**
 * Makes a folio of 2^order frames that nobody else has the anonymous pages of `vma`, which has an anon_vma, from `vpn`
 * on, each mapped once and counted.
 */
export function mapAnonFolio(mm: Mm, vma: Vma, vpn: Vpn, head: Head, order: u32): void {
  const folio = folioOf(head);
  // Published by the store of the entry; atomic, since whoever still has the frame's number from before may look at its
  // owner.
  store(folio + F_OWNER, load(vma + VMA_ANON));
  store(folio + F_INDEX, linearPageIndex(vma, vpn));
  if (order !== 0) folioGetMany(head, (1 << order) - 1);
  rmapAddNewAnon(head);
  rssAdd(mm, RSS_ANON, 1 << order);
}

/** As mapAnonFolio, for a single page. */
export function mapAnonFrame(mm: Mm, vma: Vma, vpn: Vpn, frame: Head): void {
  mapAnonFolio(mm, vma, vpn, frame, 0);
}

/** The fault has to wait for the lock of `frame`'s folio. */
export function faultWaits(frame: Frame): u32 {
  poke(thisCpu() + C_FAULT_FOLIO, migratingHead(frame));
  return FAULT_WAITS;
}
