/**
 * A zapper whose hold of the PTE lock is broken between two pages (need_resched, tried both ways), against faults that
 * fill the slot it has already emptied: what was seen empty before the break is no longer known to be.
 *
 * From: Linux mm/memory.c (zap_pte_range: the fast path only when the lock was held from the first entry to the last).
 * Expected: no violation; a page that was faulted in after its slot had been zapped is still mapped.
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
  summary: 'a fault refills a slot while the zapper of its table has dropped the PTE lock',
  source: 'Linux mm/memory.c (zap_pte_range: can_reclaim_pt)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
  choices: { resched: 1 },
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 2);
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
