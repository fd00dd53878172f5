/**
 * UFFDIO_MOVE of a whole huge PMD against GUP-fast of one of its pages. The move clears the PMD and then looks at the
 * references; GUP-fast takes a reference and then looks at the entry again: one of the two sees the other.
 *
 * From: Linux mm/huge_memory.c (move_pages_huge_pmd), mm/gup.c (gup_fast_pmd_leaf).
 * Expected: a page that was pinned through its old place is still there; what moved is huge at its new place, and its
 * deposited table with it.
 */

import {
  anonPages,
  AWAIT_EQUALS,
  awaitWord,
  EBUSY,
  entryAt,
  expect,
  gupFastOnly,
  gupPut,
  load,
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
import { entryHuge, entryNumber, entryPresent } from '../../../kernel/word/entry.ts';
import { splitHugePmd } from '../../../kernel/huge/hugePmd.ts';
import { walkBegin, walkEnd } from '../../../kernel/word/hooks.ts';
import { pmdFind } from '../../../kernel/tables/walk.ts';

export const about = {
  summary: 'UFFDIO_MOVE of a huge PMD while GUP-fast pins a page of it',
  source: 'Linux mm/huge_memory.c (move_pages_huge_pmd), mm/gup.c (gup_fast_pmd_leaf)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', thp: 'always' },
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
  const error = uffdMove(mm, 0, 2 * PMD_PAGES, PMD_PAGES, 0);
  expect(error === 0 || error === EBUSY, 'all of it moves, or a page is pinned');
  store(done, 1);
}

function pin(): void {
  const frame = gupFastOnly(mm, 2 * PMD_PAGES + 1, 0);
  if (frame === 0) return;
  awaitWord(done, 0xffffffff, AWAIT_EQUALS, 1, 0);
  expect(entryNumber(entryAt(mm, 2 * PMD_PAGES + 1)) === frame, 'a pinned page stays where it is');
  gupPut(frame);
}

export const cpus = [move, pin];

export function finish(): void {
  expect(anonPages(mm) === PMD_PAGES, 'no page is lost');
  const here = entryPresent(entryAt(mm, 0));
  expect(here !== entryPresent(entryAt(mm, 2 * PMD_PAGES)), 'they are at one place');
  walkBegin(mm);
  const pmd = pmdFind(mm, here ? 0 : 2 * PMD_PAGES);
  expect(entryHuge(load(pmd)), 'where they are huge');
  splitHugePmd(mm, pmd, here ? 0 : 2 * PMD_PAGES);
  walkEnd(mm);
}
