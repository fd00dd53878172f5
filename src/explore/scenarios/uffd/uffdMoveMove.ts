/**
 * Two moves between the same two PTE tables, in opposite directions. Both need both PTE locks, and take that with the
 * lower address first.
 *
 * From: Linux mm/userfaultfd.c (double_pt_lock).
 * Expected: no deadlock; each page is at its new place.
 */

import {
  anonPages,
  entryAt,
  expect,
  newSpace,
  PMD_PAGES,
  touchPages,
  uffdApi,
  uffdMove,
  uffdRegister,
  UFFD_REGISTER_MISSING,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'two UFFDIO_MOVEs between the same tables, in opposite directions',
  source: 'Linux mm/userfaultfd.c (double_pt_lock)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(2 * PMD_PAGES);
  touchPages(mm, 0, 1);
  touchPages(mm, PMD_PAGES + 1, PMD_PAGES + 2);
  expect(uffdApi(mm, 0) === 0, 'set-up: a userfaultfd');
  expect(uffdRegister(mm, 0, 2 * PMD_PAGES, UFFD_REGISTER_MISSING) === 0, 'set-up: registered');
}

function moveUp(): void {
  expect(uffdMove(mm, PMD_PAGES, 0, 1, 0) === 0, 'the move up succeeds');
}

function moveDown(): void {
  expect(uffdMove(mm, 1, PMD_PAGES + 1, 1, 0) === 0, 'the move down succeeds');
}

export const cpus = [moveUp, moveDown];

export function finish(): void {
  expect(entryAt(mm, 0) === 0 && entryAt(mm, PMD_PAGES + 1) === 0, 'the old places are empty');
  expect(entryAt(mm, PMD_PAGES) !== 0 && entryAt(mm, 1) !== 0, 'the new places are not');
  expect(anonPages(mm) === 2, 'no page is lost');
}
