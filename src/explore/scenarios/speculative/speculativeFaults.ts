/**
 * Two speculative faults of one page: one commits, the other finds the entry changed, or the PTE lock taken, and falls
 * back.
 *
 * From: Speculative page faults, April 2021 (do_anonymous_page, pte_map_lock).
 * Expected: both succeed; exactly one page is mapped more.
 */

import {
  anonPages,
  expect,
  newSpace,
  PMD_PAGES,
  several,
  touchPages,
  userFault,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'two speculative faults of one page',
  source: 'Speculative page faults, April 2021 (do_anonymous_page, pte_map_lock)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'speculative' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
}

function fault(): void {
  expect(userFault(mm, 0, 1) === 0, 'the fault succeeds');
}

export const cpus = several(2, fault);

export function finish(): void {
  expect(anonPages(mm) === 2, 'one page more is mapped');
}
