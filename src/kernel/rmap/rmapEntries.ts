/**
 * What walks of the rmap do with the entries of one PTE table, under its lock (rmap.ts).
 *
 *  unmap    clear, flush; anonymous pages leave a swap entry or, given up by MADV_FREE and not written since, nothing;
 *           an entry whose page somebody else has (a pin, a fault that copies it) is put back
 *  migrate  clear; the page of an anonymous entry that is pinned is put back, any other becomes a migration entry; one
 *           flush at the end
 *  restore  a migration entry of an old frame becomes an entry of the new one, as writable and exclusive as it was
 *
 * An entry is cleared before references are counted: GUP-fast takes its reference before it looks at the entry again,
 * so one of the two sees the other. Resident pages: a migration entry counts as the page that it stands for.
 *
 * Preconditions of all: the folio lock, the PTE lock, a walk of the rmap with VMA `vma` in its list. `pte` is the entry
 * of `vpn`, `page` the page of the folio that may be mapped there, `pages` the number of both.
 * Source: Linux 6.18 mm/rmap.c (try_to_unmap_one, try_to_migrate_one, folio_try_share_anon_rmap_pte), mm/migrate.c
 * (remove_migration_pte).
 */

import {
  F_ANON,
  F_DIRTY,
  F_EXCLUSIVE,
  F_LAZYFREE,
  folioFlags,
  folioGet,
  folioHead,
  folioOf,
  pageExclusive,
} from '../alloc/folio.ts';
import { folioPut } from '../alloc/frame.ts';
import { swapDup } from '../alloc/swap.ts';
import { flushTlbRange } from '../cpu/flush.ts';
import { folioMapCount, rmapAddPtes, rmapRemovePtes } from '../space/mapcount.ts';
import { maybePinned } from '../space/pin.ts';
import { RSS_SWAP, rssAdd, rssKind, rssSub } from '../space/rss.ts';
import { clearPte, setPte } from '../tables/pteMap.ts';
import { uffdLeftBehind } from '../watch/uffdMarker.ts';
import {
  ENTRY_MIGRATION,
  ENTRY_SWAP,
  entryFlags,
  entryMake,
  entryMigrating,
  entryNumber,
  MIGRATION_EXCLUSIVE,
  MIGRATION_WRITE,
  PTE_DIRTY,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_UFFD_WP,
  PTE_WRITE,
} from '../word/entry.ts';
import { F_FLAGS, F_REF, VMA_FLAGS, VMA_MM } from '../word/layout.ts';
import { and, load, or } from '../word/word.ts';

/** Whether `entry` maps `page`. */
export function entryMapsPage(entry: Entry, page: Frame): boolean {
  return (entry & (PTE_PRESENT | PTE_SPECIAL)) === PTE_PRESENT && entryNumber(entry) === page;
}

/**
 * What becomes of an anonymous page's entry, which is cleared: 0 (given up), an entry of `slot`, or the entry itself
 * again.
 */
function replacement(page: Frame, entry: Entry, slot: SwapSlot): Entry {
  const folio = folioOf(folioHead(page));
  // Its entries and the walker: whoever else has the page goes on using it.
  if (load(folio + F_REF) > folioMapCount(folioHead(page)) + 1) return entry;
  const flags = load(folio + F_FLAGS);
  if ((flags & F_LAZYFREE) !== 0) {
    if ((entry & PTE_DIRTY) === 0 && (flags & F_DIRTY) === 0) return 0;
    or(folio + F_FLAGS, F_DIRTY);
    and(folio + F_FLAGS, ~F_LAZYFREE >>> 0);
    return entry;
  }
  return slot !== 0 ? (entryMake(slot, ENTRY_SWAP) | (entry & PTE_UFFD_WP)) >>> 0 : entry;
}

