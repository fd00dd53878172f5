/**
 * A fault on the VMA's lock against UFFDIO_UNREGISTER. The fault may have seen the VMA watched and not be in the queue
 * yet; so the VMA is write-locked, which waits for that fault, before those in the queue are woken.
 *
 * From: Linux fs/userfaultfd.c (userfaultfd_unregister: wake any concurrent pending userfault while we unregister, so
 * they will not hang).
 * Expected: the access ends.
 */

import {
  access,
  expect,
  newSpace,
  PMD_PAGES,
  touchPages,
  uffdApi,
  uffdPending,
  uffdRegister,
  uffdUnregister,
  UFFD_REGISTER_MISSING,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a fault on the VMA lock while its range is unregistered',
  source: 'Linux fs/userfaultfd.c (userfaultfd_unregister, handle_userfault)',
  expected: 'passes',
  machine: { lock: 'tas' },
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

function unregister(): void {
  expect(uffdUnregister(mm, 0, PMD_PAGES) === 0, 'unregistered');
}

export const cpus = [read, unregister];

export function finish(): void {
  expect(!uffdPending(mm), 'nobody waits');
}
