/**
 * A table that a put has freed is used again, elsewhere, while a reader that has read the old PMD entry is on its way
 * to it. The reader's RCU section keeps it from counting itself into the other table.
 *
 * From: pte_try_get in "Free user PTE page table pages" v3, November 2021; countSemiRcu shows what happens without.
 * Expected: no violation.
 */

import {
  doMadvise,
  expect,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  pteUnmap,
  rcuBarrier,
  touchPages,
  userFault,
  visitOnCpu,
  walkLockless,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a counted table that a put freed is used again while a reader is on its way to it',
  source: '"Free user PTE page table pages" v3, November 2021 (pte_try_get)',
  expected: 'passes',
  machine: { protocol: 'pte-refcount', fault: 'mmap-lock', lock: 'tas' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let visited: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES * 2);
  touchPages(mm, 1, 2);
  visited = visitOnCpu(1, mm, 1);
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'set-up: zapped');
}

function leave(): void {
  pteUnmap(visited);
  rcuBarrier();
  expect(userFault(mm, PMD_PAGES, 1) === 0, 'a table is made elsewhere');
}

function walk(): void {
  walkLockless(mm, 1);
}

export const cpus = [walk, leave];
