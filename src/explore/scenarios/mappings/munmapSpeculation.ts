/**
 * The hardware walks on its own account, at any moment, while munmap frees the tables of every level: whatever upper
 * entry it has cached is flushed before its table is freed.
 *
 * From: Intel SDM 3A, 4.10.2 (paging-structure caches); Linux mm/memory.c (free_pgd_range), mm/mmu_gather.c
 * (freed_tables).
 * Expected: no walk through a freed table, no use of a page that was freed.
 */

import {
  AWAIT_EQUALS,
  awaitWord,
  doMunmap,
  expect,
  hardwareWalk,
  newSpace,
  PMD_PAGES,
  pollInterrupts,
  rcuQuiescentState,
  scratchWord,
  store,
  touchOnCpu,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'hardware that walks ahead, at any moment, against munmap',
  source: 'Intel SDM 3A, 4.10.2; Linux mm/memory.c (free_pgd_range)',
  expected: 'passes',
  machine: { lock: 'tas' },
  kernel: 'pairs',
  choices: { speculation: 2, vpn: 1 },
};

let mm: u32 = 0;
let unmapped: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchOnCpu(1, mm, 1);
  unmapped = scratchWord(0);
}

function unmap(): void {
  expect(doMunmap(mm, 0, PMD_PAGES) === 0, 'munmap succeeds');
  store(unmapped, 1);
}

function run(): void {
  pollInterrupts();
  awaitWord(unmapped, 0xffffffff, AWAIT_EQUALS, 1, 0);
  rcuQuiescentState();
  hardwareWalk(mm, 0, 0);
}

export const cpus = [unmap, run];
