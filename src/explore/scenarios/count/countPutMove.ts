/**
 * The last visit of an empty table ends while mremap moves the table, from one PMD table to another. The way back from
 * the table to its PMD entry changes under the locks of both places: whoever frees the table has to look at it again
 * once it has a lock.
 *
 * From: move_normal_pmd in Linux mm/mremap.c against free_pte_table in "Free user PTE page table pages" v3, November
 * 2021.
 * Expected: no violation; the table is gone from both places.
 */

import {
  doMadvise,
  doMremap,
  entryAt,
  expect,
  MADV_DONTNEED,
  mapPages,
  mmTables,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  newSpace,
  PMD_PAGES,
  pteUnmap,
  PUD_PAGES,
  touchPages,
  visitOnCpu,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'the last visit of an empty, counted table ends while mremap moves the table',
  source: '"Free user PTE page table pages" v3, November 2021; Linux mm/mremap.c (move_normal_pmd)',
  expected: 'passes',
  machine: { protocol: 'pte-refcount', lock: 'tas' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let visited: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  mapPages(mm, PUD_PAGES + PMD_PAGES, 1);
  touchPages(mm, PUD_PAGES + PMD_PAGES, PUD_PAGES + PMD_PAGES + 1);
  touchPages(mm, 1, 2);
  visited = visitOnCpu(1, mm, 1);
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'set-up: zapped');
}

function move(): void {
  const error = doMremap(mm, 0, PMD_PAGES, PUD_PAGES, PMD_PAGES, MREMAP_MAYMOVE | MREMAP_FIXED);
  expect(error === 0, 'mremap succeeds');
}

function leave(): void {
  pteUnmap(visited);
}

export const cpus = [move, leave];

export function finish(): void {
  expect(entryAt(mm, 1) === 0 && entryAt(mm, PUD_PAGES + 1) === 0, 'no page is mapped');
  expect(mmTables(mm) === 3, 'the other mapping has its three tables, and nobody else one');
}
