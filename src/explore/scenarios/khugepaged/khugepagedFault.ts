/**
 * A pass of khugepaged against a fault in a page of the span that is not there, on the VMA's lock, which does not wait
 * for mmap_lock.
 *
 * From: Linux mm/khugepaged.c (collapse_huge_page: vma_start_write).
 * Expected: no violation; the span is huge, or, if the pass met mmap_lock taken, as it was; the page is there.
 */

import {
  access,
  doMadvise,
  entryAt,
  expect,
  khugepagedPass,
  MADV_HUGEPAGE,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { entryPresent } from '../../../kernel/word/entry.ts';

export const about = {
  summary: 'a pass of khugepaged against a fault in the span that it collapses',
  source: 'Linux mm/khugepaged.c (collapse_huge_page)',
  expected: 'passes',
  machine: { lock: 'tas', thp: 'madvise', fault: 'vma-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_HUGEPAGE) === 0, 'set-up: huge pages allowed');
}

function scan(): void {
  khugepagedPass();
}

function fault(): void {
  expect(access(mm, 1, 1) === 0, 'the access succeeds');
}

export const cpus = [scan, fault];

export function finish(): void {
  expect(entryPresent(entryAt(mm, 0)), 'the page of before is there');
  expect(entryPresent(entryAt(mm, 1)), 'so is the other');
}
