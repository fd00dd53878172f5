/**
 * A page fault whose every allocation may fail (PTE table or page; at most one fails), against a second fault of a
 * neighbouring page that needs the same table: whoever loses the race for the table gives its own back.
 *
 * From: Linux mm/memory.c (__pud_alloc, __pmd_alloc, __pte_alloc, do_anonymous_page), fault injection
 * (fail_page_alloc).
 * Expected: a fault succeeds or says ENOMEM; a page is mapped exactly if its fault succeeded; no table is lost.
 */

import {
  ENOMEM,
  entryAt,
  expect,
  load,
  newSpace,
  PMD_PAGES,
  scratchWord,
  store,
  touchPages,
  userFault,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'two page faults into one missing table, any one allocation of each failing',
  source: 'Linux mm/memory.c (__pte_alloc, do_anonymous_page)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock' },
  kernel: 'pairs',
  choices: { allocation: 1 },
};

let mm: u32 = 0;
let result: u32 = 0;

export function setUp(): void {
  mm = newSpace(PMD_PAGES * 2);
  touchPages(mm, PMD_PAGES, PMD_PAGES + 1);
  result = scratchWord(0);
}

function fault(cpu: u32): void {
  const error = userFault(mm, cpu, 1);
  expect(error === 0 || error === ENOMEM, 'the fault succeeds or finds no memory');
  store(result + (cpu << 2), error);
}

export const cpus = [fault, fault];

export function finish(): void {
  for (let cpu: u32 = 0; cpu < 2; cpu += 1)
    expect(
      (load(result + (cpu << 2)) === 0) === (entryAt(mm, cpu) !== 0),
      'mapped if it succeeded',
    );
}
