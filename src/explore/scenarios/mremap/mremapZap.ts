/**
 * mremap that moves a whole PTE table to another PMD entry, against madvise(MADV_DONTNEED) of the old place: the zapper
 * works on the VMA's lock and may find the table empty while mremap is about to move it.
 *
 * From: Linux mm/mremap.c (move_normal_pmd, move_page_tables) against mm/pt_reclaim.c.
 * Expected: the move succeeds; madvise succeeds, or finds no mapping (ENOMEM) after the move. Either the page was
 * zapped before the move, or it is at the new place.
 */

import {
  anonPages,
  doMadvise,
  doMremap,
  ENOMEM,
  expect,
  MADV_DONTNEED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  newSpace,
  PMD_PAGES,
  touchPages,
  entryAt,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'mremap moves a PTE table while madvise(MADV_DONTNEED) empties it',
  source: 'Linux mm/mremap.c (move_normal_pmd), mm/pt_reclaim.c',
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

function zap(): void {
  const error = doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED);
  expect(error === 0 || error === ENOMEM, 'madvise succeeds or finds no mapping');
}

export const cpus = [move, zap];

export function finish(): void {
  expect(entryAt(mm, 1) === 0, 'nothing is mapped at the old place');
  expect(anonPages(mm) === (entryAt(mm, PMD_PAGES + 1) === 0 ? 0 : 1), 'the page moved or is gone');
}
