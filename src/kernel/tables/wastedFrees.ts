/**
 * Tables freed for nothing: a PTE table that was reclaimed, and another one allocated for the same span soon after. A
 * measurement, for every protocol alike; nothing depends on it.
 *
 * H_WASTE_SLOTS entries (0: not measured), each the name of a span that lost its table, and when. Reclaim writes the
 * span's entry, an allocation takes it out; with less than H_WASTE_NS between, the table was freed for nothing. Spans
 * that share an entry overwrite each other, so the count is a lower bound. Two CPUs that write one entry at once may
 * leave the name of one with the time of the other, which miscounts one table.
 *
 * Source: the objection to reference-counted tables ("Free user PTE page table pages", 2021): a table that is refilled
 * at once is freed for nothing.
 */

import { count, COUNTER_TABLES_WASTED } from '../observe/stats.ts';
import { daemonClock } from '../space/daemonClock.ts';
import { mmGeneration } from '../space/mmPin.ts';
import { TABLE_BITS } from '../word/config.ts';
import { H_WASTE_BASE, H_WASTE_NS, H_WASTE_SLOTS } from '../word/layout.ts';
import { load, peek, store } from '../word/word.ts';

/** Words of an entry: address of the mm, 0: none; its generation; first vpn of the span; daemonClock then. */
const WASTE_MM: u32 = 0;
const WASTE_GENERATION: u32 = 4;
const WASTE_FIRST: u32 = 8;
const WASTE_AT: u32 = 12;
export const WASTE_SHIFT: u32 = 4;

/** The entry of the span of `mm` that starts at `first`. */
function entryOf(mm: Mm, first: Vpn): u32 {
  const slot: u32 = ((first >>> TABLE_BITS) ^ (mm >>> 8)) & (peek(H_WASTE_SLOTS) - 1);
  return peek(H_WASTE_BASE) + (slot << WASTE_SHIFT);
}

/** A PTE table of `mm` that mapped from `first` on was reclaimed. */
export function noteTableReclaimed(mm: Mm, first: Vpn): void {
  if (peek(H_WASTE_SLOTS) === 0) return;
  const entry = entryOf(mm, first);
  store(entry + WASTE_GENERATION, mmGeneration(mm));
  store(entry + WASTE_FIRST, first);
  store(entry + WASTE_AT, daemonClock());
  store(entry + WASTE_MM, mm);
}

/** A PTE table was allocated for the span of `mm` that starts at `first`. */
export function noteTableAllocated(mm: Mm, first: Vpn): void {
  if (peek(H_WASTE_SLOTS) === 0) return;
  const entry = entryOf(mm, first);
  if (load(entry + WASTE_MM) !== mm || load(entry + WASTE_FIRST) !== first) return;
  if (load(entry + WASTE_GENERATION) !== mmGeneration(mm)) return;
  store(entry + WASTE_MM, 0);
  if ((daemonClock() - load(entry + WASTE_AT)) >>> 0 < peek(H_WASTE_NS))
    count(COUNTER_TABLES_WASTED);
}
