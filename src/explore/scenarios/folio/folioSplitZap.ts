/**
 * A pass over the deferred-split queue that splits a folio, against a zap of what is left of it, by runs: the zap finds
 * entries, migration entries of a folio that is being split, entries of single pages, or some of each as its lock comes
 * in between.
 *
 * From: Linux mm/huge_memory.c (__folio_split, remap_page), mm/memory.c (zap_nonpresent_ptes: migration entries).
 * Expected: no violation; nothing is mapped, nothing is queued, all frames are free.
 */

import {
  deferredSplitPass,
  doMadvise,
  entryAt,
  expect,
  load,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { G_DEFERRED_LENGTH } from '../../../kernel/word/layout.ts';

export const about = {
  summary: 'a folio is split while a zap takes the rest of it',
  source: 'Linux mm/huge_memory.c (__folio_split), mm/memory.c (zap_nonpresent_ptes)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', zap: 'folio', mthp: [2] },
  kernel: 'folios',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
  expect(doMadvise(mm, 0, 2, MADV_DONTNEED) === 0, 'set-up: partially mapped');
}

function split(): void {
  deferredSplitPass();
}

function zap(): void {
  expect(doMadvise(mm, 2, 2, MADV_DONTNEED) === 0, 'madvise succeeds');
}

export const cpus = [split, zap];

export function finish(): void {
  for (let vpn: u32 = 0; vpn < PMD_PAGES; vpn += 1) expect(entryAt(mm, vpn) === 0, 'all zapped');
  expect(load(G_DEFERRED_LENGTH) === 0, 'the queue is empty');
}
