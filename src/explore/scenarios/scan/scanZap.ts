/**
 * The background scan against a zap of the last page of the same table: the table was noted when its watched entry
 * went, and another entry kept it. Either the scan finds it empty, or it watches the page that is about to go, and the
 * zap notes the table again.
 *
 * From: candidates.ts (the watched entry), after Moskewicz et al., Chaff (2001).
 * Expected: whichever comes first, the empty table is not overlooked: further passes free it and what is above it.
 */

import {
  doMadvise,
  expect,
  finishDaemons,
  MADV_DONTNEED,
  mmTables,
  newSpace,
  PMD_PAGES,
  runDaemons,
  touchPages,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'the scan of a candidate against a zap of the last page in it',
  source: 'src/kernel/protocols/async/candidates.ts (the watched entry)',
  expected: 'passes',
  machine: { lock: 'tas', protocol: 'async', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 2);
  expect(doMadvise(mm, 0, 1, MADV_DONTNEED) === 0, 'set-up: the watched entry has gone');
}

function scan(): void {
  runDaemons();
}

function zap(): void {
  expect(doMadvise(mm, 1, 1, MADV_DONTNEED) === 0, 'madvise succeeds');
}

export const cpus = [scan, zap];

export function finish(): void {
  finishDaemons();
  expect(mmTables(mm) === 0, 'no table is left');
}
