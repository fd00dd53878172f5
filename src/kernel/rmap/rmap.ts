/**
 * The reverse mapping: from a folio to every entry that maps one of its pages, in all address spaces; taking them out
 * (try_to_unmap), putting migration entries in their places (try_to_migrate), and undoing that.
 *
 * Guarantee: `tryToUnmap` and `tryToMigrate` return true only when no entry maps the folio any more and no TLB has a
 * translation of it. False: some entry had to stay (pinned, no swap slot, busy); those done stay done.
 * `removeMigrationPtes` replaces every migration entry of the old frames.
 *
 *  1. The folio is locked, so F_OWNER and its place stay. Anonymous: get the anon_vma while an entry maps the page
 *     (`folioGetAnonVma`), then its root's rwsem for read; of an inode: i_mmap for read.
 *  2. For each VMA of the list that holds pages of the folio, in the list's order; table by table: find the PMD, map
 *     and lock the PTE table (pteOffsetMapLock: the table may be reclaimed meanwhile, then nothing is in it; a huge PMD
 *     is split first), look whether the entries are those of the folio.
 *  3. Change the entries under the PTE lock, and flush before it is dropped.
 *
 * What keeps things alive: a VMA in the list has its tables and its mm (munmap and exit take it out before they free
 * tables). An empty PTE table may go, since reclaim looks neither at anon_vmas nor at i_mmap: RCU and the second look
 * at the PMD are for that. An entry that moves is found: fork and mremap put copies behind their source in the lists,
 * or hold the locks of 1 for write.
 *
 * Lock order: folio lock; i_mmap or anon_vma; PTE lock. Source: Linux 6.18 mm/rmap.c (rmap_walk_anon, rmap_walk_file,
 * folio_get_anon_vma, try_to_unmap_one, try_to_migrate_one), mm/page_vma_mapped.c, mm/migrate.c (remove_migration_pte).
 */

import { anonVmaPut, anonVmaTryGet } from '../alloc/anonVmaAlloc.ts';
import { F_ANON, F_CACHED, F_LOCKED, F_ORDER, folioFlags, folioOf } from '../alloc/folio.ts';
import { splitHugePmd } from '../huge/hugePmd.ts';
import { violation } from '../observe/report.ts';
import { anonVmaLockRead, anonVmaUnlockRead } from '../space/anonVma.ts';
import { iMmapFirst, iMmapLockRead, iMmapNext, iMmapUnlockRead } from '../space/iMmap.ts';
import { folioMapped } from '../space/mapcount.ts';
import { walkBegin, walkEnd } from '../word/hooks.ts';
import { pteOffsetMapLock, pteUnmapUnlock } from '../tables/pteMap.ts';
import { pmdFind } from '../tables/walk.ts';
import { CHECK } from '../word/check.ts';
import { ORACLE_LOCK_ORDER, PMD_PAGES } from '../word/config.ts';
import { entryHuge, entryNamesTable, hugePart } from '../word/entry.ts';
import {
  AV_FIRST,
  AVC_NEXT,
  AVC_VMA,
  F_INDEX,
  F_OWNER,
  VMA_END,
  VMA_MM,
  VMA_PGOFF,
  VMA_START,
} from '../word/layout.ts';
import { load, peek } from '../word/word.ts';
import { entryMapsPage, migrateEntries, restoreEntries, unmapEntries } from './rmapEntries.ts';

/** What a walk does. */
const WALK_UNMAP: u32 = 0;
const WALK_MIGRATE: u32 = 1;
const WALK_RESTORE: u32 = 2;

/**
 * The anon_vma of an anonymous folio that is mapped, with a reference for the caller; 0: nothing maps it. Precondition:
 * the folio lock, so that F_OWNER stays, and a reference. Between the looks at the map count the anon_vma may be freed
 * and be another one's: then the second finds none, since an anon_vma outlives the entries of its pages.
 */
export function folioGetAnonVma(head: Head): AnonVma {
  if (!folioMapped(head)) return 0;
  const anon = load(folioOf(head) + F_OWNER);
  if (!anonVmaTryGet(anon)) return 0;
  if (folioMapped(head)) return anon;
  anonVmaPut(anon);
  return 0;
}

/** Splits the entry at `pmd`, that of `vpn`, if it is huge and maps `page` there (TTU_SPLIT_HUGE_PMD). */
function splitIfMaps(mm: Mm, pmd: Pmd, vpn: Vpn, page: Frame): void {
  const value = load(pmd);
  if (!entryHuge(value)) return;
  const part = hugePart(value, vpn & (PMD_PAGES - 1));
  if (entryMapsPage(part, page)) splitHugePmd(mm, pmd, vpn);
}

/**
 * Steps 2 and 3 for the `pages` entries from that of `vpn` on, all in one PTE table, which may map the pages from
 * `page` on.
 */
function walkTable(vma: Vma, vpn: Vpn, page: Frame, pages: u32, what: u32, argument: u32): void {
  const mm = load(vma + VMA_MM);
  walkBegin(mm);
  const pmd = pmdFind(mm, vpn);
  if (pmd !== 0 && what !== WALK_RESTORE) splitIfMaps(mm, pmd, vpn, page);
  const pte = pmd !== 0 && entryNamesTable(load(pmd)) ? pteOffsetMapLock(pmd, vpn) : 0;
  if (pte !== 0) {
    if (what === WALK_UNMAP) unmapEntries(vma, pte, vpn, page, pages, argument);
    else if (what === WALK_MIGRATE) migrateEntries(vma, pte, vpn, page, pages);
    else restoreEntries(vma, pte, vpn, page, pages, argument);
    pteUnmapUnlock(pte);
  }
  walkEnd(mm);
}

