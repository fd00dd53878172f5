/**
 * GUP-fast: pinning the page behind an address without any lock.
 *
 * Guarantee: a frame that is returned was mapped at `vpn` with sufficient rights at the moment of the second look, and
 * stays allocated until `gupPut`.
 *
 *  1. Interrupts off: a table that is freed by interrupt (semi-RCU), or by RCU, is not freed before step 6.
 *  2. Read the tables down to the entry, unless fork is write-protecting the address space. 3. Rights sufficient? 4.
 *     Take a reference unless the count is zero, and make it a pin.
 *  5. Read PMD *and* entry again; on a change drop the reference: a mutator clears first and looks at references
 *     afterwards, so one of the two sees the other. 6. Interrupts on. Whatever fails: the slow path, a fault and a
 *     reference under the PTE lock.
 *
 * A huge PMD is the entry itself: there is one word to look at again.
 *
 * An anonymous page that several entries share since a fork is not pinned, not for reading either: step 5 looks whether
 * the page is exclusive, and whether fork has begun meanwhile; the slow path copies the page first, out of a huge PMD
 * that it splits.
 *
 * Source: Linux mm/gup.c (gup_fast, gup_fast_pte_range, gup_fast_pmd_leaf, faultin_page).
 */

import { F_ANON, folioFlags, folioGet, frameGeneration, pageExclusive } from '../alloc/folio.ts';
import { folioTryGet } from '../alloc/frame.ts';
import { ptdescOf } from '../alloc/table.ts';
import { irqDisable, irqEnable } from '../cpu/irq.ts';
import { syncPoint } from '../cpu/syncPoint.ts';
import { faultUnshare } from '../fault/faultWrite.ts';
import { mayReuseHuge } from '../fault/hugeFork.ts';
import { pmdTransHugeLock, splitHugePmdLocked } from '../huge/hugePmd.ts';
import { violation } from '../observe/report.ts';
import { count, COUNTER_GUP_FAST, COUNTER_GUP_SLOW } from '../observe/stats.ts';
import { mmapReadLock, mmapReadUnlock } from '../sleep/mmapLock.ts';
import { pinFolio, unpinFolio } from '../space/pin.ts';
import { vmaLookup } from '../space/vma.ts';
import { walkBegin, walkEnd } from '../word/hooks.ts';
import { hugeFirst, pmdUnlock, pteOffset } from '../tables/offsets.ts';
import { pteOffsetMapLock, pteUnmapUnlock } from '../tables/pteMap.ts';
import { pmdFind } from '../tables/walk.ts';
import { CHECK } from '../word/check.ts';
import {
  ORACLE_FRAME_USE_AFTER_FREE,
  ORACLE_TABLE_USE_AFTER_FREE,
  PMD_PAGES,
  POISON_TABLE,
} from '../word/config.ts';
import {
  entryHuge,
  entryNamesTable,
  entryNumber,
  entryPresent,
  hugePart,
  PTE_SPECIAL,
  PTE_USER,
  PTE_WRITE,
} from '../word/entry.ts';
import { MM_WRITE_PROTECT_SEQ, PT_GEN } from '../word/layout.ts';
import { load } from '../word/word.ts';
import { userFault } from './fault.ts';

/** Rights that a pin needs. */
function rightsFor(write: u32): u32 {
  return write !== 0 ? PTE_USER | PTE_WRITE : PTE_USER;
}

/** Whether a frame may be pinned through `entry`. The zero page is not pinned. */
function pinnable(entry: Entry, write: u32): boolean {
  const rights = rightsFor(write);
  return entryPresent(entry) && (entry & rights) === rights && (entry & PTE_SPECIAL) === 0;
}

/**
 * Whether the page is an anonymous one that others share: they would part from whoever pinned it at the first write.
 */
function mustUnshare(entry: Entry): boolean {
  const page = entryNumber(entry);
  return (folioFlags(page) & F_ANON) !== 0 && !pageExclusive(page);
}

/** Steps 3 to 5 for the huge PMD value `upper`, read from `pmd` after the sequence `seq`. Returns the frame, or 0. */
function pinHugeLockless(mm: Mm, seq: u32, pmd: Pmd, upper: Entry, vpn: Vpn, write: u32): Frame {
  if (!pinnable(upper, write)) return 0;
  const frame = entryNumber(hugePart(upper, vpn & (PMD_PAGES - 1)));
  syncPoint();
  if (!folioTryGet(frame)) return 0;
  pinFolio(frame);
  if (load(pmd) !== upper) {
    unpinFolio(frame);
    return 0;
  }
  // Pairs with copyHugePmd, as that of a page below with copyPageRange.
  if (mustUnshare(upper) || load(mm + MM_WRITE_PROTECT_SEQ) !== seq) {
    unpinFolio(frame);
    return 0;
  }
  return frame;
}

