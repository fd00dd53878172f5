/**
 * Protocol `pt-rwsem` against a page fault beside it: the last PTE table of a PMD table goes, then that one and the PUD
 * table above it; the fault wants a PTE table in that same PMD table. mmap_lock and VMA locks keep neither of them out.
 *
 * From: Gunthorpe in the thread of "Free user PTE page table pages" (2021); Linux mm/memory.c (__pte_alloc: upper
 * tables stay under mmap_lock).
 * Expected: no violation; the page of the fault is there, with exactly the tables that it needs.
 */

import {
  anonPages,
  entryAt,
  expect,
  mmTables,
  newSpace,
  PMD_PAGES,
  PUD_PAGES,
  userFault,
  walkBegin,
  walkEnd,
} from '../../portable/scenarioApi.ts';
import { rangeZapped } from '../../../kernel/protocols/ptRwsem.ts';
import { pmdAlloc, pteAlloc } from '../../../kernel/tables/walk.ts';

export const about = {
  summary: 'tables of every level are freed while a fault allocates a table below them',
  source: '"Free user PTE page table pages" (2021); Linux mm/memory.c (__pte_alloc)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', protocol: 'pt-rwsem' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PUD_PAGES);
  walkBegin(mm);
  expect(pteAlloc(mm, pmdAlloc(mm, 0), 0) === 1, 'set-up: an empty table');
  walkEnd(mm);
}

function reclaim(): void {
  rangeZapped(mm, 0, PMD_PAGES);
}

function fault(): void {
  expect(userFault(mm, PMD_PAGES, 1) === 0, 'the fault succeeds');
}

export const cpus = [reclaim, fault];

export function finish(): void {
  expect(entryAt(mm, PMD_PAGES) !== 0 && anonPages(mm) === 1, 'the page of the fault is mapped');
  expect(mmTables(mm) === 3, 'the tables on the way to it, and no others');
}
