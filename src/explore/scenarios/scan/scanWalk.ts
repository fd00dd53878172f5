/**
 * The background scan against a lockless walker that is inside the table: the table is detached under it and must not
 * be freed before it leaves.
 *
 * From: Linux mm/pt_reclaim.c (free_pte: through the gather), mm/pgtable-generic.c (___pte_offset_map).
 * Expected: the walker never reads a freed table; the table is freed in the end.
 */

import {
  doMadvise,
  expect,
  MADV_DONTNEED,
  mmTables,
  newSpace,
  PMD_PAGES,
  rcuBarrier,
  runDaemons,
  touchPages,
  walkLockless,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'the scan of a candidate against a lockless walker inside it',
  source: 'Linux mm/pt_reclaim.c (free_pte), mm/pgtable-generic.c (___pte_offset_map)',
  expected: 'passes',
  machine: { lock: 'tas', protocol: 'async', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let upperTables: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
  upperTables = mmTables(mm) - 1;
  expect(doMadvise(mm, 0, 1, MADV_DONTNEED) === 0, 'set-up: emptied');
}

function scan(): void {
  runDaemons();
  rcuBarrier();
}

function walk(): void {
  expect(walkLockless(mm, 0) === 0, 'nothing is mapped');
}

export const cpus = [scan, walk];

export function finish(): void {
  expect(mmTables(mm) === upperTables, 'the empty table is gone');
}
