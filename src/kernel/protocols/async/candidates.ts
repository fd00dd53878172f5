/**
 * Candidates for asynchronous reclaim: tables that may have become empty, noted by whoever cleared entries, looked at
 * later by a daemon.
 *
 * Guarantee: a table that is linked and empty is a candidate, unless it never had an entry, or was overlooked because
 * its CPU's ring was full, which is counted (COUNTER_CANDIDATES_LOST) and made good by the next entry that comes and
 * goes. A candidate is a hint and may be wrong in every way: filled again, moved, freed, its address space gone. So it
 * is a name, (mm, generation, level, first vpn), never an address of a table, and whoever takes it looks everything up
 * again.
 *
 * The watched entry. Each table's descriptor (PT_WATCH) names one of its entries: while that one is not none the table
 * is not empty, and clearing others costs one look at it. When it is none the table is noted, once: PT_WATCH has a
 * flag. The scan that finds the table not empty takes the flag away and then watches an entry that is there. Nobody is
 * missed: who clears the last entry looks at the watched one afterwards; who scans takes the flag away before the scan,
 * and writes the watched entry after having seen it, so that either the scan sees the last entry cleared, or its
 * clearer sees the new watch or no flag. (The idea is that of watched literals in SAT solvers.)
 *
 * Rings. Each CPU has one of H_CANDIDATE_SLOTS entries: the CPU alone adds at its tail (the store of C_CANDIDATE_TAIL
 * publishes the entry), the one pass under way (G_SCAN_OWNER) alone takes from its head. No lock, no word that two
 * noting CPUs would share.
 *
 * Lock order: none; may be called under the PTE lock. Source: Linux mm/khugepaged.c (mm_slots, the scan), for the
 * roles; Moskewicz et al., Chaff (2001), for watching.
 */

import { LEVEL_PMD, LEVEL_PTE, LEVEL_PUD, ptdescOf } from '../../alloc/table.ts';
import {
  count,
  COUNTER_CANDIDATES_LOST,
  COUNTER_CANDIDATES_NOTED,
  COUNTER_CANDIDATES_POSTPONED,
} from '../../observe/stats.ts';
import { rcuReadLock, rcuReadUnlock } from '../../rcu/rcu.ts';
import { daemonClock } from '../../space/daemonClock.ts';
import { mmGeneration } from '../../space/mmPin.ts';
import { pgdOffset, pmdOffset, pudOffset } from '../../tables/offsets.ts';
import { entryNamesTable, entryNumber, entryPresent, PTE_SPECIAL } from '../../word/entry.ts';
import {
  C_CANDIDATE_HEAD,
  C_CANDIDATE_TAIL,
  CANDIDATE_AT,
  CANDIDATE_FIRST,
  CANDIDATE_GENERATION,
  CANDIDATE_MM,
  CANDIDATE_SHIFT,
  cpuArea,
  H_CANDIDATE_BASE,
  H_CANDIDATE_SLOTS,
  PT_COUNT,
  PT_FIRST,
  PT_MM,
  PT_STATE,
  tableAddress,
} from '../../word/layout.ts';
import { cpuId, thisCpu } from '../../word/percpu.ts';
import { and, compareExchange, load, or, peek, poke, store } from '../../word/word.ts';

/** In CANDIDATE_MM beside the address. */
export const CANDIDATE_LEVEL_MASK: u32 = 0xf;
export const CANDIDATE_TRY: u32 = 0x10;
export const CANDIDATE_TRIES_MASK: u32 = 0xff0;
export const CANDIDATE_MM_MASK: u32 = 0xfffff000;

/** In the descriptor of a live table: number of the watched entry, and whether the table is a candidate. */
const PT_WATCH: u32 = PT_COUNT;
const WATCH_NOTED: u32 = 0x80000000;
const WATCH_ENTRY: u32 = 0xffff;

/** Address of entry `at` of the ring of CPU `cpu`. */
function ringEntry(cpu: Cpu, at: u32): u32 {
  const slots = peek(H_CANDIDATE_SLOTS);
  return peek(H_CANDIDATE_BASE) + ((cpu * slots + (at & (slots - 1))) << CANDIDATE_SHIFT);
}

/** Adds a name to this CPU's ring. Returns whether there was room. */
function ringAdd(what: u32, generation: u32, first: Vpn): boolean {
  const cpu = thisCpu();
  const tail = peek(cpu + C_CANDIDATE_TAIL);
  // Pairs with the store in candidateTaken: the entry behind the head is free.
  if ((tail - load(cpu + C_CANDIDATE_HEAD)) >>> 0 >= peek(H_CANDIDATE_SLOTS)) return false;
  const entry = ringEntry(cpuId(), tail);
  poke(entry + CANDIDATE_MM, what);
  poke(entry + CANDIDATE_GENERATION, generation);
  poke(entry + CANDIDATE_FIRST, first);
  poke(entry + CANDIDATE_AT, daemonClock());
  // Publishes the entry; pairs with the load in candidatesOf.
  store(cpu + C_CANDIDATE_TAIL, (tail + 1) >>> 0);
  return true;
}

/** Whether an entry keeps its table: there is something but a mapping of the zero page. */
export function entryKeeps(entry: Entry, level: u32): boolean {
  return entry !== 0 && (level !== LEVEL_PTE || (entry & PTE_SPECIAL) === 0);
}

/**
 * Makes the table of `level` with descriptor `desc` a candidate, unless it is one, or its address space is about to
 * end.
 */
