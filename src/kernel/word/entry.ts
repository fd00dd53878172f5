/**
 * Page-table entries: one word, read and written atomically.
 *
 *     bits  present entry                          non-present, non-zero entry
 *     0     PTE_PRESENT                            0
 *     1     PTE_WRITE                              bits 1-3: kind (ENTRY_)
 *     2     PTE_ACCESSED, set by the walker
 *     3     PTE_DIRTY, set by the walker
 *     4     PTE_HUGE: a PMD entry that maps        migration: MIGRATION_WRITE
 *           PMD_PAGES pages
 *     5     PTE_USER; clear: PROT_NONE             migration: MIGRATION_EXCLUSIVE
 *     6     PTE_UFFD_WP                            swap, too: PTE_UFFD_WP
 *     7     PTE_SPECIAL: no page behind it to count (zero page)
 *     8-31  frame or table number                  swap slot or frame number
 *
 * Zero is `none`. An upper entry (PGD, PUD, PMD) that names a table never changes between being installed and cleared.
 */

import { VM_EXEC, VM_READ, VM_WRITE } from './config.ts';
export const PTE_PRESENT: u32 = 1;
export const PTE_WRITE: u32 = 2;
export const PTE_ACCESSED: u32 = 4;
export const PTE_DIRTY: u32 = 8;
export const PTE_HUGE: u32 = 16;
export const PTE_USER: u32 = 32;
export const PTE_UFFD_WP: u32 = 64;
export const PTE_SPECIAL: u32 = 128;

export const ENTRY_KIND: u32 = 15;
export const ENTRY_SWAP: u32 = 2;
export const ENTRY_MIGRATION: u32 = 4;
export const ENTRY_MARKER: u32 = 6;
/** The marker of a page that is write-protected for a userfaultfd, and is not there. */
export const UFFD_MARKER: u32 = (1 << 8) | ENTRY_MARKER;
/**
 * Of a migration entry: the page was writable; it was not, but is exclusive to this entry (F_EXCLUSIVE), as a writable
 * one always is.
 */
export const MIGRATION_WRITE: u32 = 16;
export const MIGRATION_EXCLUSIVE: u32 = 32;

/** Flags of an entry that names a table. */
export const UPPER_FLAGS: u32 = PTE_PRESENT | PTE_WRITE | PTE_ACCESSED | PTE_USER;

/** Frame, table or slot number of an entry. */
export function entryNumber(entry: Entry): u32 {
  return entry >>> 8;
}

/** An entry of `number` (below 2^24) and `flags` (below 2^8). */
export function entryMake(number: u32, flags: u32): Entry {
  return ((number << 8) | flags) >>> 0;
}

/** Whether an entry maps a page or names a table. */
export function entryPresent(entry: Entry): boolean {
  return (entry & PTE_PRESENT) !== 0;
}

/** Whether a PMD value is huge. */
export function entryHuge(pmd: Entry): boolean {
  return (pmd & (PTE_PRESENT | PTE_HUGE)) === (PTE_PRESENT | PTE_HUGE);
}

/** The entry that a PTE of the `index`-th page would be where the huge PMD value `pmd` maps it. */
export function hugePart(pmd: Entry, index: u32): Entry {
  const frame = (pmd & PTE_SPECIAL) !== 0 ? entryNumber(pmd) : entryNumber(pmd) + index;
  return entryMake(frame, pmd & 0xff & ~PTE_HUGE);
}

/** Whether an entry is a migration entry: its page is being moved, by whoever holds the lock of the page's folio. */
export function entryMigrating(entry: Entry): boolean {
  return (entry & ENTRY_KIND) === ENTRY_MIGRATION;
}

/** Whether a PMD value names a PTE table: neither none, nor migrating, nor huge. */
export function entryNamesTable(entry: Entry): boolean {
  return (entry & (PTE_PRESENT | PTE_HUGE)) === PTE_PRESENT;
}

/** Whether an entry maps nothing: none, or a marker. */
export function entryNoneMostly(entry: Entry): boolean {
  return entry === 0 || entry === UFFD_MARKER;
}

/** Flags of an entry for a page of a VMA with `flags`, without PTE_WRITE. */
export function entryFlags(flags: u32): u32 {
  const user = (flags & (VM_READ | VM_WRITE | VM_EXEC)) !== 0 ? PTE_USER : 0;
  return PTE_PRESENT | PTE_ACCESSED | user;
}
