/**
 * A page that a huge PMD maps is isolated to be migrated or paged out, against madvise(MADV_DONTNEED) of that page,
 * which splits the PMD: the isolation takes its reference under the PMD lock, or finds a table there. What comes after
 * it, the split of the folio, is in the scenarios folioSplit*.
 *
 * From: Linux mm/migrate.c (add_folio_for_migration), mm/huge_memory.c (__split_huge_pmd_locked).
 * Expected: no violation; the page is isolated or gone before, and gone at the end, the other one not.
 */

import {
  doMadvise,
  entryAt,
  expect,
  folioPut,
  isolatePage,
  load,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { entryNumber } from '../../../kernel/word/entry.ts';
import { walkBegin, walkEnd } from '../../../kernel/word/hooks.ts';
import { pmdFind } from '../../../kernel/tables/walk.ts';

export const about = {
  summary: 'a page of a huge PMD is isolated to be migrated while a zap takes it',
  source: 'Linux mm/migrate.c (add_folio_for_migration)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', thp: 'always' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let frame: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, PMD_PAGES);
  walkBegin(mm);
  frame = entryNumber(load(pmdFind(mm, 0))) + 1;
  walkEnd(mm);
}

function isolate(): void {
  const single = isolatePage(mm, 1);
  if (single === 0) return;
  expect(single === frame, 'it is the page');
  folioPut(single);
}

function zap(): void {
  expect(doMadvise(mm, 1, 1, MADV_DONTNEED) === 0, 'madvise succeeds');
}

export const cpus = [isolate, zap];

export function finish(): void {
  expect(entryAt(mm, 1) === 0, 'the page is gone');
  expect(entryNumber(entryAt(mm, 0)) === frame - 1, 'the other one is where it was');
}
