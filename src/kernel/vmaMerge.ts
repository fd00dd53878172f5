/**
 * Splitting and merging VMAs: when two neighbours are one mapping, and how bounds move.
 *
 * Guarantee. Every function leaves the list sorted and without overlap, and a reader that locks a VMA afterwards finds bounds,
 * page offset and flags that belong together: all VMAs concerned are write-locked before anything changes.
 *
 * Rules. Two adjacent ranges become one VMA when flags are equal, they map the same inode (or none) at page offsets that
 * continue each other, and their anon_vma identities are compatible: equal, or one of them has none yet. When both sides of
 * a range could take it, they must also be compatible with each other; else only the left one does. A VMA that takes
 * over a range with an identity while it has none receives that identity.
 * Private anonymous memory has the page offset it was made at, so a moved mapping merges only with what moved along.
 *
 * A huge PMD across a new bound is split before the bound moves (hugePmd.ts).
 *
 * Order of changes, for lockless readers (vma.ts): whoever shrinks or leaves goes first, whoever grows or enters comes last.
 *
 * Lock order: mmap_lock for write is held; VMA write locks are taken here, PMD locks by a split.
 * Source: Linux 6.18 mm/vma.c (is_mergeable_vma, is_mergeable_anon_vma, can_vma_merge_left, can_vma_merge_right,
 * vma_merge_existing_range, vma_merge_new_range, __split_vma, vma_modify).
 */

import { ENOMEM, MAP_COUNT_MAX } from './config.ts';
import {
  MM_MAP_COUNT,
  VMA_ANON,
  VMA_END,
  VMA_FLAGS,
  VMA_INODE,
  VMA_MM,
  VMA_PGOFF,
  VMA_START,
} from './layout.ts';
import { splitAtBoundary } from './hugePmd.ts';
import { inodeGet, inodePut } from './mm.ts';
import { findVma, vmaFree, vmaLink, vmaNew, vmaNext, vmaPrev, vmaUnlink } from './vma.ts';
import { vmaMarkAttached, vmaMarkDetached, vmaStartWrite } from './vmaLock.ts';
import { load, peek, store } from './word.ts';

/** Whether two anon_vma identities can be of one VMA. */
function anonCompatible(a: u32, b: u32): boolean {
  return a === 0 || b === 0 || a === b;
}

/** Whether `prev` ends at `start` and what starts there could be part of it. */
function canMergeLeft(
  prev: u32,
  start: u32,
  flags: u32,
  inode: u32,
  pgoff: u32,
  anon: u32,
): boolean {
  if (prev === 0 || load(prev + VMA_END) !== start) return false;
  if (load(prev + VMA_FLAGS) !== flags || load(prev + VMA_INODE) !== inode) return false;
  if (!anonCompatible(load(prev + VMA_ANON), anon)) return false;
  return (load(prev + VMA_PGOFF) + (start - load(prev + VMA_START))) >>> 0 === pgoff;
}

/** Whether `next` starts at `end` and what ends there, at page offset `pgoffEnd`, could be part of it. */
function canMergeRight(
  next: u32,
  end: u32,
  flags: u32,
  inode: u32,
  pgoffEnd: u32,
  anon: u32,
): boolean {
  if (next === 0 || load(next + VMA_START) !== end) return false;
  if (load(next + VMA_FLAGS) !== flags || load(next + VMA_INODE) !== inode) return false;
  if (!anonCompatible(load(next + VMA_ANON), anon)) return false;
  return load(next + VMA_PGOFF) === pgoffEnd;
}

/** Gives `vma` the identity `anon` when it has none. */
function adoptAnon(vma: u32, anon: u32): void {
  if (load(vma + VMA_ANON) === 0 && anon !== 0) store(vma + VMA_ANON, anon);
}

/** Takes a write-locked VMA out of the list for good and frees it; its pages stay mapped. */
function absorb(mm: u32, vma: u32): void {
  vmaUnlink(mm, vma);
  vmaMarkDetached(vma);
  const inode = load(vma + VMA_INODE);
  if (inode !== 0) inodePut(inode);
  vmaFree(vma);
}

/** Moves the start of `vma`, and its page offset with it. */
function moveStart(vma: u32, start: u32): void {
  store(vma + VMA_PGOFF, (load(vma + VMA_PGOFF) + (start - load(vma + VMA_START))) >>> 0);
  store(vma + VMA_START, start);
}

/** Puts a new VMA into the list. Precondition: mmap_lock for write, the range is free. */
export function vmaInsert(mm: u32, vma: u32): void {
  vmaStartWrite(vma);
  vmaMarkAttached(vma);
  vmaLink(mm, vma);
}

/**
 * Extends a neighbour over the free range [start, end) if one is compatible, both into one if both are. `anon`: identity
 * of the pages that will be moved there (mremap), 0 for a new mapping. The neighbour has its own reference to the inode.
 * Returns the VMA that now contains the range, write-locked, or 0: none is compatible, nothing has changed.
 */
