/**
 * Protocol `mmap-write` against a locker of the time before tables could go under a lock for read: it holds the VMA's
 * lock, locks the PTE table that it has mapped, and does not look at the PMD again.
 *
 * From: Linux 5.13 mm/memory.c (pte_offset_map_lock, which took the table it had read for the one that is linked).
 * Expected: no violation, since the VMAs of a table are write-locked while it is unlinked; without that a lost entry.
 */

import {
  doMadvise,
  expect,
  load,
  lockVmaUnderRcu,
  MADV_DONTNEED,
  newSpace,
  PMD_PAGES,
  pmdFind,
  pteUnmapUnlock,
  touchPages,
  vmaReadUnlock,
} from '../../portable/scenarioApi.ts';
import { entryMake, PTE_PRESENT, PTE_SPECIAL, PTE_USER } from '../../../kernel/word/entry.ts';
import { ZERO_FRAME } from '../../../kernel/alloc/folio.ts';
import { pteLock, pteOffsetMapRwNolock, setPte } from '../../../kernel/tables/pteMap.ts';

export const about = {
  summary: 'a table is unlinked while one who trusts the VMA’s lock installs an entry',
  source: 'Linux 5.13 mm/memory.c (pte_offset_map_lock)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'vma-lock', protocol: 'mmap-write' },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
}

function zap(): void {
  expect(doMadvise(mm, 0, PMD_PAGES, MADV_DONTNEED) === 0, 'madvise succeeds');
}

function install(): void {
  const vma = lockVmaUnderRcu(mm, 0);
  if (vma === 0) return;
  const pte = pteOffsetMapRwNolock(pmdFind(mm, 0), 0);
  if (pte !== 0) {
    pteLock(pte);
    if (load(pte) === 0) setPte(pte, entryMake(ZERO_FRAME, PTE_PRESENT | PTE_USER | PTE_SPECIAL));
    pteUnmapUnlock(pte);
  }
  vmaReadUnlock(vma);
}

export const cpus = [zap, install];
