/**
 * Reclaim protocol `async`: an empty PTE table is detached by a daemon, some time after it became empty, however it
 * did: small madvise(MADV_DONTNEED)s, MADV_FREE and pageout, munmap of parts, mremap, swap-in. So are tables that map
 * nothing but the zero page, and, by asyncUpper.ts, upper tables. A table that is filled again within the delay stays.
 *
 * Guarantee: as `sync`: a table is detached only when all its entries are none and none can be installed afterwards; it
 * is freed after the flush and the grace period of a gather. Whoever empties a table pays a look at one entry
 * (candidates.ts). What is not freed: a table whose candidate was lost because a ring was full, until an entry comes
 * and goes there; a table that was allocated and never used.
 *
 *  Whoever clears entries   notes the table as a candidate when nothing in it is known to be there.
 *  A pass (one at a time, a bounded number of them), for each candidate that has waited H_ASYNC_DELAY_NS:
 *    1. pin the address space (mmPin.ts); it has gone: drop the candidate;
 *    2. try a lock that keeps the upper tables of the span: the lock of a VMA that covers all of it, or mmap_lock for
 *       read, and then a VMA within the span. Neither is to be had: later. No VMA: the table is being freed;
 *    3. PMD lock, map, PTE lock nested: the table still a candidate? Scan every entry. One that keeps the table: watch
 *       it, done;
 *    4. only the zero page is mapped: see below;
 *    5. clear the PMD, mark the table, unlock; one table fewer, and it goes to the gather, which the pass keeps open
 *       while candidates are of one address space.
 *  The gather may be opened after step 5: nothing that a TLB may hold was cleared. An upper entry that is still cached
 *  leads to a table that is empty, and is not freed before the flush.
 *
 * The zero page: its entries can be dropped, since a read finds zeroes again, by a fault. What must hold: no VMA of the
 * span has a userfaultfd, whose owner would be told of a missing page; and no CPU may read zeroes through a stale
 * translation when another has written to a new page there, so that the flush comes before the PMD lock is released,
 * after which a fault could install one. Entries accessed since the last look have a second chance (ZERO_CHANCES). A
 * userfaultfd that is registered later hears of a page that was only ever read.
 *
 * Lock order: mmap_lock or VMA lock for read (both by trylock); PMD lock; PTE lock. Cost: a word in each descriptor, a
 * look at one entry per clearing, 16 bytes of ring per candidate; memory held back for the delay.
 * Source: Linux 6.14 mm/pt_reclaim.c ("synchronously scan and reclaim empty user PTE pages", v4: "in the future"
 * asynchronously); mm/khugepaged.c (khugepaged_scan_mm_slot) for a scan in the background.
 */

