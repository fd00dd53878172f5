/**
 * Collapse of anonymous memory against GUP-fast, which holds no lock: mmap_lock for write does not keep it out.
 * Collapse copies pages away, so it must see every pin, and nobody may pin a page afterwards by way of the table that
 * it has taken out.
 *
 *     collapse                                   GUP-fast
 *     clear the PMD, flush
 *     interrupt every CPU, wait                  interrupts off from the first read to the second look
 *     look at the references of each page        read the PMD, read the entry, take a reference
 *     clear the entries, drop the pages          look at PMD and entry again
 *
 * Two arguments, and each suffices here, where tables are freed by RCU. The interrupt: a walk that read the PMD before
 * it was cleared has ended, and its reference is there to be seen. The second look at the PMD: a reference that
 * collapse did not see was taken after the PMD had changed. Linux had only the first where a flush sends interrupts,
 * and neither where it does not, until 6.1 ("mm: gup: fix the fast GUP race against THP collapse"); COLLAPSE_INTERRUPTS
 * 0 is such a machine.
 *
 * From: Linux mm/khugepaged.c (collapse_huge_page), mm/gup.c (gup_fast_pte_range).
 * Expected: no violation. A page that is pinned when both have ended is the one that the program sees.
 */

import {
  AWAIT_EQUALS,
  awaitWord,
  doMadvise,
  EAGAIN,
  entryAt,
  expect,
  gupFastOnly,
  gupPut,
  MADV_COLLAPSE,
  newSpace,
  PMD_PAGES,
  scratchWord,
  store,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { entryNumber } from '../../../kernel/word/entry.ts';

export const about = {
  summary: 'collapse of anonymous memory against GUP-fast',
  source: 'Linux mm/khugepaged.c (collapse_huge_page), mm/gup.c (gup_fast_pte_range)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;
/** Address of a word: 1 when the collapse has ended. */
let done: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  done = scratchWord(0);
  touchPages(mm, 1, 2);
}

function collapse(): void {
  const error = doMadvise(mm, 0, PMD_PAGES, MADV_COLLAPSE);
  expect(error === 0 || error === EAGAIN, 'the span is huge, or somebody had pinned a page');
  store(done, 1);
}

function pin(): void {
  const frame = gupFastOnly(mm, 1, 1);
  if (frame === 0) return;
  awaitWord(done, 0xffffffff, AWAIT_EQUALS, 1, 0);
  expect(entryNumber(entryAt(mm, 1)) === frame, 'the pinned page is the one that is mapped');
  gupPut(frame);
}

export const cpus = [collapse, pin];
