/**
 * munmap of the middle of a mapping whose every allocation may fail (the VMA of the split, batch pages), under a
 * lockless walker and against a fault elsewhere in the mapping.
 *
 * From: Linux mm/vma.c (vms_gather_munmap_vmas: a failing split leaves everything mapped), mm/mmu_gather.c.
 * Expected: munmap succeeds, or says ENOMEM with everything still mapped.
 */

import {
  doMunmap,
  ENOMEM,
  entryAt,
  expect,
  load,
  newSpace,
  PMD_PAGES,
  scratchWord,
  store,
  touchPages,
  walkLockless,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'munmap of the middle of a mapping, any allocation failing, under a lockless walker',
  source: 'Linux mm/vma.c (vms_gather_munmap_vmas), mm/mmu_gather.c',
  expected: 'passes',
  machine: { lock: 'tas' },
  kernel: 'pairs',
  choices: { allocation: 2 },
};

let mm: u32 = 0;
let result: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES * 3);
  touchPages(mm, PMD_PAGES - 1, PMD_PAGES + 2);
  result = scratchWord(0);
}

function unmap(): void {
  const error = doMunmap(mm, PMD_PAGES, PMD_PAGES);
  expect(error === 0 || error === ENOMEM, 'munmap succeeds or finds no memory');
  store(result, error);
}

function walk(): void {
  walkLockless(mm, PMD_PAGES);
}

export const cpus = [unmap, walk];

export function finish(): void {
  const failed = load(result) !== 0;
  expect(entryAt(mm, PMD_PAGES - 1) !== 0, 'the page before is still mapped');
  expect((entryAt(mm, PMD_PAGES) !== 0) === failed, 'unmapped exactly if munmap succeeded');
  expect((entryAt(mm, PMD_PAGES + 1) !== 0) === failed, 'unmapped exactly if munmap succeeded');
}
