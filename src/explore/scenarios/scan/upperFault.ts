/**
 * A daemon that frees an empty PMD table against a page fault that allocates a PTE table in it. The fault came by the
 * address of its PMD entry on the VMA's lock and keeps it over an allocation; so the daemon has to write-lock every VMA
 * of the span.
 *
 * From: asyncUpper.ts; Linux mm/memory.c (__handle_mm_fault: pmd_alloc, then __pte_alloc),
 * Documentation/mm/process_addrs.rst.
 * Expected: no violation; the page that was faulted in is mapped.
 */

import {
  anonPages,
  doMadvise,
  entryAt,
  expect,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  PUD_PAGES,
  runDaemons,
  touchPages,
  userFault,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a daemon that frees an empty PMD table against a fault that allocates in it',
  source: 'Linux mm/memory.c (__handle_mm_fault), Documentation/mm/process_addrs.rst',
  expected: 'passes',
  machine: { lock: 'tas', protocol: 'async' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PUD_PAGES);
  touchPages(mm, 0, 1);
  expect(doMadvise(mm, 0, 1, MADV_DONTNEED) === 0, 'set-up: emptied');
  expect(runDaemons() === 1, 'set-up: the PTE table is gone');
}

function scan(): void {
  expect(runDaemons() === 1, 'there is a candidate');
}

function fault(): void {
  expect(userFault(mm, PMD_PAGES, 1) === 0, 'the fault succeeds');
}

export const cpus = [scan, fault];

export function finish(): void {
  expect(entryAt(mm, PMD_PAGES) !== 0, 'the page is mapped');
  expect(anonPages(mm) === 1, 'and no other');
}
