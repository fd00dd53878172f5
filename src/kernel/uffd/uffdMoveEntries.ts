/**
 * UFFDIO_MOVE, entry by entry: what is done between two PTE tables that are mapped (steps 2 to 6 of uffdMove.ts).
 *
 *  2. Look: the destination's entry must be none (EEXIST), the source's something (ENOENT, or a hole that is passed
 *     over); none only under its lock.
 *  3. Take both PTE locks, in order of their addresses, as two moves may go in opposite directions.
 *  4. Look again: both entries *and the destination's PMD* must be as they were, else begin again at 1. The source's
 *     entry is not none, so an equal entry shows that its table is still linked. The destination's is none: only the
 *     PMD shows that its table was not reclaimed.
 *  5. Page by page, its folio locked by trying (else begin again when it is free): clear the source's entry, then look
 *     whether the page is pinned, as GUP-fast pins first and looks at the entry afterwards: then put the entry back
 *     (EBUSY). Note the page's new place and anon_vma; set the destination's entry, writable, without write protection.
 *     A page of a larger folio cannot go alone: the folio is handed to the caller, locked, to be split (MOVE_SPLITS).
 *  6. Flush the source's range, still under the locks; then nobody writes through the old address.
 *
 * Lock order: PTE locks, the lower address first; the folio lock, by trying. Source: Linux 6.18 mm/userfaultfd.c
 * (move_pages_ptes, move_present_ptes, move_swap_pte, move_zeropage_pte, is_pte_pages_stable,
 * check_ptes_for_batched_move, double_pt_lock).
 */

import {
  F_ANON,
  folioFlags,
  folioGet,
  folioHead,
  folioLarge,
  folioOf,
  pageExclusive,
  ZERO_FRAME,
} from '../alloc/folio.ts';
import { tableOfEntry } from '../alloc/table.ts';
import { flushTlbRange } from '../cpu/flush.ts';
import { syncPoint } from '../cpu/syncPoint.ts';
import { faultWaits } from '../fault/newEntry.ts';
import { folioTrylock, folioUnlock } from '../sleep/sleepLock.ts';
import { maybePinned } from '../space/pin.ts';
import { linearPageIndex } from '../space/vma.ts';
import { clearPte, pteLock, pteLockNested, pteUnlock, setPte } from '../tables/pteMap.ts';
import { EAGAIN, EBUSY, EEXIST, EFAULT, ENOENT } from '../word/config.ts';
import {
  ENTRY_KIND,
  ENTRY_SWAP,
  entryFlags,
  entryMake,
  entryMigrating,
  entryNumber,
  entryPresent,
  PTE_DIRTY,
  PTE_SPECIAL,
  PTE_WRITE,
} from '../word/entry.ts';
import { C_FAULT_FOLIO, F_INDEX, F_OWNER, VMA_ANON, VMA_FLAGS } from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { load, poke, store } from '../word/word.ts';

/**
 * Instead of an error: the folio in C_FAULT_FOLIO, which is locked and has a reference of this CPU's, must be split
 * first.
 */
export const MOVE_SPLITS: u32 = 0x202;

/** Step 3. */
function lockBoth(a: Pte, b: Pte): void {
  if (tableOfEntry(a) === tableOfEntry(b)) {
    pteLock(a);
  } else if (tableOfEntry(a) < tableOfEntry(b)) {
    pteLock(a);
    pteLockNested(b);
  } else {
    pteLock(b);
    pteLockNested(a);
  }
}

function unlockBoth(a: Pte, b: Pte): void {
  if (tableOfEntry(a) !== tableOfEntry(b)) pteUnlock(b);
  pteUnlock(a);
}

/**
 * Why the page that `entry` maps cannot move as it is: EBUSY, since it is not anonymous and exclusive to this entry
 * (PageAnonExclusive); MOVE_SPLITS; 0.
 */
function obstacle(entry: Entry): u32 {
  const page = entryNumber(entry);
  if ((folioFlags(page) & F_ANON) === 0 || !pageExclusive(page)) return EBUSY;
  return folioLarge(page) ? MOVE_SPLITS : 0;
}

/**
 * MOVE_SPLITS for the folio of several pages that `page` is one of, or FAULT_WAITS if somebody has its lock: then no
 * reference of ours is in the way of a split that is under way. The lock of a PTE that maps the page is held.
 */
function claimLarge(page: Frame): u32 {
  const head = folioHead(page);
  if (!folioTrylock(head)) return faultWaits(page);
  folioGet(head);
  poke(thisCpu() + C_FAULT_FOLIO, head);
  return MOVE_SPLITS;
}

/**
 * Notes that the locked folio of `head` begins at `vpn` of `vma` from now on, which has an anon_vma
 * (folio_move_anon_rmap).
 */
export function folioMoveAnonRmap(vma: Vma, head: Head, vpn: Vpn): void {
  const folio = folioOf(head);
  // Atomic: whoever still has the frame's number from before may look at its owner.
  store(folio + F_OWNER, load(vma + VMA_ANON));
  store(folio + F_INDEX, linearPageIndex(vma, vpn));
}

