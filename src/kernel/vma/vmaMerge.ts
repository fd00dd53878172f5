/**
 * Splitting and merging VMAs: when two neighbours are one mapping, and how bounds move.
 *
 * Guarantee. Every function leaves the list sorted and without overlap, and a reader that locks a VMA afterwards finds
 * bounds, page offset and flags that belong together: all VMAs concerned are write-locked before anything changes.
 *
 * Rules. Two adjacent ranges become one VMA when flags are equal, they map the same inode (or none) at page offsets
 * that continue each other, and their anon_vmas are compatible: equal, or one of them has none yet and the other is not
 * a VMA that fork made. When both sides of a range could take it, they must also be compatible with each other; else
 * only the left one does. A VMA that takes over a range with an anon_vma while it has none enters the same lists first.
 * Private anonymous memory has the page offset it was made at, so a moved mapping merges only with what moved along.
 *
 * A huge PMD across a new bound is split before the bound moves (hugePmd.ts).
 *
 * Order of changes, for lockless readers (vma.ts): whoever shrinks or leaves goes first, whoever grows or enters comes
 * last.
 *
 * Bounds and page offsets change, and VMAs enter and leave lists, with i_mmap and the anon_vma's rwsem held for write:
 * a walk of the rmap finds each page of the range in one VMA or in both.
 *
 * Lock order: mmap_lock for write is held; VMA write locks, i_mmap and anon_vma are taken here, PMD locks by a split.
 * Source: Linux 6.18 mm/vma.c (is_mergeable_vma, is_mergeable_anon_vma, can_vma_merge_left, can_vma_merge_right,
 * vma_merge_existing_range, vma_merge_new_range, __split_vma, vma_modify, vma_prepare, vma_complete).
 */

import { splitAtBoundary } from '../huge/hugePmd.ts';
import { inodeGet, inodePut } from '../rmap/inode.ts';
import { anonVmaClone, unlinkAnonVmas, vmaIsForkChild } from '../space/anonVma.ts';
import { iMmapInsert, iMmapRemove, vmaLinkFile } from '../space/iMmap.ts';
import { dropRmapLocks, takeRmapLocks } from '../space/rmapLocks.ts';
import {
  findVma,
  linearPageIndex,
  vmaFree,
  vmaLink,
  vmaNew,
  vmaNext,
  vmaPrev,
  vmaUnlink,
} from '../space/vma.ts';
import { vmaMarkAttached, vmaMarkDetached, vmaStartWrite } from '../space/vmaLock.ts';
import { ENOMEM, MAP_COUNT_MAX } from '../word/config.ts';
import {
  MM_MAP_COUNT,
  VMA_ANON,
  VMA_END,
  VMA_FLAGS,
  VMA_INODE,
  VMA_MM,
  VMA_PGOFF,
  VMA_START,
} from '../word/layout.ts';
import { load, peek, store } from '../word/word.ts';

/** Whether two VMAs, or what is mapped between them, can have one anon_vma. */
function anonCompatible(a: AnonVma, b: AnonVma): boolean {
  return a === 0 || b === 0 || a === b;
}

/**
 * Whether `target` could take in pages of anon_vma `anon` (0: none), those of the VMA `source` (0: no VMA has them):
 * one that fork made maps pages of its parents, whose anon_vmas nobody else is to get (is_mergeable_anon_vma).
 */
function anonMergeable(target: Vma, anon: AnonVma, source: Vma): boolean {
  const own = load(target + VMA_ANON);
  if (own === 0 && anon !== 0) return source === 0 || !vmaIsForkChild(source);
  if (own !== 0 && anon === 0) return !vmaIsForkChild(target);
  return own === anon;
}

/** Whether `prev` ends at `start` and what starts there could be part of it. */
function canMergeLeft(
  prev: Vma,
  start: Vpn,
  flags: u32,
  inode: Inode,
  pgoff: PageIndex,
  anon: AnonVma,
  source: Vma,
): boolean {
  if (prev === 0 || load(prev + VMA_END) !== start) return false;
  if (load(prev + VMA_FLAGS) !== flags || load(prev + VMA_INODE) !== inode) return false;
  if (!anonMergeable(prev, anon, source)) return false;
  return (load(prev + VMA_PGOFF) + (start - load(prev + VMA_START))) >>> 0 === pgoff;
}

/** Whether `next` starts at `end` and what ends there, at page offset `pgoffEnd`, could be part of it. */
function canMergeRight(
  next: Vma,
  end: Vpn,
  flags: u32,
  inode: Inode,
  pgoffEnd: PageIndex,
  anon: AnonVma,
  source: Vma,
): boolean {
  if (next === 0 || load(next + VMA_START) !== end) return false;
  if (load(next + VMA_FLAGS) !== flags || load(next + VMA_INODE) !== inode) return false;
  if (!anonMergeable(next, anon, source)) return false;
  return load(next + VMA_PGOFF) === pgoffEnd;
}

