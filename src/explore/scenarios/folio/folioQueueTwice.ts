/**
 * Two zaps of single pages of one large folio that mremap has spread over two PTE tables, so that no lock keeps their
 * map counts apart: both leave it partially mapped, and both want to queue it.
 *
 * From: Linux mm/huge_memory.c (deferred_split_folio: the flag without the lock, the list under it).
 * Expected: no violation; the folio is on the queue once, two of its pages are mapped.
 */

import {
  doMadvise,
  doMremap,
  entryAt,
  expect,
  load,
  MADV_DONTNEED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { G_DEFERRED_LENGTH } from '../../../kernel/word/layout.ts';

export const about = {
  summary: 'two pages of a folio in different tables zapped at once: it is queued to be split once',
  source: 'Linux mm/huge_memory.c (deferred_split_folio)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', zap: 'folio', mthp: [2] },
  kernel: 'folios',
};

/** Where the upper half of the folio is moved to. */
const MOVED: u32 = PMD_PAGES + 2;

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
  const error = doMremap(mm, 2, 2, MOVED, 2, MREMAP_MAYMOVE | MREMAP_FIXED);
  expect(error === 0, 'set-up: moved');
}

function zapHere(): void {
  expect(doMadvise(mm, 0, 1, MADV_DONTNEED) === 0, 'madvise succeeds');
}

function zapThere(): void {
  expect(doMadvise(mm, MOVED, 1, MADV_DONTNEED) === 0, 'madvise succeeds');
}

export const cpus = [zapHere, zapThere];

export function finish(): void {
  expect(entryAt(mm, 1) !== 0 && entryAt(mm, MOVED + 1) !== 0, 'the others stay');
  expect(load(G_DEFERRED_LENGTH) === 1, 'the folio is queued');
}
