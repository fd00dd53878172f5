/**
 * Two zappers on one PTE table: both clear all of its pages with madvise(MADV_DONTNEED), one page being mapped. The
 * table is empty afterwards; one of them, and only one, detaches it and frees it, or neither does when each had to
 * leave it to the other.
 *
 * From: the reclaim of empty PTE tables in Linux mm/memory.c and mm/pt_reclaim.c (zap_pte_range, try_get_and_clear_pmd,
 * try_to_free_pte).
 * Expected: no violation; at the end no page is mapped and the table is gone.
 */

import {
  anonPages,
  expect,
  mmTables,
  newSpace,
  PMD_PAGES,
  touchPages,
  zapAndReclaim,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'two zappers on one PTE table',
  source:
    'Linux mm/memory.c (zap_pte_range), mm/pt_reclaim.c (try_get_and_clear_pmd, try_to_free_pte)',
  expected: 'passes',
};

let mm: u32 = 0;
let upperTables: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
  upperTables = mmTables(mm) - 1;
}

function zap(): void {
  zapAndReclaim(mm, 0, PMD_PAGES);
}

export const cpus = [zap, zap];

export function finish(): void {
  expect(anonPages(mm) === 0, 'no page is mapped');
  expect(
    mmTables(mm) <= upperTables,
    'the empty table is gone, and whatever else the protocol frees',
  );
}
