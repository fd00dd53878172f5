/**
 * mremap moves a table's entries one by one into two new tables, under a lockless reader of the old one. The entries'
 * counts move along; each new table begins with a count of its installer's, who is done with the first when it installs
 * the second, and with that at the end.
 *
 * From: move_ptes in Linux mm/mremap.c; "Free user PTE page table pages" v3, November 2021.
 * Expected: no violation; each page at its new place, the old table gone.
 */

import {
  anonPages,
  doMremap,
  entryAt,
  expect,
  mmTables,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  newSpace,
  PMD_PAGES,
  touchPages,
  walkLockless,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'mremap moves the entries of a counted table into two new ones under a reader',
  source: '"Free user PTE page table pages" v3, November 2021; Linux mm/mremap.c (move_ptes)',
  expected: 'passes',
  machine: { protocol: 'pte-refcount', lock: 'tas' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, PMD_PAGES);
}

function move(): void {
  const flags = MREMAP_MAYMOVE | MREMAP_FIXED;
  expect(doMremap(mm, 0, PMD_PAGES, PMD_PAGES + 1, PMD_PAGES, flags) === 0, 'mremap succeeds');
}

function walk(): void {
  walkLockless(mm, 1);
}

export const cpus = [move, walk];

export function finish(): void {
  expect(anonPages(mm) === 2, 'both pages are mapped');
  expect(entryAt(mm, PMD_PAGES + 1) !== 0 && entryAt(mm, PMD_PAGES + 2) !== 0, 'where they moved');
  expect(mmTables(mm) === 5, 'one PUD table, two PMD tables, two PTE tables');
}
