/**
 * fork: a new address space with the same mappings, which shares the pages of private memory until one side writes to
 * them.
 *
 * Guarantee: after `forkMm` parent and child read the same; a write of either goes to a page that only it maps. No CPU
 * has a translation of the parent left that permits writing to a shared page. Pages that are pinned stay the parent's:
 * the child gets copies.
 *
 *  1. mmap_lock of the parent for write, then of the child, which nobody else has.
 *  2. Each VMA: write-lock it, which keeps faults out; copy it; the copy enters the lists of the anon_vmas that the
 *     source is in, gets one of its own (anonVmaFork), and enters its inode's list, behind the source each time.
 *  3. Its page tables, unless faults can make them again (`vmaNeedsCopy`). Table by table under both PTE locks, the
 *     child's first:
 *       anonymous page   one more entry, reference, and mapping; no longer exclusive; write-protected on both sides.
 *                        Pinned: a copy for the child
 *       page of a file   one more entry; write-protected on both sides in private mappings, clean in the child in
 *                        shared ones
 *       swap entry       one more count of its slot
 *       migration entry  the same entry, for reading only on both sides; the rmap walk that ends the migration comes to
 *                        the child after the parent
 *       uffd-wp          dropped: the child is not registered
 *       huge PMD         shared as a whole (hugeFork.ts)
 *     Upper tables that the parent has come first, and are there then even if there is nothing below them.
 *  4. Flush the parent's translations, release both locks.
 *
 * Against GUP-fast: MM_WRITE_PROTECT_SEQ is odd while 3 is under way. GUP-fast pins, then reads it: either it sees the
 * sequence move and gives the pin up, or its pin came before the look for pins here.
 *
 * Lock order: mmap_lock, VMA lock, i_mmap and anon_vma; walk of the parent's tables, then of the child's; PTE lock of
 * the child, of the parent.
 * Source: Linux 6.18 mm/mmap.c (dup_mmap), mm/memory.c (copy_page_range, copy_pte_range, copy_present_ptes,
 * copy_nonpresent_pte, vma_needs_copy).
 */

import {
  F_ANON,
  F_EXCLUSIVE,
  folioFlags,
  folioGet,
  folioOf,
  pageExclusive,
} from '../alloc/folio.ts';
import { folioPut, frameAlloc } from '../alloc/frame.ts';
import { swapDup } from '../alloc/swap.ts';
import { flushTlbRange } from '../cpu/flush.ts';
import { syncPoint } from '../cpu/syncPoint.ts';
import { copyHugePmd, HUGE_SHARED, HUGE_SPLIT } from '../fault/hugeFork.ts';
import { mapAnonFrame } from '../fault/newEntry.ts';
import { khugepagedFork } from '../huge/khugepagedSlots.ts';
import { count, COUNTER_FORK_COPIES, COUNTER_FORKS } from '../observe/stats.ts';
import { condResched } from '../rcu/rcu.ts';
import { inodeGet } from '../rmap/inode.ts';
import { mmapWriteLock, mmapWriteTrylock, mmapWriteUnlock } from '../sleep/mmapLock.ts';
import { anonVmaFork } from '../space/anonVma.ts';
import { rmapAddPtes } from '../space/mapcount.ts';
import { mmCreate } from '../space/mm.ts';
import { maybePinned } from '../space/pin.ts';
import { entryCounted, RSS_SWAP, rssAdd, rssKind } from '../space/rss.ts';
import { vmaFirst, vmaFree, vmaNew, vmaNext } from '../space/vma.ts';
import { vmaStartWrite } from '../space/vmaLock.ts';
import { walkBegin, walkBeginSecond, walkEnd, walkEndSecond } from '../word/hooks.ts';
import { spanEnd } from '../tables/offsets.ts';
import {
  mappedPmd,
  pteLockNested,
  pteOffsetMapLock,
  pteOffsetMapRwNolock,
  pteUnlock,
  pteUnmap,
  pteUnmapUnlock,
  setPte,
} from '../tables/pteMap.ts';
import { pmdAlloc, pmdFind, pteAlloc, pudAlloc, pudFind } from '../tables/walk.ts';
import { mmPut } from '../vma/exitMm.ts';
import { vmaInsert } from '../vma/vmaMerge.ts';
import {
  ENOMEM,
  PGD_PAGES,
  PMD_PAGES,
  PUD_PAGES,
  TASK_END,
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
  entryNumber,
  entryPresent,
  MIGRATION_EXCLUSIVE,
  MIGRATION_WRITE,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_UFFD_WP,
  PTE_WRITE,
} from '../word/entry.ts';
import {
  C_FORK_FRAME,
  F_FLAGS,
  MM_BRK,
  MM_BRK_START,
  MM_WRITE_PROTECT_SEQ,
  VMA_ANON,
  VMA_END,
  VMA_FLAGS,
  VMA_INODE,
  VMA_PGOFF,
  VMA_START,
} from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { and, load, peek, poke, store } from '../word/word.ts';