export function vmaMergeNew(
  mm: u32,
  start: u32,
  end: u32,
  flags: u32,
  inode: u32,
  pgoff: u32,
  anon: u32,
): u32 {
  const prev = vmaPrev(mm, start);
  const next = findVma(mm, start);
  const left = canMergeLeft(prev, start, flags, inode, pgoff, anon);
  let right = canMergeRight(next, end, flags, inode, (pgoff + (end - start)) >>> 0, anon);
  if (left && right && !anonCompatible(load(prev + VMA_ANON), load(next + VMA_ANON))) right = false;
  if (left) {
    vmaStartWrite(prev);
    let grown = end;
    if (right) {
      vmaStartWrite(next);
      grown = load(next + VMA_END);
      adoptAnon(prev, load(next + VMA_ANON));
      absorb(mm, next);
    }
    adoptAnon(prev, anon);
    store(prev + VMA_END, grown);
    return prev;
  }
  if (right) {
    vmaStartWrite(next);
    adoptAnon(next, anon);
    moveStart(next, start);
    return next;
  }
  return 0;
}

/**
 * Maps the free range [start, end): merges it into a neighbour or makes a VMA. Takes over the caller's reference to `inode`, also
 * on failure. Returns the VMA, write-locked, or 0: no VMA left.
 */
export function vmaMap(
  mm: u32,
  start: u32,
  end: u32,
  flags: u32,
  inode: u32,
  pgoff: u32,
  anon: u32,
): u32 {
  let vma = vmaMergeNew(mm, start, end, flags, inode, pgoff, anon);
  if (vma !== 0) {
    if (inode !== 0) inodePut(inode);
    return vma;
  }
  vma = vmaNew(mm, start, end, flags, inode, pgoff, anon);
  if (vma === 0) {
    if (inode !== 0) inodePut(inode);
    return 0;
  }
  vmaInsert(mm, vma);
  return vma;
}

/**
 * Splits `vma` at `at`, strictly inside it: `vma` keeps what is below. Does not look at the limit of mappings. Returns the
 * new VMA above, write-locked as `vma` is, or 0: no VMA left, nothing has changed.
 */
export function vmaSplit(vma: u32, at: u32): u32 {
  const mm = load(vma + VMA_MM);
  const inode = load(vma + VMA_INODE);
  const above = vmaNew(
    mm,
    at,
    load(vma + VMA_END),
    load(vma + VMA_FLAGS),
    inode,
    (load(vma + VMA_PGOFF) + (at - load(vma + VMA_START))) >>> 0,
    load(vma + VMA_ANON),
  );
  if (above === 0) return 0;
  if (inode !== 0) inodeGet(inode);
  vmaStartWrite(vma);
  splitAtBoundary(vma, at);
  store(vma + VMA_END, at);
  vmaInsert(mm, above);
  return above;
}

/**
 * Prepares [start, end) of `vma` for the flags `flags`, which differ from the VMA's: the range joins a neighbour that has them
 * already, or becomes a VMA of its own. Returns the VMA that contains exactly the range, or a neighbour that has taken it in,
 * write-locked; the caller sets its flags. 0: ENOMEM (no VMA left, or too many); splits made so far stay.
 */
export function vmaModifyFlags(vma: u32, start: u32, end: u32, flags: u32): u32 {
  const mm = load(vma + VMA_MM);
  const first = load(vma + VMA_START);
  const last = load(vma + VMA_END);
  const inode = load(vma + VMA_INODE);
  const anon = load(vma + VMA_ANON);
  const pgoff = (load(vma + VMA_PGOFF) + (start - first)) >>> 0;
  const prev = start === first ? vmaPrev(mm, start) : 0;
  const next = end === last ? vmaNext(vma) : 0;
  const left = canMergeLeft(prev, start, flags, inode, pgoff, anon);
  let right = canMergeRight(next, end, flags, inode, (pgoff + (end - start)) >>> 0, anon);
  if (left && right && !anonCompatible(load(prev + VMA_ANON), load(next + VMA_ANON))) right = false;
  if (left || right) return mergeExisting(mm, vma, start, end, left ? prev : 0, right ? next : 0);
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

/** Hands [start, end) of `middle` to `prev`, `next` or both (0: not to that one); returns who has it. */
function mergeExisting(mm: u32, middle: u32, start: u32, end: u32, prev: u32, next: u32): u32 {
  const whole = start === load(middle + VMA_START) && end === load(middle + VMA_END);
  const anon = load(middle + VMA_ANON);
  vmaStartWrite(middle);
  if (prev !== 0) vmaStartWrite(prev);
  if (next !== 0) vmaStartWrite(next);
  if (!whole) splitAtBoundary(middle, prev !== 0 ? end : start);
  if (prev !== 0) {
    let grown = end;
    adoptAnon(prev, anon);
    if (whole) absorb(mm, middle);
    else moveStart(middle, end);
    if (next !== 0) {
      grown = load(next + VMA_END);
      adoptAnon(prev, load(next + VMA_ANON));
      absorb(mm, next);
    }
    store(prev + VMA_END, grown);
    return prev;
  }
  adoptAnon(next, anon);
  if (whole) absorb(mm, middle);
  else store(middle + VMA_END, start);
  moveStart(next, start);
  return next;
}

/** ENOMEM when [start, end) cannot be cut out of the mappings without exceeding the limit, otherwise 0. */
export function mapCountAllowsHole(mm: u32, vma: u32, start: u32, end: u32): u32 {
  if (start <= load(vma + VMA_START) || end >= load(vma + VMA_END)) return 0;
  return peek(mm + MM_MAP_COUNT) >= MAP_COUNT_MAX ? ENOMEM : 0;
}
