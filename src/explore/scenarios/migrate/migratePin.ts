/**
 * Migration against GUP-fast: the page may move only while nobody has pinned it. Migration clears the entry and then
 * looks for pins; GUP-fast pins and then looks at the entry again.
 *
 * From: Linux mm/rmap.c (folio_try_share_anon_rmap_pte), mm/gup.c (gup_fast_pte_range). Expected: a pinned page stays
 * mapped where it is.
 */

import {
  AWAIT_EQUALS,
  awaitWord,
  entryAt,
  expect,
  gupFastOnly,
  gupPut,
  isolatePage,
  migrateFolio,
  newSpace,
  PMD_PAGES,
  scratchWord,
  store,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { entryNumber, entryPresent } from '../../../kernel/word/entry.ts';
import { folioPut } from '../../../kernel/alloc/frame.ts';

export const about = {
  summary: 'migration against GUP-fast: a pinned page stays where it is',
  source: 'Linux mm/rmap.c (folio_try_share_anon_rmap_pte), mm/gup.c',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let frame: u32 = 0;
let done: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
  frame = isolatePage(mm, 1);
  done = scratchWord(0);
}

function migrate(): void {
  migrateFolio(frame);
  folioPut(frame);
  store(done, 1);
}

function pin(): void {
  const pinned = gupFastOnly(mm, 1, 1);
  if (pinned === 0) return;
  awaitWord(done, 0xffffffff, AWAIT_EQUALS, 1, 0);
  const entry = entryAt(mm, 1);
  expect(entryPresent(entry) && entryNumber(entry) === pinned, 'a pinned page stays mapped');
  gupPut(pinned);
}

export const cpus = [migrate, pin];
