/**
 * Two that split the same folio: one that came by its entries and has a reference, as madvise(MADV_FREE) of a part of
 * it does, and a pass over the deferred-split queue, on which it is. The first takes it off the queue in the same
 * moment in which it makes sure of being alone with it: under the queue's lock, from where the pass takes its
 * reference.
 *
 * From: Linux mm/huge_memory.c (__folio_split: ds_queue->split_queue_lock around folio_ref_freeze;
 * deferred_split_scan), mm/madvise.c.
 * Expected: no violation; the folio is split once, or, when either has a reference at the wrong moment, stays, and on
 * the queue.
 */

import {
  deferredSplitPass,
  doMadvise,
  entryAt,
  expect,
  folioHead,
  load,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { entryNumber } from '../../../kernel/word/entry.ts';
import { folioGet, folioLarge } from '../../../kernel/alloc/folio.ts';
import { folioPut } from '../../../kernel/alloc/frame.ts';
import { G_DEFERRED_LENGTH } from '../../../kernel/word/layout.ts';
import { trySplitFolio } from '../../../kernel/rmap/splitFolio.ts';

export const about = {
  summary: 'a folio is split by its entries’ way and by a pass over the queue that it is on',
  source: 'Linux mm/huge_memory.c (__folio_split, deferred_split_scan), mm/madvise.c',
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
  frame = folioHead(entryNumber(entryAt(mm, 3)));
  folioGet(frame);
}

function pass(): void {
  deferredSplitPass();
}

function split(): void {
  trySplitFolio(frame);
  folioPut(frame);
}

export const cpus = [pass, split];

export function finish(): void {
  const queued = load(G_DEFERRED_LENGTH);
  const large: u32 = folioLarge(frame) ? 1 : 0;
  expect(queued === large, 'what is not split is on the queue, and nothing else');
}
