/**
 * Fast path against slow path: two zappers of one table with two entries, either of which may lose its hold of the PTE
 * lock between them (need_resched, tried both ways). One that held the lock throughout detaches the table under it,
 * with the PMD lock by trylock; one that did not has to take both locks in order and scan the table again.
 *
 * From: Linux mm/memory.c (zap_pte_range: can_reclaim_pt, direct_reclaim), mm/pt_reclaim.c (try_get_and_clear_pmd,
 * try_to_free_pte).
 * Expected: no violation, no deadlock between PMD lock and PTE lock; the table is gone, freed once.
 */

import { runProtocol } from '../../../kernel/word/run.ts';
import {
  anonPages,
  expect,
  finishDaemons,
  mmTables,
  newSpace,
  PMD_PAGES,
  PROTOCOL_NONE,
  touchPages,
  zapAndReclaim,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary:
    'reclaim by the fast path against the slow path: a zapper whose hold of the PTE lock is broken',
  source: 'Linux mm/memory.c (zap_pte_range), mm/pt_reclaim.c (try_to_free_pte)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
  constants: { GATHER_BUNDLE: 4 },
  choices: { resched: 1 },
};

let mm: u32 = 0;
let upperTables: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES);
  touchPages(mm, 0, 1);
  upperTables = mmTables(mm) - 1;
}

function zap(): void {
  zapAndReclaim(mm, 0, PMD_PAGES);
}

export const cpus = [zap, zap];

export function finish(): void {
  finishDaemons();
  expect(anonPages(mm) === 0, 'no page is mapped');
  const frees = runProtocol() !== PROTOCOL_NONE;
  expect(!frees || mmTables(mm) <= upperTables, 'the empty table is gone');
}
