/**
 * A daemon that frees an empty PMD table against a lockless walker, which may be in it: it holds no lock that the
 * daemon could wait for, so the table must outlive its RCU section.
 *
 * From: asyncUpper.ts; Linux mm/gup.c and mm/pagewalk.c for the walkers, mm/mmu_gather.c (tlb_remove_table).
 * Expected: the walker never reads a freed table.
 */

import {
  doMadvise,
  expect,
  MADV_DONTNEED,
  mmTables,
  newSpace,
  PUD_PAGES,
  rcuBarrier,
  runDaemons,
  touchPages,
  walkLockless,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a daemon that frees an empty PMD table against a lockless walker inside it',
  source: 'Linux mm/mmu_gather.c (tlb_remove_table), mm/pagewalk.c',
  expected: 'passes',
  machine: { lock: 'tas', protocol: 'async', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PUD_PAGES);
  touchPages(mm, 0, 1);
  expect(doMadvise(mm, 0, 1, MADV_DONTNEED) === 0, 'set-up: emptied');
  expect(runDaemons() === 1, 'set-up: the PTE table is gone');
}

function scan(): void {
  expect(runDaemons() === 1, 'there is a candidate');
  rcuBarrier();
}

function walk(): void {
  expect(walkLockless(mm, 0) === 0, 'nothing is mapped');
}

export const cpus = [scan, walk];

export function finish(): void {
  expect(mmTables(mm) === 1, 'the PUD table is left');
}
