/**
 * Descriptors of data frames: heads and tails, flags, and references. Where frames come from and go to is in frame.ts.
 *
 * Guarantee: a reference keeps a folio from being freed, moved and split; taking one from nowhere (`tryGetHead`) fails
 * once the count is zero, and zero is final until the frame is handed out again with another generation.
 *
 * F_FLAGS and F_REF are shared words, changed by atomics. F_HEAD is written before a folio is published and, at a
 * split, after all references but the splitter's are gone. F_GEN is odd while the frame is allocated.
 *
 * Source: Linux include/linux/mm_types.h (struct folio), include/linux/page_ref.h (folio_try_get), mm/rmap.c
 * (PageAnonExclusive).
 */

import { violation } from '../observe/report.ts';
import { CHECK } from '../word/check.ts';
import { ORACLE_FRAME_USE_AFTER_FREE } from '../word/config.ts';
import { F_FLAGS, F_GEN, F_HEAD, F_REF, FOLIO_SHIFT, H_FOLIOS } from '../word/layout.ts';
import { add, compareExchange, load, peek } from '../word/word.ts';

/** Flags beside the order in F_FLAGS. */
export const F_ORDER: u32 = 0xff;
export const F_ANON: u32 = 0x100;
export const F_SHMEM: u32 = 0x200;
export const F_CACHED: u32 = 0x400;
/** MADV_FREE: may be discarded instead of swapped unless dirtied again. */
export const F_LAZYFREE: u32 = 0x800;
export const F_DIRTY: u32 = 0x1000;
/** First frame of a free block. */
export const F_BUDDY: u32 = 0x4000;
/** A frame of a larger folio that is not its first; all other flags are the head's. */
export const F_TAIL: u32 = 0x8000;
/** The folio lock, and somebody waits for it (sleepLock.ts). */
export const F_LOCKED: u32 = 0x10000;
export const F_WAITERS: u32 = 0x20000;
/**
 * An anonymous page that only one entry maps, which may be written to and pinned (PageAnonExclusive). Set and cleared
 * under that entry's PTE lock.
 */
export const F_EXCLUSIVE: u32 = 0x40000;
/**
 * Pages of the folio have lost their last mapping while others had one: it is, or has been, queued to be split
 * (deferredSplit.ts).
 */
export const F_PARTIALLY_MAPPED: u32 = 0x100000;
/** The zero page: mapped by special entries, never counted, never freed. */
export const ZERO_FRAME: u32 = 1;
export const NO_FRAME: u32 = 0;

/** Address of a frame's descriptor. */
export function folioOf(frame: Frame): Folio {
  return peek(H_FOLIOS) + (frame << FOLIO_SHIFT);
}

/**
 * The first frame of the folio that `frame` belongs to. Precondition: the folio is referenced, or mapped where a held
 * lock keeps it mapped; so nobody splits it.
 */
export function folioHead(frame: Frame): Head {
  const head = peek(folioOf(frame) + F_HEAD);
  return head !== NO_FRAME ? head : (frame as Head);
}

/** Whether `frame` belongs to a folio of several frames. Precondition as for folioHead. */
export function folioLarge(frame: Frame): boolean {
  return peek(folioOf(frame) + F_HEAD) !== NO_FRAME;
}

/** Flags of the folio that `frame` belongs to. Precondition as for folioHead. */
export function folioFlags(frame: Frame): u32 {
  return load(folioOf(folioHead(frame)) + F_FLAGS);
}

/**
 * As folioHead, for a page that a migration entry stands for, which holds no reference: whoever splits the folio
 * meanwhile takes F_HEAD away, after the page's own flags are written. Precondition: the lock of that entry's table for
 * what is done with the head, since its folio outlives the entry.
 */
export function migratingHead(frame: Frame): Head {
  const head = load(folioOf(frame) + F_HEAD);
  return head !== NO_FRAME ? head : (frame as Head);
}

/** log2 of the frames in the folio whose first is `head`. */
export function folioOrder(head: Head): u32 {
  return load(folioOf(head) + F_FLAGS) & F_ORDER;
}

/** Takes one more reference on the folio of a frame that the caller knows to be referenced. */
export function folioGet(frame: Frame): void {
  folioGetMany(frame, 1);
}

/** As folioGet, `n` references. No pair: the reference that the caller knows of keeps the count from zero meanwhile. */
export function folioGetMany(frame: Frame, n: u32): void {
  const head = folioHead(frame);
  const old = add(folioOf(head) + F_REF, n);
  if (CHECK >= 1 && old === 0)
    violation(ORACLE_FRAME_USE_AFTER_FREE, frame, old, load(folioOf(head) + F_FLAGS));
}

/**
 * Takes a reference on a folio's head unless its count is zero; whether it did. Pairs with the subtraction of putHead
 * (frame.ts), which then is not the last, and with the store of a new folio's first reference (prepareFrames): this CPU
 * sees its head, flags and generation.
 */
export function tryGetHead(head: Head): boolean {
  const word = folioOf(head) + F_REF;
  let seen = load(word);
  while (seen !== 0) {
    const old = compareExchange(word, seen, seen + 1);
    if (old === seen) return true;
    seen = old;
  }
  return false;
}

/**
 * Whether the folio of `frame` has a reference, for checks by hardware walkers, which hold none: nothing keeps the
 * frame in its folio.
 */
export function folioReferenced(frame: Frame): boolean {
  const head = load(folioOf(frame) + F_HEAD);
  return load(folioOf(head !== NO_FRAME ? head : frame) + F_REF) !== 0;
}

/** Generation of a frame: its stamp. */
export function frameGeneration(frame: Frame): u32 {
  return load(folioOf(frame) + F_GEN);
}

/** Whether `page` is an anonymous page that its one entry has for itself. PTE lock of that entry held. */
export function pageExclusive(page: Frame): boolean {
  return (load(folioOf(page) + F_FLAGS) & F_EXCLUSIVE) !== 0;
}
