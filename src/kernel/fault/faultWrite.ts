/**
 * Write faults on present, write-protected entries.
 *
 *  shared mapping     make the entry writable: there is nothing to copy
 *  anonymous page     the same if it is exclusive to this entry (F_EXCLUSIVE), however many pins there are: a copy
 *                     would part the pins from what the program sees. So is one that fork shared when its only
 *                     reference is this entry's again
 *  anything else      copy: a new anonymous page in the entry's place
 *
 * Before that: an entry that is write-protected for a userfaultfd is for its monitor to decide on.
 *
 * Copying: 1. with a reference on the old page, no spinlock held, allocate the new one; 2. PTE lock, the entry must be
 * unchanged (it is not none, so an equal entry shows that its table is still linked); 3. clear the entry, flush its
 * translation everywhere, then store the new one, so that no CPU reads the old page after another wrote the new one; 4.
 * drop the old mapping.
 *
 * The flush waits for interrupts with the PTE lock held: CPUs that spin on that lock answer them.
 * Lock order: mmap_lock or VMA lock, PTE lock. Source: Linux mm/memory.c (do_wp_page, wp_page_copy,
 * wp_can_reuse_anon_folio).
 */

import {
  F_ANON,
  F_DIRTY,
  F_EXCLUSIVE,
  folioFlags,
  folioHead,
  folioLarge,
  folioOf,
  pageExclusive,
} from '../alloc/folio.ts';
import { folioPut, folioTryGet, frameAlloc } from '../alloc/frame.ts';
import { flushTlbRange } from '../cpu/flush.ts';
import { count, COUNTER_COPIES } from '../observe/stats.ts';
import { folioTrylock, folioUnlock } from '../sleep/sleepLock.ts';
import { rmapRemovePtes } from '../space/mapcount.ts';
import { rssKind, rssSub } from '../space/rss.ts';
import { clearPte, pteOffsetMapLock, pteUnmapUnlock, setPte } from '../tables/pteMap.ts';
import { handleUserfault, UFFD_FAULT_WP } from '../watch/uffdFault.ts';
import { uffdPteWp } from '../watch/uffdMarker.ts';
import { ENOMEM, VM_SHARED, VM_WRITE } from '../word/config.ts';
import {
  entryFlags,
  entryMake,
  entryNumber,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_SPECIAL,
  PTE_WRITE,
} from '../word/entry.ts';
import { F_FLAGS, F_OWNER, F_REF, VMA_ANON, VMA_FLAGS } from '../word/layout.ts';
import { load, or, store } from '../word/word.ts';
import { mapAnonFrame } from './newEntry.ts';

/**
 * Whether an anonymous folio, a single page or mapped by a huge PMD, that was shared belongs to this entry alone by
 * now: its only reference is the entry's. The folio lock keeps walks of the rmap away while the page gets the VMA's own
 * anon_vma: whoever else has those it was in no longer maps it (wp_can_reuse_anon_folio).
 */
export function canReuseAnon(vma: Vma, head: Head): boolean {
  const folio = folioOf(head);
  if (load(folio + F_REF) !== 1) return false;
  // Nobody gets a further reference: that takes an entry, a place in the page cache, or a reference.
  if (!folioTrylock(head)) return false;
  store(folio + F_OWNER, load(vma + VMA_ANON));
  folioUnlock(head);
  return true;
}

/** Whether the write to a page of `vma` needs no copy. `entry` is present and write-protected; its PTE lock is held. */
export function mayReuse(vma: Vma, entry: Entry): boolean {
  if ((load(vma + VMA_FLAGS) & VM_SHARED) !== 0) return true;
  if ((entry & PTE_SPECIAL) !== 0) return false;
  const page = entryNumber(entry);
  if ((folioFlags(page) & F_ANON) === 0) return false;
  if (pageExclusive(page)) return true;
  if (folioLarge(page) || !canReuseAnon(vma, page)) return false;
  or(folioOf(page) + F_FLAGS, F_EXCLUSIVE);
  return true;
}

/** Makes the entry at `pte`, which is still `entry`, writable. PTE lock held; `mayReuse` said that it may be. */
export function reusePage(flags: u32, pte: Pte, entry: Entry): void {
  if ((flags & VM_SHARED) !== 0) or(folioOf(folioHead(entryNumber(entry))) + F_FLAGS, F_DIRTY);
  // Atomic: a walker may set accessed or dirty at the same time. Rights only grow, so no flush is needed.
  or(pte, PTE_WRITE | PTE_ACCESSED | PTE_DIRTY);
}

