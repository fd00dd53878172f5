/**
 * GUP-fast against a zap that frees page and table: the pin is taken with interrupts off and no lock, and looked at twice. A page
 * that was pinned stays allocated, whatever the zap does; one whose entry has gone is let go again.
 *
 * From: Linux mm/gup.c (gup_fast_pte_range: the second look at pmd and pte), mm/mmu_gather.c (tlb_remove_table).
 * Expected: no violation. A pinned frame has one generation from pin to release.
 */

import {
  doMadvise,
  expect,
  folioPut,
  frameGeneration,
  gupCheck,
  gupFastOnly,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../scenarioApi.ts';

export const about = {
  summary: 'GUP-fast against a zap that frees the page and its table',
  source: 'Linux mm/gup.c (gup_fast_pte_range), mm/mmu_gather.c',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  constants: { TABLE_BITS: 1, PGD_BITS: 1, TASK_END: 15, CHECK_SECTIONS: 0 },
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
}

function zap(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'madvise succeeds');
}

function pin(): void {
  const frame = gupFastOnly(mm, 1, 1);
  if (frame === 0) return;
  const generation = frameGeneration(frame);
  gupCheck(frame, generation);
  folioPut(frame);
}

export const cpus = [zap, pin];
