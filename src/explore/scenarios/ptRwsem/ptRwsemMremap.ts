/**
 * Protocol `pt-rwsem` against mremap: a PTE table moves as a whole from one PMD table to another, while its old PMD
 * table, and the new one, which holds nothing yet, are looked at as empty.
 *
 * From: Linux mm/mremap.c (move_normal_pmd, alloc_new_pmd).
 * Expected: no violation; the page is at the new place.
 */

import {
  anonPages,
  doMadvise,
  doMremap,
  entryAt,
  expect,
  MADV_DONTNEED,
  mapPages,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  newSpace,
  PMD_PAGES,
  PUD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a PTE table moves to a PMD table that holds nothing yet, which is found empty',
  source: 'Linux mm/mremap.c (move_normal_pmd, alloc_new_pmd)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', protocol: 'pt-rwsem' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  mapPages(mm, PUD_PAGES + PMD_PAGES, PMD_PAGES);
  touchPages(mm, 1, 2);
}

function move(): void {
  const error = doMremap(mm, 0, PMD_PAGES, PUD_PAGES, PMD_PAGES, MREMAP_MAYMOVE | MREMAP_FIXED);
  expect(error === 0, 'mremap succeeds');
}

function zap(): void {
  const error = doMadvise(mm, PUD_PAGES + PMD_PAGES, PMD_PAGES, MADV_DONTNEED);
  expect(error === 0, 'madvise succeeds');
}

export const cpus = [move, zap];

export function finish(): void {
  expect(entryAt(mm, PUD_PAGES + 1) !== 0 && anonPages(mm) === 1, 'the page moved');
}
