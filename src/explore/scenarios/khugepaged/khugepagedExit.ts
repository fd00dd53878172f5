/**
 * A pass of khugepaged against the end of the address space that it is in, and another one that is made meanwhile: the
 * end takes the mm off khugepaged's list, or leaves that to the pass, which may be late: it drops mmap_lock between its
 * look at the span and the collapse, and finds no VMA afterwards.
 *
 * From: Linux mm/khugepaged.c (__khugepaged_exit, hpage_collapse_test_exit, hugepage_vma_revalidate).
 * Expected: no violation; the list is empty, and nobody holds the mm any more.
 */

import {
  access,
  doMadvise,
  expect,
  khugepagedPass,
  load,
  MADV_HUGEPAGE,
  mmCreate,
  mmDestroy,
  mmTables,
  newSpace,
  PMD_PAGES,
  touchPages,
  mapPages,
} from '../../portable/scenarioApi.ts';
import { G_KHUGEPAGED_FIRST, MM_COUNT } from '../../../kernel/word/layout.ts';

export const about = {
  summary: 'a pass of khugepaged against the end of its address space, whose place is used again',
  source: 'Linux mm/khugepaged.c (__khugepaged_exit, collect_mm_slot)',
  expected: 'passes',
  machine: { lock: 'tas', thp: 'madvise', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let again: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_HUGEPAGE) === 0, 'set-up: huge pages allowed');
  expect(load(G_KHUGEPAGED_FIRST) === mm, 'set-up: khugepaged scans it');
}

function scan(): void {
  khugepagedPass();
}

function exit(): void {
  mmDestroy(mm);
  again = mmCreate();
  mapPages(again, 0, PMD_PAGES);
  expect(access(again, 0, 1) === 0, 'the new one can be used');
}

export const cpus = [scan, exit];

export function finish(): void {
  expect(load(G_KHUGEPAGED_FIRST) === 0, 'khugepaged has nothing to scan');
  expect(again === mm || load(mm + MM_COUNT) === 0, 'nobody holds the old one');
  expect(load(again + MM_COUNT) === 1, 'its users hold the new one');
  expect(mmTables(again) === 3, 'its tables are there and no other');
}
