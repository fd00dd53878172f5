/**
 * A page fault installs a table and then perhaps finds no page to put into it, so that it takes its count back, while
 * another CPU, under the PTE lock, visits whatever table there is. Whoever leaves an empty table last frees it.
 *
 * From: the error paths behind pte_alloc_get in "Free user PTE page table pages" v3, November 2021.
 * Expected: no violation; no table is left without an entry.
 */

import {
  ENOMEM,
  entryAt,
  expect,
  mmTables,
  newSpace,
  PMD_PAGES,
  pmdFind,
  pteOffsetMapLock,
  pteUnmapUnlock,
  touchPages,
  userFault,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary:
    'a fault that has perhaps no page for the counted table that it installed, and a visitor',
  source: '"Free user PTE page table pages" v3, November 2021 (pte_alloc_get)',
  expected: 'passes',
  machine: { protocol: 'pte-refcount', fault: 'mmap-lock', lock: 'tas' },
  kernel: 'pairs',
  choices: { frame: 1 },
};

let mm: u32 = 0;
let others: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES * 2);
  touchPages(mm, PMD_PAGES, PMD_PAGES + 1);
  others = mmTables(mm);
}

function write(): void {
  const error = userFault(mm, 0, 1);
  expect(error === 0 || error === ENOMEM, 'the fault succeeds or finds no memory');
}

function visit(): void {
  const pte = pteOffsetMapLock(pmdFind(mm, 1), 1);
  if (pte !== 0) pteUnmapUnlock(pte);
}

export const cpus = [write, visit];

export function finish(): void {
  const mapped: u32 = entryAt(mm, 0) === 0 ? 0 : 1;
  expect(mmTables(mm) === others + mapped, 'no table without an entry');
}
