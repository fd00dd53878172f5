/**
 * The last visit of a table ends that has been unlinked by a collapse, emptied, deposited, and is filled and linked
 * again by a split. The reader makes the count zero while the table lies in reserve, and comes to the PMD lock when the
 * PMD entry names the table once more, with entries in it.
 *
 *     collapse, split                            a reader's put
 *     clear the PMD entry, the entries; deposit
 *                                                the count becomes zero
 *     fill the table, store the PMD entry
 *                                                PMD lock: the PMD entry names the table; is the count still zero?
 *
 * From: pgtable_trans_huge_deposit and _withdraw in Linux mm/pgtable-generic.c, with readers that hold no lock, which
 * "Free user PTE page table pages" v3 (November 2021) did not have: there, zero was final.
 * Expected: no violation; the page that was not given up is mapped by the table.
 */

import {
  anonPages,
  doMadvise,
  entryAt,
  expect,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  pollInterrupts,
  pteUnmap,
  touchPages,
  visitOnCpu,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'the last visit of a counted table ends that comes back from a deposit',
  source: 'Linux mm/pgtable-generic.c (pgtable_trans_huge_withdraw)',
  expected: 'passes',
  machine: { protocol: 'pte-refcount', lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let visited: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, PMD_PAGES);
  visited = visitOnCpu(1, mm, 1);
}

function collapseSplit(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_COLLAPSE) === 0, 'the span is huge');
  expect(doMadvise(mm, 0, 1, MADV_DONTNEED) === 0, 'a part is given up');
}

function leave(): void {
  pollInterrupts();
  pteUnmap(visited);
}

export const cpus = [collapseSplit, leave];

export function finish(): void {
  expect(anonPages(mm) === 1 && entryAt(mm, 1) !== 0, 'the other page is mapped');
}
