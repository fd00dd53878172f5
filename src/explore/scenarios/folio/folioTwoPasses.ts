/**
 * Two passes over the deferred-split queue, of a daemon and of a CPU that does a daemon's work between its own, meet
 * one folio that a third has a reference on for a while, so that it may not be to be split: each pass has it in its
 * hands or does not find it.
 *
 * From: Linux mm/huge_memory.c (deferred_split_scan, which several shrinkers may run at once).
 * Expected: no violation; the folio has been split, or is still in the queue, once.
 */

import {
  deferredSplitPass,
  doMadvise,
  entryAt,
  expect,
  gupFast,
  gupPut,
  load,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { entryNumber } from '../../../kernel/word/entry.ts';
import { folioLarge } from '../../../kernel/alloc/folio.ts';
import { G_DEFERRED_LENGTH } from '../../../kernel/word/layout.ts';

export const about = {
  summary: 'two passes over the deferred-split queue, and a pin that keeps its folio whole',
  source: 'Linux mm/huge_memory.c (deferred_split_scan)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', zap: 'folio', mthp: [2] },
  kernel: 'folios',
};

let mm: u32 = 0;
let pinned: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
  expect(doMadvise(mm, 0, 3, MADV_DONTNEED) === 0, 'set-up: partially mapped');
  expect(load(G_DEFERRED_LENGTH) === 1, 'set-up: queued');
  pinned = gupFast(mm, 3, 0);
  expect(pinned !== 0, 'set-up: pinned');
}

function pass(): void {
  deferredSplitPass();
}

function passAndUnpin(): void {
  deferredSplitPass();
  gupPut(pinned);
}

export const cpus = [pass, passAndUnpin];

export function finish(): void {
  const whole = folioLarge(entryNumber(entryAt(mm, 3)));
  expect(load(G_DEFERRED_LENGTH) === (whole ? 1 : 0), 'queued if it is whole');
}
