/**
 * Everything at once on one PTE table: a zapper that empties it, breaking its hold of the PTE lock perhaps, a page
 * fault that fills it again, and a lockless walker that is in it all the while. The broadest of the scenarios about
 * reclaim: most of what can go wrong with an emptied table shows here.
 *
 * From: Linux 6.14, "synchronously scan and reclaim empty user PTE pages" (mm/pt_reclaim.c), against mm/memory.c
 * (do_anonymous_page) and mm/pgtable-generic.c (___pte_offset_map).
 * Expected: no violation. Look at the walker's table: detached and refilled elsewhere, it stays readable until the
 * walker has left.
 */

import {
  anonPages,
  expect,
  newSpace,
  PMD_PAGES,
  touchPages,
  userFault,
  walkLockless,
  zapAndReclaim,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'a zapper, a page fault and a lockless walker on one PTE table',
  source: 'Linux mm/pt_reclaim.c, mm/memory.c (do_anonymous_page), mm/pgtable-generic.c',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  choices: { resched: 1 },
  kernel: 'pairs',
};

let mm: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
}

function zap(): void {
  zapAndReclaim(mm, 0, PMD_PAGES);
}

function fault(): void {
  expect(userFault(mm, 1, 1) === 0, 'the fault succeeds');
}

function walk(): void {
  walkLockless(mm, 1);
}

export const cpus = [zap, fault, walk];

export function finish(): void {
  expect(anonPages(mm) <= 1, 'at most the page of the fault is mapped');
}
