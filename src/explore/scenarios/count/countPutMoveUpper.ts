/**
 * The last visit of an empty table ends while mremap moves the whole PMD table that names it, and a hardware walker
 * looks at the new place. Such a move takes the page_table_lock, not the PMD lock. So whoever frees the table has to
 * look up the range to flush after it has cleared the PMD entry: an upper entry cached at the new place must not
 * outlive the table.
 *
 * From: move_normal_pud in Linux mm/mremap.c against free_pte_table in "Free user PTE page table pages" v3, November
 * 2021.
 * Expected: no violation; the table is gone from both places, and from every cache.
 */

import {
  doMadvise,
  doMremap,
  expect,
  hardwareWalk,
  MADV_DONTNEED,
  mmTables,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  newSpace,
  PMD_PAGES,
  pteUnmap,
  PUD_PAGES,
  touchOnCpu,
  visitOnCpu,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary:
    'the last visit of an empty, counted table ends while mremap moves the PMD table above it',
  source: '"Free user PTE page table pages" v3, November 2021; Linux mm/mremap.c (move_normal_pud)',
  expected: 'passes',
  machine: { protocol: 'pte-refcount', lock: 'tas' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let visited: u32 = 0;

export function setUp(): void {
  mm = newSpace(PUD_PAGES);
  touchOnCpu(0, mm, 1);
  visited = visitOnCpu(1, mm, 1);
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'set-up: zapped');
}

function move(): void {
  const error = doMremap(mm, 0, PUD_PAGES, PUD_PAGES, PUD_PAGES, MREMAP_MAYMOVE | MREMAP_FIXED);
  expect(error === 0, 'mremap succeeds');
  hardwareWalk(mm, PUD_PAGES + 1, 0);
}

function leave(): void {
  pteUnmap(visited);
}

export const cpus = [move, leave];

export function finish(): void {
  expect(mmTables(mm) === 2, 'the PUD and the PMD table are left');
}