/** Steps 2 to 5, interrupts off. Returns the frame, or 0. */
function pinLockless(mm: Mm, vpn: Vpn, write: u32): Frame {
  const seq = load(mm + MM_WRITE_PROTECT_SEQ);
  if ((seq & 1) !== 0) return 0;
  const pmd = pmdFind(mm, vpn);
  if (pmd === 0) return 0;
  const upper = load(pmd);
  if (entryHuge(upper)) return pinHugeLockless(mm, seq, pmd, upper, vpn, write);
  if (!entryNamesTable(upper)) return 0;
  const desc = ptdescOf(entryNumber(upper));
  const generation = load(desc + PT_GEN);
  syncPoint();
  const pte = pteOffset(upper, vpn);
  const entry = load(pte);
  if (CHECK >= 1 && (entry === POISON_TABLE || load(desc + PT_GEN) !== generation)) {
    violation(ORACLE_TABLE_USE_AFTER_FREE, vpn, upper, entry);
    return 0;
  }
  if (!pinnable(entry, write)) return 0;
  const frame = entryNumber(entry);
  if (!folioTryGet(frame)) return 0;
  pinFolio(frame);
  if (load(pmd) !== upper || load(pte) !== entry) {
    unpinFolio(frame);
    return 0;
  }
  // Pairs with copyPageRange, which raises the sequence before it looks for pins.
  if (mustUnshare(entry) || load(mm + MM_WRITE_PROTECT_SEQ) !== seq) {
    unpinFolio(frame);
    return 0;
  }
  return frame;
}

/** Pins the page at `vpn` of the huge PMD entry at `pmd`, whose lock is held. Returns the frame, or 0. */
function pinHugeLocked(pmd: Pmd, vpn: Vpn, write: u32): Frame {
  const entry = hugePart(load(pmd), vpn & (PMD_PAGES - 1));
  if (!pinnable(entry, write)) return 0;
  folioGet(entryNumber(entry));
  pinFolio(entryNumber(entry));
  return entryNumber(entry);
}

/**
 * Pins the page at `vpn` under its PTE lock, mmap_lock held for read. Returns the frame, or 0; a shared one is copied
 * first, once.
 */
function pinLocked(mm: Mm, vma: Vma, vpn: Vpn, write: u32, unshare: boolean): Frame {
  const pmd = pmdFind(mm, vpn);
  let frame: Frame = 0;
  if (pmd !== 0 && pmdTransHugeLock(pmd)) {
    const huge = load(pmd);
    const shared = pinnable(huge, write) && mustUnshare(huge) && !mayReuseHuge(vma, huge);
    if (!shared) frame = pinHugeLocked(pmd, vpn, write);
    else if (unshare) splitHugePmdLocked(mm, pmd, hugeFirst(vpn));
    pmdUnlock(pmd);
    if (!shared || !unshare) return frame;
  }
  const pte = pmd === 0 ? 0 : pteOffsetMapLock(pmd, vpn);
  if (pte === 0) return 0;
  const entry = load(pte);
  let shared = false;
  if (pinnable(entry, write)) {
    shared = mustUnshare(entry);
    if (!shared) {
      frame = entryNumber(entry);
      folioGet(frame);
      pinFolio(frame);
    }
  }
  pteUnmapUnlock(pte);
  if (!shared || !unshare || faultUnshare(mm, vma, pmd, vpn, entry) !== 0) return frame;
  return pinLocked(mm, vma, vpn, write, false);
}

/** The slow path: fault, then a reference under the PTE lock. Returns the frame, or 0 when the page cannot be had. */
function pinSlowly(mm: Mm, vpn: Vpn, write: u32): Frame {
  count(COUNTER_GUP_SLOW);
  if (userFault(mm, vpn, write) !== 0) return 0;
  mmapReadLock(mm);
  // A VMA there keeps the upper tables: munmap frees them with mmap_lock held for reading.
  const vma = vmaLookup(mm, vpn);
  walkBegin(mm);
  const frame = vma === 0 ? 0 : pinLocked(mm, vma, vpn, write, true);
  walkEnd(mm);
  mmapReadUnlock(mm);
  return frame;
}

/**
 * Pins the page at `vpn` without faulting or taking a lock (get_user_pages_fast_only). Returns its frame; 0: the slow
 * path is needed.
 */
export function gupFastOnly(mm: Mm, vpn: Vpn, write: u32): Frame {
  irqDisable();
  const frame = pinLockless(mm, vpn, write);
  irqEnable();
  count(COUNTER_GUP_FAST);
  return frame;
}

/**
 * Pins the page at `vpn` for reading or writing. Returns its frame; 0: not mapped, no right, no memory, or the zero
 * page.
 */
export function gupFast(mm: Mm, vpn: Vpn, write: u32): Frame {
  const frame = gupFastOnly(mm, vpn, write);
  return frame !== 0 ? frame : pinSlowly(mm, vpn, write);
}

/** Checks that a pinned frame is still the one that was pinned; `generation` is its generation then. */
export function gupCheck(frame: Frame, generation: u32): void {
  if (frameGeneration(frame) !== generation)
    violation(ORACLE_FRAME_USE_AFTER_FREE, frame, generation, frameGeneration(frame));
}

/** Releases a pin. */
export function gupPut(frame: Frame): void {
  unpinFolio(frame);
}
