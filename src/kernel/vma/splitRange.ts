/**
 * Splitting the large folios of a range before it is aged or paged out: those of which only a part is in the range,
 * since what is asked for must not befall the rest; or all, since only single pages go to swap.
 *
 * Guarantee: no content changes; a folio that cannot be split now (somebody has its lock, or a further reference, or
 * another address space maps it) stays, and the caller leaves it alone.
 *
 * Under the PTE lock find the next such folio and take a reference; drop the lock and end the walk; lock the folio if
 * nobody else has; split. Linux does it in the middle of its walk, with the same steps.
 *
 * Lock order: mmap_lock or VMA lock for read; PTE lock; folio lock, by trying. Source: Linux 6.18 mm/madvise.c
 * (madvise_free_pte_range, madvise_cold_or_pageout_pte_range, madvise_folio_pte_batch), mm/vmscan.c
 * (shrink_folio_list).
 */

import { F_ANON, F_ORDER, folioFlags, folioGet, folioHead, folioLarge } from '../alloc/folio.ts';
import { folioPut } from '../alloc/frame.ts';
import { splitHugePmd } from '../huge/hugePmd.ts';
import { condResched } from '../rcu/rcu.ts';
import { trySplitFolio } from '../rmap/splitFolio.ts';
import { folioMapCount } from '../space/mapcount.ts';
import { entryCounted } from '../space/rss.ts';
import { walkBegin, walkEnd } from '../word/hooks.ts';
import { spanEnd } from '../tables/offsets.ts';
import { pteOffsetMapLock, pteUnmapUnlock } from '../tables/pteMap.ts';
import { pmdFind } from '../tables/walk.ts';
import { PMD_PAGES } from '../word/config.ts';
import { entryNamesTable, entryNumber, entryPresent } from '../word/entry.ts';
import { C_SPLIT_NEXT } from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { load, peek, poke } from '../word/word.ts';
import { folioPteBatch } from '../zap/zapFolio.ts';

/** Whether `entry` maps a page of a folio of several. */
export function entryLarge(entry: Entry): boolean {
  return entryPresent(entry) && entryCounted(entry) && folioLarge(entryNumber(entry));
}

/**
 * Whether the `run` entries of a folio that begin with `entry` are all there are of it, and all that map it. PTE lock
 * held.
 */
export function wholeFolio(entry: Entry, run: u32): boolean {
  const frame = entryNumber(entry);
  return run === 1 << (folioFlags(frame) & F_ORDER) && folioMapCount(folioHead(frame)) === run;
}

/**
 * The first folio from the entry of `start` on, before `end`, that is to be split, with a reference; 0: none.
 * C_SPLIT_NEXT: the page to go on at. `all`: as for splitLargeFolios. Within a walk.
 */
function isolateLarge(mm: Mm, start: Vpn, end: Vpn, all: boolean): Head {
  poke(thisCpu() + C_SPLIT_NEXT, end);
  const pmd = pmdFind(mm, start);
  // A huge PMD of which only a part is in the range becomes a table first.
  if (pmd !== 0 && (all || end - start !== PMD_PAGES)) splitHugePmd(mm, pmd, start);
  const pte = pmd !== 0 && entryNamesTable(load(pmd)) ? pteOffsetMapLock(pmd, start) : 0;
  if (pte === 0) return 0;
  let head: Head = 0;
  let vpn = start;
  while (vpn !== end && head === 0) {
    const at = pte + ((vpn - start) << 2);
    const entry = load(at);
    let run: u32 = 1;
    if (entryLarge(entry)) {
      const flags = folioFlags(entryNumber(entry));
      const pages: u32 = 1 << (flags & F_ORDER);
      run = folioPteBatch(at, entry, end - vpn);
      // More entries than pages: some other address space maps it, too.
      if (
        (flags & F_ANON) !== 0 &&
        (all || run < pages) &&
        folioMapCount(folioHead(entryNumber(entry))) <= pages
      )
        head = folioHead(entryNumber(entry));
    }
    vpn += run;
  }
  if (head !== 0) {
    folioGet(head);
    poke(thisCpu() + C_SPLIT_NEXT, vpn);
  }
  pteUnmapUnlock(pte);
  return head;
}

/**
 * Splits the large anonymous folios that [start, end) maps parts of, with `all` also those it maps whole, as far as
 * they can be. Precondition: mmap_lock or the VMA's lock; not within a walk; no spinlock.
 */
export function splitLargeFolios(mm: Mm, start: Vpn, end: Vpn, all: boolean): void {
  let vpn = start;
  while (vpn !== end) {
    walkBegin(mm);
    const head = isolateLarge(mm, vpn, spanEnd(vpn, PMD_PAGES, end), all);
    walkEnd(mm);
    vpn = peek(thisCpu() + C_SPLIT_NEXT);
    if (head !== 0) {
      trySplitFolio(head);
      folioPut(head);
    }
    condResched();
  }
}
