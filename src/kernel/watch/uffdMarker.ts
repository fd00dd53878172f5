/**
 * Write protection for a userfaultfd as it stands in entries: the bit of a mapped page, and the marker that keeps it
 * where no page is mapped.
 *
 * Guarantee: protection of shared memory outlives the page's entry: who clears a protected entry of a VMA that is still
 * watched leaves UFFD_MARKER. Anonymous memory has no markers but those of ranges that were protected while
 * unpopulated; they go with a zap.
 *
 * Under the PTE lock, all of it. Source: Linux include/linux/userfaultfd_k.h (userfaultfd_pte_wp),
 * include/linux/mm_inline.h (pte_install_uffd_wp_if_needed), mm/memory.c (zap_install_uffd_wp_if_needed).
 */

import { MARKERS_DROP, MARKERS_KEEP, MARKERS_MAKE } from '../tables/gather.ts';
import { setPte } from '../tables/pteMap.ts';
import { VM_UFFD_WP } from '../word/config.ts';
import {
  ENTRY_KIND,
  ENTRY_SWAP,
  entryMigrating,
  entryPresent,
  PTE_UFFD_WP,
  UFFD_MARKER,
} from '../word/entry.ts';
import { VMA_FLAGS, VMA_INODE } from '../word/layout.ts';
import { load } from '../word/word.ts';

/**
 * Whether the entry of a page of a VMA with `flags` is write-protected for the userfaultfd, so that a write is to be
 * told (userfaultfd_pte_wp).
 */
export function uffdPteWp(flags: u32, entry: Entry): boolean {
  return (flags & VM_UFFD_WP) !== 0 && (entry & PTE_UFFD_WP) !== 0;
}

/**
 * Puts a marker where `entry`, which was protected for a userfaultfd, has just been cleared; whether it did. PTE lock
 * held. Only for shared memory.
 */
export function uffdInstallMarker(pte: Pte, entry: Entry): boolean {
  if ((entry & PTE_UFFD_WP) === 0) return false;
  setPte(pte, UFFD_MARKER);
  return true;
}

/**
 * What a zap of `vma`, other than munmap's, does about markers (zap_install_uffd_wp_if_needed): those of anonymous
 * memory go.
 */
export function uffdZapMarkers(vma: Vma): u32 {
  if (load(vma + VMA_INODE) === 0) return MARKERS_DROP;
  return (load(vma + VMA_FLAGS) & VM_UFFD_WP) !== 0 ? MARKERS_MAKE : MARKERS_KEEP;
}

/**
 * What is to stand for `entry`, that of a page of shared memory mapped by `vma`, which leaves its table: a marker, or
 * none. PTE lock held.
 */
export function uffdLeftBehind(vma: Vma, entry: Entry): Entry {
  if ((entry & PTE_UFFD_WP) === 0) return 0;
  return (load(vma + VMA_FLAGS) & VM_UFFD_WP) !== 0 ? UFFD_MARKER : 0;
}

/** An entry as it is in memory that is not watched: without the protection; a marker is none. */
export function uffdForget(entry: Entry): Entry {
  if (entry === UFFD_MARKER) return 0;
  return entryPresent(entry) || entryMigrating(entry) || (entry & ENTRY_KIND) === ENTRY_SWAP
    ? (entry & ~PTE_UFFD_WP) >>> 0
    : entry;
}
