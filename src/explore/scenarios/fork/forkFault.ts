/**
 * fork against a write fault in the parent: the fault comes before, and the child shares its page, or after, and the
 * parent gets a copy.
 *
 * From: Linux mm/memory.c (copy_present_ptes, do_wp_page). Expected: what the parent may write to is not mapped by the
 * child.
 */

import {
  access,
  entryAt,
  expect,
  forkMm,
  load,
  newSpace,
  PMD_PAGES,
  scratchWord,
  store,
  touchOnCpu,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { entryNumber, entryPresent, PTE_WRITE } from '../../../kernel/word/entry.ts';

export const about = {
  summary: 'fork against a write to the same page in the parent',
  source: 'Linux mm/memory.c (copy_present_ptes, do_wp_page)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'vma-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let childAt: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
  touchOnCpu(1, mm, 1);
  childAt = scratchWord(0);
}

function fork(): void {
  store(childAt, forkMm(mm));
}

function write(): void {
  expect(access(mm, 1, 1) === 0, 'the write succeeds');
}

export const cpus = [fork, write];

export function finish(): void {
  const child = load(childAt);
  expect(child !== 0, 'fork succeeds');
  const ours = entryAt(mm, 1);
  const theirs = entryAt(child, 1);
  expect(entryPresent(theirs) && (theirs & PTE_WRITE) === 0, 'the child reads page 1');
  const shared = entryNumber(ours) === entryNumber(theirs);
  expect(!shared || (ours & PTE_WRITE) === 0, 'the parent cannot write to what the child reads');
}
