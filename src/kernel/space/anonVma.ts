/**
 * anon_vmas: from an anonymous page to the VMAs that may map it.
 *
 * Guarantee. A page's anon_vma (F_OWNER) lists every VMA in which the page can be mapped: that of the VMA where it was
 * first mapped, those that were split off, moved or copied by fork from it. A VMA's VMA_ANON goes from 0 to a value
 * once, before its first anonymous page is mapped, and never back. While the root's rwsem is held, in any mode, the
 * VMAs in the lists are alive, linked, and their bounds stay.
 *
 * Structure. A chain stands for one VMA in the list of one anon_vma; a VMA's chains are linked from its newest to its
 * oldest. A VMA made by fork is in the lists of all anon_vmas of the VMA that it copies (it maps the pages that those
 * have), and in that of an anon_vma of its own, which its new pages get: so walks of a child's pages need not look at
 * the parent. All anon_vmas of a VMA have the same root. An anon_vma that has no VMA of its own left and at most one
 * child is used again instead (so chains do not grow without limit when each child forks and its parent exits).
 *
 * Order in a list: a VMA that is copied stands before its copies. A walk that looks at parent and child in this order
 * finds an entry that fork or mremap copies meanwhile in one or the other.
 *
 * Sharing. A VMA that could have merged with a neighbour but for its rights takes over the neighbour's anon_vma, the
 * next one's before the previous one's, so that it can merge when the rights become equal; not one with several chains.
 *
 * Lock order: mmap_lock; the root's rwsem; page_table_lock. Source: Linux 6.18 mm/rmap.c (__anon_vma_prepare,
 * anon_vma_clone, anon_vma_fork, unlink_anon_vmas), mm/vma.c (find_mergeable_anon_vma, reusable_anon_vma,
 * dup_anon_vma).
 */

import {
  anonVmaAlloc,
  anonVmaGet,
  anonVmaPut,
  chainAlloc,
  chainFree,
} from '../alloc/anonVmaAlloc.ts';
import { LC_ANON_VMA_READ, LC_PAGE_TABLE, spinLock, spinUnlock } from '../lock/lock.ts';
import {
  rwsemReadLock,
  rwsemReadUnlock,
  rwsemWriteLock,
  rwsemWriteUnlock,
} from '../sleep/rwsem.ts';
import { ENOMEM, VM_EXEC, VM_READ, VM_WRITE } from '../word/config.ts';
import {
  AV_ACTIVE,
  AV_CHILDREN,
  AV_FIRST,
  AV_LAST,
  AV_PARENT,
  AV_ROOT,
  AV_RWSEM,
  AVC_ANON,
  AVC_NEWER,
  AVC_NEXT,
  AVC_OLDER,
  AVC_PREV,
  AVC_VMA,
  MM_PAGE_TABLE_LOCK,
  VMA_ANON,
  VMA_CHAIN,
  VMA_CHAIN_OLDEST,
  VMA_END,
  VMA_FLAGS,
  VMA_INODE,
  VMA_PGOFF,
  VMA_START,
} from '../word/layout.ts';
import { load, peek, poke, store } from '../word/word.ts';
import { vmaNext, vmaPrev } from './vma.ts';

/** Takes the root's rwsem for writing. */
export function anonVmaLockWrite(anon: AnonVma): void {
  rwsemWriteLock(load(anon + AV_ROOT) + AV_RWSEM, LC_ANON_VMA_READ);
}

export function anonVmaUnlockWrite(anon: AnonVma): void {
  rwsemWriteUnlock(load(anon + AV_ROOT) + AV_RWSEM, LC_ANON_VMA_READ);
}

/** Takes the root's rwsem for reading. */
export function anonVmaLockRead(anon: AnonVma): void {
  rwsemReadLock(load(anon + AV_ROOT) + AV_RWSEM, LC_ANON_VMA_READ);
}

export function anonVmaUnlockRead(anon: AnonVma): void {
  rwsemReadUnlock(load(anon + AV_ROOT) + AV_RWSEM, LC_ANON_VMA_READ);
}

/** Whether `vma` is in the lists of several anon_vmas: fork copied it, and it may map pages of its parents. */
export function vmaIsForkChild(vma: Vma): boolean {
  return load(vma + VMA_ANON) !== 0 && load(vma + VMA_CHAIN) !== load(vma + VMA_CHAIN_OLDEST);
}

/**
 * Links `vma` into the list of `anon` by `chain`: behind the chain `after` of the same list, or last (0). Root's rwsem
 * for write; and mmap_lock for write, or page_table_lock.
 */
