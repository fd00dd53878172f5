/**
 * Two faults in one range that is free for a large folio: one CPU writes to its first page, another reads and then
 * writes its third. The first looked at the range without a lock: it installs its folio, or, if a page came before,
 * gives it back, and the access would fault again.
 *
 * From: Linux mm/memory.c (do_anonymous_page: pte_range_none again under the lock).
 * Expected: no violation; a whole folio is mapped, or single pages.
 */

import {
  anonPages,
  doMadvise,
  entryAt,
  expect,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  touchPages,
  userFault,
} from '../../portable/scenarioApi.ts';
import { PTE_SPECIAL } from '../../../kernel/word/entry.ts';

export const about = {
  summary: 'a write fault of a large folio against faults of a single page in its range',
  source: 'Linux mm/memory.c (alloc_anon_folio, do_anonymous_page)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', mthp: [2] },
  kernel: 'folios',
  constants: { GATHER_BUNDLE: 1 },
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
  // In two parts, so that the table stays.
  expect(doMadvise(mm, 0, 3, MADV_DONTNEED) === 0, 'set-up: zapped');
  expect(doMadvise(mm, 3, 1, MADV_DONTNEED) === 0, 'set-up: zapped');
}

function writeFirst(): void {
  expect(userFault(mm, 0, 1) === 0, 'the fault succeeds');
}

function useThird(): void {
  expect(userFault(mm, 2, 0) === 0, 'the fault succeeds');
  expect(userFault(mm, 2, 1) === 0, 'the fault succeeds');
}

export const cpus = [writeFirst, useThird];

export function finish(): void {
  let counted: u32 = 0;
  for (let vpn: u32 = 0; vpn < PMD_PAGES; vpn += 1) {
    const entry = entryAt(mm, vpn);
    if (entry !== 0 && (entry & PTE_SPECIAL) === 0) counted += 1;
  }
  expect(anonPages(mm) === counted, 'pages are counted');
  expect(counted === PMD_PAGES || counted <= 2, 'a folio, or single pages');
}
