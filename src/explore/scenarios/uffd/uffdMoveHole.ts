/**
 * UFFDIO_MOVE of a hole between two spans that have no PTE table, with tables that count what they are needed for,
 * while another CPU walks the source without locks. The move installs a table on either side, and has to visit the
 * first before it installs the second, since its walk keeps the count of one installed table only: else the first goes
 * at once, and the move begins again for ever.
 *
 * From: Linux mm/userfaultfd.c (move_pages: both PMDs are allocated); pteRefcount.ts (the installer's count).
 * Expected: no violation, and an end; the walk never reads a freed table, and tables that are counted are all gone.
 */

import { emptyTableGoes } from '../../../kernel/word/hooks.ts';
import {
  doMadvise,
  entryAt,
  expect,
  MADV_DONTNEED,
  mmTables,
  newSpace,
  PMD_PAGES,
  touchPages,
  uffdApi,
  uffdMove,
  UFFD_MOVE_ALLOW_SRC_HOLES,
  uffdRegister,
  UFFD_REGISTER_MISSING,
  walkLockless,
} from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'UFFDIO_MOVE of a hole between spans without tables, with tables that are counted',
  source: 'Linux mm/userfaultfd.c (move_pages)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', protocol: 'pte-refcount' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let upper: u32 = 0;

export function setUp(): void {
  mm = newSpace(2 * PMD_PAGES);
  touchPages(mm, 0, 2 * PMD_PAGES);
  expect(doMadvise(mm, 0, 2 * PMD_PAGES, MADV_DONTNEED) === 0, 'set-up: only the PTE tables go');
  upper = mmTables(mm);
  expect(uffdApi(mm, 0) === 0, 'set-up: a userfaultfd');
  expect(uffdRegister(mm, 0, PMD_PAGES, UFFD_REGISTER_MISSING) === 0, 'set-up: registered');
}

function move(): void {
  expect(uffdMove(mm, 0, PMD_PAGES, 1, UFFD_MOVE_ALLOW_SRC_HOLES) === 0, 'the move succeeds');
}

function walk(): void {
  expect(walkLockless(mm, PMD_PAGES) === 0, 'nothing is mapped');
}

export const cpus = [move, walk];

export function finish(): void {
  expect(entryAt(mm, 0) === 0 && entryAt(mm, PMD_PAGES) === 0, 'a hole moved is a hole');
  if (emptyTableGoes()) expect(mmTables(mm) === upper, 'and both tables are gone');
}