function chainLink(vma: Vma, chain: AnonVmaChain, anon: AnonVma, after: u32): void {
  poke(chain + AVC_VMA, vma);
  poke(chain + AVC_ANON, anon);
  const newest = load(vma + VMA_CHAIN);
  poke(chain + AVC_OLDER, newest);
  poke(chain + AVC_NEWER, 0);
  if (newest === 0) store(vma + VMA_CHAIN_OLDEST, chain);
  else poke(newest + AVC_NEWER, chain);
  store(vma + VMA_CHAIN, chain);
  const before = after === 0 ? peek(anon + AV_LAST) : after;
  const behind = before === 0 ? 0 : peek(before + AVC_NEXT);
  poke(chain + AVC_PREV, before);
  poke(chain + AVC_NEXT, behind);
  if (before === 0) poke(anon + AV_FIRST, chain);
  else poke(before + AVC_NEXT, chain);
  if (behind === 0) poke(anon + AV_LAST, chain);
  else poke(behind + AVC_PREV, chain);
}

/** Takes `chain` out of its anon_vma's list. Root's rwsem for write. */
function listRemove(chain: AnonVmaChain): void {
  const anon = peek(chain + AVC_ANON);
  const before = peek(chain + AVC_PREV);
  const behind = peek(chain + AVC_NEXT);
  if (before === 0) poke(anon + AV_FIRST, behind);
  else poke(before + AVC_NEXT, behind);
  if (behind === 0) poke(anon + AV_LAST, before);
  else poke(behind + AVC_PREV, before);
}

/** Whether `left` and `right` are adjacent and differ at most in their rights. */
function compatible(left: Vma, right: Vma): boolean {
  const differing =
    (load(left + VMA_FLAGS) ^ load(right + VMA_FLAGS)) & ~(VM_READ | VM_WRITE | VM_EXEC);
  return (
    load(left + VMA_END) === load(right + VMA_START) &&
    differing === 0 &&
    load(left + VMA_INODE) === load(right + VMA_INODE) &&
    load(right + VMA_PGOFF) ===
      (load(left + VMA_PGOFF) + load(right + VMA_START) - load(left + VMA_START)) >>> 0
  );
}

/** anon_vma of `neighbour` that others may take over, 0: none. */
function reusable(neighbour: Vma): AnonVma {
  const anon = load(neighbour + VMA_ANON);
  return anon !== 0 && !vmaIsForkChild(neighbour) ? anon : 0;
}

/** anon_vma that `vma` can take over from a neighbour, 0: none. mmap_lock, any mode. */
function findMergeableAnonVma(mm: Mm, vma: Vma): AnonVma {
  const next = vmaNext(vma);
  let anon: AnonVma = next !== 0 && compatible(vma, next) ? reusable(next) : 0;
  if (anon !== 0) return anon;
  const previous = vmaPrev(mm, load(vma + VMA_START));
  anon = previous !== 0 && compatible(previous, vma) ? reusable(previous) : 0;
  return anon;
}

/**
 * Gives `vma` an anon_vma if it has none. Precondition: mmap_lock, any mode: two faults may prepare one VMA at once,
 * and page_table_lock lets one win. Returns 0 or ENOMEM.
 */
export function anonVmaPrepare(mm: Mm, vma: Vma): u32 {
  if (load(vma + VMA_ANON) !== 0) return 0;
  let chain = chainAlloc();
  if (chain === 0) return ENOMEM;
  let anon = findMergeableAnonVma(mm, vma);
  let allocated: u32 = 0;
  if (anon === 0) {
    anon = anonVmaAlloc();
    if (anon === 0) {
      chainFree(chain);
      return ENOMEM;
    }
    poke(anon + AV_CHILDREN, 1);
    allocated = anon;
  }
  anonVmaLockWrite(anon);
  spinLock(mm + MM_PAGE_TABLE_LOCK, LC_PAGE_TABLE);
  if (load(vma + VMA_ANON) === 0) {
    chainLink(vma, chain, anon, 0);
    poke(anon + AV_ACTIVE, peek(anon + AV_ACTIVE) + 1);
    // Pairs with the loads of faults: whoever sees it may map pages of this anon_vma.
    store(vma + VMA_ANON, anon);
    allocated = 0;
    chain = 0;
  }
  spinUnlock(mm + MM_PAGE_TABLE_LOCK, LC_PAGE_TABLE);
  anonVmaUnlockWrite(anon);
  if (allocated !== 0) anonVmaPut(allocated);
  if (chain !== 0) chainFree(chain);
  return 0;
}

/**
 * Whether an anon_vma can be that of a VMA which fork makes: no VMA has it any more, and at most one anon_vma was made
 * from it.
 */
