/**
 * GUP-fast against a zap that frees page and table: the pin is taken with interrupts off and no lock, and looked at
 * twice. A page that was pinned stays allocated, whatever the zap does; one whose entry has gone is let go again.
 *
 * From: Linux mm/gup.c (gup_fast_pte_range: the second look at pmd and pte), mm/mmu_gather.c (tlb_remove_table).
 * Expected: no violation. The frame, which the zapper uses again at once for another page, is never pinned as what it
 * was.
 */

import {
  expect,
  gupFastOnly,
  gupPut,
  newSpace,
  peek,
  PMD_PAGES,
  touchPages,
  userFault,
  zapAndReclaim,
} from '../../portable/scenarioApi.ts';
import { folioOf } from '../../../kernel/alloc/folio.ts';
import { F_INDEX } from '../../../kernel/word/layout.ts';

export const about = {
  summary: 'GUP-fast against a zap that frees the page and its table, and uses the frame again',
  source: 'Linux mm/gup.c (gup_fast_pte_range), mm/mmu_gather.c',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
}

function zapAndReuse(): void {
  zapAndReclaim(mm, 0, PMD_PAGES);
  expect(userFault(mm, 0, 1) === 0, 'the fault succeeds');
}

function pin(): void {
  const frame = gupFastOnly(mm, 1, 1);
  if (frame === 0) return;
  expect(peek(folioOf(frame) + F_INDEX) === 1, 'the pinned page is that of page 1');
  gupPut(frame);
}

export const cpus = [zapAndReuse, pin];