/** Takes one entry, which maps `page`, out, or puts it back. */
function unmapEntry(vma: Vma, pte: Pte, vpn: Vpn, page: Frame, slot: SwapSlot): void {
  const mm = load(vma + VMA_MM);
  const anon = (folioFlags(page) & F_ANON) !== 0;
  const cleared = clearPte(pte);
  flushTlbRange(mm, vpn, vpn + 1, false);
  const next = anon ? replacement(page, cleared, slot) : uffdLeftBehind(vma, cleared);
  if (next !== 0) setPte(pte, next);
  if (next === cleared) return;
  if (!anon && (cleared & PTE_DIRTY) !== 0) or(folioOf(folioHead(page)) + F_FLAGS, F_DIRTY);
  rssSub(mm, rssKind(cleared), 1);
  if (anon && next !== 0) {
    swapDup(slot);
    rssAdd(mm, RSS_SWAP, 1);
  }
  rmapRemovePtes(page, 1);
  folioPut(page);
}

/** Takes the entries that map the folio's pages out (TTU). `slot`: the swap slot of a folio of one page, 0: none. */
export function unmapEntries(
  vma: Vma,
  pte: Pte,
  vpn: Vpn,
  page: Frame,
  pages: u32,
  slot: SwapSlot,
): void {
  for (let i: u32 = 0; i < pages; i += 1) {
    const at = pte + (i << 2);
    if (entryMapsPage(load(at), page + i)) unmapEntry(vma, at, vpn + i, page + i, slot);
  }
}

/** The migration entry that stands for `entry`, which maps `page`. */
function migrationEntry(entry: Entry, page: Frame): Entry {
  let flags = ENTRY_MIGRATION | (entry & PTE_UFFD_WP);
  if ((entry & PTE_WRITE) !== 0) flags |= MIGRATION_WRITE;
  else if (pageExclusive(page)) flags |= MIGRATION_EXCLUSIVE;
  return entryMake(page, flags);
}

/** Puts migration entries in the places of those that map the folio's pages. */
export function migrateEntries(vma: Vma, pte: Pte, vpn: Vpn, page: Frame, pages: u32): void {
  let changed: u32 = 0;
  for (let i: u32 = 0; i < pages; i += 1) {
    const at = pte + (i << 2);
    if (entryMapsPage(load(at), page + i)) {
      const cleared = clearPte(at);
      changed = 1;
      if (pageExclusive(page + i) && maybePinned(page)) {
        setPte(at, cleared);
      } else {
        if ((cleared & PTE_DIRTY) !== 0) or(folioOf(folioHead(page)) + F_FLAGS, F_DIRTY);
        setPte(at, migrationEntry(cleared, page + i));
        rmapRemovePtes(page + i, 1);
        folioPut(page + i);
      }
    }
  }
  if (changed !== 0) flushTlbRange(load(vma + VMA_MM), vpn, vpn + pages, false);
}

/** Puts entries for the pages from `page` on in the places of migration entries for the frames from `old` on. */
export function restoreEntries(
  vma: Vma,
  pte: Pte,
  vpn: Vpn,
  page: Frame,
  pages: u32,
  old: Frame,
): void {
  const rights = entryFlags(load(vma + VMA_FLAGS));
  for (let i: u32 = 0; i < pages; i += 1) {
    const at = pte + (i << 2);
    const entry = load(at);
    if (entryMigrating(entry) && entryNumber(entry) === old + i) {
      const writable = (entry & MIGRATION_WRITE) !== 0;
      let flags = rights | (entry & PTE_UFFD_WP);
      if (writable) flags |= PTE_WRITE;
      if ((folioFlags(page) & F_ANON) !== 0) {
        const exclusive = writable || (entry & MIGRATION_EXCLUSIVE) !== 0;
        if (exclusive) or(folioOf(page + i) + F_FLAGS, F_EXCLUSIVE);
        else and(folioOf(page + i) + F_FLAGS, ~F_EXCLUSIVE >>> 0);
      }
      clearPte(at);
      folioGet(page + i);
      rmapAddPtes(page + i, 1);
      setPte(at, entryMake(page + i, flags));
    }
  }
}
