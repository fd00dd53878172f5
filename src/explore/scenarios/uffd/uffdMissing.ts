/**
 * A fault on a missing page and the monitor that resolves it. The monitor may bring the page before the fault is in the
 * queue, between that and its look at the tables, or while it waits. In none of these cases does it wait for ever.
 *
 * From: Linux fs/userfaultfd.c (handle_userfault, userfaultfd_must_wait, wake_userfault).
 * Expected: the access ends, the page is there.
 */

import {
  access,
  anonPages,
  expect,
  newSpace,
  PMD_PAGES,
  touchPages,
  uffdApi,
  uffdCopy,
  uffdPending,
  uffdRegister,
  UFFD_REGISTER_MISSING,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a fault on a missing page and the monitor that brings it',
  source: 'Linux fs/userfaultfd.c (handle_userfault, userfaultfd_must_wait)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
  expect(uffdApi(mm, 0) === 0, 'set-up: a userfaultfd');
  expect(uffdRegister(mm, 0, PMD_PAGES, UFFD_REGISTER_MISSING) === 0, 'set-up: registered');
}

function read(): void {
  expect(access(mm, 0, 0) === 0, 'the access ends');
}

function bring(): void {
  expect(uffdCopy(mm, 0, 1, 0) === 0, 'the page is brought');
}

export const cpus = [read, bring];

export function finish(): void {
  expect(anonPages(mm) === 2, 'the page is there');
  expect(!uffdPending(mm), 'nobody waits');
}
