/**
 * A table that retraction has seen is reclaimed and another put in its place, before retraction has its locks: a fault
 * allocates the table, and would then wait for the folio, which the collapse holds. The other table is as empty as the
 * first, and may go in its stead: what counts is the state under the locks, not that it is the same table.
 *
 * From: "mm: khugepaged: recheck pmd state in retract_page_tables()", 2024, which does not compare the PMD with what it
 * was.
 * Expected: no violation; the page can be used, by whatever table.
 */

import {
  access,
  doMadvise,
  expect,
  load,
  MADV_PAGEOUT,
  newSharedSpan,
  objectAt,
  PMD_PAGES,
  rcuIdleEnter,
  rcuIdleExit,
  touchPages,
  zapAndReclaim,
} from '../../portable/scenarioApi.ts';
import { collapseFile } from '../../../kernel/calls/collapseFile.ts';
import { SCAN_PTE_MAPPED_HUGEPAGE } from '../../../kernel/calls/collapseScan.ts';
import { mmapReadLock, mmapReadUnlock } from '../../../kernel/sleep/mmapLock.ts';
import { walkBegin, walkEnd } from '../../../kernel/word/hooks.ts';
import { pmdAlloc, pteAlloc } from '../../../kernel/tables/walk.ts';
import { pmdOf } from '../../../kernel/tables/offsets.ts';

export const about = {
  summary: 'retraction meets a table other than the one that it saw, as empty as that',
  source: 'Linux mm/khugepaged.c (retract_page_tables), mm/pt_reclaim.c, mm/memory.c (pte_alloc)',
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
  expect(collapseFile(inode, 0) === SCAN_PTE_MAPPED_HUGEPAGE, 'the span is one folio');
}

function refill(): void {
  zapAndReclaim(mm, 0, PMD_PAGES);
  // What a fault does before it waits for the folio.
  mmapReadLock(mm);
  walkBegin(mm);
  expect(pteAlloc(mm, pmdAlloc(mm, 0), 0) !== 0, 'a table is there again');
  walkEnd(mm);
  mmapReadUnlock(mm);
}

export const cpus = [collapse, refill];

export function finish(): void {
  rcuIdleExit();
  expect(access(mm, 0, 1) === 0, 'the page can be used');
  rcuIdleEnter();
}
