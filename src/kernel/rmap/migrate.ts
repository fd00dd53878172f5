/**
 * Migration: moves a page to another frame while programs, and other CPUs, go on using it.
 *
 * Guarantee: whoever accesses the page sees one frame or the other, never a write lost in between: from the moment when
 * nothing maps the old frame until the new one is in all places, accesses wait for the folio lock in their faults. A
 * page that somebody pinned, or that anybody has a further reference of, stays.
 *
 *  1. Isolate: a reference on the page, under its PTE lock, or the PMD lock of a huge page. Lock the folio, if nobody
 *     else has it.
 *  2. `tryToMigrate`: migration entries in the place of all that map it. 3. Nothing maps it, and the references are the
 *     caller's and the page cache's: what is in it stays as it is, and can be copied. 4. The new frame takes its place:
 *     in the page cache, or with its anon_vma.
 *  5. `removeMigrationPtes`: entries of the new frame in the place of migration entries; or, when 2 or 3 failed, of the
 *     old one. 6. Unlock, which wakes faults.
 *
 * A page of an anonymous folio of several is split off first (`isolateSingle`), which splits a huge PMD as well; other
 * large folios stay.
 *
 * An anonymous page's anon_vma is held from before 2 to after 5: in between no entry keeps it.
 *
 * Lock order: folio lock; see rmap.ts. Source: Linux 6.18 mm/migrate.c (migrate_folio_unmap, migrate_folio_move,
 * folio_migrate_mapping, try_split_folio).
 */

import { anonVmaPut } from '../alloc/anonVmaAlloc.ts';
import {
  F_ANON,
  F_CACHED,
  F_DIRTY,
  F_LAZYFREE,
  F_SHMEM,
  folioFlags,
  folioGet,
  folioHead,
  folioLarge,
  folioOf,
} from '../alloc/folio.ts';
import { folioPut, frameAlloc } from '../alloc/frame.ts';
import { pmdTransHugeLock } from '../huge/hugePmd.ts';
import { count, COUNTER_MIGRATIONS } from '../observe/stats.ts';
import { mmapReadLock, mmapReadUnlock } from '../sleep/mmapLock.ts';
import { folioTrylock, folioUnlock } from '../sleep/sleepLock.ts';
import { vmaLookup } from '../space/vma.ts';
import { walkBegin, walkEnd } from '../word/hooks.ts';
import { pmdUnlock } from '../tables/offsets.ts';
import { pteOffsetMapLock, pteUnmapUnlock } from '../tables/pteMap.ts';
import { pmdFind } from '../tables/walk.ts';
import { EAGAIN, EFAULT, ENOMEM, PMD_PAGES } from '../word/config.ts';
import { entryNumber, hugePart } from '../word/entry.ts';
import { F_FLAGS, F_INDEX, F_OWNER, F_REF } from '../word/layout.ts';
import { load, or, store } from '../word/word.ts';
import { filemapReplace } from './filemap.ts';
import { folioGetAnonVma, removeMigrationPtes, tryToMigrate } from './rmap.ts';
import { entryMapsPage } from './rmapEntries.ts';
import { trySplitFolio } from './splitFolio.ts';

/** Steps 3 and 4 for an unmapped, locked folio. Returns whether `fresh` has taken its place. */
function replaceFrame(old: Head, fresh: Head): boolean {
  if ((folioFlags(old) & F_CACHED) !== 0) return filemapReplace(old, fresh);
  if (load(folioOf(old) + F_REF) !== 1) return false;
  or(folioOf(fresh) + F_FLAGS, folioFlags(old) & (F_LAZYFREE | F_DIRTY));
  store(folioOf(fresh) + F_OWNER, load(folioOf(old) + F_OWNER));
  store(folioOf(fresh) + F_INDEX, load(folioOf(old) + F_INDEX));
  return true;
}

/** Steps 2 to 5. `old` and `fresh` are locked. Returns whether the page moved. */
function moveFolio(old: Head, fresh: Head): boolean {
  let anon: AnonVma = 0;
  if ((folioFlags(old) & F_ANON) !== 0) {
    anon = folioGetAnonVma(old);
    if (anon === 0) return false;
  }
  const moved = tryToMigrate(old) && replaceFrame(old, fresh);
  removeMigrationPtes(old, moved ? fresh : old);
  if (anon !== 0) anonVmaPut(anon);
  return moved;
}

