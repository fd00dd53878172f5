/**
 * The background scan against mremap that moves the whole candidate to another place: its name in the queue is that of
 * the old place. Either the scan is first, or the table is noted by its new name.
 *
 * From: Linux mm/mremap.c (move_normal_pmd) against mm/pt_reclaim.c.
 * Expected: no violation; the empty table is not overlooked: further passes free it and what is above it.
 */

import {
  doMadvise,
  doMremap,
  expect,
  finishDaemons,
  MADV_DONTNEED,
  mmTables,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  newSpace,
  PMD_PAGES,
  runDaemons,
  touchPages,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'the scan of a candidate against mremap, which moves it',
  source: 'Linux mm/mremap.c (move_normal_pmd), mm/pt_reclaim.c',
  expected: 'passes',
  machine: { lock: 'tas', protocol: 'async', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
  expect(doMadvise(mm, 0, 1, MADV_DONTNEED) === 0, 'set-up: emptied');
}

function scan(): void {
  runDaemons();
}

function move(): void {
  const error = doMremap(mm, 0, PMD_PAGES, PMD_PAGES, PMD_PAGES, MREMAP_MAYMOVE | MREMAP_FIXED);
  expect(error === 0, 'mremap succeeds');
}

export const cpus = [scan, move];

export function finish(): void {
  finishDaemons();
  expect(mmTables(mm) === 0, 'no table is left');
}
