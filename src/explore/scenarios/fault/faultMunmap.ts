/**
 * A page fault on the VMA's lock against munmap: the fault allocates tables and installs a page while munmap takes the
 * VMA away and then frees tables without a lock. Whoever is late must notice.
 *
 * From: Linux mm/mmap_lock.c (lock_vma_under_rcu, vma_mark_detached), mm/memory.c (handle_mm_fault, free_pgtables).
 * Expected: the fault succeeds or finds no mapping (EFAULT); nothing is left mapped and no table.
 */

import {
  anonPages,
  doMunmap,
  EFAULT,
  expect,
  mmTables,
  newSpace,
  PMD_PAGES,
  userFault,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a page fault on the VMA lock against munmap',
  source:
    'Linux mm/mmap_lock.c (lock_vma_under_rcu, vma_mark_detached), mm/memory.c (free_pgtables)',
  expected: 'passes',
  machine: { lock: 'tas' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
}

function fault(): void {
  const error = userFault(mm, 1, 1);
  expect(error === 0 || error === EFAULT, 'the fault succeeds or finds no mapping');
}

function unmap(): void {
  expect(doMunmap(mm, 0, PMD_PAGES) === 0, 'munmap succeeds');
}

export const cpus = [fault, unmap];

export function finish(): void {
  expect(anonPages(mm) === 0, 'no page is mapped');
  expect(mmTables(mm) === 0, 'no table is left');
}
