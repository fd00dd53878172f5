/**
 * Large folios on anonymous faults that allocate (multi-size THP, option `mthp`): which order a fault allocates.
 *
 * Guarantee: the folio's pages, mapped in address order, lie within the VMA and within one PTE table, around the page
 * that faulted, at a multiple of their number; no entry of that range was anything but none when it was looked at. The
 * range is looked at again under the PTE lock before anything is installed (fault.ts).
 *
 *  1. Orders enabled (H_MTHP), none where madvise forbids huge pages. 2. Of those, the ones whose range fits the VMA.
 *  3. The greatest whose entries are all none, read without the lock. 4. Allocate, falling back to the next smaller
 *     enabled order, at last to a single page.
 *
 * Order 9, a whole table, is mapped by PTEs here as the others are; Linux leaves it to huge PMDs, which come before
 * this.
 * Source: Linux 6.18 mm/memory.c (alloc_anon_folio, pte_range_none), include/linux/huge_mm.h (thp_vma_suitable_order).
 */

import { F_ANON, F_EXCLUSIVE } from '../alloc/folio.ts';
import { frameAlloc } from '../alloc/frame.ts';
import { count, COUNTER_LARGE_FALLBACKS } from '../observe/stats.ts';
import { pteOffsetMap, pteUnmap } from '../tables/pteMap.ts';
import { TABLE_BITS, VM_NOHUGEPAGE, VM_UFFD_MISSING, VM_UFFD_WP } from '../word/config.ts';
import { H_MTHP, VMA_END, VMA_FLAGS, VMA_START } from '../word/layout.ts';
import { load, peek } from '../word/word.ts';

/** First page of the range of `order` around `vpn`. */
export function alignDown(vpn: Vpn, order: u32): Vpn {
  return (vpn & ~((1 << order) - 1)) >>> 0;
}

/** Whether the `n` entries from `pte` on are none. */
export function pteRangeNone(pte: Pte, n: u32): boolean {
  let none: u32 = 0;
  while (none < n && load(pte + (none << 2)) === 0) none += 1;
  return none === n;
}

/** Whether the range of `order` around `vpn` lies within [start, end). */
function fits(start: Vpn, end: Vpn, vpn: Vpn, order: u32): boolean {
  const first = alignDown(vpn, order);
  return first >= start && first <= end && end - first >= 1 << order;
}

/** Highest order set in `orders` that is less than `below`; 0: none. */
function nextOrder(orders: u32, below: u32): u32 {
  let order = below;
  while (order > 0) {
    order -= 1;
    if (((orders >>> order) & 1) !== 0) return order;
  }
  return 0;
}

/** Orders of H_MTHP whose range around `vpn` fits the VMA, a bit each. */
function suitableOrders(vma: Vma, vpn: Vpn): u32 {
  const enabled = peek(H_MTHP);
  // A userfaultfd is told of each page.
  const singly: u32 = VM_NOHUGEPAGE | VM_UFFD_MISSING | VM_UFFD_WP;
  if (enabled === 0 || (load(vma + VMA_FLAGS) & singly) !== 0) return 0;
  const start = load(vma + VMA_START);
  const end = load(vma + VMA_END);
  let orders: u32 = 0;
  for (let order: u32 = 1; order <= TABLE_BITS; order += 1)
    if (((enabled >>> order) & 1) !== 0 && fits(start, end, vpn, order))
      orders = (orders | (1 << order)) >>> 0;
  return orders;
}

/** The greatest of `orders` whose range around `vpn` has only none entries, 0: none has, or there is no table. */
function greatestNone(pmd: Pmd, vpn: Vpn, orders: u32): u32 {
  const pte = pteOffsetMap(pmd, vpn);
  if (pte === 0) return 0;
  let order = nextOrder(orders, TABLE_BITS + 1);
  while (order !== 0 && !pteRangeNone(pte - ((vpn - alignDown(vpn, order)) << 2), 1 << order))
    order = nextOrder(orders, order);
  pteUnmap(pte);
  return order;
}

/**
 * Allocates the folio for an anonymous fault at `vpn`, with `flags` beside F_ANON: steps 1 to 4. Returns its first
 * frame, with one reference; 0: no memory. Precondition: the VMA is locked and has an anon_vma; the PMD entry at `pmd`
 * has named a table.
 */
export function allocAnonFolio(vma: Vma, pmd: Pmd, vpn: Vpn, flags: u32): Head {
  const orders = suitableOrders(vma, vpn);
  let order: u32 = orders === 0 ? 0 : greatestNone(pmd, vpn, orders);
  while (order !== 0) {
    const frame = frameAlloc(order, flags | F_ANON | F_EXCLUSIVE);
    if (frame !== 0) return frame;
    count(COUNTER_LARGE_FALLBACKS);
    order = nextOrder(orders, order);
  }
  return frameAlloc(0, flags | F_ANON | F_EXCLUSIVE);
}
