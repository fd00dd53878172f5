/**
 * Map counts: how many entries map each page, and each folio.
 *
 * Guarantee: F_MAP of a page is the number of PTEs that map it. A folio of one page needs no more. A larger one has, in
 * its second frame's descriptor,
 *
 *     LARGE_MAPCOUNT    PTEs that map any of its pages, and huge PMDs: zero exactly when nothing maps it
 *     LARGE_ENTIRE_MAPCOUNT   huge PMDs
 *     LARGE_PAGES_MAPPED      pages with a PTE, and ENTIRELY_MAPPED if there is a huge PMD: says whether every page is
 *                             mapped
 *
 * Each count is exact when nobody is in the middle of a change; there is no order between those of one folio. An entry
 * that is counted here holds a reference as well, which its owner drops after the count: the folio outlives the
 * removal.
 *
 * A removal that leaves some page without a mapping, and another with one, queues an anonymous folio to be split
 * (deferredSplit.ts).
 *
 * Precondition of every change: the lock of the table that the entries are in; the pages belong to one folio, which has
 * a reference.
 * Source: Linux 6.18 mm/rmap.c (__folio_add_rmap, __folio_remove_rmap, folio_add_new_anon_rmap), include/linux/mm.h
 * (folio_mapcount, folio_mapped), with CONFIG_PAGE_MAPCOUNT.
 */

import { deferredSplitFolio } from '../alloc/deferredSplit.ts';
import { F_ANON, F_ORDER, folioHead, folioLarge, folioOf, folioOrder } from '../alloc/folio.ts';
import { violation } from '../observe/report.ts';
import { CHECK } from '../word/check.ts';
import { ORACLE_ACCOUNTING } from '../word/config.ts';
import {
  F_FLAGS,
  F_MAP,
  LARGE_ENTIRE_MAPCOUNT,
  LARGE_MAPCOUNT,
  LARGE_PAGES_MAPPED,
} from '../word/layout.ts';
import { add, load, store, sub } from '../word/word.ts';

/** What each huge PMD adds to LARGE_PAGES_MAPPED: more than any number of pages, so that both can be read from it. */
export const ENTIRELY_MAPPED: u32 = 0x800000;

/** Takes `n` from a count that must not be less. Returns the old value. */
function takeFrom(word: u32, n: u32, frame: Frame): u32 {
  const old = sub(word, n);
  if (CHECK >= 1 && old < n) violation(ORACLE_ACCOUNTING, frame, old, n);
  return old;
}

/** Counts PTEs that map the `n` pages from `frame` on, of one folio, once each. */
export function rmapAddPtes(frame: Frame, n: u32): void {
  if (!folioLarge(frame)) {
    add(folioOf(frame) + F_MAP, 1);
    return;
  }
  const head = folioHead(frame);
  let first: u32 = 0;
  for (let i: u32 = 0; i < n; i += 1) if (add(folioOf(frame + i) + F_MAP, 1) === 0) first += 1;
  if (first !== 0) add(folioOf(head) + LARGE_PAGES_MAPPED, first);
  add(folioOf(head) + LARGE_MAPCOUNT, n);
}

/** Pages of the folio lost their last mapping while others have one. A folio of two pages cannot be queued. */
function partiallyMapped(head: Head): void {
  const flags = load(folioOf(head) + F_FLAGS);
  if ((flags & F_ANON) !== 0 && (flags & F_ORDER) > 1) deferredSplitFolio(head);
}

/**
 * Counts the first mappings of a folio that nobody else has seen, by PTEs, one for each of its pages.
 */
export function rmapAddNewAnon(head: Head): void {
  if (!folioLarge(head)) {
    add(folioOf(head) + F_MAP, 1);
    return;
  }
  const pages: u32 = 1 << folioOrder(head);
  for (let i: u32 = 0; i < pages; i += 1) store(folioOf(head + i) + F_MAP, 1);
  store(folioOf(head) + LARGE_PAGES_MAPPED, pages);
  store(folioOf(head) + LARGE_MAPCOUNT, pages);
}

/** Counts PTEs off that mapped the `n` pages from `frame` on, of one folio, once each. */
export function rmapRemovePtes(frame: Frame, n: u32): void {
  if (!folioLarge(frame)) {
    takeFrom(folioOf(frame) + F_MAP, 1, frame);
    return;
  }
  const head = folioHead(frame);
  takeFrom(folioOf(head) + LARGE_MAPCOUNT, n, head);
  let last: u32 = 0;
  for (let i: u32 = 0; i < n; i += 1)
    if (takeFrom(folioOf(frame + i) + F_MAP, 1, frame + i) === 1) last += 1;
  if (last === 0) return;
  const left: u32 = takeFrom(folioOf(head) + LARGE_PAGES_MAPPED, last, head) - last;
  // Pages that a huge PMD maps as well are not unmapped.
  if (left !== 0 && left < ENTIRELY_MAPPED) partiallyMapped(head);
}

/** Counts a huge PMD that maps the folio whose first frame is `head`. */
export function rmapAddPmd(head: Head): void {
  const folio = folioOf(head);
  if (add(folio + LARGE_ENTIRE_MAPCOUNT, 1) === 0) add(folio + LARGE_PAGES_MAPPED, ENTIRELY_MAPPED);
  add(folio + LARGE_MAPCOUNT, 1);
}

/** Counts a huge PMD off that mapped the folio whose first frame is `head`. */
export function rmapRemovePmd(head: Head): void {
  const folio = folioOf(head);
  takeFrom(folio + LARGE_MAPCOUNT, 1, head);
  if (takeFrom(folio + LARGE_ENTIRE_MAPCOUNT, 1, head) !== 1) return;
  const left: u32 = takeFrom(folio + LARGE_PAGES_MAPPED, ENTIRELY_MAPPED, head) - ENTIRELY_MAPPED;
  // Some pages are unmapped now unless PTEs map every one.
  if (left !== 0 && left < 1 << folioOrder(head)) partiallyMapped(head);
}

/** Entries that map the folio whose first frame is `head`: PTEs of any of its pages, and huge PMDs. */
export function folioMapCount(head: Head): u32 {
  return load(folioOf(head) + (folioLarge(head) ? LARGE_MAPCOUNT : F_MAP));
}

/** Entries that map the page `frame`: PTEs, and huge PMDs of its folio. */
export function pageMapCount(frame: Frame): u32 {
  const ptes = load(folioOf(frame) + F_MAP);
  return folioLarge(frame) ? ptes + load(folioOf(folioHead(frame)) + LARGE_ENTIRE_MAPCOUNT) : ptes;
}

/** Whether anything maps the folio whose first frame is `head`. */
export function folioMapped(head: Head): boolean {
  return folioMapCount(head) !== 0;
}
