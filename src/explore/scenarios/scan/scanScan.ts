/**
 * Two CPUs that run daemons at once, with two candidates: one pass is under way at a time, who comes second goes away.
 * While a zap notes another table meanwhile.
 *
 * From: src/kernel/protocols/async/asyncReclaim.ts (G_SCAN_OWNER), src/kernel/protocols/async/candidates.ts (one
 * producer and one consumer for each ring).
 * Expected: no candidate is lost or taken twice: further passes free all.
 */

import {
  doMadvise,
  expect,
  finishDaemons,
  MADV_DONTNEED,
  mapPages,
  mmTables,
  newSpace,
  PMD_PAGES,
  runDaemons,
  touchPages,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'two CPUs that run daemons at once, one of which makes work for them',
  source: 'src/kernel/protocols/async/asyncReclaim.ts, src/kernel/protocols/async/candidates.ts',
  expected: 'passes',
  machine: { lock: 'tas', protocol: 'async', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  mapPages(mm, PMD_PAGES, PMD_PAGES);
  touchPages(mm, 0, 1);
  touchPages(mm, PMD_PAGES, PMD_PAGES + 1);
  expect(doMadvise(mm, 0, 1, MADV_DONTNEED) === 0, 'set-up: emptied');
}

function scan(): void {
  runDaemons();
}

function zapAndScan(): void {
  expect(doMadvise(mm, PMD_PAGES, 1, MADV_DONTNEED) === 0, 'madvise succeeds');
  runDaemons();
}

export const cpus = [scan, zapAndScan];

export function finish(): void {
  finishDaemons();
  expect(mmTables(mm) === 0, 'no table is left');
}
