/**
 * Two mprotects of the same mapping, both of which end with no right to write, against a write fault on the VMA's lock: each writer
 * write-locks the VMA anew, also when the one before has only just let go of mmap_lock.
 *
 * From: Linux mm/mmap_lock.c (vma_start_read, __vma_start_write), include/linux/mmap_lock.h (vma_end_write_all before up_write).
 * Expected: no violation; afterwards the entry does not permit writing.
 */

import {
  doMprotect,
  EFAULT,
  entryAt,
  expect,
  newSpace,
  PMD_PAGES,
  userFault,
  VM_READ,
} from '../scenarioApi.ts';
import { PTE_WRITE } from '../../kernel/entry.ts';

export const about = {
  summary: 'two mprotects of a mapping against a write fault on the VMA lock',
  source: 'Linux mm/mmap_lock.c (__vma_start_write), include/linux/mmap_lock.h (vma_end_write_all)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'vma-lock' },
  constants: { TABLE_BITS: 1, PGD_BITS: 1, TASK_END: 15, CHECK_SECTIONS: 0 },
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
}

function protect(): void {
  expect(doMprotect(mm, 0, PMD_PAGES, VM_READ) === 0, 'mprotect succeeds');
}

function forbid(): void {
  expect(doMprotect(mm, 0, PMD_PAGES, 0) === 0, 'mprotect succeeds');
}

function fault(): void {
  const error = userFault(mm, 0, 1);
  expect(error === 0 || error === EFAULT, 'the fault succeeds or is refused');
}

export const cpus = [protect, forbid, fault];

export function finish(): void {
  expect((entryAt(mm, 0) & PTE_WRITE) === 0, 'the entry does not permit writing');
}
