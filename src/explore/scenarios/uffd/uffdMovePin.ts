/**
 * UFFDIO_MOVE against GUP-fast of the page that moves. The move clears the entry and then looks at the references;
 * GUP-fast takes a reference and then looks at the entry again: one of the two sees the other.
 *
 * From: Linux mm/userfaultfd.c (move_present_ptes: pinned from under us), mm/gup.c (gup_fast_pte_range).
 * Expected: a page that was pinned through its old place is still there.
 */

import {
  AWAIT_EQUALS,
  awaitWord,
  EBUSY,
  entryAt,
  expect,
  gupFastOnly,
  gupPut,
  mapPages,
  newSpace,
  PMD_PAGES,
  scratchWord,
  store,
  touchPages,
  uffdApi,
  uffdMove,
  uffdRegister,
  UFFD_REGISTER_MISSING,
} from '../../portable/scenarioApi.ts';
import { entryNumber } from '../../../kernel/word/entry.ts';

export const about = {
  summary: 'UFFDIO_MOVE while GUP-fast pins the page',
  source: 'Linux mm/userfaultfd.c (move_present_ptes), mm/gup.c (gup_fast_pte_range)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let done: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  mapPages(mm, 2 * PMD_PAGES, PMD_PAGES);
  touchPages(mm, 2 * PMD_PAGES, 2 * PMD_PAGES + 1);
  expect(uffdApi(mm, 0) === 0, 'set-up: a userfaultfd');
  expect(uffdRegister(mm, 0, PMD_PAGES, UFFD_REGISTER_MISSING) === 0, 'set-up: registered');
  done = scratchWord(0);
}

function move(): void {
  const error = uffdMove(mm, 0, 2 * PMD_PAGES, 1, 0);
  expect(error === 0 || error === EBUSY, 'the page moves, or is pinned');
  store(done, 1);
}

function pin(): void {
  const frame = gupFastOnly(mm, 2 * PMD_PAGES, 0);
  if (frame === 0) return;
  awaitWord(done, 0xffffffff, AWAIT_EQUALS, 1, 0);
  expect(entryNumber(entryAt(mm, 2 * PMD_PAGES)) === frame, 'a pinned page stays where it is');
  gupPut(frame);
}

export const cpus = [move, pin];
