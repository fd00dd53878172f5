/**
 * The background scan against the end of the address space: the candidate is a name, and what it names may be going, or
 * be another address space by now. The scan pins it or lets go; the exit waits for the pin.
 *
 * From: Linux mm/khugepaged.c (__khugepaged_exit against hpage_collapse_scan), include/linux/sched/mm.h
 * (mmget_not_zero).
 * Expected: no violation; nothing of the old address space is left, and its place can be used again.
 */

import {
  access,
  anonPages,
  doMadvise,
  expect,
  MADV_DONTNEED,
  mapPages,
  mmCreate,
  mmDestroy,
  mmTables,
  newSpace,
  PMD_PAGES,
  runDaemons,
  touchPages,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary:
    'the scan of a candidate against the end of its address space, whose place is used again',
  source: 'Linux mm/khugepaged.c (__khugepaged_exit), include/linux/sched/mm.h (mmget_not_zero)',
  expected: 'passes',
  machine: { lock: 'tas', protocol: 'async', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let again: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
  expect(doMadvise(mm, 0, 1, MADV_DONTNEED) === 0, 'set-up: emptied');
}

function scan(): void {
  runDaemons();
}

function exit(): void {
  mmDestroy(mm);
  again = mmCreate();
  expect(again === mm, 'the place is used again');
  mapPages(again, 0, PMD_PAGES);
  expect(access(again, 0, 1) === 0, 'it can be used');
}

export const cpus = [scan, exit];

export function finish(): void {
  expect(anonPages(again) === 1, 'the page of the new one is mapped');
  expect(mmTables(again) === 3, 'its tables are there and no other');
}
