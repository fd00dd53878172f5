/**
 * The MMU: an access of a program, through this CPU's TLB and paging-structure cache, and the hardware walker behind
 * them.
 *
 * Guarantee, and what the oracles check: a translation that is used is one that no completed flush had to remove, and
 * its frame is still the one that was cached.
 *
 *  1. TLB hit with sufficient rights: done. A write through an entry that is not dirty yet goes to the walker.
 *  2. Walker: from the lowest upper entry that the paging-structure cache has, or from the PGD down; no lock, no RCU:
 *     the walker is hardware, and only a flush stops it. It polls no interrupts, so a flush that waits for this CPU
 *     waits for the walk.
 *  3. It sets accessed, and dirty for a write, by compare-and-exchange on the entry it read; a changed entry is read
 *     again. A huge PMD is such an entry, too; the TLB gets the part for the page, as hardware may break a large
 *     translation into small ones.
 *  4. No entry, or insufficient rights: page fault (fault.ts), then the access starts over. The fault makes this CPU
 *     forget what it has cached for the page, upper entries included: the tables may be others by now, whose flush is
 *     still to come.
 *
 * Source: Intel SDM 3A, 4.7 to 4.10 (4.10.4.1: page faults invalidate); Linux Documentation/mm/ (walks by hardware obey
 * no lock).
 */

import { folioReferenced, frameGeneration } from '../alloc/folio.ts';
import { ptdescOf } from '../alloc/table.ts';
import { switchMm } from '../cpu/flush.ts';
import {
  forgetTranslation,
  PSC_ENTRY,
  PSC_EPOCH,
  PSC_GENERATION,
  PSC_TAG,
  pscSlot,
  TLB_ENTRY,
  TLB_EPOCH,
  TLB_STAMP,
  TLB_VPN,
  tlbSlot,
} from '../cpu/tlb.ts';
import { violation } from '../observe/report.ts';
import { count, COUNTER_ACCESSES, COUNTER_TLB_MISSES } from '../observe/stats.ts';
import { condResched } from '../rcu/rcu.ts';
import { pgdOffset, pmdOffset, pteOffset, pudOffset } from '../tables/offsets.ts';
import { CHECK } from '../word/check.ts';
import {
  ORACLE_FRAME_USE_AFTER_FREE,
  ORACLE_NO_PROGRESS,
  ORACLE_STALE_TRANSLATION,
  ORACLE_TABLE_USE_AFTER_FREE,
  PGD_SHIFT,
  PMD_PAGES,
  PMD_SHIFT,
  POISON_TABLE,
  PUD_SHIFT,
} from '../word/config.ts';
import {
  entryHuge,
  entryNamesTable,
  entryNumber,
  entryPresent,
  hugePart,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_SPECIAL,
  PTE_USER,
  PTE_WRITE,
} from '../word/entry.ts';
import { C_TLB_EPOCH, PT_GEN } from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { compareExchange, load, peek, poke } from '../word/word.ts';
import { userFault } from './fault.ts';

/** Faults of one access after which it counts as livelocked. */
const FAULTS_MAX: u32 = 1000000;

/** Bits that an entry must have for the access. */
function needed(write: u32): u32 {
  return write !== 0 ? PTE_USER | PTE_WRITE | PTE_DIRTY : PTE_USER;
}

/** Whether the TLB permits the access; checks what it uses. */
function tlbHit(vpn: Vpn, write: u32): boolean {
  const slot = tlbSlot(vpn);
  const entry = peek(slot + TLB_ENTRY);
  if (
    entry === 0 ||
    peek(slot + TLB_VPN) !== vpn ||
    peek(slot + TLB_EPOCH) !== peek(thisCpu() + C_TLB_EPOCH)
  )
    return false;
  if ((entry & needed(write)) !== needed(write)) return false;
  if (
    CHECK >= 1 &&
    (entry & PTE_SPECIAL) === 0 &&
    frameGeneration(entryNumber(entry)) !== peek(slot + TLB_STAMP)
  )
    violation(ORACLE_STALE_TRANSLATION, vpn, entry, frameGeneration(entryNumber(entry)));
  return true;
}

/** The upper entry for `vpn` at the level of `shift` that the paging-structure cache has, or 0; checks what it uses. */
function cachedUpper(vpn: Vpn, shift: u32): u32 {
  const slot = pscSlot(vpn, shift);
  const cached = peek(slot + PSC_ENTRY);
  if (
    cached === 0 ||
    peek(slot + PSC_TAG) !== vpn >>> shift ||
    peek(slot + PSC_EPOCH) !== peek(thisCpu() + C_TLB_EPOCH)
  )
    return 0;
  if (CHECK >= 1) {
    const generation = load(ptdescOf(entryNumber(cached)) + PT_GEN);
    if (generation !== peek(slot + PSC_GENERATION))
      violation(ORACLE_STALE_TRANSLATION, vpn, cached, generation);
  }
  return cached;
}

