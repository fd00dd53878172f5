/**
 * The background scan against UFFDIO_MOVE into the candidate: the move has mapped the table, whose entry is none, and
 * the scan, under mmap_lock for read as well, detaches it. Only the look at the PMD of the destination under the locks
 * shows that.
 *
 * From: Linux mm/userfaultfd.c (is_pte_pages_stable) against mm/pt_reclaim.c. `uffdMoveZap` is the same with a zap that
 * reclaims.
 * Expected: no violation; the page is at its new place.
 */

import {
  anonPages,
  doMadvise,
  entryAt,
  expect,
  MADV_DONTNEED,
  mapPages,
  newSpace,
  PMD_PAGES,
  runDaemons,
  touchPages,
  uffdApi,
  uffdMove,
  uffdRegister,
  UFFD_REGISTER_MISSING,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'the scan of a candidate against UFFDIO_MOVE, which moves a page into it',
  source: 'Linux mm/userfaultfd.c (move_pages_ptes, is_pte_pages_stable), mm/pt_reclaim.c',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', protocol: 'async' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  mapPages(mm, 2 * PMD_PAGES, PMD_PAGES);
  touchPages(mm, 1, 2);
  touchPages(mm, 2 * PMD_PAGES, 2 * PMD_PAGES + 2);
  expect(uffdApi(mm, 0) === 0, 'set-up: a userfaultfd');
  expect(uffdRegister(mm, 0, PMD_PAGES, UFFD_REGISTER_MISSING) === 0, 'set-up: registered');
  expect(doMadvise(mm, 1, 1, MADV_DONTNEED) === 0, 'set-up: emptied');
}

function scan(): void {
  expect(runDaemons() >= 1, 'there is a candidate');
}

function move(): void {
  expect(uffdMove(mm, 0, 2 * PMD_PAGES, 1, 0) === 0, 'the move succeeds');
}

export const cpus = [scan, move];

export function finish(): void {
  expect(entryAt(mm, 0) !== 0, 'the page is at its new place');
  expect(anonPages(mm) === 2, 'and the other where it was');
}
