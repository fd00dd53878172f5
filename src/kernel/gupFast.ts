/**
 * GUP-fast: pinning the page behind an address without any lock.
 *
 * Guarantee: a frame that is returned was mapped at `vpn` with sufficient rights at the moment of the second look, and stays allocated until `gupPut`.
 *
 *  1. Interrupts off: a table that is freed by interrupt (semi-RCU), or by RCU, is not freed before step 6.
 *  2. Read the tables down to the entry. 3. Rights sufficient? 4. Take a reference unless the count is zero.
 *  5. Read PMD *and* entry again; on a change drop the reference: a mutator clears first and looks at references afterwards, so one of the two sees
 *     the other. 6. Interrupts on. Whatever fails: the slow path, a fault and a reference under the PTE lock.
 *
 * A huge PMD is the entry itself: there is one word to look at again.
 *
 * Source: Linux mm/gup.c (gup_fast, gup_fast_pte_range, gup_fast_pmd_leaf, faultin_page).
 */

import { CHECK } from './check.ts';
import {
  ORACLE_FRAME_USE_AFTER_FREE,
  ORACLE_TABLE_USE_AFTER_FREE,
  PMD_PAGES,
  POISON_TABLE,
} from './config.ts';
import {
  entryHuge,
  entryNamesTable,
  entryNumber,
  entryPresent,
  hugePart,
  PTE_SPECIAL,
  PTE_USER,
  PTE_WRITE,
} from './entry.ts';
import { userFault } from './fault.ts';
import { folioGet, folioPut, folioTryGet, frameGeneration } from './frame.ts';
import { pmdTransHugeLock } from './hugePmd.ts';
import { irqDisable, irqEnable } from './irq.ts';
import { syncPoint } from './inject.ts';
import { PT_GEN } from './layout.ts';
import { mmapReadLock, mmapReadUnlock } from './mmapLock.ts';
import { pteOffsetMapLock, pteUnmapUnlock } from './pteMap.ts';
import { walkBegin, walkEnd } from './protocol.ts';
import { violation } from './report.ts';
import { count, COUNTER_GUP_FAST, COUNTER_GUP_SLOW } from './stats.ts';
import { ptdescOf } from './table.ts';
import { vmaLookup } from './vma.ts';
import { pmdFind, pmdUnlock, pteOffset } from './walk.ts';
import { load } from './word.ts';

/** Rights that a pin needs. */
function rightsFor(write: u32): u32 {
  return write !== 0 ? PTE_USER | PTE_WRITE : PTE_USER;
}

/** Whether a frame may be pinned through `entry`. The zero page is not pinned. */
function pinnable(entry: u32, write: u32): boolean {
  const rights = rightsFor(write);
  return entryPresent(entry) && (entry & rights) === rights && (entry & PTE_SPECIAL) === 0;
}

/** Steps 3 to 5 for the huge PMD value `upper`, read from `pmd`. Returns the frame, or 0. */
function pinHugeLockless(pmd: u32, upper: u32, vpn: u32, write: u32): u32 {
  if (!pinnable(upper, write)) return 0;
  const frame = entryNumber(hugePart(upper, vpn & (PMD_PAGES - 1)));
  syncPoint();
  if (!folioTryGet(frame)) return 0;
  if (load(pmd) !== upper) {
    folioPut(frame);
    return 0;
  }
  return frame;
}

/** Steps 2 to 5, interrupts off. Returns the frame, or 0. */
function pinLockless(mm: u32, vpn: u32, write: u32): u32 {
  const pmd = pmdFind(mm, vpn);
  if (pmd === 0) return 0;
  const upper = load(pmd);
  if (entryHuge(upper)) return pinHugeLockless(pmd, upper, vpn, write);
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
  if (load(pmd) !== upper || load(pte) !== entry) {
    folioPut(frame);
    return 0;
  }
  return frame;
}

/** Takes a reference through `entry`, whose lock is held. Returns the frame, or 0. */
function pinEntry(entry: u32, write: u32): u32 {
  if (!pinnable(entry, write)) return 0;
  const frame = entryNumber(entry);
  folioGet(frame);
  return frame;
}

/** The slow path: fault, then a reference under the PTE lock. Returns the frame, or 0 when the page cannot be had. */
function pinSlowly(mm: u32, vpn: u32, write: u32): u32 {
  count(COUNTER_GUP_SLOW);
  if (userFault(mm, vpn, write) !== 0) return 0;
  mmapReadLock(mm);
  walkBegin(mm);
  let frame: u32 = 0;
  // A VMA there keeps the upper tables: munmap frees them with mmap_lock held for reading.
  const pmd = vmaLookup(mm, vpn) === 0 ? 0 : pmdFind(mm, vpn);
  if (pmd !== 0 && pmdTransHugeLock(pmd)) {
    frame = pinEntry(hugePart(load(pmd), vpn & (PMD_PAGES - 1)), write);
    pmdUnlock(pmd);
  } else {
    const pte = pmd === 0 ? 0 : pteOffsetMapLock(pmd, vpn);
    if (pte !== 0) {
      frame = pinEntry(load(pte), write);
      pteUnmapUnlock(pte);
    }
  }
  walkEnd(mm);
  mmapReadUnlock(mm);
  return frame;
}

/** Pins the page at `vpn` without faulting or taking a lock (get_user_pages_fast_only). Returns its frame; 0: the slow path is needed. */
export function gupFastOnly(mm: u32, vpn: u32, write: u32): u32 {
  irqDisable();
  const frame = pinLockless(mm, vpn, write);
  irqEnable();
  count(COUNTER_GUP_FAST);
  return frame;
}

/** Pins the page at `vpn` for reading or writing. Returns its frame; 0: not mapped, no right, no memory, or the zero page. */
export function gupFast(mm: u32, vpn: u32, write: u32): u32 {
  const frame = gupFastOnly(mm, vpn, write);
  return frame !== 0 ? frame : pinSlowly(mm, vpn, write);
}

/** Checks that a pinned frame is still the one that was pinned; `generation` is its generation then. */
export function gupCheck(frame: u32, generation: u32): void {
  if (frameGeneration(frame) !== generation)
    violation(ORACLE_FRAME_USE_AFTER_FREE, frame, generation, frameGeneration(frame));
}

/** Releases a pin. */
export function gupPut(frame: u32): void {
  folioPut(frame);
}