/**
 * The upper entry at `address`, that of `vpn` at the level of `shift`, which is cached if it names a table; 0: it names
 * none and is not huge.
 */
function readUpper(address: TableEntry, vpn: Vpn, shift: u32): Entry {
  const value = load(address);
  if (entryHuge(value)) return value;
  if (!entryNamesTable(value)) return 0;
  const slot = pscSlot(vpn, shift);
  poke(slot + PSC_TAG, vpn >>> shift);
  poke(slot + PSC_ENTRY, value);
  if (CHECK >= 1) poke(slot + PSC_GENERATION, load(ptdescOf(entryNumber(value)) + PT_GEN));
  poke(slot + PSC_EPOCH, peek(thisCpu() + C_TLB_EPOCH));
  return value;
}

/** Bit of what walkUpper returns: the entry is a PMD, which was huge. */
const HUGE: u32 = 1;

/**
 * Address of the entry that maps `vpn`, in a PTE table, or of a PMD entry, with HUGE; upper entries are taken from as
 * far down as the paging-structure cache goes. 0: there is none.
 */
function walkUpper(mm: Mm, vpn: Vpn): u32 {
  const cached = cachedUpper(vpn, PMD_SHIFT);
  if (cached !== 0) return pteOffset(cached, vpn);
  let pud = cachedUpper(vpn, PUD_SHIFT);
  if (pud === 0) {
    let pgd = cachedUpper(vpn, PGD_SHIFT);
    if (pgd === 0) pgd = readUpper(pgdOffset(mm, vpn), vpn, PGD_SHIFT);
    if (pgd === 0) return 0;
    pud = readUpper(pudOffset(pgd, vpn), vpn, PUD_SHIFT);
    if (pud === 0) return 0;
  }
  const pmd = pmdOffset(pud, vpn);
  const value = readUpper(pmd, vpn, PMD_SHIFT);
  if (value === 0) return 0;
  return entryHuge(value) ? pmd | HUGE : pteOffset(value, vpn);
}

/**
 * Walks to the entry of `vpn`, sets accessed and dirty, and fills the TLB. Returns whether the access may go on; false:
 * page fault.
 */
export function hardwareWalk(mm: Mm, vpn: Vpn, write: u32): boolean {
  const found = walkUpper(mm, vpn);
  if (found === 0) return false;
  const huge = (found & HUGE) !== 0;
  const leaf: u32 = found & ~HUGE;
  const rights = write !== 0 ? PTE_USER | PTE_WRITE : PTE_USER;
  const marks = write !== 0 ? PTE_ACCESSED | PTE_DIRTY : PTE_ACCESSED;
  let entry: Entry = 0;
  let settled = false;
  while (!settled) {
    entry = load(leaf);
    if (CHECK >= 1 && entry === POISON_TABLE) {
      violation(ORACLE_TABLE_USE_AFTER_FREE, vpn, leaf, entry);
      return false;
    }
    if (!entryPresent(entry) || (entry & rights) !== rights) return false;
    if (entryHuge(entry) !== huge) return false;
    settled = (entry & marks) === marks;
    if (!settled) {
      const marked: u32 = (entry | marks) >>> 0;
      settled = compareExchange(leaf, entry, marked) === entry;
      if (settled) entry = marked;
    }
  }
  if (huge) entry = hugePart(entry, vpn & (PMD_PAGES - 1));
  const frame = entryNumber(entry);
  if (CHECK >= 1 && (entry & PTE_SPECIAL) === 0 && !folioReferenced(frame))
    violation(ORACLE_FRAME_USE_AFTER_FREE, vpn, entry, frameGeneration(frame));
  const slot = tlbSlot(vpn);
  poke(slot + TLB_VPN, vpn);
  poke(slot + TLB_ENTRY, entry);
  poke(slot + TLB_STAMP, frameGeneration(frame));
  poke(slot + TLB_EPOCH, peek(thisCpu() + C_TLB_EPOCH));
  return true;
}

/**
 * One access of a program to page `vpn` of `mm`; `write` 0 or 1. Returns 0, EFAULT (no mapping, or no right), ENOMEM,
 * or 7 (SIGBUS: beyond the end of an object).
 */
export function access(mm: Mm, vpn: Vpn, write: u32): u32 {
  count(COUNTER_ACCESSES);
  switchMm(mm);
  let faults: u32 = 0;
  while (!tlbHit(vpn, write)) {
    count(COUNTER_TLB_MISSES);
    if (hardwareWalk(mm, vpn, write)) return 0;
    forgetTranslation(vpn);
    const error = userFault(mm, vpn, write);
    if (error !== 0) return error;
    faults += 1;
    if (faults > FAULTS_MAX) {
      violation(ORACLE_NO_PROGRESS, vpn, write, faults);
      return 0;
    }
    if (faults > 1) condResched();
    // The fault may have been handled on another CPU's behalf, or this CPU may have been idle in it: translations can
    // have gone.
    switchMm(mm);
  }
  return 0;
}
