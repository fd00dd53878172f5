/**
 * The last visit of an empty table ends while munmap takes the whole range away, the PMD table included. munmap does
 * not ask for the count: whoever clears the PMD entry under the PMD lock frees the table, and the other finds that it
 * is unlinked.
 *
 * From: free_pgtables in Linux mm/memory.c against free_pte_table in "Free user PTE page table pages" v3, November
 * 2021. (The series had no readers under RCU alone, so munmap met nobody.)
 * Expected: no violation; no table is left.
 */

import {
  doMadvise,
  doMunmap,
  expect,
  MADV_DONTNEED,
  mmTables,
  newSpace,
  PMD_PAGES,
  pteUnmap,
  rcuBarrier,
  touchPages,
  visitOnCpu,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'the last visit of an empty, counted table ends while munmap frees the tables',
  source: '"Free user PTE page table pages" v3, November 2021; Linux mm/memory.c (free_pgtables)',
  expected: 'passes',
  machine: { protocol: 'pte-refcount' },
  constants: { CHECK_SECTIONS: 0 },
};

let mm: u32 = 0;
let visited: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
  visited = visitOnCpu(1, mm, 1);
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'set-up: zapped');
}

function unmap(): void {
  expect(doMunmap(mm, 0, PMD_PAGES) === 0, 'munmap succeeds');
  rcuBarrier();
}

function leave(): void {
  pteUnmap(visited);
}

export const cpus = [unmap, leave];

export function finish(): void {
  expect(mmTables(mm) === 0, 'no table is left');
}
