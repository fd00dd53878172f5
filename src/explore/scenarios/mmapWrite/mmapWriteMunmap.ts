/**
 * Protocol `mmap-write` against munmap, which frees tables with mmap_lock held for reading: the one who looks for empty
 * tables holds it for reading, too, and must look at none that munmap is about to free.
 *
 * From: Linux mm/vma.c (vms_complete_munmap_vmas downgrades mmap_lock), mm/khugepaged.c (hugepage_vma_revalidate: the
 * VMA is looked up again).
 * Expected: no violation; of the unmapped range nothing is left.
 */

import {
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
  summary: 'looking for empty tables against munmap, which frees them under mmap_lock for read',
  source: 'Linux mm/vma.c (vms_complete_munmap_vmas), mm/khugepaged.c (hugepage_vma_revalidate)',
  expected: 'passes',
  machine: { lock: 'tas', protocol: 'mmap-write' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
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
  expect(mmTables(mm) === 0, 'no table is left');
}
