/**
 * The scan of a PMD table against munmap that takes the last PTE table out of it and leaves it to a neighbour: the two
 * share no lock while the scan looks for the first time. Either it sees the entry gone, or it watches the entry before
 * munmap looks at what is watched.
 *
 * From: src/kernel/protocols/async/candidates.ts (the flag goes before the scan, the watch comes after it).
 * Expected: the empty PMD table is not overlooked: further passes free it and what is above it.
 */

import {
  doMadvise,
  doMunmap,
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
  summary: 'the scan of a PMD table against munmap of the last PTE table in it',
  source: 'src/kernel/protocols/async/candidates.ts',
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
  expect(runDaemons() === 1, 'set-up: the first PTE table is gone');
}

function scan(): void {
  runDaemons();
}

function unmap(): void {
  expect(doMunmap(mm, PMD_PAGES, PMD_PAGES) === 0, 'munmap succeeds');
}

export const cpus = [scan, unmap];

export function finish(): void {
  finishDaemons();
  expect(mmTables(mm) === 0, 'no table is left');
}
