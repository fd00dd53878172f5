/**
 * UFFDIO_MOVE of a page of a folio of two against a split of that folio by somebody else, who locks it by trying and
 * takes a reference then. The move splits it itself, or waits for the lock without a reference, which would make the
 * other's split fail; and the end of a split, which clears entries for a moment, is no hole.
 *
 * From: Linux mm/userfaultfd.c (move_pages_ptes: looks under the PTE locks; does not wait for a large folio with a
 * reference), mm/huge_memory.c (remap_page).
 * Expected: the page moves, the other one stays, and the folio has been split once.
 */

import {
  entryAt,
  expect,
  folioPut,
  load,
  mapPages,
  newSpace,
  PMD_PAGES,
  touchPages,
  uffdApi,
  uffdMove,
  uffdRegister,
  UFFD_REGISTER_MISSING,
} from '../../portable/scenarioApi.ts';
import { entryNumber } from '../../../kernel/word/entry.ts';
import { folioGet, folioLarge } from '../../../kernel/alloc/folio.ts';
import { splitHugePmd } from '../../../kernel/huge/hugePmd.ts';
import { walkBegin, walkEnd } from '../../../kernel/word/hooks.ts';
import { folioTrylock, folioUnlock } from '../../../kernel/sleep/sleepLock.ts';
import { splitFolio } from '../../../kernel/rmap/splitFolio.ts';
import { pmdFind } from '../../../kernel/tables/walk.ts';

export const about = {
  summary: 'UFFDIO_MOVE of a page of a large folio while somebody else splits it',
  source: 'Linux mm/userfaultfd.c (move_pages_ptes)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', thp: 'always' },
  kernel: 'pairs',
};

/** First page of the source. */
const FROM: u32 = 2 * PMD_PAGES;

let mm: u32 = 0;
let head: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  mapPages(mm, FROM, PMD_PAGES);
  touchPages(mm, FROM, FROM + PMD_PAGES);
  walkBegin(mm);
  const pmd = pmdFind(mm, FROM);
  head = entryNumber(load(pmd));
  splitHugePmd(mm, pmd, FROM);
  walkEnd(mm);
  expect(uffdApi(mm, 0) === 0, 'set-up: a userfaultfd');
  expect(uffdRegister(mm, 0, PMD_PAGES, UFFD_REGISTER_MISSING) === 0, 'set-up: registered');
}

function move(): void {
  expect(uffdMove(mm, 0, FROM + 1, 1, 0) === 0, 'the page moves');
}

function split(): void {
  if (!folioTrylock(head)) return;
  if (folioLarge(head)) {
    folioGet(head);
    expect(splitFolio(head) === 0, 'nobody has a reference beside');
    folioPut(head);
  }
  folioUnlock(head);
}

export const cpus = [move, split];

export function finish(): void {
  expect(entryNumber(entryAt(mm, 0)) === head + 1, 'the page has moved');
  expect(entryNumber(entryAt(mm, FROM)) === head, 'the other one has not');
  expect(!folioLarge(head), 'and the folio is split');
}
