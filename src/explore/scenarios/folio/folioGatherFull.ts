/**
 * A zap of a whole folio whose gather has room for three pages only, so that it fills in the middle of the run: map
 * counts go for what was taken out, the TLBs are flushed, the lock drops, and a fault writes to a page that is gone
 * already, or not yet.
 *
 * From: "mm: Batch-zap large anonymous folio PTE mappings" (Roberts 2023: a gather that fills in the middle of a
 * folio), Linux mm/pt_reclaim.c (a table that was let go in the middle is scanned again).
 * Expected: no violation; nothing is mapped, or the page faulted in between, or a whole folio faulted in afterwards.
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

export const about = {
  summary: 'a zap of a folio whose gather fills in the middle, against a fault on its first page',
  source: 'Roberts 2023, "mm: Batch-zap large anonymous folio PTE mappings"; Linux mm/pt_reclaim.c',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', zap: 'folio', mthp: [2] },
  kernel: 'folios',
  constants: { GATHER_BUNDLE: 2 },
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
}

function zap(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'madvise succeeds');
}

function write(): void {
  expect(userFault(mm, 0, 1) === 0, 'the fault succeeds');
}

export const cpus = [zap, write];

export function finish(): void {
  let mapped: u32 = 0;
  for (let vpn: u32 = 0; vpn < PMD_PAGES; vpn += 1) if (entryAt(mm, vpn) !== 0) mapped += 1;
  expect(anonPages(mm) === mapped, 'pages are counted');
  expect(mapped <= 1 || mapped === PMD_PAGES, 'the page written, or a folio faulted in anew');
}
