/**
 * The background scan against mremap that moves a page into the candidate: the table is shared with a neighbour, whose
 * VMA mremap does not lock. mremap counts on the table of its destination to stay (moveTables.ts), so a scan on the VMA
 * lock must hold that of a VMA which covers the whole span.
 *
 * From: Linux mm/mremap.c (move_ptes: the new table by pte_offset_map_rw_nolock) against mm/pt_reclaim.c.
 * Expected: no violation; the page is at its new place.
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
  runDaemons,
  touchPages,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'the scan of a candidate against mremap, which moves a page into it',
  source: 'Linux mm/mremap.c (move_ptes), mm/pt_reclaim.c',
  expected: 'passes',
  machine: { lock: 'tas', protocol: 'async' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(1);
  touchPages(mm, 0, 1);
  mapPages(mm, PMD_PAGES, 1);
  touchPages(mm, PMD_PAGES, PMD_PAGES + 1);
  expect(doMadvise(mm, PMD_PAGES, 1, MADV_DONTNEED) === 0, 'set-up: emptied');
}

function scan(): void {
  runDaemons();
}

function move(): void {
  const error = doMremap(mm, 0, 1, PMD_PAGES + 1, 1, MREMAP_MAYMOVE | MREMAP_FIXED);
  expect(error === 0, 'mremap succeeds');
}

export const cpus = [scan, move];

export function finish(): void {
  expect(entryAt(mm, PMD_PAGES + 1) !== 0, 'the page is at its new place');
  expect(anonPages(mm) === 1, 'it is there once');
}
