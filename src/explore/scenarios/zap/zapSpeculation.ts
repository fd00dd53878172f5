/**
 * The hardware walks on its own account, at any moment, while a zap empties and frees the table: it may cache the PMD
 * entry just before it is cleared, and the flush has to take that away before the table is freed.
 *
 * From: Intel SDM 3A, 4.10.2 (paging-structure caches), 4.10.3.1; Linux mm/mmu_gather.c (tlb_flush_pmd_range,
 * freed_tables).
 * Expected: no walk through a freed table, no use of a page that was freed.
 */

import {
  hardwareWalk,
  newSpace,
  PMD_PAGES,
  pollInterrupts,
  touchOnCpu,
  zapAndReclaim,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'hardware that walks ahead, at any moment, against a zap that frees the table',
  source: 'Intel SDM 3A, 4.10.2; Linux mm/mmu_gather.c (freed_tables)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
  choices: { speculation: 2, vpn: 1 },
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchOnCpu(1, mm, 1);
}

function zap(): void {
  zapAndReclaim(mm, 0, PMD_PAGES);
}

function run(): void {
  pollInterrupts();
  pollInterrupts();
  hardwareWalk(mm, 0, 0);
}

export const cpus = [zap, run];
