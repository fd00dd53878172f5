/**
 * A page that is one of a folio of four is isolated to be migrated or paged out, against madvise(MADV_DONTNEED) of that
 * page: the folio is split, so that the page can go by itself; when it has been, the reference is on the folio's first
 * page, and the page may be gone.
 *
 * From: Linux mm/migrate.c (try_split_folio), mm/huge_memory.c (__folio_split: which page keeps the caller's
 * reference).
 * Expected: no violation; the page is gone, and so is the folio.
 */

import {
  doMadvise,
  entryAt,
  expect,
  folioPut,
  load,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { entryNumber } from '../../../kernel/word/entry.ts';
import { G_DEFERRED_LENGTH } from '../../../kernel/word/layout.ts';
import { isolateSingle } from '../../../kernel/rmap/migrate.ts';

export const about = {
  summary: 'a page of a large folio is split off to be migrated while a zap takes it',
  source: 'Linux mm/migrate.c (try_split_folio)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'vma-lock', zap: 'folio', mthp: [2] },
  kernel: 'folios',
  constants: { PCP_HIGH: 8 },
};

let mm: u32 = 0;
let frame: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
  expect(doMadvise(mm, 0, 3, MADV_DONTNEED) === 0, 'set-up: partially mapped');
  frame = entryNumber(entryAt(mm, 3));
}

function isolate(): void {
  const single = isolateSingle(mm, 3);
  if (single === 0) return;
  expect(single === frame, 'it is the page');
  folioPut(single);
}

function zap(): void {
  expect(doMadvise(mm, 3, 1, MADV_DONTNEED) === 0, 'madvise succeeds');
}

export const cpus = [isolate, zap];

export function finish(): void {
  expect(entryAt(mm, 3) === 0, 'it is gone');
  expect(load(G_DEFERRED_LENGTH) === 0, 'nothing is queued');
}
