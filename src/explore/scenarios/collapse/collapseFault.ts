/**
 * Collapse of anonymous memory against an access of the span, by a CPU that has the page in its TLB and the table in
 * its paging-structure cache. The fault that the access may end in, on the VMA's lock, waits for the collapse, which
 * has it for write.
 *
 * From: Linux mm/khugepaged.c (collapse_huge_page: vma_start_write, pmdp_collapse_flush).
 * Expected: no violation, in particular no translation of the old pages, nor of the table, after the flush. The span is
 * huge at the end.
 */

import {
  access,
  doMadvise,
  entryAt,
  expect,
  load,
  MADV_COLLAPSE,
  newSpace,
  PMD_PAGES,
  touchOnCpu,
} from '../../portable/scenarioApi.ts';
import { entryHuge, entryPresent } from '../../../kernel/word/entry.ts';
import { pmdFind } from '../../../kernel/tables/walk.ts';

export const about = {
  summary: 'collapse of anonymous memory against an access',
  source: 'Linux mm/khugepaged.c (collapse_huge_page)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'vma-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchOnCpu(1, mm, 1);
}

function collapse(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_COLLAPSE) === 0, 'the span is huge');
}

function use(): void {
  expect(access(mm, 1, 1) === 0, 'the access succeeds');
  expect(access(mm, 0, 1) === 0, 'so does that of a page that was not there');
}

export const cpus = [collapse, use];

export function finish(): void {
  expect(entryHuge(load(pmdFind(mm, 0))), 'the span is huge');
  expect(entryPresent(entryAt(mm, 1)), 'the page is there');
}