import { LEVEL_PMD, LEVEL_PTE, tableOfEntry } from '../../alloc/table.ts';
import { flushTlbRange } from '../../cpu/flush.ts';
import { beginOperation, endOperation } from '../../observe/operation.ts';
import { OP_SCAN } from '../../observe/report.ts';
import {
  count,
  countBy,
  COUNTER_CANDIDATES_GONE,
  COUNTER_CANDIDATES_KEPT,
  COUNTER_CANDIDATES_SCANNED,
  COUNTER_TABLES_RECLAIMED_ASYNC,
  COUNTER_ZERO_PAGES_DROPPED,
} from '../../observe/stats.ts';
import { condResched } from '../../rcu/rcu.ts';
import { mmapReadTrylock, mmapReadUnlock } from '../../sleep/mmapLock.ts';
import { daemonClock } from '../../space/daemonClock.ts';
import { mmGeneration, mmPin, mmUnpin } from '../../space/mmPin.ts';
import { findVmaIntersection, vmaNext } from '../../space/vma.ts';
import { lockVmaUnderRcu, vmaReadUnlock } from '../../space/vmaLock.ts';
import { detachLocked, handOver } from '../../tables/emptiness.ts';
import { gatherFinish, gatherStart } from '../../tables/gather.ts';
import { pmdLock, pmdUnlock, spanEnd } from '../../tables/offsets.ts';
import { pteLockNested, pteOffsetMapRwNolock, pteUnlock, pteUnmap } from '../../tables/pteMap.ts';
import { pmdFind } from '../../tables/walk.ts';
import {
  FAULT_MMAP_LOCK,
  PMD_PAGES,
  TABLE_ENTRIES,
  TASK_END,
  VM_UFFD_MISSING,
  VM_UFFD_WP,
  ZERO_CHANCES,
} from '../../word/config.ts';
import { PTE_ACCESSED } from '../../word/entry.ts';
import {
  CANDIDATE_AT,
  CANDIDATE_FIRST,
  CANDIDATE_GENERATION,
  CANDIDATE_MM,
  G_SCAN_GATHER,
  G_SCAN_MM,
  G_SCAN_NEXT,
  G_SCAN_OWNER,
  G_SCAN_PEAK,
  H_ASYNC_DELAY_NS,
  H_CPUS,
  VMA_END,
  VMA_FLAGS,
  VMA_START,
} from '../../word/layout.ts';
import { cpuId } from '../../word/percpu.ts';
import { runFaultPath } from '../../word/run.ts';
import { and, compareExchange, exchange, load, peek, poke, store } from '../../word/word.ts';
import { scanUpperTable } from './asyncUpper.ts';
import {
  CANDIDATE_LEVEL_MASK,
  CANDIDATE_MM_MASK,
  CANDIDATE_TRIES_MASK,
  CANDIDATE_TRY,
  candidateAgain,
  candidateAt,
  candidateBegin,
  candidatesOf,
  candidateTaken,
  entryKeeps,
  noteIfEmptied,
  watchEntry,
} from './candidates.ts';

/** What came of a candidate. */
const SCAN_DONE: u32 = 0;
const SCAN_LATER: u32 = 1;
const SCAN_DETACHED: u32 = 2;

/** What step 2 holds: the address of a VMA, or one of these. */
const SPAN_BUSY: u32 = 0;
const SPAN_GONE: u32 = 1;
const SPAN_ON_MMAP_LOCK: u32 = 2;

/** Step 2 for the span that starts at `first`. */
function lockSpan(mm: Mm, first: Vpn): u32 {
  if (runFaultPath() !== FAULT_MMAP_LOCK) {
    const vma = lockVmaUnderRcu(mm, first);
    if (vma !== 0) {
      if (load(vma + VMA_END) - first >= PMD_PAGES) return vma;
      vmaReadUnlock(vma);
    }
  }
  if (!mmapReadTrylock(mm)) return SPAN_BUSY;
  if (findVmaIntersection(mm, first, spanEnd(first, PMD_PAGES, TASK_END)) !== 0)
    return SPAN_ON_MMAP_LOCK;
  mmapReadUnlock(mm);
  return SPAN_GONE;
}

function unlockSpan(mm: Mm, held: u32): void {
  if (held === SPAN_ON_MMAP_LOCK) mmapReadUnlock(mm);
  else vmaReadUnlock(held);
}

/** Number of the first entry of the table at `pte` that keeps it; TABLE_ENTRIES: none does. PTE lock held. */
function firstKeeping(pte: Pte): u32 {
  let i: u32 = 0;
  while (i < TABLE_ENTRIES && !entryKeeps(load(pte + (i << 2)), LEVEL_PTE)) i += 1;
  return i;
}

/** Whether an entry of the table at `pte` is not none. PTE lock held. */
function mapsAnything(pte: Pte): boolean {
  for (let at: u32 = 0; at < TABLE_ENTRIES << 2; at += 4) if (load(pte + at) !== 0) return true;
  return false;
}

/**
 * Whether a VMA of the span from `first` on is registered with a userfaultfd: a zero page that it was given, once
 * dropped, would be missing again. Step 2's lock held, under which no VMA is registered; inside an RCU section, since a
 * VMA lock does not keep its neighbours.
 */
