/**
 * The background scan against a page fault in the table that it looks at: the table was noted as empty some time ago,
 * and now a program comes back to it. Either the page is there when the scan looks, and the table stays, or the table
 * goes and the fault takes another.
 *
 * From: Linux mm/pt_reclaim.c (try_to_free_pte) against mm/memory.c (do_anonymous_page).
 * Expected: no violation; the page that was faulted in is mapped.
 */

import {
  access,
  anonPages,
  doMadvise,
  entryAt,
  expect,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  runDaemons,
  touchPages,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'the scan of a candidate against a page fault in it',
  source: 'Linux mm/pt_reclaim.c (try_to_free_pte), mm/memory.c (do_anonymous_page)',
  expected: 'passes',
  machine: { lock: 'tas', protocol: 'async' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
  expect(doMadvise(mm, 0, 1, MADV_DONTNEED) === 0, 'set-up: emptied');
}

function scan(): void {
  expect(runDaemons() === 1, 'there is a candidate');
}

function fault(): void {
  expect(access(mm, 1, 1) === 0, 'the access succeeds');
}

export const cpus = [scan, fault];

export function finish(): void {
  expect(entryAt(mm, 1) !== 0, 'the page is mapped');
  expect(anonPages(mm) === 1, 'and no other');
}
