/**
 * A zapper against a program that writes to a page of a shared file through a clean, writable entry: the hardware
 * walker sets the dirty bit in the entry while the zap clears it.
 *
 * From: Linux mm/memory.c (zap_present_folio_ptes: ptep_get_and_clear), mm/rmap.c (the dirty bit between read and
 * clear).
 * Expected: no violation; the page that was written is known to be dirty, in its entry or in its descriptor.
 */

import {
  access,
  doMmap,
  entryAt,
  expect,
  inodeCreate,
  load,
  mmCreate,
  MMAP_SHARED,
  PMD_PAGES,
  VM_READ,
  VM_WRITE,
  zapAndReclaim,
} from '../../portable/scenarioApi.ts';
import { entryNumber, PTE_ACCESSED, PTE_DIRTY } from '../../../kernel/word/entry.ts';
import { F_DIRTY, folioOf } from '../../../kernel/alloc/folio.ts';
import { F_FLAGS } from '../../../kernel/word/layout.ts';
import { and } from '../../../kernel/word/word.ts';
import { pmdFind } from '../../../kernel/tables/walk.ts';
import { pteOffset } from '../../../kernel/tables/offsets.ts';

export const about = {
  summary: 'a zapper against a write through a clean entry of a shared file',
  source:
    'Linux mm/memory.c (zap_present_folio_ptes), include/linux/pgtable.h (ptep_get_and_clear)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

const FILE: u32 = 1;

let mm: u32 = 0;
let folio: u32 = 0;

export function setUp(): void {
  mm = mmCreate();
  const inode = inodeCreate(PMD_PAGES, FILE);
  expect(
    doMmap(mm, 0, PMD_PAGES, VM_READ | VM_WRITE, MMAP_SHARED, inode, 0) === 0,
    'set-up: mapped',
  );
  expect(access(mm, 0, 1) === 0, 'set-up: written');
  folio = folioOf(entryNumber(entryAt(mm, 0)));
  // Written back: entry and page are clean again, and the TLB has nothing.
  and(pteOffset(load(pmdFind(mm, 0)), 0), ~(PTE_ACCESSED | PTE_DIRTY) >>> 0);
  and(folio + F_FLAGS, ~F_DIRTY >>> 0);
}

function zap(): void {
  zapAndReclaim(mm, 0, PMD_PAGES);
}

function write(): void {
  expect(access(mm, 0, 1) === 0, 'the page can be written');
}

export const cpus = [zap, write];

export function finish(): void {
  const marked = (entryAt(mm, 0) & PTE_DIRTY) !== 0 || (load(folio + F_FLAGS) & F_DIRTY) !== 0;
  expect(marked, 'the write is remembered');
}
