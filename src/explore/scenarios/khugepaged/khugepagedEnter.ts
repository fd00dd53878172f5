/**
 * Two faults, as far as they concern khugepaged, in an address space in which no huge page could be so far: both find
 * that it is not scanned yet, and enter it.
 *
 * From: Linux mm/khugepaged.c (__khugepaged_enter: "mm_flags_test_and_set").
 * Expected: no violation; the address space is in the list once, and held once.
 */

import {
  expect,
  khugepagedPass,
  load,
  mmDestroy,
  newSpace,
  PMD_PAGES,
  rcuIdleEnter,
  rcuIdleExit,
} from '../../portable/scenarioApi.ts';
import { khugepagedEnter } from '../../../kernel/huge/khugepagedSlots.ts';
import { G_KHUGEPAGED_FIRST, MM_COUNT, MM_KHUGEPAGED_NEXT } from '../../../kernel/word/layout.ts';

export const about = {
  summary: 'two faults make khugepaged scan their address space',
  source: 'Linux mm/khugepaged.c (__khugepaged_enter)',
  expected: 'passes',
  machine: { lock: 'tas', thp: 'always', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
}

function enter(): void {
  khugepagedEnter(mm);
}

export const cpus = [enter, enter];

export function finish(): void {
  expect(load(G_KHUGEPAGED_FIRST) === mm, 'khugepaged scans it');
  expect(load(mm + MM_KHUGEPAGED_NEXT) === 0, 'once');
  expect(load(mm + MM_COUNT) === 2, 'its users and khugepaged hold it');
  rcuIdleExit();
  expect(khugepagedPass() === 0, 'there is nothing to make huge');
  mmDestroy(mm);
  rcuIdleEnter();
  expect(load(G_KHUGEPAGED_FIRST) === 0, 'it has left');
  expect(load(mm + MM_COUNT) === 0, 'nobody holds it');
}
