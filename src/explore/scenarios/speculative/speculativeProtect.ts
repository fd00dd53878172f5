/**
 * A speculative write fault against mprotect to read-only. What the fault knows of the rights is a copy of the VMA; a
 * commit after mprotect has gone through the entries would leave a writable page in a read-only mapping.
 *
 * From: Speculative page faults, April 2021 (pte_map_lock: the sequence again after the lock).
 * Expected: the fault succeeds, before, or is refused (EFAULT); no entry is writable at the end.
 */

import { PTE_WRITE } from '../../../kernel/word/entry.ts';
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

export const about = {
  summary: 'a speculative write fault while mprotect takes the right to write away',
  source: 'Speculative page faults, April 2021 (pte_map_lock); Linux mm/mprotect.c',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'speculative' },
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
  expect((entryAt(mm, 0) & PTE_WRITE) === 0, 'nothing is writable');
}
