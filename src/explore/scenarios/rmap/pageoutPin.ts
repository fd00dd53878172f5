/**
 * Paging out against GUP-fast: the page may leave only when nobody but its entry and the pageout has it. The pageout
 * clears the entry and then counts references; GUP-fast takes its reference and then looks at the entry again: one of
 * the two sees the other.
 *
 * From: Linux mm/gup.c (gup_fast_pte_range: the second look), mm/vmscan.c (__remove_mapping: folio_ref_freeze),
 * mm/rmap.c (try_to_unmap_one).
 * Expected: a pinned page stays mapped where it was until it is released.
 */

import {
  AWAIT_EQUALS,
  awaitWord,
  doMadvise,
  entryAt,
  expect,
  frameGeneration,
  gupCheck,
  gupFastOnly,
  gupPut,
  MADV_PAGEOUT,
  newSpace,
  PMD_PAGES,
  scratchWord,
  store,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { entryNumber, entryPresent } from '../../../kernel/word/entry.ts';

export const about = {
  summary: 'madvise(MADV_PAGEOUT) against GUP-fast: a pinned page stays where it is',
  source: 'Linux mm/gup.c (gup_fast_pte_range), mm/vmscan.c (__remove_mapping)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let done: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
  done = scratchWord(0);
}

function pageout(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_PAGEOUT) === 0, 'madvise succeeds');
  store(done, 1);
}

function pin(): void {
  const frame = gupFastOnly(mm, 1, 1);
  if (frame === 0) return;
  gupCheck(frame, frameGeneration(frame));
  awaitWord(done, 0xffffffff, AWAIT_EQUALS, 1, 0);
  const entry = entryAt(mm, 1);
  expect(entryPresent(entry) && entryNumber(entry) === frame, 'a pinned page stays mapped');
  gupPut(frame);
}

export const cpus = [pageout, pin];