/**
 * Results of copying the entries of one PTE table: all done; a page that is pinned needs a frame; the source's table
 * has gone meanwhile.
 */
const COPIED: u32 = 0;
const NEEDS_FRAME: u32 = 1;
const TABLE_GONE: u32 = 2;

/** Whether a child needs the page tables of `vma`: what only entries know is its anonymous pages (vma_needs_copy). */
function vmaNeedsCopy(vma: Vma): boolean {
  return load(vma + VMA_ANON) !== 0;
}

/** Step 3 for an entry that is neither none nor present. Both PTE locks held. */
function copyNonpresent(child: Mm, to: Pte, from: Pte, entry: Entry, cow: boolean): void {
  let copy: Entry = (entry & ~PTE_UFFD_WP) >>> 0;
  if (entryMigrating(entry)) {
    rssAdd(child, rssKind(entry), 1);
    const shared = (entry & ~(MIGRATION_WRITE | MIGRATION_EXCLUSIVE)) >>> 0;
    if (cow && shared !== entry) {
      // The same entry with other flags: no walker reads it, and the count of entries stays.
      store(from, shared);
      copy = (shared & ~PTE_UFFD_WP) >>> 0;
    }
  } else if ((entry & ENTRY_KIND) === ENTRY_SWAP) {
    swapDup(entryNumber(entry));
    rssAdd(child, RSS_SWAP, 1);
  } else {
    // A userfaultfd marker: the child is not registered.
    return;
  }
  setPte(to, copy);
}

/** Step 3 for a present entry that is shared from here on, or maps the zero page. Both PTE locks held. */
function copyPresent(child: Mm, to: Pte, from: Pte, entry: Entry, cow: boolean): void {
  if (entryCounted(entry)) {
    const page = entryNumber(entry);
    if ((folioFlags(page) & F_ANON) !== 0 && pageExclusive(page))
      and(folioOf(page) + F_FLAGS, ~F_EXCLUSIVE >>> 0);
    folioGet(page);
    rmapAddPtes(page, 1);
    rssAdd(child, rssKind(entry), 1);
  }
  let copy = entry;
  // Atomic: a walker that sets dirty needs the right to write, so it does before, and the child gets it, or not at all.
  if (cow && (entry & PTE_WRITE) !== 0) copy = (and(from, ~PTE_WRITE >>> 0) & ~PTE_WRITE) >>> 0;
  if (!cow) copy = (copy & ~PTE_DIRTY) >>> 0;
  setPte(to, (copy & ~(PTE_ACCESSED | PTE_UFFD_WP)) >>> 0);
}

/** Whether the page of `entry` is pinned through it, so that it cannot be shared. Its PTE lock is held. */
function cannotShare(entry: Entry): boolean {
  if (!entryCounted(entry)) return false;
  const page = entryNumber(entry);
  return (folioFlags(page) & F_ANON) !== 0 && pageExclusive(page) && maybePinned(page);
}

