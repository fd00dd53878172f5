/**
 * GUP-fast of a page of a huge page against a zap of the whole, whose folio is used again at once. The huge PMD entry
 * is both what GUP-fast walks through and what it looks at again once it has its reference.
 *
 * From: Linux mm/gup.c (gup_fast_pmd_leaf).
 * Expected: no violation. What is pinned is never the folio in its next life.
 */

import {
  doMadvise,
  expect,
  gupFastOnly,
  gupPut,
  MADV_DONTNEED,
  newSpace,
  peek,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { folioHead, folioOf } from '../../../kernel/alloc/folio.ts';
import { folioPut, frameAlloc } from '../../../kernel/alloc/frame.ts';
import { F_INDEX } from '../../../kernel/word/layout.ts';
import { poke } from '../../../kernel/word/word.ts';

export const about = {
  summary: 'GUP-fast of a huge page against its zap',
  source: 'Linux mm/gup.c (gup_fast_pmd_leaf)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', thp: 'always' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, PMD_PAGES);
}

function zapAndReuse(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'madvise succeeds');
  const frame = frameAlloc(1, 0);
  expect(frame !== 0, 'the frames are there');
  poke(folioOf(frame) + F_INDEX, 7);
  folioPut(frame);
}

function pin(): void {
  const frame = gupFastOnly(mm, 1, 1);
  if (frame === 0) return;
  expect(peek(folioOf(folioHead(frame)) + F_INDEX) !== 7, 'the pinned page is that of page 1');
  gupPut(frame);
}

export const cpus = [zapAndReuse, pin];
