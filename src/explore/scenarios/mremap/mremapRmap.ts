/**
 * mremap of a whole table against paging out through the rmap: the mover takes no PTE lock, so the walk could hold that
 * of a table which moves meanwhile, and flush the place where the page was, not the one where it is used by now. The
 * mover holds the rmap locks for write instead.
 *
 * From: Linux mm/mremap.c (move_pgt_entry, take_rmap_locks). Expected: no CPU uses the page once it has been paged out.
 */

import {
  access,
  doMremap,
  entryAt,
  expect,
  isolatePage,
  mapPages,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  newSpace,
  PMD_PAGES,
  shrinkFolio,
  touchOnCpu,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { folioPut } from '../../../kernel/alloc/frame.ts';

export const about = {
  summary:
    'mremap of a whole table, and a use of its new place, against paging out through the rmap',
  source: 'Linux mm/mremap.c (move_pgt_entry, take_rmap_locks)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let frame: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
  // The upper tables of the destination are there, its PTE table is not.
  mapPages(mm, 3 * PMD_PAGES, PMD_PAGES);
  touchPages(mm, 3 * PMD_PAGES, 3 * PMD_PAGES + 1);
  // The mover's hardware may walk in the address space from the start.
  touchOnCpu(1, mm, 3 * PMD_PAGES);
  frame = isolatePage(mm, 1);
}

function pageout(): void {
  shrinkFolio(frame);
  folioPut(frame);
}

function move(): void {
  const flags = MREMAP_MAYMOVE | MREMAP_FIXED;
  const to = 2 * PMD_PAGES;
  expect(doMremap(mm, 0, PMD_PAGES, to, PMD_PAGES, flags) === 0, 'mremap succeeds');
  expect(access(mm, to + 1, 0) === 0, 'the page can be read at its new place');
}

export const cpus = [pageout, move];

export function finish(): void {
  expect(entryAt(mm, 1) === 0, 'nothing is left at the old place');
}
