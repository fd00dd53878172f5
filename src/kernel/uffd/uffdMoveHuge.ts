/**
 * UFFDIO_MOVE of a whole huge PMD to a PMD that is none.
 *
 *  1. Take both PMD locks, in order of their addresses. The source must still be huge, the destination none; else begin
 *     again.
 *  2. Lock the folio, by trying, so that no walk of the rmap looks for it meanwhile. It must be exclusive to this
 *     entry.
 *  3. Clear the source, then look whether the folio is pinned, as GUP-fast pins first and looks at the entry
 *     afterwards: then put it back (EBUSY).
 *  4. Note the folio's new place and anon_vma; the deposited table goes along; store the entry at the destination.
 *  5. Flush the source's range, still under the locks.
 * The huge zero page needs none of 2 and 3.
 *
 * Lock order: mmap_lock for read; PMD locks, the lower address first; the folio lock, by trying. The flush waits for
 * interrupts with the PMD locks held: who spins on them answers. Source: Linux 6.18 mm/huge_memory.c
 * (move_pages_huge_pmd).
 */

import { pageExclusive } from '../alloc/folio.ts';
import { ptdescOfEntry, tableOfEntry } from '../alloc/table.ts';
import { flushTlbRange } from '../cpu/flush.ts';
import { faultWaits } from '../fault/newEntry.ts';
import { deposit, withdraw } from '../huge/hugeDeposit.ts';
import { LC_PMD, spinLock, spinLockNested, spinUnlock } from '../lock/lock.ts';
import { folioTrylock, folioUnlock } from '../sleep/sleepLock.ts';
import { maybePinned } from '../space/pin.ts';
import { upperCleared, upperInstalled } from '../word/hooks.ts';
import { EAGAIN, EBUSY, PMD_PAGES } from '../word/config.ts';
import {
  entryFlags,
  entryHuge,
  entryMake,
  entryNumber,
  PTE_DIRTY,
  PTE_HUGE,
  PTE_SPECIAL,
  PTE_WRITE,
} from '../word/entry.ts';
import { PT_LOCK, VMA_FLAGS } from '../word/layout.ts';
import { exchange, load, store } from '../word/word.ts';
import { failed, folioMoveAnonRmap } from './uffdMoveEntries.ts';

/** Whether the huge entry `value` of a private anonymous VMA may move, whole or in parts. PMD lock held. */
export function hugeMovable(value: Entry): boolean {
  return (value & PTE_SPECIAL) !== 0 || pageExclusive(entryNumber(value));
}

/** Step 1. */
function lockBoth(a: Pmd, b: Pmd): void {
  const first = tableOfEntry(a) <= tableOfEntry(b) ? a : b;
  spinLock(ptdescOfEntry(first) + PT_LOCK, LC_PMD);
  if (tableOfEntry(a) !== tableOfEntry(b))
    spinLockNested(ptdescOfEntry(first === a ? b : a) + PT_LOCK, LC_PMD);
}

function unlockBoth(a: Pmd, b: Pmd): void {
  if (tableOfEntry(a) !== tableOfEntry(b)) spinUnlock(ptdescOfEntry(b) + PT_LOCK, LC_PMD);
  spinUnlock(ptdescOfEntry(a) + PT_LOCK, LC_PMD);
}

/** Steps 4 and 5 for `old`, which was cleared from `srcPmd`. Both locks held. */
function arrive(
  mm: Mm,
  vma: Vma,
  dstPmd: Pmd,
  srcPmd: Pmd,
  dstVpn: Vpn,
  srcVpn: Vpn,
  old: Entry,
): void {
  const special = old & PTE_SPECIAL;
  const head = entryNumber(old);
  if (special === 0) folioMoveAnonRmap(vma, head, dstVpn);
  if (tableOfEntry(srcPmd) !== tableOfEntry(dstPmd)) deposit(dstPmd, withdraw(srcPmd));
  upperCleared(srcPmd);
  upperInstalled(dstPmd);
  const rights: u32 = special !== 0 ? PTE_SPECIAL : PTE_WRITE | PTE_DIRTY;
  store(dstPmd, entryMake(head, entryFlags(load(vma + VMA_FLAGS)) | rights | PTE_HUGE));
  flushTlbRange(mm, srcVpn, srcVpn + PMD_PAGES, false);
}

/**
 * Steps 2 to 5, both locks held. Returns the pages moved, or `failed` of EAGAIN, EBUSY, or FAULT_WAITS for the folio.
 */
function moveLocked(mm: Mm, vma: Vma, dstPmd: Pmd, srcPmd: Pmd, dstVpn: Vpn, srcVpn: Vpn): u32 {
  const entry = load(srcPmd);
  if (!entryHuge(entry) || load(dstPmd) !== 0) return failed(EAGAIN);
  if ((entry & PTE_SPECIAL) !== 0) {
    arrive(mm, vma, dstPmd, srcPmd, dstVpn, srcVpn, exchange(srcPmd, 0));
    return PMD_PAGES;
  }
  const head = entryNumber(entry);
  if (!pageExclusive(head)) return failed(EBUSY);
  if (!folioTrylock(head)) return failed(faultWaits(head));
  // Pairs with the second look of GUP-fast: it sees the entry change, or this CPU sees its pin.
  const old = exchange(srcPmd, 0);
  const pinned = maybePinned(head);
  if (pinned) store(srcPmd, old);
  else arrive(mm, vma, dstPmd, srcPmd, dstVpn, srcVpn, old);
  folioUnlock(head);
  return pinned ? failed(EBUSY) : PMD_PAGES;
}

/**
 * Moves the huge entry at `srcPmd`, of the span at `srcVpn`, to `dstPmd`, of that at `dstVpn` in `vma`. mmap_lock is
 * held for read; both VMAs are private and anonymous, `vma` has an anon_vma. Returns the pages moved, or `failed` of
 * EAGAIN: begin again; EBUSY: it is pinned or shared; FAULT_WAITS.
 */
export function uffdMoveHugePmd(
  mm: Mm,
  vma: Vma,
  dstPmd: Pmd,
  srcPmd: Pmd,
  dstVpn: Vpn,
  srcVpn: Vpn,
): u32 {
  lockBoth(dstPmd, srcPmd);
  const result = moveLocked(mm, vma, dstPmd, srcPmd, dstVpn, srcVpn);
  unlockBoth(dstPmd, srcPmd);
  return result;
}
