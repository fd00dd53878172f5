/**
 * Protocol `mmap-write` against a page fault on the VMA's lock: between the look under mmap_lock for read and the lock
 * for write, the fault fills the table that was seen empty; and a fault does not take mmap_lock at all.
 *
 * From: Linux 6.1 mm/khugepaged.c (collapse_and_free_pmd), mm/mmap_lock.c (lock_vma_under_rcu).
 * Expected: no violation, even of a kernel whose pteOffsetMapLock does not look at the PMD again: while a table is
 * unlinked no fault is under way.
 */

import {
  anonPages,
  doMadvise,
  expect,
  entryAt,
  MADV_DONTNEED,
  mmTables,
  newSpace,
  PMD_PAGES,
  touchPages,
  userFault,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a table is unlinked under mmap_lock for write while a fault on the VMA’s lock fills it',
  source: 'Linux 6.1 mm/khugepaged.c (collapse_and_free_pmd), mm/mmap_lock.c (lock_vma_under_rcu)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'vma-lock', protocol: 'mmap-write' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
}

function zap(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'madvise succeeds');
}

function fault(): void {
  expect(userFault(mm, 0, 1) === 0, 'the fault succeeds');
}

export const cpus = [zap, fault];

export function finish(): void {
  const there = entryAt(mm, 0) !== 0;
  expect(anonPages(mm) === (there ? 1 : 0), 'at most the page of the fault is mapped');
  expect(mmTables(mm) === (there ? 3 : 2), 'an empty PTE table is gone');
}
