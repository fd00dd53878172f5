/**
 * A visit of a table ends while a collapse has the table unlinked, deposits it, or, when the page is pinned, puts it
 * back. Its visitor's count makes the collapse the last to leave a table that would be put back empty, which nobody
 * else would free.
 *
 * From: collapse_huge_page in Linux mm/khugepaged.c (out_up_write: pmd_populate) against free_pte_table in "Free user
 * PTE page table pages" v3.
 * Expected: no violation; whether the span is huge or not, no table is left without an entry.
 */

import {
  doMadvise,
  EAGAIN,
  EINVAL,
  ENOMEM,
  expect,
  gupFastOnly,
  gupPut,
  MADV_COLLAPSE,
  newSpace,
  PMD_PAGES,
  pollInterrupts,
  pteUnmap,
  touchPages,
  userFault,
  visitOnCpu,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary:
    'a visit of a counted table ends while a collapse takes the table out, and perhaps puts it back',
  source: 'Linux mm/khugepaged.c (collapse_huge_page)',
  expected: 'passes',
  machine: { protocol: 'pte-refcount', lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let visited: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
  visited = visitOnCpu(1, mm, 1);
}

function collapse(): void {
  const error = doMadvise(mm, 0, PMD_PAGES, MADV_COLLAPSE);
  expect(
    error === 0 || error === EAGAIN || error === EINVAL || error === ENOMEM,
    'it succeeds, or the page is pinned',
  );
  expect(userFault(mm, 0, 1) === 0, 'the table, or the huge page, can be used');
}

function leave(): void {
  const frame = gupFastOnly(mm, 1, 1);
  pollInterrupts();
  pteUnmap(visited);
  if (frame !== 0) gupPut(frame);
}

export const cpus = [collapse, leave];
