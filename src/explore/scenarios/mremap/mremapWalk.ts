/**
 * mremap against readers that take no lock it knows of: a lockless walker, and GUP-fast on the page that moves. Whole
 * tables change place under them.
 *
 * From: Linux mm/mremap.c (move_normal_pmd: "pmd lock and flush"), mm/gup.c.
 * Expected: no violation; a pin that was taken is of the page that was mapped at its address.
 */

import {
  anonPages,
  doMremap,
  entryAt,
  expect,
  gupPut,
  frameGeneration,
  gupCheck,
  gupFastOnly,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  newSpace,
  PMD_PAGES,
  touchPages,
  walkLockless,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'mremap moves a PTE table under a lockless walker and GUP-fast',
  source: 'Linux mm/mremap.c (move_normal_pmd), mm/gup.c (gup_fast_pte_range)',
  expected: 'passes',
  machine: { lock: 'tas' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
}

function move(): void {
  const error = doMremap(mm, 0, PMD_PAGES, PMD_PAGES, PMD_PAGES, MREMAP_MAYMOVE | MREMAP_FIXED);
  expect(error === 0, 'mremap succeeds');
}

function pin(): void {
  const frame = gupFastOnly(mm, 1, 1);
  if (frame === 0) return;
  const generation = frameGeneration(frame);
  gupCheck(frame, generation);
  gupPut(frame);
}

function walk(): void {
  walkLockless(mm, PMD_PAGES + 1);
}

export const cpus = [move, pin, walk];

export function finish(): void {
  expect(anonPages(mm) === 1, 'the page is still mapped');
  expect(entryAt(mm, 1) === 0, 'not at the old place');
  expect(entryAt(mm, PMD_PAGES + 1) !== 0, 'at the new place');
}
