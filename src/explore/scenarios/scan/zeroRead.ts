/**
 * A table that only maps the zero page is dropped while a program reads from it: it finds the zero page in the table,
 * or in its TLB, or faults and gets it in another table. A read that comes between the two looks gives the table
 * another chance.
 *
 * From: asyncReclaim.ts (the zero page); Linux mm/memory.c (do_anonymous_page: the zero page).
 * Expected: no violation; the table goes when nobody reads it any more.
 */

import {
  access,
  doMadvise,
  expect,
  finishDaemons,
  MADV_POPULATE_READ,
  mmTables,
  newSpace,
  PMD_PAGES,
  runDaemons,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a table of the zero page is dropped while a program reads there',
  source: 'Linux mm/memory.c (do_anonymous_page)',
  expected: 'passes',
  machine: { lock: 'tas', protocol: 'async', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  expect(doMadvise(mm, 0, 1, MADV_POPULATE_READ) === 0, 'set-up: the zero page is mapped');
  expect(runDaemons() === 1, 'set-up: looked at once');
}

function scan(): void {
  runDaemons();
}

function read(): void {
  expect(access(mm, 1, 0) === 0, 'the read succeeds');
}

export const cpus = [scan, read];

export function finish(): void {
  finishDaemons();
  expect(mmTables(mm) === 0, 'no table is left');
}
