/**
 * A speculative fault against munmap: munmap takes mmap_lock for write, so the sequence has moved on before the first
 * VMA leaves the list, and tables are freed only after it has. A fault that commits did so before, and munmap takes its
 * page away.
 *
 * From: Speculative page faults, April 2021 (mmap_seq_read_check twice in pte_map_lock: before and after the lock).
 * Expected: the fault succeeds or finds no mapping; nothing is mapped at the end, and every table is free.
 */

import {
  anonPages,
  doMunmap,
  EFAULT,
  entryAt,
  expect,
  mmTables,
  newSpace,
  PMD_PAGES,
  touchPages,
  userFault,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a speculative fault while munmap takes the mapping away',
  source: 'Speculative page faults, April 2021 (pte_map_lock); Linux mm/vma.c (do_vmi_munmap)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'speculative' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
}

function unmap(): void {
  expect(doMunmap(mm, 0, PMD_PAGES) === 0, 'munmap succeeds');
}

function fault(): void {
  const error = userFault(mm, 0, 1);
  expect(error === 0 || error === EFAULT, 'the fault succeeds or finds no mapping');
}

export const cpus = [unmap, fault];

export function finish(): void {
  expect(entryAt(mm, 0) === 0 && anonPages(mm) === 0, 'nothing is mapped');
  expect(mmTables(mm) === 0, 'no table is left');
}
