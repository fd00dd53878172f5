/**
 * Paging a page out through the rmap against a zap that reclaims its table: the walk comes by way of the anon_vma,
 * without mmap_lock, and may find the PTE table locked, empty, or gone. What it holds is only the right to look.
 *
 * From: Linux mm/page_vma_mapped.c (map_pte, check_pte), mm/pt_reclaim.c. Expected: the page is unmapped once, by one
 * of the two; no entry is lost.
 */

import {
  doMadvise,
  entryAt,
  expect,
  isolatePage,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  shrinkFolio,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { folioPut } from '../../../kernel/alloc/frame.ts';

export const about = {
  summary: 'paging out through the rmap against MADV_DONTNEED that reclaims the table',
  source: 'Linux mm/page_vma_mapped.c (map_pte), mm/pt_reclaim.c',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let frame: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
  frame = isolatePage(mm, 1);
}

function pageout(): void {
  shrinkFolio(frame);
  folioPut(frame);
}

function zap(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'madvise succeeds');
}

export const cpus = [pageout, zap];

export function finish(): void {
  expect(entryAt(mm, 1) === 0, 'nothing is mapped at page 1, not even swap');
}