function spanRegistered(mm: Mm, first: Vpn): boolean {
  const end = spanEnd(first, PMD_PAGES, TASK_END);
  let vma = findVmaIntersection(mm, first, end);
  while (vma !== 0 && load(vma + VMA_START) < end) {
    if ((load(vma + VMA_FLAGS) & (VM_UFFD_MISSING | VM_UFFD_WP)) !== 0) return true;
    vma = load(vma + VMA_END) < end ? vmaNext(vma) : 0;
  }
  return false;
}

/**
 * Takes the accessed bits off a table that only maps the zero page. Returns whether there were any. PTE lock held. No
 * pair: one set meanwhile is seen next time.
 */
function zeroPagesAccessed(pte: Pte): boolean {
  let accessed = false;
  for (let at: u32 = 0; at < TABLE_ENTRIES << 2; at += 4) {
    if ((load(pte + at) & PTE_ACCESSED) !== 0) {
      accessed = true;
      and(pte + at, ~PTE_ACCESSED >>> 0);
    }
  }
  return accessed;
}

/** Drops the entries of a table that only maps the zero page, from `first` on, everywhere. PMD and PTE lock held. */
function dropZeroPages(mm: Mm, pte: Pte, first: Vpn): void {
  let dropped: u32 = 0;
  for (let at: u32 = 0; at < TABLE_ENTRIES << 2; at += 4) {
    if (load(pte + at) === 0) continue;
    // Atomic: a walker may set accessed at the same time. Pairs with its compare-and-exchange, which fails then; the
    // flush below is for what it has cached.
    exchange(pte + at, 0);
    dropped += 1;
  }
  if (dropped === 0) return;
  flushTlbRange(mm, first, first + PMD_PAGES, false);
  countBy(COUNTER_ZERO_PAGES_DROPPED, dropped);
}

/**
 * Steps 3 to 5 under PMD and PTE lock; `pte` is the first entry of the table that the PMD at `pmd` names. Returns a
 * SCAN_ code.
 */
function scanLocked(mm: Mm, pmd: Pmd, pte: Pte, first: Vpn, tries: u32): u32 {
  const table = tableOfEntry(pte);
  if (!candidateBegin(table)) {
    count(COUNTER_CANDIDATES_GONE);
    return SCAN_DONE;
  }
  const keeping = firstKeeping(pte);
  if (keeping !== TABLE_ENTRIES) {
    watchEntry(table, keeping);
    count(COUNTER_CANDIDATES_KEPT);
    return SCAN_DONE;
  }
  if (mapsAnything(pte) && spanRegistered(mm, first)) {
    count(COUNTER_CANDIDATES_KEPT);
    return SCAN_DONE;
  }
  if (zeroPagesAccessed(pte)) {
    if (tries < ZERO_CHANCES) return SCAN_LATER;
    count(COUNTER_CANDIDATES_KEPT);
    return SCAN_DONE;
  }
  dropZeroPages(mm, pte, first);
  detachLocked(pmd);
  return SCAN_DETACHED;
}

/** Steps 3 to 5 for the table that maps from `first` on, its upper tables kept by the caller. */
function scanPteTable(mm: Mm, what: u32, generation: u32, first: Vpn): void {
  const pmd = pmdFind(mm, first);
  if (pmd === 0) {
    count(COUNTER_CANDIDATES_GONE);
    return;
  }
  pmdLock(pmd);
  const pte = pteOffsetMapRwNolock(pmd, first);
  if (pte === 0) {
    pmdUnlock(pmd);
    count(COUNTER_CANDIDATES_GONE);
    return;
  }
  pteLockNested(pte);
  const tries: u32 = (what & CANDIDATE_TRIES_MASK) / CANDIDATE_TRY;
  const result = scanLocked(mm, pmd, pte, first, tries);
  pteUnlock(pte);
  pmdUnlock(pmd);
  if (result === SCAN_LATER) candidateAgain(what, generation, first, tableOfEntry(pte));
  pteUnmap(pte);
  if (result !== SCAN_DETACHED) return;
  if (peek(G_SCAN_GATHER) === 0) poke(G_SCAN_GATHER, gatherStart(mm));
  handOver(peek(G_SCAN_GATHER), mm, tableOfEntry(pte), first);
  noteIfEmptied(tableOfEntry(pmd), LEVEL_PMD);
  count(COUNTER_TABLES_RECLAIMED_ASYNC);
}

