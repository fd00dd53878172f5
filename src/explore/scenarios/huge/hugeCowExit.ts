/**
 * A write to a huge page that is shared since a fork against the exit of the child: the parent splits and copies, or is
 * alone with the folio by then and has it back whole, with pages that are exclusive to it.
 *
 * From: Linux mm/huge_memory.c (do_huge_pmd_wp_page: folio_ref_count, move_anon_rmap). Expected: the page can be
 * written; the child's reference is never taken for none.
 */

import {
  access,
  entryAt,
  expect,
  forkMm,
  MADV_DONTNEED,
  doMadvise,
  mmPut,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { entryPresent, PTE_WRITE } from '../../../kernel/word/entry.ts';

export const about = {
  summary: 'a write to a huge page that fork shared, against the exit of the other side',
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

function write(): void {
  expect(access(parent, 1, 1) === 0, 'the parent writes');
  // Splits what is still huge, so that the audit sees which pages are exclusive.
  expect(doMadvise(parent, 0, 1, MADV_DONTNEED) === 0, 'madvise succeeds');
}

function exit(): void {
  mmPut(child);
}

export const cpus = [write, exit];

export function finish(): void {
  expect((entryAt(parent, 1) & PTE_WRITE) !== 0, 'the parent can write');
  expect(!entryPresent(entryAt(parent, 0)), 'the other page is gone');
}