function noteTable(desc: Ptdesc, level: u32): void {
  const mm = load(desc + PT_MM);
  const generation = mmGeneration(mm);
  if ((generation & 1) === 0) return;
  // Pairs with candidateBegin: whoever finds the flag set leaves the table to a scan that takes the flag away before it
  // looks.
  if ((or(desc + PT_WATCH, WATCH_NOTED) & WATCH_NOTED) !== 0) return;
  // After the flag, as tableMoved looks at the flag after it has written the new PT_FIRST: one of the two notes the new
  // name.
  if (ringAdd((mm | level) >>> 0, generation, load(desc + PT_FIRST))) {
    count(COUNTER_CANDIDATES_NOTED);
    return;
  }
  // No pair: the table is lost until its next entry comes and goes.
  and(desc + PT_WATCH, ~WATCH_NOTED >>> 0);
  count(COUNTER_CANDIDATES_LOST);
}

/**
 * Entries of table number `table` were cleared, or could be dropped: notes it when nothing that is watched keeps it.
 * The table cannot be freed meanwhile; a table of entries (LEVEL_PTE) that is not locked may be noted in vain.
 */
export function noteIfEmptied(table: TableNumber, level: u32): void {
  const desc = ptdescOf(table);
  const watch = load(desc + PT_WATCH);
  if ((watch & WATCH_NOTED) !== 0) return;
  if (entryKeeps(load(tableAddress(table) + ((watch & WATCH_ENTRY) << 2)), level)) return;
  noteTable(desc, level);
}

/**
 * A candidate has another name now: the table was moved, and PT_FIRST says where. The locks of both upper entries are
 * held.
 */
export function tableMoved(table: TableNumber): void {
  const desc = ptdescOf(table);
  if ((load(desc + PT_WATCH) & WATCH_NOTED) === 0) return;
  // Pairs with the or in noteTable, which reads PT_FIRST after it: see there.
  and(desc + PT_WATCH, ~WATCH_NOTED >>> 0);
  noteTable(desc, (load(desc + PT_STATE) >>> 8) & 0xff);
}

/**
 * Takes the flag away; the scan comes after. Pairs with noteTable, whose caller has cleared its entry before. Returns
 * whether the table was a candidate; no: the name is one of another table that was here before.
 */
export function candidateBegin(table: TableNumber): boolean {
  return (and(ptdescOf(table) + PT_WATCH, ~WATCH_NOTED >>> 0) & WATCH_NOTED) !== 0;
}

/**
 * The table has been found to hold something in entry `index`: watches that. Pairs with the load in noteIfEmptied,
 * after its caller has cleared an entry.
 */
export function watchEntry(table: TableNumber, index: u32): void {
  const word = ptdescOf(table) + PT_WATCH;
  let seen = load(word);
  let old = compareExchange(word, seen, (seen & WATCH_NOTED) | index);
  while (old !== seen) {
    seen = old;
    old = compareExchange(word, seen, (seen & WATCH_NOTED) | index);
  }
}

/**
 * Puts a candidate that could not be dealt with at the end of this CPU's ring, to be looked at after another delay.
 * `what` and `generation`: as it was taken. `table`: its number, 0 when not known, as its flag is still there then.
 * The flag pairs with candidateBegin, as in noteTable.
 */
export function candidateAgain(what: u32, generation: u32, first: Vpn, table: TableNumber): void {
  const tries = what & CANDIDATE_TRIES_MASK;
  const more = tries === CANDIDATE_TRIES_MASK ? tries : tries + CANDIDATE_TRY;
  const next: u32 = ((what & ~CANDIDATE_TRIES_MASK) | more) >>> 0;
  if (table !== 0 && (or(ptdescOf(table) + PT_WATCH, WATCH_NOTED) & WATCH_NOTED) !== 0) return;
  if (ringAdd(next, generation, first)) {
    count(COUNTER_CANDIDATES_POSTPONED);
    return;
  }
  rcuReadLock();
  const named = tableNamed(what & CANDIDATE_MM_MASK, what & CANDIDATE_LEVEL_MASK, first);
  if (named !== 0) and(ptdescOf(named) + PT_WATCH, ~WATCH_NOTED >>> 0);
  rcuReadUnlock();
  count(COUNTER_CANDIDATES_LOST);
}

/**
 * Number of the table of `level` that maps `first` and what follows in `mm`, 0: none. An RCU section, or what keeps
 * upper tables.
 */
export function tableNamed(mm: Mm, level: u32, first: Vpn): TableNumber {
  const pgd = load(pgdOffset(mm, first));
  if (level === LEVEL_PUD || !entryPresent(pgd)) return entryNumber(pgd);
  const pud = load(pudOffset(pgd, first));
  if (level === LEVEL_PMD || !entryPresent(pud)) return entryNumber(pud);
  const pmd = load(pmdOffset(pud, first));
  return entryNamesTable(pmd) ? entryNumber(pmd) : 0;
}

/** Candidates in the ring of CPU `cpu`. */
export function candidatesOf(cpu: Cpu): u32 {
  const area = cpuArea(cpu);
  return (load(area + C_CANDIDATE_TAIL) - load(area + C_CANDIDATE_HEAD)) >>> 0;
}

/**
 * Address of the oldest entry of the ring of CPU `cpu`, which is not empty; it stays until `candidateTaken`. Only the
 * pass under way.
 */
export function candidateAt(cpu: Cpu): u32 {
  return ringEntry(cpu, peek(cpuArea(cpu) + C_CANDIDATE_HEAD));
}

/** The oldest entry has been read. */
export function candidateTaken(cpu: Cpu): void {
  const head = cpuArea(cpu) + C_CANDIDATE_HEAD;
  store(head, (peek(head) + 1) >>> 0); // pairs with the load in ringAdd
}
