/**
 * mremap against a page fault at the old place: the fault holds the VMA's lock, or mmap_lock, and fills a slot; mremap
 * waits for it and moves what it mapped, or comes first, and the fault finds no mapping.
 *
 * From: Linux mm/mremap.c (move_vma), mm/memory.c (do_anonymous_page), mm/mmap_lock.c (lock_vma_under_rcu).
 * Expected: if the fault succeeded its page is at the new place; if it found no mapping (EFAULT) it left nothing
 * behind.
 */

import {
  anonPages,
  doMremap,
  EFAULT,
  expect,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  newSpace,
  PMD_PAGES,
  touchPages,
  userFault,
  entryAt,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'mremap moves a mapping while a page of it is faulted in',
  source: 'Linux mm/mremap.c (move_vma), mm/memory.c (do_anonymous_page), mm/mmap_lock.c',
  expected: 'passes',
  machine: { lock: 'tas' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
}

function move(): void {
  const error = doMremap(mm, 0, PMD_PAGES, PMD_PAGES, PMD_PAGES, MREMAP_MAYMOVE | MREMAP_FIXED);
  expect(error === 0, 'mremap succeeds');
}

function fault(): void {
  const error = userFault(mm, 0, 1);
  expect(error === 0 || error === EFAULT, 'the fault succeeds or finds no mapping');
}

export const cpus = [move, fault];

export function finish(): void {
  expect(entryAt(mm, 0) === 0, 'nothing is mapped at the old place');
  expect(entryAt(mm, PMD_PAGES + 1) !== 0, 'the page moved');
  expect(anonPages(mm) === (entryAt(mm, PMD_PAGES) === 0 ? 1 : 2), 'the fault’s page moved too');
}
