/**
 * fork of a huge page against GUP-fast of a page in it: what is pinned stays the parent's alone. GUP-fast pins, then
 * looks at the address space's write-protect sequence; fork raises it, then looks for pins, and splits a huge page that
 * has some.
 *
 * From: Linux mm/huge_memory.c (copy_huge_pmd), mm/gup.c (gup_fast: write_protect_seq). Expected: after a write the
 * parent's page is still the pinned one.
 */

import {
  access,
  AWAIT_EQUALS,
  awaitWord,
  entryAt,
  expect,
  forkMm,
  gupFastOnly,
  gupPut,
  newSpace,
  PMD_PAGES,
  scratchWord,
  store,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { entryNumber } from '../../../kernel/word/entry.ts';

export const about = {
  summary: 'fork of a huge page against GUP-fast: a pinned page stays the page of the parent',
  source: 'Linux mm/huge_memory.c (copy_huge_pmd), mm/gup.c (gup_fast: write_protect_seq)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', thp: 'always' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let done: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, PMD_PAGES);
  done = scratchWord(0);
}

function fork(): void {
  expect(forkMm(mm) !== 0, 'fork succeeds');
  store(done, 1);
}

function pin(): void {
  const frame = gupFastOnly(mm, 1, 0);
  if (frame === 0) return;
  awaitWord(done, 0xffffffff, AWAIT_EQUALS, 1, 0);
  expect(access(mm, 1, 1) === 0, 'the parent writes');
  expect(entryNumber(entryAt(mm, 1)) === frame, 'what the parent wrote to is what is pinned');
  gupPut(frame);
}

export const cpus = [fork, pin];