/** Gives `target` the anon_vmas of `source` (0: nobody) when it has none. Returns 0 or ENOMEM (dup_anon_vma). */
function dupAnonVma(target: Vma, source: Vma): u32 {
  if (source === 0 || load(target + VMA_ANON) !== 0) return 0;
  return anonVmaClone(target, source);
}

/**
 * Takes a write-locked VMA out of the lists of its mm and of its inode. rmap locks of the VMA that takes over its range
 * held.
 */
function leaveLists(mm: Mm, vma: Vma): void {
  vmaUnlink(mm, vma);
  if (load(vma + VMA_INODE) !== 0) iMmapRemove(vma);
}

/** Frees a VMA that left the lists for another one; its pages stay mapped. No rmap lock held. */
function absorb(vma: Vma): void {
  vmaMarkDetached(vma);
  unlinkAnonVmas(vma);
  const inode = load(vma + VMA_INODE);
  if (inode !== 0) inodePut(inode);
  vmaFree(vma);
}

/** Moves the start of `vma`, and its page offset with it. */
function moveStart(vma: Vma, start: Vpn): void {
  store(vma + VMA_PGOFF, (load(vma + VMA_PGOFF) + (start - load(vma + VMA_START))) >>> 0);
  store(vma + VMA_START, start);
}

/** Puts a new VMA into the list of `mm`. Precondition: mmap_lock for write, the range is free. */
function enterList(mm: Mm, vma: Vma): void {
  vmaStartWrite(vma);
  vmaMarkAttached(vma);
  vmaLink(mm, vma);
}

/** The same, and into the list of its inode: behind `after`, the VMA that it is a copy of, or last (0). */
export function vmaInsert(mm: Mm, vma: Vma, after: Vma): void {
  enterList(mm, vma);
  vmaLinkFile(vma, after);
}

/**
 * Extends a neighbour over the free range [start, end) if one is compatible, both into one if both are. `anon`:
 * anon_vma of the pages that will be there (mremap), 0 for a new mapping; `source`: the VMA that they are moved from,
 * or 0. The neighbour has its own reference to the inode. Returns the VMA that now contains the range, write-locked, or
 * 0: none is compatible, or no memory; nothing has changed.
 */
export function vmaMergeNew(
  mm: Mm,
  start: Vpn,
  end: Vpn,
  flags: u32,
  inode: Inode,
  pgoff: PageIndex,
  anon: AnonVma,
  source: Vma,
): Vma {
  const prev = vmaPrev(mm, start);
  const next = findVma(mm, start);
  const pgoffEnd: PageIndex = (pgoff + (end - start)) >>> 0;
  const left = canMergeLeft(prev, start, flags, inode, pgoff, anon, source);
  let right = canMergeRight(next, end, flags, inode, pgoffEnd, anon, source);
  if (left && right && !anonCompatible(load(prev + VMA_ANON), load(next + VMA_ANON))) right = false;
  if (left) {
    vmaStartWrite(prev);
    if (right) vmaStartWrite(next);
    if (dupAnonVma(prev, right && load(next + VMA_ANON) !== 0 ? next : source) !== 0) return 0;
    let grown = end;
    takeRmapLocks(prev);
    if (right) {
      grown = load(next + VMA_END);
      leaveLists(mm, next);
    }
    store(prev + VMA_END, grown);
    dropRmapLocks(prev);
    if (right) absorb(next);
    return prev;
  }
  if (right) {
    vmaStartWrite(next);
    if (dupAnonVma(next, source) !== 0) return 0;
    takeRmapLocks(next);
    moveStart(next, start);
    dropRmapLocks(next);
    return next;
  }
  return 0;
}

/**
 * Maps the free range [start, end): merges it into a neighbour or makes a VMA. `source` 0: a new mapping; else the VMA
 * that the range is a copy of, whose anon_vmas it gets. Takes over the caller's reference to `inode`, also on failure.
 * Returns the VMA, write-locked, or 0: no memory for one.
 */
export function vmaMap(
  mm: Mm,
  start: Vpn,
  end: Vpn,
  flags: u32,
  inode: Inode,
  pgoff: PageIndex,
  source: Vma,
): Vma {
  const anon = source === 0 ? 0 : load(source + VMA_ANON);
  let vma = vmaMergeNew(mm, start, end, flags, inode, pgoff, anon, source);
  if (vma !== 0) {
    if (inode !== 0) inodePut(inode);
    return vma;
  }
  vma = vmaNew(mm, start, end, flags, inode, pgoff);
  if (vma !== 0 && source !== 0 && anonVmaClone(vma, source) !== 0) {
    vmaFree(vma);
    vma = 0;
  }
  if (vma === 0) {
    if (inode !== 0) inodePut(inode);
    return 0;
  }
  vmaInsert(mm, vma, source);
  return vma;
}

/**
 * Splits `vma` at `at`, strictly inside it: `vma` keeps what is below. Does not look at the limit of mappings. Returns
 * the new VMA above, write-locked as `vma` is, or 0: no memory for one, nothing has changed.
 */
