/**
 * A pass over the deferred-split queue that splits a folio, against a fault of a page in the middle of it. The fault
 * finds the entry, or a migration entry, and then waits for the lock: of the folio, or of the single page that is made
 * of its part.
 *
 * From: Linux mm/huge_memory.c (__folio_split, remap_page), mm/migrate.c (migration_entry_wait).
 * Expected: no violation; the page is the one that was there, and whoever waits is woken.
 */

import {
  deferredSplitPass,
  doMadvise,
  entryAt,
  expect,
  folioHead,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  touchPages,
  userFault,
} from '../../portable/scenarioApi.ts';
import { entryNumber } from '../../../kernel/word/entry.ts';

export const about = {
  summary: 'a folio is split while a page in the middle of it is faulted',
  source: 'Linux mm/huge_memory.c (__folio_split), mm/migrate.c (migration_entry_wait)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', zap: 'folio', mthp: [2] },
  kernel: 'folios',
};

let mm: u32 = 0;
let frame: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
  expect(doMadvise(mm, 0, 3, MADV_DONTNEED) === 0, 'set-up: partially mapped');
  frame = entryNumber(entryAt(mm, 3));
}

function split(): void {
  expect(deferredSplitPass() === 1, 'nobody has a reference: the folio is split');
}

function fault(): void {
  expect(userFault(mm, 3, 1) === 0, 'the fault succeeds');
}

export const cpus = [split, fault];

export function finish(): void {
  expect(entryNumber(entryAt(mm, 3)) === frame, 'the page is where it was');
  expect(folioHead(frame) === frame, 'and is a folio of its own');
}
