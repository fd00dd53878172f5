/**
 * GUP-fast against paging out: a page is either pinned, and stays, or it is paged out, and then nobody has it. The pinner takes its
 * reference and then looks at the entry again; paging out clears the entry and then looks at the references.
 *
 * From: Linux mm/gup.c (gup_fast_pte_range), mm/vmscan.c (__remove_mapping: folio_ref_freeze), mm/rmap.c (try_to_unmap_one).
 * Expected: no violation; a pinned page is still mapped.
 */

import {
  doMadvise,
  expect,
  gupFastOnly,
  folioPut,
  MADV_PAGEOUT,
  newSpace,
  PMD_PAGES,
  touchPages,
  walkLockless,
} from '../scenarioApi.ts';
import { entryPresent } from '../../kernel/entry.ts';

export const about = {
  summary: 'GUP-fast against paging the page out',
  source: 'Linux mm/gup.c (gup_fast_pte_range), mm/rmap.c (try_to_unmap_one)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  constants: { TABLE_BITS: 1, PGD_BITS: 1, TASK_END: 15, CHECK_SECTIONS: 0 },
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
}

function pageout(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_PAGEOUT) === 0, 'madvise succeeds');
}

function pin(): void {
  const frame = gupFastOnly(mm, 0, 1);
  if (frame === 0) return;
  const entry = walkLockless(mm, 0);
  expect(entry === 0 || entryPresent(entry), 'a pinned page is not in swap');
  folioPut(frame);
}

export const cpus = [pageout, pin];
