/**
 * mprotect that takes the right to write away, against write faults of pages that are not there yet: on the VMA's lock,
 * while the writer of that lock comes and goes.
 *
 * From: Linux mm/mmap_lock.c (vma_start_read, __vma_start_write, vma_end_write_all).
 * Expected: no violation; afterwards no entry permits writing.
 */

import {
  doMprotect,
  EFAULT,
  entryAt,
  expect,
  newSpace,
  PMD_PAGES,
  touchPages,
  userFault,
  VM_READ,
} from '../../portable/scenarioApi.ts';
import { PTE_WRITE } from '../../../kernel/word/entry.ts';

export const about = {
  summary: 'mprotect to read-only against write faults on the VMA lock',
  source: 'Linux mm/mmap_lock.c (vma_start_read, __vma_start_write, vma_end_write_all)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'vma-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
}

function protect(): void {
  expect(doMprotect(mm, 0, PMD_PAGES, VM_READ) === 0, 'mprotect succeeds');
}

function fault(): void {
  const error = userFault(mm, 0, 1);
  expect(error === 0 || error === EFAULT, 'the fault succeeds or is refused');
}

export const cpus = [protect, fault];

export function finish(): void {
  expect((entryAt(mm, 0) & PTE_WRITE) === 0, 'the entry does not permit writing');
}
