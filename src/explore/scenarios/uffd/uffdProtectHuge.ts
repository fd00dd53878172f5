/**
 * UFFDIO_WRITEPROTECT of a page that is not there, which is to leave a marker, against a fault that puts a huge page
 * over its span. Whoever comes second has to see what is there then: the protection splits the huge page, and looks for
 * it again whenever it has no table to lock.
 *
 * From: Linux mm/mprotect.c (change_pmd_range: again, when a huge PMD came meanwhile).
 * Expected: no violation, and an end; the page is protected, or has a marker.
 */

import {
  access,
  doMadvise,
  entryAt,
  expect,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  touchPages,
  uffdApi,
  uffdRegister,
  uffdWriteprotect,
  UFFD_FEATURE_WP_UNPOPULATED,
  UFFD_REGISTER_WP,
  UFFD_WRITEPROTECT_WP,
} from '../../portable/scenarioApi.ts';
import { entryPresent, PTE_UFFD_WP } from '../../../kernel/word/entry.ts';

export const about = {
  summary: 'UFFDIO_WRITEPROTECT leaves a marker while a fault puts a huge page over it',
  source: 'Linux mm/mprotect.c (change_pmd_range)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', thp: 'always' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'set-up: only the PTE table goes');
  expect(uffdApi(mm, UFFD_FEATURE_WP_UNPOPULATED) === 0, 'set-up: a userfaultfd');
  expect(uffdRegister(mm, 0, PMD_PAGES, UFFD_REGISTER_WP) === 0, 'set-up: registered');
}

function protect(): void {
  expect(uffdWriteprotect(mm, 0, 1, UFFD_WRITEPROTECT_WP) === 0, 'protected');
}

function fault(): void {
  expect(access(mm, 1, 1) === 0, 'the access succeeds');
}

export const cpus = [protect, fault];

export function finish(): void {
  const entry = entryAt(mm, 0);
  expect(!entryPresent(entry) || (entry & PTE_UFFD_WP) !== 0, 'the page is protected');
  expect(entry !== 0, 'or has a marker');
}
