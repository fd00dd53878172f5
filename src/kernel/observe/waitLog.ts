/**
 * The log of a CPU's waits for locks since its operation began, when contention is measured. A wait ends under the
 * lock, where each nanosecond of ours is one of the next waiter's; so there only what may be different later is written
 * down, and it is counted (contention.ts) when the operation has ended and no lock is held. A log that is full is
 * counted then and there.
 *
 * The log is in the CPU's own measuring region, which nobody else writes: how many records it has, then the records
 * (W_). Reports do not read it: they are as many waits behind as are logged, none while the CPU is idle.
 */

import {
  C_OP,
  C_OP_B,
  cpuArea,
  H_MEASURE_BASE,
  M_LOG,
  M_LOG_USED,
  MEASURE_SHIFT,
  MM_LOCK,
  MM_PAGE_TABLE_LOCK,
  PT_FIRST,
  PT_LOCK,
  PT_MM,
  VMA_END,
  VMA_MM,
  VMA_REF,
  VMA_START,
  W_CLASS,
  W_END,
  W_FIRST,
  W_HOLDER,
  W_HOLDER_OP,
  W_LOCK,
  W_MM,
  W_NS,
  W_OP,
  W_PAGE,
  WAIT_SHIFT,
  WAITS_LOGGED,
} from '../word/layout.ts';
import { cpuId, thisCpu } from '../word/percpu.ts';
import { load, peek, poke } from '../word/word.ts';
import { contentionMeasured, countWaitAt, HOLDER_NOBODY, HOLDER_READERS } from './contention.ts';
import {
  LC_MMAP_READ,
  LC_MMAP_WRITE,
  LC_PAGE_TABLE,
  LC_PMD,
  LC_PTE,
  LC_VMA_READ,
  LC_VMA_WRITE,
} from './lockOrder.ts';
import { countWait } from './lockStat.ts';
import { event, EVENT_LOCK_WAITED } from './report.ts';

/**
 * This CPU has just got the lock at `lock` of class `cls` after a wait of `ns`, at the beginning of which it saw
 * `holder` (HOLDER_, or a CPU's number + 1). The lock's last holder stands at `last` still.
 */
export function lockWaited(lock: u32, cls: u32, last: u32, ns: u32, holder: u32): void {
  countWait(cls, ns, last);
  event(EVENT_LOCK_WAITED, lock, ns);
  if (contentionMeasured()) logWait(lock, cls, ns, holder);
}

/** Counts the waits that are logged, if any, and empties the log. */
export function countLoggedWaits(): void {
  if (contentionMeasured()) countLog(log());
}

function log(): u32 {
  return peek(H_MEASURE_BASE) + (cpuId() << MEASURE_SHIFT) + M_LOG_USED;
}

function countLog(used: u32): void {
  const waits = peek(used);
  for (let i: u32 = 0; i < waits; i++) countWaitAt(used - M_LOG_USED + M_LOG + (i << WAIT_SHIFT));
  poke(used, 0);
}

function logWait(lock: u32, cls: u32, ns: u32, holder: u32): void {
  const used = log();
  if (peek(used) === WAITS_LOGGED) countLog(used);
  const wait = used - M_LOG_USED + M_LOG + (peek(used) << WAIT_SHIFT);
  poke(wait + W_LOCK, lock);
  poke(wait + W_CLASS, cls);
  poke(wait + W_NS, ns);
  poke(wait + W_HOLDER, holder);
  poke(wait + W_OP, peek(thisCpu() + C_OP));
  if (holder !== HOLDER_NOBODY && holder !== HOLDER_READERS)
    poke(wait + W_HOLDER_OP, load(cpuArea(holder - 1) + C_OP));
  logRange(wait, lock, cls);
  poke(used, peek(used) + 1);
}

/**
 * What the lock protects, as far as its class has that: the pages of a table or a VMA, the address space; and the page
 * that stands for the wait. The words of a VMA may be changing: then either value is one that they had.
 */
function logRange(wait: u32, lock: u32, cls: u32): void {
  let first: u32 = 0;
  let end: Vpn = 0;
  let mm: Mm = 0;
  let page = peek(thisCpu() + C_OP_B);
  if (cls === LC_PTE || cls === LC_PMD) {
    const ptdesc = lock - PT_LOCK;
    first = load(ptdesc + PT_FIRST);
    mm = load(ptdesc + PT_MM);
    page = first;
  } else if (cls === LC_VMA_READ || cls === LC_VMA_WRITE) {
    const vma = lock - VMA_REF;
    first = load(vma + VMA_START);
    end = load(vma + VMA_END);
    mm = load(vma + VMA_MM);
  } else if (cls === LC_PAGE_TABLE) mm = lock - MM_PAGE_TABLE_LOCK;
  else if (cls === LC_MMAP_READ || cls === LC_MMAP_WRITE) mm = lock - MM_LOCK;
  poke(wait + W_FIRST, first);
  poke(wait + W_END, end);
  poke(wait + W_MM, mm);
  poke(wait + W_PAGE, page);
}
