/**
 * A pass over the deferred-split queue that isolates a folio, against a zap of the rest of it, which frees it: the pass
 * finds a folio that has references, and keeps it alive; or one whose last reference is gone, and leaves it to whoever
 * frees it.
 *
 * From: Linux mm/huge_memory.c (deferred_split_scan: "We lost race with folio_put()"; __folio_unqueue_deferred_split).
 * Expected: no violation; nothing is mapped, nothing is queued.
 */

import {
  doMadvise,
  expect,
  folioPut,
  load,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { deferredIsolate, deferredPutBack } from '../../../kernel/alloc/deferredSplit.ts';
import { G_DEFERRED_LENGTH } from '../../../kernel/word/layout.ts';

export const about = {
  summary: 'a folio is isolated from the deferred-split queue, and put back, while it is freed',
  source: 'Linux mm/huge_memory.c (deferred_split_scan, __folio_unqueue_deferred_split)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', zap: 'folio', mthp: [2] },
  kernel: 'folios',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
  expect(doMadvise(mm, 0, 3, MADV_DONTNEED) === 0, 'set-up: partially mapped');
  expect(load(G_DEFERRED_LENGTH) === 1, 'set-up: queued');
}

function zapRest(): void {
  expect(doMadvise(mm, 3, 1, MADV_DONTNEED) === 0, 'madvise succeeds');
}

function isolate(): void {
  const head = deferredIsolate();
  if (head === 0) return;
  deferredPutBack(head);
  folioPut(head);
}

export const cpus = [zapRest, isolate];

export function finish(): void {
  expect(load(G_DEFERRED_LENGTH) === 0, 'the queue is empty');
}
