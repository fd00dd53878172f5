/**
 * Huge PMDs and fork: parent and child share the folio by a huge PMD each, until one of them writes to it.
 *
 * Guarantee: the huge PMD of an anonymous folio is writable only while the folio is exclusive to it: F_EXCLUSIVE of its
 * first frame, which speaks for all pages as long as a huge PMD maps them; a split hands it on to each page
 * (hugePmd.ts).
 *
 *  copy    1. a table to deposit for the child, no spinlock held; 2. both PMD locks, the child's first; the entry must
 *          still be huge; 3. pinned: the child needs copies of pages, so the entry is split and the caller goes on with
 *          its table; 4. one more reference and huge mapping, not exclusive any more; the table is deposited; 5.
 *          write-protected on both sides. The huge zero page likewise, with nothing to count. A file's entry is left
 *          out: the child's faults bring it back.
 *  reuse   a write to a folio whose only reference is this entry's again makes it exclusive, as `canReuseAnon` does a
 *          page; any other splits the entry, so that one page is copied.
 *
 * Against GUP-fast: as for pages (fork.ts): MM_WRITE_PROTECT_SEQ moves before 3, and GUP-fast looks at it after it
 * pinned.
 *
 * Lock order: mmap_lock, VMA lock; PMD lock of the child, of the parent. Source: Linux 6.18 mm/huge_memory.c
 * (copy_huge_pmd, do_huge_pmd_wp_page), include/linux/rmap.h (folio_try_dup_anon_rmap_pmd).
 */

import {
  F_ANON,
  F_EXCLUSIVE,
  folioFlags,
  folioGet,
  folioOf,
  pageExclusive,
} from '../alloc/folio.ts';
import { ptdescOfEntry } from '../alloc/table.ts';
import { depositAlloc, depositCancel, depositNew } from '../huge/hugeDeposit.ts';
import { splitHugePmdLocked } from '../huge/hugePmd.ts';
import { LC_PMD, spinLockNested, spinUnlock } from '../lock/lock.ts';
import { rmapAddPmd } from '../space/mapcount.ts';
import { maybePinned } from '../space/pin.ts';
import { RSS_ANON, rssAdd } from '../space/rss.ts';
import { upperInstalled } from '../word/hooks.ts';
import { hugeFirst, pmdLock, pmdUnlock } from '../tables/offsets.ts';
import { ENOMEM, PMD_PAGES } from '../word/config.ts';
import {
  entryHuge,
  entryNumber,
  PTE_ACCESSED,
  PTE_SPECIAL,
  PTE_UFFD_WP,
  PTE_WRITE,
} from '../word/entry.ts';
import { F_FLAGS, PT_LOCK, VMA_INODE } from '../word/layout.ts';
import { and, load, or, peek, store } from '../word/word.ts';
import { canReuseAnon } from './faultWrite.ts';

/**
 * Results of `copyHugePmd`, beside ENOMEM: the child has what it needs; the entry names a table, or is none, by now.
 */
export const HUGE_SHARED: u32 = 0x500;
export const HUGE_SPLIT: u32 = 0x501;

/**
 * Steps 3 to 5 for the entry `seen` at `fromPmd`, both locks held. Returns whether the child has it, and `table`;
 * otherwise it has been split.
 */
function shareLocked(
  child: Mm,
  mm: Mm,
  toPmd: Pmd,
  fromPmd: Pmd,
  first: Vpn,
  table: TableNumber,
): boolean {
  const seen = load(fromPmd);
  if ((seen & PTE_SPECIAL) === 0) {
    const head = entryNumber(seen);
    if (pageExclusive(head) && maybePinned(head)) {
      splitHugePmdLocked(mm, fromPmd, first);
      return false;
    }
    and(folioOf(head) + F_FLAGS, ~F_EXCLUSIVE >>> 0);
    folioGet(head);
    rmapAddPmd(head);
    rssAdd(child, RSS_ANON, PMD_PAGES);
  }
  depositNew(child, toPmd, table);
  upperInstalled(toPmd);
  // Atomic: a walker that sets dirty needs the right to write, so it does before, and the child gets it, or not at all.
  const entry = and(fromPmd, ~PTE_WRITE >>> 0);
  store(toPmd, (entry & ~(PTE_WRITE | PTE_ACCESSED | PTE_UFFD_WP)) >>> 0);
  return true;
}

/**
 * Copies the huge entry at `fromPmd`, that of `vpn`, to the child's at `toPmd`, which is none, for the child's VMA
 * `copy`. Precondition: that of `copyPageRange`, no spinlock. Returns HUGE_SHARED, HUGE_SPLIT or ENOMEM.
 */
export function copyHugePmd(child: Mm, mm: Mm, copy: Vma, toPmd: Pmd, fromPmd: Pmd, vpn: Vpn): u32 {
  if (peek(copy + VMA_INODE) !== 0) return HUGE_SHARED;
  const first = hugeFirst(vpn);
  const table = depositAlloc(child, first);
  if (table === 0) return ENOMEM;
  pmdLock(toPmd);
  const lock = ptdescOfEntry(fromPmd) + PT_LOCK;
  spinLockNested(lock, LC_PMD);
  const shared = entryHuge(load(fromPmd)) && shareLocked(child, mm, toPmd, fromPmd, first, table);
  spinUnlock(lock, LC_PMD);
  pmdUnlock(toPmd);
  if (shared) return HUGE_SHARED;
  depositCancel(table);
  return HUGE_SPLIT;
}

/**
 * Whether a write to the anonymous folio that `entry`, a huge PMD of `vma`, maps needs no copy; it is exclusive then.
 * PMD lock held.
 */
export function mayReuseHuge(vma: Vma, entry: Entry): boolean {
  const head = entryNumber(entry);
  if ((folioFlags(head) & F_ANON) === 0) return false;
  if (pageExclusive(head)) return true;
  if (!canReuseAnon(vma, head)) return false;
  or(folioOf(head) + F_FLAGS, F_EXCLUSIVE);
  return true;
}