/** Gives the child a page of its own, the frame in C_FORK_FRAME, in the place of a pinned one. Both PTE locks held. */
function copyPinned(child: Mm, copy: Vma, to: Pte, vpn: Vpn): void {
  const fresh = peek(thisCpu() + C_FORK_FRAME);
  poke(thisCpu() + C_FORK_FRAME, 0);
  const flags = load(copy + VMA_FLAGS);
  mapAnonFrame(child, copy, vpn, fresh);
  const writable = (flags & VM_WRITE) !== 0 ? PTE_WRITE : 0;
  setPte(to, entryMake(fresh, entryFlags(flags) | writable | PTE_DIRTY));
  count(COUNTER_FORK_COPIES);
}

/**
 * Step 3 for [start, end), which one PMD entry covers on both sides; entries that the child has already are skipped.
 * Returns COPIED, NEEDS_FRAME or TABLE_GONE; nothing is held then.
 */
function copyPteRange(child: Mm, copy: Vma, toPmd: Pmd, fromPmd: Pmd, start: Vpn, end: Vpn): u32 {
  const cow = (load(copy + VMA_FLAGS) & VM_SHARED) === 0;
  const to = pteOffsetMapLock(toPmd, start);
  if (to === 0) return TABLE_GONE;
  const from = pteOffsetMapRwNolock(fromPmd, start);
  if (from === 0) {
    pteUnmapUnlock(to);
    return TABLE_GONE;
  }
  const read = mappedPmd();
  pteLockNested(from);
  let result = load(fromPmd) === read ? COPIED : TABLE_GONE;
  for (let vpn = start; vpn !== end && result === COPIED; vpn += 1) {
    const at: u32 = (vpn - start) << 2;
    const entry = load(from + at);
    if (entry !== 0 && load(to + at) === 0) {
      if (!entryPresent(entry)) copyNonpresent(child, to + at, from + at, entry, cow);
      else if (!cannotShare(entry)) copyPresent(child, to + at, from + at, entry, cow);
      else if (peek(thisCpu() + C_FORK_FRAME) === 0) result = NEEDS_FRAME;
      else copyPinned(child, copy, to + at, vpn);
    }
  }
  pteUnlock(from);
  pteUnlock(to);
  // With both locks dropped: the end of a mapping may take the PMD lock.
  pteUnmap(from);
  pteUnmap(to);
  return result;
}

/**
 * Step 3 for [start, end), which one PMD entry covers, within one walk of both. Returns COPIED, NEEDS_FRAME, TABLE_GONE
 * or ENOMEM.
 */
function copySpan(child: Mm, mm: Mm, copy: Vma, start: Vpn, end: Vpn): u32 {
  if (pudFind(mm, start) === 0) return COPIED;
  if (pudAlloc(child, start) === 0) return ENOMEM;
  const fromPmd = pmdFind(mm, start);
  if (fromPmd === 0) return COPIED;
  const toPmd = pmdAlloc(child, start);
  if (toPmd === 0) return ENOMEM;
  if (entryHuge(load(fromPmd))) {
    const result = copyHugePmd(child, mm, copy, toPmd, fromPmd, start);
    if (result !== HUGE_SPLIT) return result === HUGE_SHARED ? COPIED : result;
  }
  if (!entryNamesTable(load(fromPmd))) return COPIED;
  if (pteAlloc(child, toPmd, start) === 0) return ENOMEM;
  return copyPteRange(child, copy, toPmd, fromPmd, start, end);
}

/**
 * Pages from `vpn` on under an entry of the lowest level at which the parent has a table, to the entry's end, at most
 * `end`.
 */
