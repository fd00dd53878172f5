/**
 * Zapping by folios (axis `zap` folio): a run of entries that map neighbouring pages of one folio is taken out at once.
 *
 * Guarantee: as zap.ts for each entry. The folio's map counts change once for each run, so that unmapping a whole folio
 * never makes it look partially mapped; taken out page by page (axis `zap` page) it is put on the deferred-split queue
 * with the first page, and taken off with the last reference.
 *
 *  1. Count the run: entries present, of consecutive frames of the folio, with equal rights, clamped to the folio's and
 *     the range's end.
 *  2. Clear each, and queue each page in the gather, until the gather is full.
 *  3. Note the range for the flush; one removal of map counts, of what was cleared and no more.
 *  4. Whoever called advances by exactly that, and, if the gather was full, flushes before the lock drops. The gather
 *     holds the cleared entries' references until then, so the folio outlives step 3.
 *
 * All of it under the PTE lock, which keeps everybody but the hardware from the entries. That sets accessed and dirty,
 * which are not compared; the exchange of step 2 takes them along.
 *
 * Source: Linux 6.18 mm/memory.c (zap_present_folio_ptes, zap_present_ptes), mm/internal.h (folio_pte_batch_flags);
 * "mm: Batch-zap large anonymous folio PTE mappings" (Roberts, 2023) for gathers that fill in the middle.
 */

import { F_ANON, F_DIRTY, F_ORDER, folioFlags, folioHead, folioOf } from '../alloc/folio.ts';
import { rmapRemovePtes } from '../space/mapcount.ts';
import { rssKind, rssSub } from '../space/rss.ts';
import { gatherNoteRange, gatherPage } from '../tables/gather.ts';
import { entryNumber, PTE_ACCESSED, PTE_DIRTY, PTE_WRITE } from '../word/entry.ts';
import { F_FLAGS } from '../word/layout.ts';
import { exchange, load, or } from '../word/word.ts';

/** What zapping one run answers beside the number of entries: the gather is full. */
export const RUN_FULL: u32 = 0x10000;

/** What may differ between the entries of a run. */
const NOT_COMPARED: u32 = PTE_ACCESSED | PTE_DIRTY | PTE_WRITE;

/**
 * Entries from `pte` on, `most` at most, that map consecutive pages of one folio as `entry`, the first of them, does.
 * PTE lock held.
 */
export function folioPteBatch(pte: Pte, entry: Entry, most: u32): u32 {
  const frame = entryNumber(entry);
  const head = folioHead(frame);
  const left: u32 = head + (1 << (folioFlags(frame) & F_ORDER)) - frame;
  const limit = left < most ? left : most;
  let run: u32 = 1;
  let expected: u32 = ((entry | NOT_COMPARED) + 0x100) >>> 0;
  while (run < limit && (load(pte + (run << 2)) | NOT_COMPARED) >>> 0 === expected) {
    run += 1;
    expected = (expected + 0x100) >>> 0;
  }
  return run;
}

/**
 * Takes out the run that begins with `entry`, a present, counted one at `pte`, of page `vpn`; `most` entries at most.
 * Returns how many it was, with RUN_FULL when the gather has no more room. PTE lock held.
 */
export function zapPresentFolioPtes(
  gather: Gather,
  mm: Mm,
  pte: Pte,
  vpn: Vpn,
  entry: Entry,
  most: u32,
): u32 {
  const frame = entryNumber(entry);
  const run = folioPteBatch(pte, entry, most);
  let marks: u32 = 0;
  let done: u32 = 0;
  let full = false;
  while (done < run && !full) {
    // Pairs with GUP-fast's second look at the entry.
    marks = marks | exchange(pte + (done << 2), 0);
    full = gatherPage(gather, frame + done);
    done += 1;
  }
  gatherNoteRange(gather, vpn, vpn + done);
  if ((marks & PTE_DIRTY) !== 0 && (folioFlags(frame) & F_ANON) === 0)
    or(folioOf(folioHead(frame)) + F_FLAGS, F_DIRTY);
  rssSub(mm, rssKind(entry), done);
  rmapRemovePtes(frame, done);
  return full ? done | RUN_FULL : done;
}
