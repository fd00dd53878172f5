/**
 * mremap that moves a page, and madvise that drops it at its new place, against a CPU that has the old place in its TLB.
 *
 * From: Linux mm/mremap.c (move_ptes: "flush while the PTL is held"; "mremap: properly flush TLB before releasing the page", 2018).
 * Expected: no violation; the old place is not reached any more once mremap has returned.
 */

import {
  access,
  condResched,
  doMadvise,
  doMremap,
  EFAULT,
  expect,
  MADV_DONTNEED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  newSpace,
  PMD_PAGES,
  touchOnCpu,
} from '../scenarioApi.ts';

export const about = {
  summary: 'mremap and a zap of the new place against a CPU that has the old one in its TLB',
  source: 'Linux mm/mremap.c (move_ptes, move_normal_pmd)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  constants: { TABLE_BITS: 1, PGD_BITS: 1, TASK_END: 15, CHECK_SECTIONS: 0 },
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchOnCpu(1, mm, 0);
}

function move(): void {
  const error = doMremap(mm, 0, PMD_PAGES, PMD_PAGES, PMD_PAGES, MREMAP_MAYMOVE | MREMAP_FIXED);
  expect(error === 0, 'mremap succeeds');
  expect(doMadvise(mm, PMD_PAGES, PMD_PAGES, MADV_DONTNEED) === 0, 'madvise succeeds');
}

function use(): void {
  condResched();
  const error = access(mm, 0, 1);
  expect(error === 0 || error === EFAULT, 'the page can be written, or has gone');
}

export const cpus = [move, use];
