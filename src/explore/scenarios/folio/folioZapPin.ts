/**
 * GUP-fast of a page in the middle of a large folio against a zap that takes all its entries out in one run, frees the
 * folio, and faults another in. The pin is a reference on the folio's head, which the pinned page names; both are
 * looked at again.
 *
 * From: Linux mm/gup.c (try_get_folio, gup_fast_pte_range), mm/memory.c (zap_present_folio_ptes).
 * Expected: no violation. A page that was pinned is the third of a folio whose first page maps page 0.
 */

import {
  doMadvise,
  expect,
  folioHead,
  gupFastOnly,
  gupPut,
  MADV_DONTNEED,
  newSpace,
  peek,
  PMD_PAGES,
  touchPages,
  userFault,
} from '../../portable/scenarioApi.ts';
import { folioOf } from '../../../kernel/alloc/folio.ts';
import { F_INDEX } from '../../../kernel/word/layout.ts';

export const about = {
  summary: 'a zap of a whole folio at once against GUP-fast of one of its pages',
  source: 'Linux mm/gup.c (try_get_folio), mm/memory.c (zap_present_folio_ptes)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', zap: 'folio', mthp: [2] },
  kernel: 'folios',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
}

function zapAndReuse(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'madvise succeeds');
  expect(userFault(mm, 0, 1) === 0, 'the fault succeeds');
}

function pin(): void {
  const frame = gupFastOnly(mm, 2, 1);
  if (frame === 0) return;
  const head = folioHead(frame);
  expect(frame - head === 2 && peek(folioOf(head) + F_INDEX) === 0, 'the pinned page is page 2');
  gupPut(frame);
}

export const cpus = [zapAndReuse, pin];
