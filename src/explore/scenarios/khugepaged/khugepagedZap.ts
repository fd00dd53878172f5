/**
 * A pass of khugepaged against madvise(MADV_DONTNEED) of one page of the span. What khugepaged saw of the table is
 * worth nothing once it has dropped mmap_lock: it looks again when nobody else can be in the span. Here no page of a
 * span may be missing (max_ptes_none is 0).
 *
 * From: Linux mm/khugepaged.c (hpage_collapse_scan_pmd, __collapse_huge_page_isolate).
 * Expected: no violation; the page that was zapped does not come back.
 */

import {
  doMadvise,
  entryAt,
  expect,
  khugepagedPass,
  MADV_DONTNEED,
  MADV_HUGEPAGE,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a pass of khugepaged against madvise(MADV_DONTNEED) in the span that it collapses',
  source: 'Linux mm/khugepaged.c (hpage_collapse_scan_pmd, __collapse_huge_page_isolate)',
  expected: 'passes',
  machine: { lock: 'tas', thp: 'madvise', fault: 'mmap-lock', khugepaged: { maxPtesNone: 0 } },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, PMD_PAGES);
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_HUGEPAGE) === 0, 'set-up: huge pages allowed');
}

function scan(): void {
  khugepagedPass();
}

function zap(): void {
  expect(doMadvise(mm, 0, 1, MADV_DONTNEED) === 0, 'madvise succeeds');
}

export const cpus = [scan, zap];

export function finish(): void {
  expect(entryAt(mm, 0) === 0, 'the page is gone');
  expect(entryAt(mm, 1) !== 0, 'the other one is there');
}
