/**
 * Reclaim protocol `sync`: an empty PTE table is detached by the zap that emptied it, as in Linux since 6.14.
 *
 * Guarantee, steps, who relies on what, and lock order: tables/zapDetach.ts, which this protocol does nothing beside.
 *
 * Cost: nothing where no zap covers a whole table; else a trylock of the PMD lock per emptied table, or a scan under
 * both locks. Cannot free: tables that become empty otherwise than by one MADV_DONTNEED of all that they map; upper
 * tables.
 *
 * Source: Linux 6.14 mm/pt_reclaim.c, mm/memory.c (zap_pte_range).
 */

import {
  detachedTable,
  reclaimEligible,
  reclaimLocked,
  reclaimUnlocked,
} from '../tables/zapDetach.ts';

export const about = {
  name: 'sync',
  summary: 'madvise(MADV_DONTNEED) frees the tables that it empties, as Linux since 6.14',
  frees: 'whole',
  isDefault: true,
  demo: true,
};

export function zapEligible(start: Vpn, end: Vpn): boolean {
  return reclaimEligible(start, end);
}

export function zapEmptied(pmd: Pmd): boolean {
  return reclaimLocked(pmd);
}

export function zapDone(gather: Gather, mm: Mm, pmd: Pmd, start: Vpn, detached: boolean): void {
  if (detached) detachedTable(gather, mm, start);
  else reclaimUnlocked(gather, mm, pmd, start);
}
