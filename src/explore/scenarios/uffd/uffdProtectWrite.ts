/**
 * UFFDIO_WRITEPROTECT against a CPU that writes through its TLB: once the call has returned no write goes unnoticed.
 *
 * From: Linux mm/userfaultfd.c (uffd_wp_range), mm/mprotect.c (change_pte_range).
 * Expected: a write after the call is told of.
 */

import {
  access,
  AWAIT_EQUALS,
  awaitWord,
  expect,
  newSpace,
  PMD_PAGES,
  scratchWord,
  store,
  touchOnCpu,
  uffdApi,
  uffdRegister,
  uffdWriteprotect,
  UFFD_FEATURE_SIGBUS,
  UFFD_REGISTER_WP,
  UFFD_WRITEPROTECT_WP,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'UFFDIO_WRITEPROTECT while a CPU writes through its TLB',
  source: 'Linux mm/userfaultfd.c (uffd_wp_range), mm/mprotect.c (change_pte_range)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let returned: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchOnCpu(1, mm, 0);
  returned = scratchWord(0);
  expect(uffdApi(mm, UFFD_FEATURE_SIGBUS) === 0, 'set-up: a userfaultfd');
  expect(uffdRegister(mm, 0, PMD_PAGES, UFFD_REGISTER_WP) === 0, 'set-up: registered');
}

function protect(): void {
  expect(uffdWriteprotect(mm, 0, 1, UFFD_WRITEPROTECT_WP) === 0, 'protected');
  store(returned, 1);
}

function write(): void {
  access(mm, 0, 1);
  awaitWord(returned, 0xffffffff, AWAIT_EQUALS, 1, 0);
  expect(access(mm, 0, 1) !== 0, 'a write after the call is told of');
}

export const cpus = [protect, write];
