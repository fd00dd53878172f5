/**
 * Migration against an access: the fault that finds a migration entry waits for the folio lock and tries again.
 *
 * From: Linux mm/migrate.c (migration_entry_wait, remove_migration_pte). Expected: the access succeeds, on one frame or
 * the other; the page is not lost.
 */

import {
  access,
  entryAt,
  expect,
  isolatePage,
  migrateFolio,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { entryNumber, entryPresent } from '../../../kernel/word/entry.ts';
import { folioPut } from '../../../kernel/alloc/frame.ts';

export const about = {
  summary: 'migration against an access: the fault waits for the folio lock',
  source: 'Linux mm/migrate.c (migration_entry_wait, remove_migration_pte)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let frame: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
  frame = isolatePage(mm, 1);
}

function migrate(): void {
  expect(migrateFolio(frame) === 0, 'nobody has a reference: the page moves');
  folioPut(frame);
}

function write(): void {
  expect(access(mm, 1, 1) === 0, 'the access succeeds');
}

export const cpus = [migrate, write];

export function finish(): void {
  const entry = entryAt(mm, 1);
  expect(entryPresent(entry) && entryNumber(entry) !== frame, 'page 1 is on its new frame');
}
