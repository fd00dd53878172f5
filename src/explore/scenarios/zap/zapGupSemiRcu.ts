/**
 * GUP-fast under semi-RCU: no batch page can be had, so the zapped table is freed after an interrupt to every CPU
 * instead of a grace period. GUP-fast has interrupts off, cannot acknowledge in mid-walk, and is safe; it is the
 * control of the case of a lockless walker with interrupts on (`zapWalk` on a machine with `free` semi-rcu), which is
 * not.
 *
 * From: Linux mm/mmu_gather.c (tlb_remove_table_sync_one), "x86: mm: free page table pages by RCU instead of semi RCU".
 * Expected: no violation.
 */

import {
  gupPut,
  frameGeneration,
  gupCheck,
  gupFastOnly,
  newSpace,
  PMD_PAGES,
  touchPages,
  zapAndReclaim,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'GUP-fast stays safe when tables are freed by interrupt instead of RCU',
  source: 'Linux mm/mmu_gather.c (tlb_remove_table_sync_one)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', free: 'semi-rcu', inject: { batch: 1 } },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
}

function zap(): void {
  zapAndReclaim(mm, 0, PMD_PAGES);
}

function pin(): void {
  const frame = gupFastOnly(mm, 1, 1);
  if (frame === 0) return;
  const generation = frameGeneration(frame);
  gupCheck(frame, generation);
  gupPut(frame);
}

export const cpus = [zap, pin];