/**
 * Step 5 for a present page, whose folio is locked: no walk of the rmap looks for it meanwhile. Both PTE locks held.
 * Returns 0 or EBUSY.
 */
function movePresent(vma: Vma, dst: Pte, src: Pte, dstVpn: Vpn): u32 {
  const entry = clearPte(src);
  const page = entryNumber(entry);
  if (maybePinned(page)) {
    setPte(src, entry);
    return EBUSY;
  }
  folioMoveAnonRmap(vma, page, dstVpn);
  const flags = entryFlags(load(vma + VMA_FLAGS)) | PTE_WRITE | (entry & PTE_DIRTY);
  setPte(dst, entryMake(page, flags));
  return 0;
}

/**
 * Whether the entry at `src` is what a stretch may go on with: a movable page; and that at `dst` is none. Both PTE
 * locks held.
 */
function goesOn(dst: Pte, src: Pte): boolean {
  const entry = load(src);
  if (load(dst) !== 0 || !entryPresent(entry) || (entry & PTE_SPECIAL) !== 0) return false;
  return obstacle(entry) === 0;
}

/**
 * Steps 5 and 6 for up to `pages` present pages, whose folios are locked by trying. Both PTE locks held. Returns how
 * many moved; or, when the first one does not, `failed`: EBUSY, FAULT_WAITS for its folio, or MOVE_SPLITS.
 */
function movePresentPages(
  mm: Mm,
  vma: Vma,
  dst: Pte,
  src: Pte,
  dstVpn: Vpn,
  srcVpn: Vpn,
  pages: u32,
): u32 {
  let moved: u32 = 0;
  let error = obstacle(load(src));
  if (error === MOVE_SPLITS) error = claimLarge(entryNumber(load(src)));
  let going = error === 0;
  while (going) {
    const at = moved << 2;
    const page = entryNumber(load(src + at));
    error = faultWaits(page);
    if (folioTrylock(page)) {
      error = movePresent(vma, dst + at, src + at, dstVpn + moved);
      folioUnlock(page);
    }
    going = error === 0;
    if (going) {
      moved += 1;
      going = moved < pages && goesOn(dst + (moved << 2), src + (moved << 2));
    }
  }
  if (moved === 0) return failed(error);
  flushTlbRange(mm, srcVpn, srcVpn + moved, false);
  return moved;
}

/** What a stretch did, in the bits above the page count: an error number. */
export const ERROR_SHIFT: u32 = 16;
export const PAGES_MASK: u32 = 0xffff;

export function failed(error: u32): u32 {
  return (error << ERROR_SHIFT) >>> 0;
}

/**
 * The entry at `pte`, mapped; none only if it is so under its lock: whoever migrates a page, or splits its folio,
 * clears the entry for a moment, and a page that is passed over as a hole would stay behind.
 */
function settledEntry(pte: Pte): Entry {
  let entry = load(pte);
  if (entry !== 0) return entry;
  pteLock(pte);
  entry = load(pte);
  pteUnlock(pte);
  return entry;
}

/**
 * Steps 2 to 6, both tables mapped; `dstPmdValue` is what the destination's PMD was then. Returns the pages done, or
 * `failed` of an error: EAGAIN: begin again;
 * FAULT_WAITS: when the folio C_FAULT_FOLIO is unlocked; MOVE_SPLITS.
 */
export function moveMapped(
  mm: Mm,
  vma: Vma,
  dstPmd: Pmd,
  dstPmdValue: Entry,
  dst: Pte,
  src: Pte,
  dstVpn: Vpn,
  srcVpn: Vpn,
  pages: u32,
  holes: boolean,
): u32 {
  if (load(dst) !== 0) return failed(EEXIST);
  const entry = settledEntry(src);
  if (entry === 0) return holes ? 1 : failed(ENOENT);
  const present = entryPresent(entry);
  const special = present && (entry & PTE_SPECIAL) !== 0;
  if (entryMigrating(entry)) return failed(faultWaits(entryNumber(entry)));
  if (!present && (entry & ENTRY_KIND) !== ENTRY_SWAP) return failed(EFAULT);
  syncPoint();
  lockBoth(dst, src);
  let result: u32 = 0;
  if (load(src) !== entry || load(dst) !== 0 || load(dstPmd) !== dstPmdValue) {
    result = failed(EAGAIN);
  } else if (present && !special) {
    result = movePresentPages(mm, vma, dst, src, dstVpn, srcVpn, pages);
  } else {
    clearPte(src);
    if (special) flushTlbRange(mm, srcVpn, srcVpn + 1, false);
    const flags = entryFlags(load(vma + VMA_FLAGS)) | PTE_SPECIAL;
    setPte(dst, special ? entryMake(ZERO_FRAME, flags) : entry);
    result = 1;
  }
  unlockBoth(dst, src);
  return result;
}