export function vmaSplit(vma: Vma, at: Vpn): Vma {
  const mm = load(vma + VMA_MM);
  const inode = load(vma + VMA_INODE);
  const end = load(vma + VMA_END);
  const above = vmaNew(mm, at, end, load(vma + VMA_FLAGS), inode, linearPageIndex(vma, at));
  if (above === 0) return 0;
  if (anonVmaClone(above, vma) !== 0) {
    vmaFree(above);
    return 0;
  }
  if (inode !== 0) inodeGet(inode);
  vmaStartWrite(vma);
  splitAtBoundary(vma, at);
  takeRmapLocks(vma);
  store(vma + VMA_END, at);
  enterList(mm, above);
  if (inode !== 0) iMmapInsert(above, vma);
  dropRmapLocks(vma);
  return above;
}

/**
 * Prepares [start, end) of `vma` for the flags `flags`, which differ from the VMA's: the range joins a neighbour that
 * has them already, or becomes a VMA of its own. Returns the VMA that contains exactly the range, or a neighbour that
 * has taken it in, write-locked; the caller sets its flags. 0: ENOMEM (no VMA left, or too many); splits made so far
 * stay.
 */
export function vmaModifyFlags(vma: Vma, start: Vpn, end: Vpn, flags: u32): Vma {
  const mm = load(vma + VMA_MM);
  const first = load(vma + VMA_START);
  const last = load(vma + VMA_END);
  const inode = load(vma + VMA_INODE);
  const anon = load(vma + VMA_ANON);
  const pgoff = linearPageIndex(vma, start);
  const pgoffEnd = linearPageIndex(vma, end);
  const prev = start === first ? vmaPrev(mm, start) : 0;
  const next = end === last ? vmaNext(vma) : 0;
  const left = canMergeLeft(prev, start, flags, inode, pgoff, anon, vma);
  let right = canMergeRight(next, end, flags, inode, pgoffEnd, anon, vma);
  if (left && right && !anonCompatible(load(prev + VMA_ANON), load(next + VMA_ANON))) right = false;
  if (left) return mergeIntoPrev(mm, vma, start, end, prev, right ? next : 0);
  if (right) return mergeIntoNext(mm, vma, start, end, next);
  let middle = vma;
  if (first < start) {
    if (peek(mm + MM_MAP_COUNT) >= MAP_COUNT_MAX) return 0;
    middle = vmaSplit(vma, start);
    if (middle === 0) return 0;
  }
  if (end < last) {
    if (peek(mm + MM_MAP_COUNT) >= MAP_COUNT_MAX) return 0;
    if (vmaSplit(middle, end) === 0) return 0;
  }
  vmaStartWrite(middle);
  return middle;
}

/** Hands [start, end) of `middle`, and `next` unless it is 0, to `prev`. Returns it, or 0: no memory for a chain. */
function mergeIntoPrev(mm: Mm, middle: Vma, start: Vpn, end: Vpn, prev: Vma, next: Vma): Vma {
  const whole = start === load(middle + VMA_START) && end === load(middle + VMA_END);
  vmaStartWrite(middle);
  vmaStartWrite(prev);
  if (next !== 0) vmaStartWrite(next);
  if (dupAnonVma(prev, next !== 0 && load(next + VMA_ANON) !== 0 ? next : middle) !== 0) return 0;
  if (!whole) splitAtBoundary(middle, end);
  let grown = end;
  takeRmapLocks(prev);
  if (whole) leaveLists(mm, middle);
  else moveStart(middle, end);
  if (next !== 0) {
    grown = load(next + VMA_END);
    leaveLists(mm, next);
  }
  store(prev + VMA_END, grown);
  dropRmapLocks(prev);
  if (whole) absorb(middle);
  if (next !== 0) absorb(next);
  return prev;
}

/** Hands [start, end) of `middle` to `next`. Returns it, or 0: no memory for a chain. */
function mergeIntoNext(mm: Mm, middle: Vma, start: Vpn, end: Vpn, next: Vma): Vma {
  const whole = start === load(middle + VMA_START) && end === load(middle + VMA_END);
  vmaStartWrite(middle);
  vmaStartWrite(next);
  if (dupAnonVma(next, middle) !== 0) return 0;
  if (!whole) splitAtBoundary(middle, start);
  takeRmapLocks(next);
  if (whole) leaveLists(mm, middle);
  else store(middle + VMA_END, start);
  moveStart(next, start);
  dropRmapLocks(next);
  if (whole) absorb(middle);
  return next;
}

/** ENOMEM when [start, end) cannot be cut out of the mappings without exceeding the limit, otherwise 0. */
export function mapCountAllowsHole(mm: Mm, vma: Vma, start: Vpn, end: Vpn): u32 {
  if (start <= load(vma + VMA_START) || end >= load(vma + VMA_END)) return 0;
  return peek(mm + MM_MAP_COUNT) >= MAP_COUNT_MAX ? ENOMEM : 0;
}
