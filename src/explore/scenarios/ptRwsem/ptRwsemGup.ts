/**
 * Protocol `pt-rwsem` against GUP-fast, which takes no lock: with interrupts off it walks through a PUD and a PMD table
 * that are found empty, taken out and freed, and used again at once.
 *
 * From: Linux mm/gup.c (gup_fast_pgd_range: interrupts off keep every level), mm/mmu_gather.c.
 * Expected: no violation: upper tables wait for a grace period as PTE tables do.
 */

import {
  doMadvise,
  expect,
  gupFastOnly,
  gupPut,
  MADV_DONTNEED,
  newSpace,
  peek,
  PMD_PAGES,
  touchPages,
  userFault,
} from '../../portable/scenarioApi.ts';
import { folioOf } from '../../../kernel/alloc/folio.ts';
import { F_INDEX } from '../../../kernel/word/layout.ts';

export const about = {
  summary: 'GUP-fast against a zap after which tables of every level are freed and used again',
  source: 'Linux mm/gup.c (gup_fast_pgd_range), mm/mmu_gather.c',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', protocol: 'pt-rwsem' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
}

function zapAndReuse(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'madvise succeeds');
  expect(userFault(mm, 0, 1) === 0, 'the fault succeeds');
}

function pin(): void {
  const frame = gupFastOnly(mm, 1, 1);
  if (frame === 0) return;
  expect(peek(folioOf(frame) + F_INDEX) === 1, 'the pinned page is that of page 1');
  gupPut(frame);
}

export const cpus = [zapAndReuse, pin];
