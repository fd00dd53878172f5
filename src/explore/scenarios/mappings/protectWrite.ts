/**
 * mprotect that takes the right to write away, against a program that writes to the page: through its TLB, by the
 * hardware walker that sets the dirty bit, or by a fault on the VMA's lock.
 *
 * From: Linux mm/mprotect.c (change_pte_range: ptep_modify_prot_start), mm/mmap_lock.c (vma_start_read,
 * __vma_start_write).
 * Expected: no violation; afterwards nothing can write, and a write that was done is remembered by the dirty bit.
 */

import {
  access,
  doMprotect,
  entryAt,
  expect,
  load,
  newSpace,
  scratchWord,
  store,
  PMD_PAGES,
  touchPages,
  VM_READ,
} from '../../portable/scenarioApi.ts';
import { PTE_ACCESSED, PTE_DIRTY, PTE_WRITE } from '../../../kernel/word/entry.ts';
import { pmdFind } from '../../../kernel/tables/walk.ts';
import { pteOffset } from '../../../kernel/tables/offsets.ts';
import { and } from '../../../kernel/word/word.ts';

export const about = {
  summary: 'mprotect to read-only against a write to the page',
  source:
    'Linux mm/mprotect.c (change_pte_range), mm/mmap_lock.c (vma_start_read, __vma_start_write)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'vma-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;
/** Address of a word: 1 when the write was done. */
let written: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  written = scratchWord(0);
  touchPages(mm, 0, 1);
  and(pteOffset(load(pmdFind(mm, 0)), 0), ~(PTE_ACCESSED | PTE_DIRTY) >>> 0);
}

function protect(): void {
  expect(doMprotect(mm, 0, PMD_PAGES, VM_READ) === 0, 'mprotect succeeds');
}

function write(): void {
  if (access(mm, 0, 1) === 0) store(written, 1);
}

export const cpus = [protect, write];

export function finish(): void {
  const entry = entryAt(mm, 0);
  expect((entry & PTE_WRITE) === 0, 'the entry does not permit writing');
  expect(load(written) === 0 || (entry & PTE_DIRTY) !== 0, 'the write is remembered');
}
