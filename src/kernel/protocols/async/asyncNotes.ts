/**
 * Protocol `async`: where tables are noted as candidates (candidates.ts). Each of these costs whoever calls it a look
 * at one entry.
 *
 *     entries cleared                  zap, pageout, swap-in, mremap entry by entry: PTE lock held
 *     the zero page mapped             a read fault of anonymous memory: the table may hold nothing else; PTE lock held
 *     a table left                     munmap of a part of what it maps; a fault that allocated it and then got no page
 *     an upper entry cleared           a PTE table was freed, by whomever, or moved
 *
 * Not noted: what munmap and exit clear (C_UNMAPPING), whose tables are freed next, but for those that a neighbour
 * shares, which are "left".
 */

import { LEVEL_PTE, ptdescOf, tableOfEntry } from '../../alloc/table.ts';
import { pteOffsetMap, pteUnmap } from '../../tables/pteMap.ts';
import { PTE_SPECIAL } from '../../word/entry.ts';
import { C_UNMAPPING, PT_STATE } from '../../word/layout.ts';
import { thisCpu } from '../../word/percpu.ts';
import { load, peek } from '../../word/word.ts';
import { noteIfEmptied } from './candidates.ts';

/** Entries of the table that holds the one at `pte` were cleared. PTE lock held. */
export function asyncEntriesCleared(pte: Pte): void {
  if (peek(thisCpu() + C_UNMAPPING) === 0) noteIfEmptied(tableOfEntry(pte), LEVEL_PTE);
}

/** The entry at `pte` is to become `entry`. PTE lock held. */
export function asyncEntryInstalled(pte: Pte, entry: Entry): void {
  if ((entry & PTE_SPECIAL) !== 0) noteIfEmptied(tableOfEntry(pte), LEVEL_PTE);
}

/**
 * The table that the PMD entry at `pmd` names, if any, may be empty. What keeps upper tables is held; the table may go
 * at any moment.
 */
export function asyncTableLeft(pmd: Pmd): void {
  const pte = pteOffsetMap(pmd, 0);
  if (pte === 0) return;
  noteIfEmptied(tableOfEntry(pte), LEVEL_PTE);
  pteUnmap(pte);
}

/** The upper entry at `upper` was cleared. What keeps the table that holds it is held. */
export function asyncUpperCleared(upper: Upper): void {
  if (peek(thisCpu() + C_UNMAPPING) === 0) asyncUpperLeft(upper);
}

/** The upper table that holds the entry at `upper` may be empty. What keeps that table is held. */
export function asyncUpperLeft(upper: Upper): void {
  const table = tableOfEntry(upper);
  noteIfEmptied(table, load(ptdescOf(table) + PT_STATE) >>> 8);
}
