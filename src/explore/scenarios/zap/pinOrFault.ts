/**
 * GUP with its slow path against a zap: the fast walk finds the page, or nothing, and then faults it in and takes the
 * reference under the PTE lock, of whatever table the PMD names by then.
 *
 * From: Linux mm/gup.c (gup_fast, faultin_page, follow_page_pte), mm/pt_reclaim.c.
 * Expected: the pin may fail only because the page was zapped again between fault and look; a pinned frame is that
 * page's.
 */

import {
  anonPages,
  doMadvise,
  expect,
  gupFast,
  gupPut,
  MADV_DONTNEED,
  newSpace,
  peek,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { folioOf } from '../../../kernel/alloc/folio.ts';
import { F_INDEX } from '../../../kernel/word/layout.ts';

export const about = {
  summary: 'a pin that faults its page in against a zap of the table',
  source: 'Linux mm/gup.c (gup_fast, faultin_page), mm/pt_reclaim.c',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
}

function zap(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'madvise succeeds');
}

function pin(): void {
  const frame = gupFast(mm, 1, 1);
  if (frame === 0) return;
  expect(peek(folioOf(frame) + F_INDEX) === 1, 'the pinned page is that of page 1');
  gupPut(frame);
}

export const cpus = [zap, pin];

export function finish(): void {
  expect(anonPages(mm) <= 1, 'at most the page of the pin is mapped');
}
