/**
 * A zapper against a page fault in the same PTE table: the fault maps a page into a table that the zapper is about to find empty.
 * Either the table stays because of the new page, or it is detached first and the fault takes another.
 *
 * From: do_anonymous_page in Linux mm/memory.c against zap_pte_range's reclaim of empty tables.
 * Expected: no violation; the page that the fault mapped last is there, or was zapped.
 */

import { MADV_DONTNEED, PMD_PAGES, VM_READ, VM_WRITE } from '../../kernel/config.ts';
import {
  anonPages,
  doMadvise,
  doMmap,
  mmCreate,
  populateRange,
  userFault,
} from '../../kernel/index.ts';
import { expect } from '../primitives.ts';

export const CPUS: u32 = 2;

let mm: u32 = 0;

export function setUp(): void {
  mm = mmCreate();
  expect(doMmap(mm, 0, PMD_PAGES, VM_READ | VM_WRITE, 0, 0, 0) === 0, 'mapped');
  expect(populateRange(mm, 1, 2, 1) === 0, 'populated');
}

export function run(cpu: u32): void {
  if (cpu === 0) expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'madvise succeeds');
  else expect(userFault(mm, 2, 1) === 0, 'the fault succeeds');
}

export function finish(): void {
  expect(anonPages(mm) <= 1, 'at most the page of the fault is mapped');
}
