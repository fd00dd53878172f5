/**
 * Protocol `pt-rwsem`, two who look for empty tables in ranges that share their upper tables: whoever comes last finds
 * the PMD and the PUD table empty, and only one may free them. The PTE tables are there, and empty, as a failing
 * allocation or pageout leaves them.
 *
 * From: Linux mm/pt_reclaim.c, which leaves upper tables alone.
 * Expected: no violation; no table is left.
 */

import {
  expect,
  mmTables,
  newSpace,
  PMD_PAGES,
  PUD_PAGES,
  walkBegin,
  walkEnd,
} from '../../portable/scenarioApi.ts';
import { rangeZapped } from '../../../kernel/protocols/ptRwsem.ts';
import { pmdAlloc, pteAlloc } from '../../../kernel/tables/walk.ts';

export const about = {
  summary: 'two empty the upper tables that they share',
  source: 'Linux mm/pt_reclaim.c',
  expected: 'passes',
  machine: { lock: 'tas', protocol: 'pt-rwsem' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PUD_PAGES);
  walkBegin(mm);
  expect(pteAlloc(mm, pmdAlloc(mm, 0), 0) === 1, 'set-up: a table');
  expect(pteAlloc(mm, pmdAlloc(mm, PMD_PAGES), PMD_PAGES) === 1, 'set-up: another');
  walkEnd(mm);
}

function reclaim(cpu: u32): void {
  const first = cpu === 0 ? 0 : PMD_PAGES;
  rangeZapped(mm, first, first + PMD_PAGES);
}

export const cpus = [reclaim, reclaim];

export function finish(): void {
  expect(mmTables(mm) === 0, 'no table is left');
}
