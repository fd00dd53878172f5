/**
 * A write to the huge zero page against a read of it by another CPU: the entry is replaced by a folio, and nobody may
 * read the zero page once somebody has written. With no folio to be had, the entry is split instead, and one page is
 * copied.
 *
 * From: Linux mm/huge_memory.c (do_huge_zero_wp_pmd, __split_huge_zero_page_pmd).
 * Expected: no violation. The page that was written is an anonymous one; nothing is cached of the zero page for it.
 */

import {
  access,
  anonPages,
  entryAt,
  expect,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { PTE_SPECIAL } from '../../../kernel/word/entry.ts';

export const about = {
  summary: 'a write to the huge zero page against a read',
  source: 'Linux mm/huge_memory.c (do_huge_zero_wp_pmd)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', thp: 'always' },
  choices: { frame: 1 },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES * 2);
  touchPages(mm, PMD_PAGES, PMD_PAGES + 1);
  expect(access(mm, 1, 0) === 0, 'set-up: read');
}

function write(): void {
  access(mm, 1, 1);
}

function read(): void {
  expect(access(mm, 1, 0) === 0, 'the read succeeds');
}

export const cpus = [write, read];

export function finish(): void {
  const special = (entryAt(mm, 1) & PTE_SPECIAL) !== 0;
  expect(special === (anonPages(mm) === PMD_PAGES), 'the page is the zero page, or counted');
}
