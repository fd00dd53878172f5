/**
 * A speculative fault against a zap that reclaims its PTE table. The zap holds mmap_lock for read, so the fault's
 * sequence number says nothing; the entry is none before and after. Only the PMD, read again under the PTE lock, shows
 * that the table has gone.
 *
 * From: the question that the series of April 2021 was asked: how could it protect against page-table reclaim?
 * Expected: no violation; the page of the fault is there, or was zapped, or was never installed and the ordinary fault
 * brought it.
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
  summary: 'a speculative fault while a zap reclaims the PTE table',
  source: 'Linux mm/memory.c (zap_pte_range); Speculative page faults, April 2021 (pte_map_lock)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'speculative' },
  kernel: 'pairs',
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
  expect(userFault(mm, 0, 1) === 0, 'the fault succeeds');
}

export const cpus = [zap, fault];

export function finish(): void {
  expect(anonPages(mm) <= 1, 'at most the page of the fault is mapped');
}
