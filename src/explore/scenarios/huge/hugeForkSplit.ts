/**
 * fork of a huge page against a walk of the rmap that splits the parent's huge PMD, as reclaim and splits of folios do:
 * such a walk has no lock of the address space, and comes at any moment, also between fork's look at the entry and its
 * lock.
 *
 * From: Linux mm/memory.c (copy_pmd_range: -EAGAIN of copy_huge_pmd), mm/rmap.c (TTU_SPLIT_HUGE_PMD). Expected: both
 * sides have all pages, of the same frames, and neither may write.
 */

import {
  entryAt,
  expect,
  forkMm,
  load,
  newSpace,
  PMD_PAGES,
  scratchWord,
  store,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { anonVmaLockRead, anonVmaUnlockRead } from '../../../kernel/space/anonVma.ts';
import { entryNumber, entryPresent, PTE_WRITE } from '../../../kernel/word/entry.ts';
import { splitHugePmd } from '../../../kernel/huge/hugePmd.ts';
import { VMA_ANON } from '../../../kernel/word/layout.ts';
import { walkBegin, walkEnd } from '../../../kernel/word/hooks.ts';
import { findVma } from '../../../kernel/space/vma.ts';
import { pmdFind } from '../../../kernel/tables/walk.ts';

export const about = {
  summary: 'fork of a huge page against a walk of the rmap that splits it',
  source: 'Linux mm/memory.c (copy_pmd_range), mm/rmap.c (TTU_SPLIT_HUGE_PMD)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', thp: 'always' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let anon: u32 = 0;
let childAt: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, PMD_PAGES);
  anon = load(findVma(mm, 0) + VMA_ANON);
  childAt = scratchWord(0);
}

function fork(): void {
  store(childAt, forkMm(mm));
}

function split(): void {
  anonVmaLockRead(anon);
  walkBegin(mm);
  splitHugePmd(mm, pmdFind(mm, 0), 0);
  walkEnd(mm);
  anonVmaUnlockRead(anon);
}

export const cpus = [fork, split];

export function finish(): void {
  const child = load(childAt);
  expect(child !== 0, 'fork succeeds');
  for (let vpn: u32 = 0; vpn < PMD_PAGES; vpn += 1) {
    const ours = entryAt(mm, vpn);
    const theirs = entryAt(child, vpn);
    expect(entryPresent(ours) && entryPresent(theirs), 'the page is there on both sides');
    expect(entryNumber(ours) === entryNumber(theirs), 'and is one page');
    expect(((ours | theirs) & PTE_WRITE) === 0, 'and neither can write to it');
  }
}
