/**
 * Parent and child of a fork write to the huge page that they share, at once. Each finds the folio shared,
 * splits its huge PMD, and copies one page; the pages are never exclusive to either side before.
 *
 * From: Linux mm/huge_memory.c (do_huge_pmd_wp_page). Expected: two frames, each writable on one side.
 */

import {
  access,
  entryAt,
  expect,
  forkMm,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { entryNumber, PTE_WRITE } from '../../../kernel/word/entry.ts';

export const about = {
  summary: 'both sides of a fork write to a shared huge page at once',
  source: 'Linux mm/huge_memory.c (do_huge_pmd_wp_page)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', thp: 'always' },
  kernel: 'pairs',
};

let parent: u32 = 0;
let child: u32 = 0;

export function setUp(): void {
  parent = newSpace(PMD_PAGES);
  touchPages(parent, 0, PMD_PAGES);
  child = forkMm(parent);
  expect(child !== 0, 'set-up: forked');
}

function writeParent(): void {
  expect(access(parent, 1, 1) === 0, 'the parent writes');
}

function writeChild(): void {
  expect(access(child, 1, 1) === 0, 'the child writes');
}

export const cpus = [writeParent, writeChild];

export function finish(): void {
  const ours = entryAt(parent, 1);
  const theirs = entryAt(child, 1);
  expect((ours & theirs & PTE_WRITE) !== 0, 'both can write');
  expect(entryNumber(ours) !== entryNumber(theirs), 'each to a page of its own');
  const first = entryAt(parent, 0);
  const firstOfChild = entryAt(child, 0);
  expect(entryNumber(first) === entryNumber(firstOfChild), 'the other page is shared');
  expect(((first | firstOfChild) & PTE_WRITE) === 0, 'and neither can write to it');
}