/**
 * Step 1 of copying: a reference on the page of `entry`, the PTE lock held. Returns the frame, 0 for the zero page,
 * which needs none.
 */
export function pinForCopy(entry: Entry): Frame {
  const old = entryNumber(entry);
  return (entry & PTE_SPECIAL) === 0 && folioTryGet(old) ? old : 0;
}

/**
 * Steps 3 and 4 of copying, the PTE lock held, the entry unchanged. `rights`: PTE_WRITE, or 0 for a copy that is only
 * read. Takes over the reference on `fresh`; drops the lock, ends the mapping.
 */
export function replaceLocked(
  mm: Mm,
  vma: Vma,
  pte: Pte,
  vpn: Vpn,
  entry: Entry,
  fresh: Head,
  rights: u32,
): void {
  clearPte(pte);
  flushTlbRange(mm, vpn, vpn + 1, false);
  mapAnonFrame(mm, vma, vpn, fresh);
  setPte(pte, entryMake(fresh, entryFlags(load(vma + VMA_FLAGS)) | rights | PTE_DIRTY));
  const special = (entry & PTE_SPECIAL) !== 0;
  if (!special) {
    rssSub(mm, rssKind(entry), 1);
    rmapRemovePtes(entryNumber(entry), 1);
  }
  pteUnmapUnlock(pte);
  if (!special) folioPut(entryNumber(entry));
}

/** Steps 2 to 4 of copying. Takes over the reference on `fresh`. */
function replacePage(
  mm: Mm,
  vma: Vma,
  pmd: Pmd,
  vpn: Vpn,
  entry: Entry,
  fresh: Head,
  rights: u32,
): void {
  const pte = pteOffsetMapLock(pmd, vpn);
  if (pte === 0) {
    folioPut(fresh);
    return;
  }
  if (load(pte) !== entry) {
    pteUnmapUnlock(pte);
    folioPut(fresh);
    return;
  }
  replaceLocked(mm, vma, pte, vpn, entry, fresh, rights);
}

/**
 * A write fault on `entry`, read from the table that the PMD at `pmd` names. Preconditions and results as for
 * handleMmFault; the VMA permits writing.
 */
export function faultWrite(mm: Mm, vma: Vma, pmd: Pmd, vpn: Vpn, entry: Entry): u32 {
  const flags = load(vma + VMA_FLAGS);
  const pte = pteOffsetMapLock(pmd, vpn);
  if (pte === 0) return 0;
  if (load(pte) !== entry || (flags & VM_WRITE) === 0) {
    pteUnmapUnlock(pte);
    return 0;
  }
  if (uffdPteWp(flags, entry)) {
    pteUnmapUnlock(pte);
    return handleUserfault(mm, vpn, UFFD_FAULT_WP);
  }
  if (mayReuse(vma, entry)) {
    reusePage(flags, pte, entry);
    pteUnmapUnlock(pte);
    return 0;
  }
  return copyPage(mm, vma, pmd, pte, vpn, entry, PTE_WRITE);
}

/**
 * Copying, from step 1 on: `pte` is mapped and locked and holds `entry`; it is neither on return. Results as for
 * faultWrite.
 */
function copyPage(mm: Mm, vma: Vma, pmd: Pmd, pte: Pte, vpn: Vpn, entry: Entry, rights: u32): u32 {
  const old = pinForCopy(entry);
  pteUnmapUnlock(pte);
  const fresh = frameAlloc(0, F_ANON | F_EXCLUSIVE);
  if (fresh !== 0) {
    replacePage(mm, vma, pmd, vpn, entry, fresh, rights);
    count(COUNTER_COPIES);
  }
  if (old !== 0) folioPut(old);
  return fresh === 0 ? ENOMEM : 0;
}

/**
 * Gives `entry`, which maps an anonymous page that others share, a page of its own without the right to write, for
 * somebody who wants to pin it (FAULT_FLAG_UNSHARE). Precondition: mmap_lock for read, a walk of the tables. Returns 0,
 * also when the entry is another one by now, or ENOMEM.
 */
export function faultUnshare(mm: Mm, vma: Vma, pmd: Pmd, vpn: Vpn, entry: Entry): u32 {
  const pte = pteOffsetMapLock(pmd, vpn);
  if (pte === 0) return 0;
  if (load(pte) !== entry || mayReuse(vma, entry)) {
    pteUnmapUnlock(pte);
    return 0;
  }
  return copyPage(mm, vma, pmd, pte, vpn, entry, 0);
}
