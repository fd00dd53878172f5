/**
 * A zap of a part of a huge page, which splits its PMD entry, against a write to the other part: by the MMU of a CPU
 * that has the huge page in its TLB, or walks to it meanwhile.
 *
 * The split takes the rights of the entry away and flushes before it copies the entry's marks into the PTEs. A write
 * that the MMU has done through the huge entry is among them; one that comes later faults, waits for the PMD lock, and
 * finds PTEs.
 *
 * From: Linux mm/huge_memory.c (__split_huge_pmd_locked: why pmdp_invalidate comes before the marks are read).
 * Expected: no violation. The page that was written is mapped and dirty at the end, and the same frame as before.
 */

import {
  access,
  doMadvise,
  entryAt,
  expect,
  load,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { entryNumber, PTE_ACCESSED, PTE_DIRTY } from '../../../kernel/word/entry.ts';
import { pmdFind } from '../../../kernel/tables/walk.ts';
import { and } from '../../../kernel/word/word.ts';

export const about = {
  summary: 'a split of a huge page against a write to it',
  source: 'Linux mm/huge_memory.c (__split_huge_pmd_locked)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', thp: 'always' },
  kernel: 'pairs',
};

let mm: u32 = 0;
/** Frame of page 1 before. */
let frame: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, PMD_PAGES);
  and(pmdFind(mm, 0), ~(PTE_ACCESSED | PTE_DIRTY) >>> 0);
  frame = entryNumber(load(pmdFind(mm, 0))) + 1;
}

function zapPart(): void {
  expect(doMadvise(mm, 0, 1, MADV_DONTNEED) === 0, 'madvise succeeds');
}

function write(): void {
  expect(access(mm, 1, 1) === 0, 'the write succeeds');
}

export const cpus = [zapPart, write];

export function finish(): void {
  const entry = entryAt(mm, 1);
  expect(entryNumber(entry) === frame, 'the page is still where it was');
  expect((entry & PTE_DIRTY) !== 0, 'the write is remembered');
  expect(entryAt(mm, 0) === 0, 'the other part is gone');
}
