/**
 * Migration against a zap that reclaims the table: the migration entry is zapped like any other, and the table may have
 * gone when the migration comes to put the page back.
 *
 * From: Linux mm/memory.c (zap_nonpresent_ptes), mm/migrate.c (remove_migration_pte). Expected: nothing is mapped
 * afterwards, both frames are free.
 */

import {
  choose,
  doMadvise,
  entryAt,
  expect,
  isolatePage,
  MADV_DONTNEED,
  migrateFolio,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { folioPut } from '../../../kernel/alloc/frame.ts';

export const about = {
  summary: 'migration against MADV_DONTNEED that reclaims the table',
  source: 'Linux mm/memory.c (zap_nonpresent_ptes), mm/migrate.c (remove_migration_pte)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let frame: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 2);
  frame = isolatePage(mm, 1);
}

function migrate(): void {
  migrateFolio(frame);
  folioPut(frame);
}

function zap(): void {
  // The whole table, which goes as well, or the page alone.
  const first: u32 = choose(2);
  expect(doMadvise(mm, first, PMD_PAGES - first, MADV_DONTNEED) === 0, 'madvise succeeds');
}

export const cpus = [migrate, zap];

export function finish(): void {
  expect(entryAt(mm, 1) === 0, 'nothing is mapped at page 1');
}
