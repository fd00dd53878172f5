/**
 * munmap against a lockless walker: munmap frees the tables of every level, whatever the protocol, and the walker holds
 * no lock that munmap asks for. Only the grace period between taking a table out and freeing it keeps the walker's
 * tables.
 *
 * From: Linux mm/memory.c (free_pgtables, free_pte_range), mm/mmu_gather.c (tlb_remove_table); mm/pagewalk.c.
 * Expected: no violation when tables are freed by RCU. What is different from `zapWalk`: this needs no reclaim of empty
 * tables.
 */

import {
  doMunmap,
  expect,
  mmTables,
  newSpace,
  PMD_PAGES,
  rcuBarrier,
  touchPages,
  walkLockless,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'munmap, which frees tables of every level, against a lockless walker',
  source: 'Linux mm/memory.c (free_pgtables), mm/mmu_gather.c (tlb_remove_table)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
}

function unmap(): void {
  expect(doMunmap(mm, 0, PMD_PAGES) === 0, 'munmap succeeds');
  rcuBarrier();
}

function walk(): void {
  walkLockless(mm, 1);
}

export const cpus = [unmap, walk];

export function finish(): void {
  expect(mmTables(mm) === 0, 'no table is left');
}
