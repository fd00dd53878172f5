/**
 * fork against migration: the migration entry is copied, too, and the walk that ends the migration must find both. It
 * does, since it comes to the child's VMA after the parent's.
 *
 * From: Linux mm/mmap.c (dup_mmap: the copy goes into the list just after its source), mm/memory.c
 * (copy_nonpresent_pte), mm/migrate.c.
 * Expected: no migration entry is left on either side.
 */

import {
  entryAt,
  expect,
  forkMm,
  isolatePage,
  load,
  migrateFolio,
  newSpace,
  PMD_PAGES,
  scratchWord,
  store,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { entryNumber, entryPresent } from '../../../kernel/word/entry.ts';
import { folioPut } from '../../../kernel/alloc/frame.ts';

export const about = {
  summary: 'fork against migration: a copied migration entry is found and replaced',
  source: 'Linux mm/mmap.c (dup_mmap), mm/memory.c (copy_nonpresent_pte), mm/migrate.c',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let frame: u32 = 0;
let childAt: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
  frame = isolatePage(mm, 1);
  childAt = scratchWord(0);
}

function fork(): void {
  store(childAt, forkMm(mm));
}

function migrate(): void {
  migrateFolio(frame);
  folioPut(frame);
}

export const cpus = [fork, migrate];

export function finish(): void {
  const child = load(childAt);
  expect(child !== 0, 'fork succeeds');
  const ours = entryAt(mm, 1);
  const theirs = entryAt(child, 1);
  expect(entryPresent(ours) && entryPresent(theirs), 'the page is there on both sides');
  expect(entryNumber(ours) === entryNumber(theirs), 'and is one page');
}