function spanOf(mm: Mm, vpn: Vpn, end: Vpn): u32 {
  if (pudFind(mm, vpn) === 0) return spanEnd(vpn, PGD_PAGES, end);
  return spanEnd(vpn, pmdFind(mm, vpn) === 0 ? PUD_PAGES : PMD_PAGES, end);
}

/** Step 3: the page tables of one VMA, for its copy. Returns 0 or ENOMEM. */
function copyPageRange(child: Mm, mm: Mm, copy: Vma): u32 {
  const end = load(copy + VMA_END);
  let vpn = load(copy + VMA_START);
  let result = COPIED;
  while (vpn !== end && result !== ENOMEM) {
    walkBegin(mm);
    walkBeginSecond(child);
    const next = spanOf(mm, vpn, end);
    result = copySpan(child, mm, copy, vpn, next);
    walkEndSecond(child);
    walkEnd(mm);
    syncPoint();
    if (result === COPIED) vpn = next;
    if (result === NEEDS_FRAME) {
      const fresh = frameAlloc(0, F_ANON | F_EXCLUSIVE);
      poke(thisCpu() + C_FORK_FRAME, fresh);
      if (fresh === 0) result = ENOMEM;
    }
    condResched();
  }
  return result === ENOMEM ? ENOMEM : 0;
}

/** Steps 2 and 3 for one VMA. Returns 0 or ENOMEM. */
function copyVma(child: Mm, mm: Mm, vma: Vma): u32 {
  vmaStartWrite(vma);
  const inode = load(vma + VMA_INODE);
  const flags: u32 = (load(vma + VMA_FLAGS) & ~(VM_UFFD_MISSING | VM_UFFD_WP)) >>> 0;
  const start = load(vma + VMA_START);
  const copy = vmaNew(child, start, load(vma + VMA_END), flags, inode, load(vma + VMA_PGOFF));
  if (copy === 0) return ENOMEM;
  if (anonVmaFork(copy, vma) !== 0) {
    vmaFree(copy);
    return ENOMEM;
  }
  if (inode !== 0) inodeGet(inode);
  vmaInsert(child, copy, vma);
  return vmaNeedsCopy(vma) ? copyPageRange(child, mm, copy) : 0;
}

/** Steps 2 to 4, both locks held. Returns 0 or ENOMEM. */
function copyVmas(child: Mm, mm: Mm): u32 {
  poke(child + MM_BRK_START, peek(mm + MM_BRK_START));
  poke(child + MM_BRK, peek(mm + MM_BRK));
  let result: u32 = 0;
  poke(thisCpu() + C_FORK_FRAME, 0);
  const seq = load(mm + MM_WRITE_PROTECT_SEQ);
  // Pairs with pinLockless.
  store(mm + MM_WRITE_PROTECT_SEQ, (seq + 1) >>> 0);
  for (let vma = vmaFirst(mm); vma !== 0 && result === 0; vma = vmaNext(vma))
    result = copyVma(child, mm, vma);
  store(mm + MM_WRITE_PROTECT_SEQ, (seq + 2) >>> 0);
  if (peek(thisCpu() + C_FORK_FRAME) !== 0) folioPut(peek(thisCpu() + C_FORK_FRAME));
  flushTlbRange(mm, 0, TASK_END, false);
  return result;
}

/**
 * Copies the address space `mm`. Returns the new one, its one user the caller; 0: no memory, and what was shared is
 * exclusive again at the next write.
 */
export function forkMm(mm: Mm): Mm {
  const child = mmCreate();
  if (child === 0) return 0;
  mmapWriteLock(mm);
  // Nobody else knows the child, so this does not fail; the order of the two is that of parent and child.
  mmapWriteTrylock(child);
  const result = copyVmas(child, mm);
  mmapWriteUnlock(child);
  mmapWriteUnlock(mm);
  if (result !== 0) {
    mmPut(child);
    return 0;
  }
  khugepagedFork(child, mm);
  count(COUNTER_FORKS);
  return child;
}
