/**
 * A page of shared memory is write-protected for a userfaultfd while a zap empties its table. Either the zap finds the
 * page protected and leaves a marker, which keeps the table; or it has taken page and table away, and the protection
 * makes a new table for a marker.
 *
 * From: Linux mm/memory.c (zap_install_uffd_wp_if_needed, zap_nonpresent_ptes: a marker makes the table ineligible),
 * mm/mprotect.c (change_pte_range).
 * Expected: the page is protected at the end.
 */

import {
  entryAt,
  expect,
  newSharedSpan,
  PMD_PAGES,
  touchPages,
  UFFD_REGISTER_WP,
  UFFD_WRITEPROTECT_WP,
  uffdApi,
  uffdRegister,
  uffdWriteprotect,
  zapAndReclaim,
} from '../../portable/scenarioApi.ts';
import { PTE_UFFD_WP, UFFD_MARKER } from '../../../kernel/word/entry.ts';

export const about = {
  summary: 'write-protect markers while a zap empties their PTE table',
  source: 'Linux mm/memory.c (zap_install_uffd_wp_if_needed), mm/mprotect.c (change_pte_range)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSharedSpan();
  touchPages(mm, 0, 1);
  expect(uffdApi(mm, 0) === 0, 'set-up: a userfaultfd');
  expect(uffdRegister(mm, 0, PMD_PAGES, UFFD_REGISTER_WP) === 0, 'set-up: registered');
}

function protect(): void {
  expect(uffdWriteprotect(mm, 0, 1, UFFD_WRITEPROTECT_WP) === 0, 'protected');
}

function zap(): void {
  zapAndReclaim(mm, 0, PMD_PAGES);
}

export const cpus = [protect, zap];

export function finish(): void {
  const entry = entryAt(mm, 0);
  expect(entry === UFFD_MARKER || (entry & PTE_UFFD_WP) !== 0, 'the page is protected');
}
