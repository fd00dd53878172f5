/**
 * Retraction of a page table through the rmap against a zap of the same span, which reclaims the table as its protocol
 * does. The table is used at the start: either side may be the one that empties it, and either the one that takes it
 * out.
 *
 * From: Linux mm/khugepaged.c (retract_page_tables), mm/pt_reclaim.c. `retractReclaim` is the same with a table that is
 * empty at the start.
 * Expected: no violation. The table is freed once; the collapse may find that the zap still has the page.
 */

import {
  entryAt,
  expect,
  newSharedSpan,
  objectAt,
  PMD_PAGES,
  touchPages,
  zapAndReclaim,
} from '../../portable/scenarioApi.ts';
import { collapseFile } from '../../../kernel/calls/collapseFile.ts';
import { SCAN_PAGE_COUNT, SCAN_PTE_MAPPED_HUGEPAGE } from '../../../kernel/calls/collapseScan.ts';

export const about = {
  summary: 'retraction of a page table through i_mmap against a zap of what it maps',
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
}

function collapse(): void {
  const result = collapseFile(inode, 0);
  const held = result === SCAN_PAGE_COUNT;
  expect(held || result === SCAN_PTE_MAPPED_HUGEPAGE, 'one folio, or the zap still had the page');
}

function zap(): void {
  zapAndReclaim(mm, 0, PMD_PAGES);
}

export const cpus = [collapse, zap];

export function finish(): void {
  expect(entryAt(mm, 0) === 0, 'nothing is mapped');
}
