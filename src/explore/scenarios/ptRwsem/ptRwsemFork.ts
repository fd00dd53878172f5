/**
 * fork under protocol pt-rwsem against the retraction of page tables, which comes to the child through i_mmap as soon
 * as the child's VMA is there, and takes the child's page-table rwsem for writing. So fork, which copies the next VMA's
 * tables meanwhile and holds the parent's lock for reading, has to wait for the child's; and may, because nobody waits
 * for a parent's with a child's held.
 *
 * From: Linux mm/mmap.c (dup_mmap), mm/khugepaged.c (retract_page_tables); Gunthorpe's lock (ptRwsem.ts).
 * Expected: no violation, no deadlock; the child has the page.
 */

import {
  entryAt,
  expect,
  forkMm,
  load,
  mapPages,
  newSharedSpan,
  objectAt,
  PMD_PAGES,
  scratchWord,
  store,
  touchPages,
} from '../../portable/scenarioApi.ts';
import { retractPageTables } from '../../../kernel/calls/retract.ts';

export const about = {
  summary:
    'fork of two VMAs against the retraction of tables of the first, with a lock for page tables',
  source: 'Linux mm/mmap.c (dup_mmap), mm/khugepaged.c (retract_page_tables)',
  expected: 'passes',
  machine: { lock: 'tas', fault: 'mmap-lock', protocol: 'pt-rwsem' },
  kernel: 'pairs',
};

let mm: u32 = 0;
let inode: u32 = 0;
let childAt: u32 = 0;

export function setUp(): void {
  mm = newSharedSpan();
  mapPages(mm, PMD_PAGES, 1);
  inode = objectAt(mm, 0);
  touchPages(mm, PMD_PAGES, PMD_PAGES + 1);
  childAt = scratchWord(0);
}

function fork(): void {
  store(childAt, forkMm(mm));
}

/** Nothing maps the span, and nobody faults in it, so that no folio need be locked. */
function retract(): void {
  retractPageTables(inode, 0);
}

export const cpus = [fork, retract];

export function finish(): void {
  const child = load(childAt);
  expect(child !== 0, 'fork succeeds');
  expect(entryAt(child, PMD_PAGES) !== 0, 'the child has the page');
}