function reusableByChild(anon: AnonVma): boolean {
  return peek(anon + AV_CHILDREN) < 2 && peek(anon + AV_ACTIVE) === 0;
}

/**
 * Puts `copy` into every list that `source` is in, behind it. VMA_ANON of the copy is the source's, or, with `child`,
 * one that can be used again, or 0. Precondition: mmap_lock of both for write; `copy` has no chains. Returns 0, or
 * ENOMEM with nothing changed.
 */
function cloneChains(copy: Vma, source: Vma, child: boolean): u32 {
  const anon = load(source + VMA_ANON);
  if (anon === 0) return 0;
  let failed = false;
  let own: u32 = child ? 0 : anon;
  anonVmaLockWrite(anon);
  let from = load(source + VMA_CHAIN_OLDEST);
  while (from !== 0 && !failed) {
    const chain = chainAlloc();
    if (chain === 0) {
      failed = true;
    } else {
      const to = peek(from + AVC_ANON);
      chainLink(copy, chain, to, from);
      if (own === 0 && reusableByChild(to)) own = to;
    }
    from = peek(from + AVC_NEWER);
  }
  if (!failed && own !== 0) poke(own + AV_ACTIVE, peek(own + AV_ACTIVE) + 1);
  anonVmaUnlockWrite(anon);
  if (!failed) store(copy + VMA_ANON, own);
  else unlinkAnonVmas(copy);
  return failed ? ENOMEM : 0;
}

/**
 * `copy`, which has no anon_vma yet, takes over those of `source` (split, move, merge). Precondition and result as for
 * cloneChains.
 */
export function anonVmaClone(copy: Vma, source: Vma): u32 {
  return cloneChains(copy, source, false);
}

/**
 * The same for a VMA `child` that fork copies from `parent`, which gets an anon_vma of its own besides. Returns 0, or
 * ENOMEM with nothing changed.
 */
export function anonVmaFork(child: Vma, parent: Vma): u32 {
  const parental = load(parent + VMA_ANON);
  if (parental === 0) return 0;
  if (cloneChains(child, parent, true) !== 0) return ENOMEM;
  if (load(child + VMA_ANON) !== 0) return 0;
  const anon = anonVmaAlloc();
  const chain = anon === 0 ? 0 : chainAlloc();
  if (chain === 0) {
    if (anon !== 0) anonVmaPut(anon);
    unlinkAnonVmas(child);
    return ENOMEM;
  }
  const root = load(parental + AV_ROOT);
  store(anon + AV_ROOT, root);
  store(anon + AV_PARENT, parental);
  poke(anon + AV_ACTIVE, 1);
  // The root lives as long as any anon_vma whose lists its rwsem protects.
  anonVmaGet(root);
  anonVmaLockWrite(anon);
  chainLink(child, chain, anon, 0);
  store(child + VMA_ANON, anon);
  poke(parental + AV_CHILDREN, peek(parental + AV_CHILDREN) + 1);
  anonVmaUnlockWrite(anon);
  return 0;
}

/**
 * Takes `vma` out of every list: no walk finds it any more when this returns. anon_vmas that are left without VMAs are
 * given up. Precondition: mmap_lock, or nobody else can reach the VMA but through the lists.
 */
export function unlinkAnonVmas(vma: Vma): void {
  const newest = load(vma + VMA_CHAIN);
  if (newest === 0) return;
  const anon = load(vma + VMA_ANON);
  const root = load(peek(newest + AVC_ANON) + AV_ROOT);
  let empty: u32 = 0;
  rwsemWriteLock(root + AV_RWSEM, LC_ANON_VMA_READ);
  let chain = newest;
  while (chain !== 0) {
    const older = peek(chain + AVC_OLDER);
    const listing = peek(chain + AVC_ANON);
    listRemove(chain);
    if (peek(listing + AV_FIRST) === 0) {
      const parent = load(listing + AV_PARENT);
      poke(parent + AV_CHILDREN, peek(parent + AV_CHILDREN) - 1);
      // Put below: the root's rwsem is inside the last of them.
      poke(chain + AVC_NEXT, empty);
      empty = chain;
    } else {
      chainFree(chain);
    }
    chain = older;
  }
  if (anon !== 0) poke(anon + AV_ACTIVE, peek(anon + AV_ACTIVE) - 1);
  rwsemWriteUnlock(root + AV_RWSEM, LC_ANON_VMA_READ);
  store(vma + VMA_ANON, 0);
  store(vma + VMA_CHAIN, 0);
  store(vma + VMA_CHAIN_OLDEST, 0);
  while (empty !== 0) {
    const next = peek(empty + AVC_NEXT);
    anonVmaPut(peek(empty + AVC_ANON));
    chainFree(empty);
    empty = next;
  }
}
