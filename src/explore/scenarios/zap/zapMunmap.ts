/**
 * madvise(MADV_DONTNEED) on the VMA's lock against munmap of the same range: munmap frees every level of the tables
 * with no table lock at all, relying on having detached the VMA first and waited for its readers.
 *
 * From: Linux mm/vma.c (vms_gather_munmap_vmas, vms_complete_munmap_vmas), mm/mmap_lock.c (vma_mark_detached),
 * mm/madvise.c (madvise_lock).
 * Expected: madvise succeeds, or finds no mapping any more (ENOMEM); afterwards neither a page nor a table is left.
 */

import {
  anonPages,
  doMadvise,
  doMunmap,
  ENOMEM,
  expect,
  MADV_DONTNEED,
  mmTables,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'madvise(MADV_DONTNEED) against munmap of the same range',
  source:
    'Linux mm/vma.c (vms_gather_munmap_vmas), mm/mmap_lock.c (vma_mark_detached), mm/madvise.c',
  expected: 'passes',
  machine: { lock: 'tas' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
}

function zap(): void {
  const error = doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED);
  expect(error === 0 || error === ENOMEM, 'madvise succeeds or finds no mapping');
}

function unmap(): void {
  expect(doMunmap(mm, 0, PMD_PAGES) === 0, 'munmap succeeds');
}

export const cpus = [zap, unmap];

export function finish(): void {
  expect(anonPages(mm) === 0, 'no page is mapped');
  expect(mmTables(mm) === 0, 'no table is left');
}
