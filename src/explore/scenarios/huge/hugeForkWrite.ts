/**
 * fork of a huge page against a write to it in the parent, whose CPU has it in its TLB: the write comes before, or is a
 * fault that finds the folio shared, splits the parent's huge PMD, and copies one page.
 *
 * From: Linux mm/huge_memory.c (copy_huge_pmd, do_huge_pmd_wp_page). Expected: what the parent may write to is not
 * mapped by the child.
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
import { entryHuge, entryNumber, entryPresent, PTE_WRITE } from '../../../kernel/word/entry.ts';
import { pmdOf } from '../../../kernel/tables/offsets.ts';

export const about = {
  summary: 'fork of a huge page against a write to it in the parent',
  source: 'Linux mm/huge_memory.c (copy_huge_pmd, do_huge_pmd_wp_page)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'vma-lock', thp: 'always' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let childAt: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, PMD_PAGES);
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
  expect(entryHuge(load(pmdOf(child, 0))), 'the child has a huge page');
  for (let vpn: u32 = 0; vpn < PMD_PAGES; vpn += 1) {
    const ours = entryAt(mm, vpn);
    const theirs = entryAt(child, vpn);
    expect(entryPresent(theirs) && (theirs & PTE_WRITE) === 0, 'the child reads it');
    const shared = entryNumber(ours) === entryNumber(theirs);
    expect(!shared || (ours & PTE_WRITE) === 0, 'the parent cannot write to what the child reads');
  }
}
