/**
 * A zapper against a page fault in the same PTE table: the fault maps a page into a table that the zapper is about to
 * find empty. Either the table stays because of the new page, or it is detached first and the fault takes another.
 *
 * From: do_anonymous_page in Linux mm/memory.c against zap_pte_range's reclaim of empty tables.
 * Expected: no violation; the page that the fault mapped last is there, or was zapped.
 */

import {
  anonPages,
  expect,
  newSpace,
  PMD_PAGES,
  touchPages,
  userFault,
  zapAndReclaim,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a zapper against a page fault in the same PTE table',
  source: 'Linux mm/memory.c (do_anonymous_page, zap_pte_range)',
  expected: 'passes',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
}

function zap(): void {
  zapAndReclaim(mm, 0, PMD_PAGES);
}

function fault(): void {
  expect(userFault(mm, 2, 1) === 0, 'the fault succeeds');
}

export const cpus = [zap, fault];

export function finish(): void {
  expect(anonPages(mm) <= 1, 'at most the page of the fault is mapped');
}
