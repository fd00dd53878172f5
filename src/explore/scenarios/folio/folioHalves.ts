/**
 * Two zaps, each of a half of one large folio: the first to take its entries out leaves the folio partially mapped and
 * puts it on the deferred-split queue; the second takes the rest, and whichever flushes last frees the folio and takes
 * it off the queue.
 *
 * From: Linux mm/rmap.c (__folio_remove_rmap), mm/huge_memory.c (deferred_split_folio, __folio_unqueue_deferred_split).
 * Expected: no violation; nothing is mapped, nothing is queued.
 */

import {
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
import { COUNTER_DEFERRED_QUEUED, counterValue } from '../../../kernel/observe/stats.ts';

export const about = {
  summary: 'two zaps of the halves of one folio: queued to be split by one, freed by the other',
  source: 'Linux mm/rmap.c (__folio_remove_rmap), mm/huge_memory.c (deferred_split_folio)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', zap: 'folio', mthp: [2] },
  kernel: 'folios',
};

const HALF: u32 = PMD_PAGES / 2;

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
}

function zapHalf(first: u32): void {
  expect(doMadvise(mm, first, HALF, MADV_DONTNEED) === 0, 'madvise succeeds');
  expect(counterValue(COUNTER_DEFERRED_QUEUED) <= 1, 'queued once at most');
}

function zapLower(): void {
  zapHalf(0);
}

function zapUpper(): void {
  zapHalf(HALF);
}

export const cpus = [zapLower, zapUpper];

export function finish(): void {
  for (let vpn: u32 = 0; vpn < PMD_PAGES; vpn += 1) expect(entryAt(mm, vpn) === 0, 'all zapped');
  expect(load(G_DEFERRED_LENGTH) === 0, 'the queue is empty');
}
