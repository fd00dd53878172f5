/**
 * A pass over the deferred-split queue that splits a folio, against GUP-fast of a page in the middle of it. Either the
 * pin comes first, and the folio stays as it is; or the entry has become a migration entry, and the pin fails, or comes
 * after and is of a single page.
 *
 * From: Linux mm/huge_memory.c (__folio_split: folio_ref_freeze), mm/gup.c (try_get_folio: the second look at the
 * head).
 * Expected: no violation; a pinned page has a reference on the folio that it belongs to, and stays what it was.
 */

import {
  deferredSplitPass,
  doMadvise,
  entryAt,
  expect,
  folioHead,
  frameGeneration,
  gupFastOnly,
  gupPut,
  load,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { entryNumber } from '../../../kernel/word/entry.ts';
import { folioOf } from '../../../kernel/alloc/folio.ts';
import { F_REF } from '../../../kernel/word/layout.ts';

export const about = {
  summary: 'a folio is split while GUP-fast pins a page in the middle of it',
  source: 'Linux mm/huge_memory.c (__folio_split), mm/gup.c (try_get_folio)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', zap: 'folio', mthp: [2] },
  kernel: 'folios',
};

let mm: u32 = 0;
let frame: u32 = 0;
let generation: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
  expect(doMadvise(mm, 0, 1, MADV_DONTNEED) === 0, 'set-up: partially mapped');
  frame = entryNumber(entryAt(mm, 2));
  generation = frameGeneration(frame);
}

function split(): void {
  deferredSplitPass();
}

function pin(): void {
  const pinned = gupFastOnly(mm, 2, 1);
  if (pinned === 0) return;
  expect(pinned === frame && frameGeneration(pinned) === generation, 'the page is what it was');
  expect(load(folioOf(folioHead(pinned)) + F_REF) >= 1024, 'its folio is pinned');
  gupPut(pinned);
}

export const cpus = [split, pin];

export function finish(): void {
  for (let vpn: u32 = 1; vpn < PMD_PAGES; vpn += 1)
    expect(entryNumber(entryAt(mm, vpn)) === frame + vpn - 2, 'each page is where it was');
}
