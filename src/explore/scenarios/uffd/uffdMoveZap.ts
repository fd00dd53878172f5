/**
 * UFFDIO_MOVE into a PTE table that a zap reclaims. The destination's entry is none before and after, so only its PMD,
 * looked at again under both PTE locks, shows that the table has gone; then the move begins again, and allocates one.
 *
 * From: Linux mm/userfaultfd.c (is_pte_pages_stable, since empty tables are reclaimed).
 * Expected: no violation; the page is at its new place, or was zapped there.
 */

import {
  anonPages,
  entryAt,
  expect,
  mapPages,
  newSpace,
  PMD_PAGES,
  touchPages,
  uffdApi,
  uffdMove,
  uffdRegister,
  UFFD_REGISTER_MISSING,
  zapAndReclaim,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'UFFDIO_MOVE into a PTE table that a zap reclaims',
  source: 'Linux mm/userfaultfd.c (move_pages_ptes, is_pte_pages_stable)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  mapPages(mm, 2 * PMD_PAGES, PMD_PAGES);
  touchPages(mm, 1, 2);
  touchPages(mm, 2 * PMD_PAGES, 2 * PMD_PAGES + 1);
  expect(uffdApi(mm, 0) === 0, 'set-up: a userfaultfd');
  expect(uffdRegister(mm, 0, PMD_PAGES, UFFD_REGISTER_MISSING) === 0, 'set-up: registered');
}

function move(): void {
  expect(uffdMove(mm, 0, 2 * PMD_PAGES, 1, 0) === 0, 'the move succeeds');
}

function zap(): void {
  zapAndReclaim(mm, 0, PMD_PAGES);
}

export const cpus = [move, zap];

export function finish(): void {
  expect(entryAt(mm, 2 * PMD_PAGES) === 0, 'nothing is left at the old place');
  expect(anonPages(mm) === (entryAt(mm, 0) === 0 ? 0 : 1), 'the page moved, or was zapped');
}