/**
 * Moves the page of `old`, of which the caller has a reference, to a frame of its own choice. Returns 0; EAGAIN: it is
 * locked, pinned, used otherwise, mapped by nobody, or part of a larger folio; ENOMEM. No spinlock held, no RCU
 * section.
 */
export function migrateFolio(old: Frame): u32 {
  const flags = folioFlags(old);
  if (folioLarge(old) || (flags & (F_ANON | F_CACHED)) === 0) return EAGAIN;
  const head = old as Head;
  const fresh = frameAlloc(0, flags & (F_ANON | F_SHMEM));
  if (fresh === 0) return ENOMEM;
  let moved = false;
  if (folioTrylock(head)) {
    // Nobody else knows it: it is locked for those who find it in its places.
    folioTrylock(fresh);
    // What the folio is may have changed before it was locked.
    const same = ((folioFlags(old) ^ flags) & (F_ANON | F_CACHED | F_SHMEM)) === 0;
    moved = same && moveFolio(head, fresh);
    folioUnlock(fresh);
    folioUnlock(head);
  }
  folioPut(fresh);
  if (!moved) return EAGAIN;
  count(COUNTER_MIGRATIONS);
  return 0;
}

/**
 * The frame that `entry` maps a page to, with a reference; 0: it maps none that is counted. The lock of the entry's
 * table is held.
 */
function isolateMapped(entry: Entry): Frame {
  const frame = entryNumber(entry);
  if (!entryMapsPage(entry, frame)) return 0;
  folioGet(frame);
  return frame;
}

/**
 * The same for the page at `vpn`, whose PMD entry is at `pmd`. The PMD comes first: a huge one may be split by the rmap
 * between the looks, but nothing makes one of a table while mmap_lock is held.
 */
function isolateUnder(pmd: Pmd, vpn: Vpn): Frame {
  let frame: Frame = 0;
  if (pmdTransHugeLock(pmd)) {
    frame = isolateMapped(hugePart(load(pmd), vpn & (PMD_PAGES - 1)));
    pmdUnlock(pmd);
    return frame;
  }
  const pte = pteOffsetMapLock(pmd, vpn);
  if (pte === 0) return 0;
  frame = isolateMapped(load(pte));
  pteUnmapUnlock(pte);
  return frame;
}

/** The frame of the page at `vpn`, with a reference; 0: nothing is mapped there. Takes mmap_lock for read. */
export function isolatePage(mm: Mm, vpn: Vpn): Frame {
  mmapReadLock(mm);
  walkBegin(mm);
  const pmd = vmaLookup(mm, vpn) === 0 ? 0 : pmdFind(mm, vpn);
  const frame = pmd === 0 ? 0 : isolateUnder(pmd, vpn);
  walkEnd(mm);
  mmapReadUnlock(mm);
  return frame;
}

/**
 * As isolatePage, but first splits the anonymous folio of several pages that the page is one of: only single pages
 * move, or leave memory. One that cannot be split now is given as it is. No lock held, no RCU section.
 */
export function isolateSingle(mm: Mm, vpn: Vpn): Frame {
  const frame = isolatePage(mm, vpn);
  if (frame === 0 || !folioLarge(frame)) return frame;
  const head = folioHead(frame);
  if ((folioFlags(head) & F_ANON) === 0 || !trySplitFolio(head)) return frame;
  // The reference is on the first page, and the page may be elsewhere, or gone, by now.
  folioPut(head);
  return isolatePage(mm, vpn);
}

/**
 * Moves the page at `vpn` of `mm` (move_pages). Returns 0, EFAULT: nothing is mapped there, EAGAIN or ENOMEM. No lock
 * held.
 */
export function migratePage(mm: Mm, vpn: Vpn): u32 {
  const frame = isolateSingle(mm, vpn);
  if (frame === 0) return EFAULT;
  const result = migrateFolio(frame);
  folioPut(frame);
  return result;
}
