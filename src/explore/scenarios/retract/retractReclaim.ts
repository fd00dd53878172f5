/**
 * Retraction of a page table through the rmap against the reclaim of empty tables, which takes no rmap lock: both find
 * the same empty table of a shared mapping, one in retract_page_tables, the other in madvise(MADV_DONTNEED).
 *
 *     collapse of shared memory                  madvise(MADV_DONTNEED)
 *     i_mmap for read; read the PMD: a table
 *                                                PTE lock; the table is empty; PMD lock; clear the PMD
 *     PMD lock; look at the PMD again: none
 *
 * What the first read showed is no more than a hint: under the PMD lock the entry may be none, or name another table,
 * which is as good.
 *
 * From: "mm: khugepaged: recheck pmd state in retract_page_tables()", 2024; Linux mm/khugepaged.c
 * (retract_page_tables), mm/pt_reclaim.c.
 * Expected: no violation. The table is freed once.
 */

import {
  doMadvise,
  expect,
  load,
  MADV_PAGEOUT,
  mmTables,
  newSharedSpan,
  objectAt,
  PMD_PAGES,
  touchPages,
  zapAndReclaim,
} from '../../portable/scenarioApi.ts';
import { collapseFile } from '../../../kernel/calls/collapseFile.ts';
import { SCAN_PTE_MAPPED_HUGEPAGE } from '../../../kernel/calls/collapseScan.ts';
import { pmdOf } from '../../../kernel/tables/offsets.ts';

export const about = {
  summary: 'retraction of a page table through i_mmap against the reclaim of it',
  source: 'Linux mm/khugepaged.c (retract_page_tables), mm/pt_reclaim.c',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
  constants: { FAULT_AROUND_PAGES: 1 },
};

let mm: u32 = 0;
let inode: u32 = 0;

export function setUp(): void {
  mm = newSharedSpan();
  inode = objectAt(mm, 0);
  touchPages(mm, 0, 1);
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_PAGEOUT) === 0, 'set-up: the table is empty');
  expect(load(pmdOf(mm, 0)) !== 0, 'set-up: and still there');
}

function collapse(): void {
  const result = collapseFile(inode, 0);
  expect(result === SCAN_PTE_MAPPED_HUGEPAGE, 'the span is one folio');
}

function zap(): void {
  zapAndReclaim(mm, 0, PMD_PAGES);
}

export const cpus = [collapse, zap];

export function finish(): void {
  expect(mmTables(mm) <= 2, 'the PTE table is gone');
}
