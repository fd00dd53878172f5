/**
 * The end of an address space against a walk of the rmap: the walk comes to its VMA through the anon_vma, without a
 * user of the address space. Exit zaps, hides its VMAs from the rmap, and only then frees tables.
 *
 * From: Linux mm/memory.c (free_pgtables: unlink_anon_vmas before free_pgd_range). Expected: the walk meets no freed
 * table; everything is freed once.
 */

import {
  expect,
  forkMm,
  isolatePage,
  migrateFolio,
  mmDestroy,
  newSpace,
  PMD_PAGES,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { folioPut } from '../../../kernel/alloc/frame.ts';

export const about = {
  summary: 'the end of an address space against a migration of a page that it shares',
  source: 'Linux mm/memory.c (free_pgtables), mm/rmap.c (rmap_walk_anon)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let child: u32 = 0;
let frame: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 1, 2);
  child = forkMm(mm);
  expect(child !== 0, 'set-up: forked');
  frame = isolatePage(mm, 1);
}

function exit(): void {
  mmDestroy(child);
}

function migrate(): void {
  migrateFolio(frame);
  folioPut(frame);
}

export const cpus = [exit, migrate];
