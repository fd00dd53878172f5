/**
 * Reclaim protocol `async`: the hooks. What is noted as a candidate and when is in asyncNotes.ts, the candidates
 * themselves in candidates.ts, the daemon's passes in asyncReclaim.ts, whose opening says what the protocol guarantees,
 * and upper tables in asyncUpper.ts.
 *
 * Eager (option `asyncEager`), a zap of a whole span detaches its table at once besides, as `sync` does
 * (tables/zapDetach.ts).
 */

import {
  detachedTable,
  reclaimEligible,
  reclaimLocked,
  reclaimUnlocked,
} from '../../tables/zapDetach.ts';
import { runAsyncEager } from '../../word/run.ts';
import {
  asyncEntriesCleared,
  asyncEntryInstalled,
  asyncTableLeft,
  asyncUpperCleared,
  asyncUpperLeft,
} from './asyncNotes.ts';
import { asyncReclaimPass } from './asyncReclaim.ts';
import { tableMoved } from './candidates.ts';

export const about = {
  name: 'async',
  summary:
    'a background CPU frees tables that became empty, however they did, some time later; upper tables and those of the zero page, too',
  daemon: true,
  frees: 'nothing',
  also: { eager: { asyncEager: true } },
};

export function entryInstalled(pte: Pte, value: Entry): void {
  asyncEntryInstalled(pte, value);
}

export function entriesCleared(pte: Pte, entries: u32): void {
  asyncEntriesCleared(pte);
}

export function upperCleared(entry: Upper): void {
  asyncUpperCleared(entry);
}

export function upperMoved(table: TableNumber): void {
  tableMoved(table);
}

export function upperLeft(upper: Upper): void {
  asyncUpperLeft(upper);
}

export function tableLeft(pmd: Pmd): void {
  asyncTableLeft(pmd);
}

export function freesLater(): boolean {
  return true;
}

export function daemonPass(most: u32, all: boolean): u32 {
  return asyncReclaimPass(most, all);
}

export function zapEligible(start: Vpn, end: Vpn): boolean {
  return runAsyncEager() && reclaimEligible(start, end);
}

export function zapEmptied(pmd: Pmd): boolean {
  return runAsyncEager() && reclaimLocked(pmd);
}

export function zapDone(gather: Gather, mm: Mm, pmd: Pmd, start: Vpn, detached: boolean): void {
  if (!runAsyncEager()) return;
  if (detached) detachedTable(gather, mm, start);
  else reclaimUnlocked(gather, mm, pmd, start);
  asyncUpperCleared(pmd);
}
