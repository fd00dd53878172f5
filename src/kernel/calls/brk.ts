/**
 * brk: the heap, one growing and shrinking anonymous mapping between MM_BRK_START and MM_BRK.
 *
 * A new address space has no heap: the first call sets both and maps nothing (what brk(0) answers a program that has
 * just started). Shrinking unmaps, with mmap_lock downgraded as in munmap; growing fails with ENOMEM when a mapping is
 * in the way.
 * Source: Linux 6.18 mm/mmap.c (brk), mm/vma.c (do_brk_flags).
 */

import { mmapWriteLock, mmapWriteUnlock } from '../sleep/mmapLock.ts';
import { findVmaIntersection } from '../space/vma.ts';
import { unmapRange } from '../vma/munmap.ts';
import { vmaMap } from '../vma/vmaMerge.ts';
import { EINVAL, ENOMEM, MAP_COUNT_MAX, TASK_END, VM_READ, VM_WRITE } from '../word/config.ts';
import { MM_BRK, MM_BRK_START, MM_MAP_COUNT } from '../word/layout.ts';
import { peek, poke } from '../word/word.ts';

/**
 * Sets the end of the heap to page `vpn`. Returns 0, ENOMEM (a mapping is in the way, no VMA left) or EINVAL (below the
 * heap's start, or beyond the address space); the heap is as before then.
 */
export function doBrk(mm: Mm, vpn: Vpn): u32 {
  if (vpn > TASK_END) return EINVAL;
  mmapWriteLock(mm);
  const old = peek(mm + MM_BRK);
  let error: u32 = 0;
  if (old === 0) {
    poke(mm + MM_BRK_START, vpn);
    poke(mm + MM_BRK, vpn);
  } else if (vpn < peek(mm + MM_BRK_START)) {
    error = EINVAL;
  } else if (vpn < old) {
    // Before the lock is downgraded, as two CPUs may set it.
    poke(mm + MM_BRK, vpn);
    error = unmapRange(mm, vpn, old, true);
    if (error === 0) return 0;
    poke(mm + MM_BRK, old);
  } else if (vpn > old) {
    if (findVmaIntersection(mm, old, vpn) !== 0 || peek(mm + MM_MAP_COUNT) > MAP_COUNT_MAX) {
      error = ENOMEM;
    } else if (vmaMap(mm, old, vpn, VM_READ | VM_WRITE, 0, old, 0) === 0) {
      error = ENOMEM;
    } else {
      poke(mm + MM_BRK, vpn);
    }
  }
  mmapWriteUnlock(mm);
  return error;
}