/** Step 2 for one VMA: the part of the folio that it can map. */
function walkVma(vma: Vma, head: Head, what: u32, argument: u32): void {
  const index = load(folioOf(head) + F_INDEX);
  const order = folioFlags(head) & F_ORDER;
  const length: u32 = load(vma + VMA_END) - load(vma + VMA_START);
  let left: u32 = 1 << order;
  let page = head;
  let at: u32 = (index - load(vma + VMA_PGOFF)) >>> 0;
  if (at >= length) {
    const before: u32 = (load(vma + VMA_PGOFF) - index) >>> 0;
    if (before >= left) return;
    page += before;
    left -= before;
    at = 0;
  }
  if (left > length - at) left = length - at;
  let vpn: Vpn = load(vma + VMA_START) + at;
  while (left !== 0) {
    const room: u32 = PMD_PAGES - (vpn & (PMD_PAGES - 1));
    const pages = left < room ? left : room;
    const from: u32 = what === WALK_RESTORE ? argument + (page - head) : 0;
    walkTable(vma, vpn, page, pages, what, what === WALK_RESTORE ? from : argument);
    vpn += pages;
    page += pages;
    left -= pages;
  }
}

/** Whether the walk has nothing left to look for. */
function walkDone(head: Head, what: u32): boolean {
  return what !== WALK_RESTORE && !folioMapped(head);
}

/** Step 2 over the list of `anon`, which the caller keeps. */
function walkAnon(anon: AnonVma, head: Head, what: u32, argument: u32): void {
  anonVmaLockRead(anon);
  let chain = peek(anon + AV_FIRST);
  while (chain !== 0) {
    walkVma(peek(chain + AVC_VMA), head, what, argument);
    chain = walkDone(head, what) ? 0 : peek(chain + AVC_NEXT);
  }
  anonVmaUnlockRead(anon);
}

/** Step 2 over the list of an inode; the locked folio in its cache keeps it. */
function walkFile(inode: Inode, head: Head, what: u32, argument: u32): void {
  iMmapLockRead(inode);
  let vma = iMmapFirst(inode);
  while (vma !== 0) {
    walkVma(vma, head, what, argument);
    vma = walkDone(head, what) ? 0 : iMmapNext(vma);
  }
  iMmapUnlockRead(inode);
}

/** Complains unless the folio is locked. */
function checkLocked(head: Head): void {
  if (CHECK >= 1 && (folioFlags(head) & F_LOCKED) === 0)
    violation(ORACLE_LOCK_ORDER, head, folioFlags(head), 0);
}

/** The walk of a folio that entries map. Returns whether none does any more. */
function walkMapped(head: Head, what: u32, argument: u32): boolean {
  checkLocked(head);
  const flags = folioFlags(head);
  if ((flags & F_ANON) !== 0) {
    const anon = folioGetAnonVma(head);
    if (anon !== 0) {
      walkAnon(anon, head, what, argument);
      anonVmaPut(anon);
    }
  } else if ((flags & F_CACHED) !== 0) {
    walkFile(load(folioOf(head) + F_OWNER), head, what, argument);
  }
  return !folioMapped(head);
}

/**
 * Takes out the entries that map the folio whose first frame is `head`. Anonymous pages leave entries of the swap slot
 * `slot` (0: they cannot, but for what MADV_FREE gave up), of which the caller holds one count; only folios of one page
 * go to swap. Each entry's reference is dropped.
 * Preconditions: the folio is locked, the caller has one reference; no lock that comes later, no RCU section. Returns
 * whether nothing maps it now.
 */
export function tryToUnmap(head: Head, slot: SwapSlot): boolean {
  return walkMapped(head, WALK_UNMAP, slot);
}

/**
 * Replaces the entries that map the folio by migration entries, on which faults wait until the folio is unlocked;
 * pinned pages keep theirs. Each entry's reference is dropped. Preconditions as for tryToUnmap. Returns whether nothing
 * maps it now; if not, the caller undoes it by `removeMigrationPtes(head, head)`.
 */
export function tryToMigrate(head: Head): boolean {
  return walkMapped(head, WALK_MIGRATE, 0);
}

/**
 * Replaces the migration entries of the pages from frame `old` on by entries for the pages of the folio whose first
 * frame is `head`, which has the old one's F_OWNER and F_INDEX. Preconditions: both folios (or the one) are locked, so
 * that the entries stay; an anonymous one's anon_vma is the caller's by `folioGetAnonVma` or by an entry's page that is
 * still mapped.
 */
export function removeMigrationPtes(old: Head, head: Head): void {
  checkLocked(head);
  const owner = load(folioOf(head) + F_OWNER);
  if ((folioFlags(head) & F_ANON) !== 0) walkAnon(owner, head, WALK_RESTORE, old);
  else walkFile(owner, head, WALK_RESTORE, old);
}
