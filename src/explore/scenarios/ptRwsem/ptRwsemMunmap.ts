/**
 * Protocol `pt-rwsem` against munmap of the same range: both are to free the tables of every level, munmap under
 * mmap_lock, the other, which has let go of mmap_lock, under the page tables' lock alone.
 *
 * From: Linux mm/memory.c (free_pgd_range takes no table lock: the VMAs are gone).
 * Expected: no violation; every table is freed, once.
 */

import {
  doMunmap,
  expect,
  mmTables,
  newSpace,
  PMD_PAGES,
  walkBegin,
  walkEnd,
} from '../../portable/scenarioApi.ts';
import { rangeZapped } from '../../../kernel/protocols/ptRwsem.ts';
import { pmdAlloc, pteAlloc } from '../../../kernel/tables/walk.ts';

export const about = {
  summary: 'empty tables of every level are freed by reclaim and by munmap',
  source: 'Linux mm/memory.c (free_pgd_range)',
  expected: 'passes',
  machine: { lock: 'tas', protocol: 'pt-rwsem' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  walkBegin(mm);
  expect(pteAlloc(mm, pmdAlloc(mm, 0), 0) === 1, 'set-up: an empty table');
  walkEnd(mm);
}

function reclaim(): void {
  rangeZapped(mm, 0, PMD_PAGES);
}

function unmap(): void {
  expect(doMunmap(mm, 0, PMD_PAGES) === 0, 'munmap succeeds');
}

export const cpus = [reclaim, unmap];

export function finish(): void {
  expect(mmTables(mm) === 0, 'no table is left');
}
