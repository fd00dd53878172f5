/**
 * Identities of anon_vmas: which VMAs may merge after one of them got anonymous pages.
 *
 * Guarantee: a VMA's identity goes from 0 to a value once, before its first anonymous page is mapped, and never back.
 * A VMA that could have merged with a neighbour but for its rights takes over that neighbour's identity, the next one's before
 * the previous one's, so that it can merge when the rights become equal.
 *
 * Precondition of every function: mmap_lock, any mode. Two faults may prepare one VMA at once: the compare-and-exchange lets one
 * win. Source: Linux mm/vma.c (find_mergeable_anon_vma, anon_vma_compatible), mm/rmap.c (__anon_vma_prepare).
 */

import { VM_EXEC, VM_READ, VM_WRITE } from './config.ts';
import { VMA_ANON, VMA_END, VMA_FLAGS, VMA_INODE, VMA_PGOFF, VMA_START } from './layout.ts';
import { anonVmaCreate } from './mm.ts';
import { vmaNext, vmaPrev } from './vma.ts';
import { compareExchange, load } from './word.ts';

/** Whether `left` and `right` are adjacent and differ at most in their rights. */
function compatible(left: u32, right: u32): boolean {
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

/** Identity that `vma` can take over from a neighbour, 0: none. */
function reusableIdentity(mm: u32, vma: u32): u32 {
  const next = vmaNext(vma);
  if (next !== 0 && compatible(vma, next) && load(next + VMA_ANON) !== 0)
    return load(next + VMA_ANON);
  const previous = vmaPrev(mm, load(vma + VMA_START));
  if (previous !== 0 && compatible(previous, vma)) return load(previous + VMA_ANON);
  return 0;
}

/** Gives `vma` an identity if it has none. Precondition: mmap_lock, any mode. */
export function anonVmaPrepare(mm: u32, vma: u32): void {
  if (load(vma + VMA_ANON) !== 0) return;
  let identity = reusableIdentity(mm, vma);
  if (identity === 0) identity = anonVmaCreate(mm);
  compareExchange(vma + VMA_ANON, 0, identity);
}
