/**
 * mremap against a CPU that uses the page through its TLB: when mremap has returned, the old address is gone for
 * everybody, however recently it was used. The table moves as a whole, so cached upper entries must go as well.
 *
 * From: Linux mm/mremap.c (move_normal_pmd: flush before the locks are dropped), CVE-2018-18281.
 * Expected: after mremap an access to the old address faults, and one to the new address finds the page.
 */

import {
  access,
  anonPages,
  AWAIT_EQUALS,
  awaitWord,
  doMremap,
  EFAULT,
  expect,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  newSpace,
  PMD_PAGES,
  scratchWord,
  store,
  touchOnCpu,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'mremap against a CPU that uses the page through its TLB',
  source: 'Linux mm/mremap.c (move_normal_pmd), CVE-2018-18281',
  expected: 'passes',
  machine: { lock: 'tas' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let done: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchOnCpu(1, mm, 1);
  done = scratchWord(0);
}

function move(): void {
  const error = doMremap(mm, 0, PMD_PAGES, PMD_PAGES, PMD_PAGES, MREMAP_MAYMOVE | MREMAP_FIXED);
  expect(error === 0, 'mremap succeeds');
  store(done, 1);
}

function use(): void {
  const error = access(mm, 1, 1);
  expect(error === 0 || error === EFAULT, 'the access succeeds or finds no mapping');
  awaitWord(done, 0xffffffff, AWAIT_EQUALS, 1, 0);
  expect(access(mm, 1, 0) === EFAULT, 'nothing is at the old address after mremap');
  expect(access(mm, PMD_PAGES + 1, 0) === 0, 'the page is at the new address');
}

export const cpus = [move, use];

export function finish(): void {
  expect(anonPages(mm) === 1, 'one page is mapped');
}
