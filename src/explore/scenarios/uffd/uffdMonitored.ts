/**
 * A CPU that is its own monitor writes to a missing page where a marker stands, and another monitor may be faster. To
 * the fault a marker is as good as none, so whoever has read it must bring a page in the marker's place; the page is
 * write-protected then no more, and the write ends.
 *
 * From: Linux mm/userfaultfd.c (mfill_atomic_install_pte overwrites markers, mfill_atomic_pte_zeropage does not).
 * Expected: the write ends, the page is there.
 */

import {
  access,
  anonPages,
  expect,
  newSpace,
  PMD_PAGES,
  touchPages,
  uffdApi,
  uffdMonitor,
  uffdPending,
  uffdRegister,
  uffdServe,
  uffdWriteprotect,
  UFFD_FEATURE_WP_UNPOPULATED,
  UFFD_REGISTER_MISSING,
  UFFD_REGISTER_WP,
  UFFD_WRITEPROTECT_WP,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a CPU that is its own monitor, a marker in its way, and another monitor',
  source: 'Linux mm/userfaultfd.c (mfill_atomic_install_pte, mfill_atomic_pte_zeropage)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(2 * PMD_PAGES);
  touchPages(mm, 2, 3);
  expect(uffdApi(mm, UFFD_FEATURE_WP_UNPOPULATED) === 0, 'set-up: a userfaultfd');
  const mode: u32 = UFFD_REGISTER_MISSING | UFFD_REGISTER_WP;
  expect(uffdRegister(mm, 0, 2 * PMD_PAGES, mode) === 0, 'set-up: registered');
  expect(uffdWriteprotect(mm, 3, 1, UFFD_WRITEPROTECT_WP) === 0, 'set-up: a marker');
}

function write(): void {
  uffdMonitor(1);
  expect(access(mm, 3, 1) === 0, 'the write ends');
}

function serve(): void {
  uffdServe(mm);
}

export const cpus = [write, serve];

export function finish(): void {
  expect(anonPages(mm) === 2, 'the page is there');
  expect(!uffdPending(mm), 'nobody waits');
}
