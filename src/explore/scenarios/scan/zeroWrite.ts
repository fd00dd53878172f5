/**
 * A table that only maps the zero page is dropped while one CPU writes to a page of it and another, which has the zero
 * page in its TLB, reads it after the write. The reader may not find zeroes then: the flush must come before any CPU
 * can install a page where the zero page was.
 *
 * From: asyncReclaim.ts (the zero page); compare Linux mm/memory.c (wp_page_copy: ptep_clear_flush before the new
 * entry).
 * Expected: no violation; who reads after the write reads the new page.
 */

import {
  access,
  doMadvise,
  entryAt,
  expect,
  load,
  MADV_POPULATE_READ,
  newSpace,
  PMD_PAGES,
  runDaemons,
  scratchWord,
  setThisCpu,
  store,
} from '../../portable/scenarioApi.ts';
import { TLB_ENTRY, tlbSlot } from '../../../kernel/cpu/tlb.ts';
import { peek } from '../../../kernel/word/word.ts';

export const about = {
  summary:
    'a table of the zero page is dropped while a CPU writes there and another reads through its TLB',
  source: 'Linux mm/memory.c (wp_page_copy: ptep_clear_flush)',
  expected: 'passes',
  machine: { lock: 'tas', protocol: 'async', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  expect(doMadvise(mm, 0, 1, MADV_POPULATE_READ) === 0, 'set-up: the zero page is mapped');
  setThisCpu(2);
  expect(access(mm, 0, 0) === 0, 'set-up: it is in a TLB');
  setThisCpu(0);
  // The first look takes the accessed bits away.
  expect(runDaemons() === 1, 'set-up: looked at once');
}

function scan(): void {
  runDaemons();
}

function write(): void {
  expect(access(mm, 0, 1) === 0, 'the write succeeds');
  store(scratchWord(0), 1);
}

function read(): void {
  if (load(scratchWord(0)) === 0) return;
  expect(access(mm, 0, 0) === 0, 'the read succeeds');
  const cached = peek(tlbSlot(0) + TLB_ENTRY);
  expect(cached >>> 8 === entryAt(mm, 0) >>> 8, 'it reads what was written');
}

export const cpus = [scan, write, read];
