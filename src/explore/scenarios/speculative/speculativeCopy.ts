/**
 * Two speculative write faults on the zero page, and a zap: each fault locks twice, first to look at the old page, then
 * to put the copy in its place, and nothing keeps the table in between.
 *
 * From: Speculative page faults, April 2021 (do_wp_page, wp_page_copy).
 * Expected: no violation; at most one page is mapped.
 */

import {
  anonPages,
  doMadvise,
  expect,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  populateRange,
  touchPages,
  userFault,
  zapAndReclaim,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a speculative copy of the zero page while a zap reclaims the PTE table',
  source: 'Speculative page faults, April 2021 (do_wp_page, wp_page_copy)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'speculative' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'set-up: zapped');
  expect(populateRange(mm, 0, 1, 0) === 0, 'set-up: the zero page');
}

function zap(): void {
  zapAndReclaim(mm, 0, PMD_PAGES);
}

function write(): void {
  expect(userFault(mm, 0, 1) === 0, 'the fault succeeds');
}

export const cpus = [zap, write];

export function finish(): void {
  expect(anonPages(mm) <= 1, 'at most one page is mapped');
}