/** Flushes and frees what the pass has detached in its address space, and lets go of it. */
function leaveMm(): void {
  const mm = peek(G_SCAN_MM);
  if (mm === 0) return;
  if (peek(G_SCAN_GATHER) !== 0) gatherFinish(peek(G_SCAN_GATHER));
  poke(G_SCAN_GATHER, 0);
  poke(G_SCAN_MM, 0);
  mmUnpin(mm);
}

/** Steps 1 to 5 for one candidate. */
function scanCandidate(what: u32, generation: u32, first: Vpn): void {
  beginOperation(OP_SCAN, what & CANDIDATE_MM_MASK, first);
  dealWith(what, generation, first);
  endOperation();
}

function dealWith(what: u32, generation: u32, first: Vpn): void {
  const mm: Mm = (what & CANDIDATE_MM_MASK) >>> 0;
  count(COUNTER_CANDIDATES_SCANNED);
  if (peek(G_SCAN_MM) !== mm) {
    leaveMm();
    if (!mmPin(mm, generation)) {
      count(COUNTER_CANDIDATES_GONE);
      return;
    }
    poke(G_SCAN_MM, mm);
  } else if (mmGeneration(mm) !== generation) {
    count(COUNTER_CANDIDATES_GONE);
    return;
  }
  if ((what & CANDIDATE_LEVEL_MASK) !== LEVEL_PTE) {
    scanUpperTable(mm, what, generation, first);
    return;
  }
  const held = lockSpan(mm, first);
  if (held === SPAN_GONE) count(COUNTER_CANDIDATES_GONE);
  else if (held === SPAN_BUSY) candidateAgain(what, generation, first, 0);
  else {
    scanPteTable(mm, what, generation, first);
    unlockSpan(mm, held);
  }
}

/**
 * Looks at candidates of the ring of CPU `cpu`, oldest first, until one is not due (but for `all`) or `limit` are done.
 * Returns how many.
 */
function scanRing(cpu: Cpu, limit: u32, all: boolean): u32 {
  const delay = peek(H_ASYNC_DELAY_NS);
  const now = daemonClock();
  let done: u32 = 0;
  while (done < limit) {
    const at = candidateAt(cpu);
    if (!all && (now - peek(at + CANDIDATE_AT)) >>> 0 < delay) return done;
    const what = peek(at + CANDIDATE_MM);
    const generation = peek(at + CANDIDATE_GENERATION);
    const first = peek(at + CANDIDATE_FIRST);
    candidateTaken(cpu);
    scanCandidate(what, generation, first);
    condResched();
    done += 1;
  }
  return done;
}

/**
 * One pass: looks at up to `most` candidates that are due (`all`: at any). Returns how many; 0 also while another CPU's
 * pass is under way. No lock held, no RCU section.
 */
export function asyncReclaimPass(most: u32, all: boolean): u32 {
  // Pairs with the store at the end: what the last pass wrote plainly is seen.
  if (compareExchange(G_SCAN_OWNER, 0, cpuId() + 1) !== 0) return 0;
  const cpus = peek(H_CPUS);
  // This CPU's own ring first: what is put off goes there, and is not to be met again.
  let found = candidatesOf(cpuId());
  let waiting = found;
  let done = scanRing(cpuId(), found < most ? found : most, all);
  const start = peek(G_SCAN_NEXT);
  for (let ring: u32 = 0; ring < cpus; ring += 1) {
    const cpu: Cpu = (start + ring) % cpus;
    if (cpu === cpuId()) continue;
    found = candidatesOf(cpu);
    waiting += found;
    done += scanRing(cpu, found < most - done ? found : most - done, all);
  }
  // No pair: for reports.
  if (waiting > peek(G_SCAN_PEAK)) store(G_SCAN_PEAK, waiting);
  poke(G_SCAN_NEXT, (start + 1) % cpus);
  leaveMm();
  store(G_SCAN_OWNER, 0); // pairs with the compare-and-exchange above
  return done;
}
