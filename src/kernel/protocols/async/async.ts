/**
 * Reclaim protocol `async`: the hooks. What is noted as a candidate and when is in asyncNotes.ts, the candidates themselves in candidates.ts, the
 * daemon's passes in asyncReclaim.ts, whose opening says what the protocol guarantees, and upper tables in asyncUpper.ts.
 *
 * Eager (option `asyncEager`), a zap of a whole span detaches its table at once besides, as `sync` does (tables/zapDetach.ts).
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

export function entryInstalled(pte: u32, value: u32): void {
  asyncEntryInstalled(pte, value);
}

export function entriesCleared(pte: u32, entries: u32): void {
  asyncEntriesCleared(pte);
}

export function upperCleared(entry: u32): void {
  asyncUpperCleared(entry);
}

export function upperMoved(table: u32): void {
  tableMoved(table);
}

export function upperLeft(upper: u32): void {
  asyncUpperLeft(upper);
}

export function tableLeft(pmd: u32): void {
  asyncTableLeft(pmd);
}

export function freesLater(): boolean {
  return true;
}

export function daemonPass(most: u32, all: u32): u32 {
  return asyncReclaimPass(most, all);
}

export function zapEligible(start: u32, end: u32): boolean {
  return runAsyncEager() && reclaimEligible(start, end);
}

export function zapEmptied(pmd: u32): boolean {
  return runAsyncEager() && reclaimLocked(pmd);
}

export function zapDone(gather: u32, mm: u32, pmd: u32, start: u32, detached: boolean): void {
  if (!runAsyncEager()) return;
  if (detached) detachedTable(gather, mm, start);
  else reclaimUnlocked(gather, mm, pmd, start);
  asyncUpperCleared(pmd);
}
