/**
 * The background scan against munmap, which frees tables without a lock once nobody can find their mapping any more:
 * the scan must find the mapping and keep it, or leave the table alone.
 *
 * From: Linux mm/memory.c (free_pgtables) against mm/pt_reclaim.c (try_to_free_pte).
 * Expected: no violation; nothing is left.
 */

import {
  doMadvise,
  doMunmap,
  expect,
  MADV_DONTNEED,
  mmTables,
  newSpace,
  PMD_PAGES,
  runDaemons,
  touchPages,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'the scan of a candidate against munmap, which frees the table too',
  source: 'Linux mm/memory.c (free_pgtables), mm/pt_reclaim.c (try_to_free_pte)',
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
  runDaemons();
}

function unmap(): void {
  expect(doMunmap(mm, 0, PMD_PAGES) === 0, 'munmap succeeds');
}

export const cpus = [scan, unmap];

export function finish(): void {
  expect(mmTables(mm) === 0, 'no table is left');
}
