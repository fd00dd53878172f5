/**
 * Grace periods by quiescent states.
 *
 * Guarantee: when grace period g has ended (G_RCU_COMPLETED reached g), every read-side section that was under way when
 * g started has ended, and what its reader did happens before what is done by whoever sees the end.
 *
 * Protocol:
 *   Start g: compare-and-exchange G_RCU_GP_SEQ from g - 1 to g, only when G_RCU_COMPLETED is g - 1 as well. Anybody
 *   may; one wins.
 *   Report: a CPU outside of a section stores the G_RCU_GP_SEQ that it reads into its C_RCU_QS; 0 while it is idle.
 *   End g: whoever has seen, at any time after g started, C_RCU_QS of each CPU once at 0 or at g or past it,
 *   compare-and-exchanges G_RCU_COMPLETED from g - 1 to g. Having passed is for good, so each CPU keeps a cursor of its
 *   own.
 * Numbers count modulo 2^32 and skip 0. G_RCU_COMPLETED is G_RCU_GP_SEQ or the one before; so between reading both
 * equal and the exchange of G_RCU_GP_SEQ nothing can end, and no lock is needed.
 *
 * Why it holds (all atomics are sequentially consistent). Take an updater that removes a pointer, then reads
 * G_RCU_GP_SEQ = s and waits for s + 1 (`gpSnapshot`): s itself may have been reported by a reader before the removal,
 * s + 1 cannot have been.
 *   - CPU reports q >= s + 1: it read G_RCU_GP_SEQ after s + 1 started, hence after the removal, and outside of a
 *     section. Its earlier sections ended before that store; its later ones see the removal.
 *   - CPU found at 0: the scan read 0 after s + 1 started. Its earlier sections ended before the store of 0. On leaving
 *     idle it stores C_RCU_QS before its next section; that store comes after the scan's read, so the section sees the
 *     removal. The number it stores may be out of date (s, say): then it is only waited for longer than needed, by s +
 *     2.
 *
 * Source: Desnoyers et al. 2012, User-Level Implementations of Read-Copy Update, section 5.1 (QSBR); Linux
 * kernel/rcu/rcu.h (rcu_seq_snap), Documentation/RCU/stallwarn.rst.
 */

import { IPI_RESCHED, sendInterrupt } from '../cpu/irq.ts';
import { wake } from '../cpu/parked.ts';
import { waitFor } from '../cpu/wait.ts';
import {
  contentionMeasured,
  MEASURED_GRACE_PERIOD,
  measureDuration,
} from '../observe/contention.ts';
import { countLog2 } from '../observe/lockStat.ts';
import { event, EVENT_GP_END, EVENT_GP_START, violation } from '../observe/report.ts';
import { count, COUNTER_GRACE_PERIODS } from '../observe/stats.ts';
import { reaches } from '../word/condition.ts';
import {
  AWAIT_ZERO_OR_REACHES,
  ORACLE_NO_PROGRESS,
  RCU_SPINS,
  SEQ_START,
  TIMED_GRACE_PERIODS,
} from '../word/config.ts';
import {
  C_IPI_ACK,
  C_IPI_REQ,
  C_OP,
  C_RCU_CURSOR,
  C_RCU_CURSOR_GP,
  C_RCU_HISTOGRAM,
  C_RCU_INVOKED,
  C_RCU_QS,
  C_RCU_QUEUED,
  C_RCU_SCANS,
  cpuArea,
  G_RCU_COMPLETED,
  G_RCU_GP_SEQ,
  G_RCU_STARTED_GP,
  G_RCU_STARTED_NS,
  G_RCU_WAITERS,
  H_CPUS,
  H_STALL_NS,
} from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { clockNs, compareExchange, load, peek, poke, store } from '../word/word.ts';

/** Before the CPUs start: all counters shortly before their wrap, all CPUs idle. */
export function rcuInit(): void {
  store(G_RCU_GP_SEQ, SEQ_START);
  store(G_RCU_COMPLETED, SEQ_START);
  const cpus = peek(H_CPUS);
  for (let cpu: Cpu = 0; cpu < cpus; cpu++) {
    const area = cpuArea(cpu);
    store(area + C_RCU_QS, 0);
    store(area + C_RCU_QUEUED, SEQ_START);
    store(area + C_RCU_INVOKED, SEQ_START);
    store(area + C_IPI_REQ, SEQ_START);
    store(area + C_IPI_ACK, SEQ_START);
  }
}

/** Differences of clocks from here on are small negative ones: above any H_STALL_NS. */
const CLOCK_AHEAD: u32 = 0xf0000000;

/** Number of the grace period after `gp`; never 0. */
export function numberAfter(gp: u32): u32 {
  return gp === 0xffffffff ? 1 : gp + 1;
}

function numberBefore(gp: u32): u32 {
  return gp === 1 ? 0xffffffff : gp - 1;
}

/** The grace period whose end means that all sections under way now have ended. */
export function gpSnapshot(): u32 {
  return numberAfter(load(G_RCU_GP_SEQ));
}

/** Whether that grace period has ended. */
export function gpEnded(gp: u32): boolean {
  return reaches(load(G_RCU_COMPLETED), gp);
}

/** This CPU, not idle, is outside of any section. Writes only when a grace period has started since it last said so. */
export function reportQuiescent(): void {
  const own = thisCpu() + C_RCU_QS;
  const newest = load(G_RCU_GP_SEQ);
  if (peek(own) === newest) return;
  store(own, newest); // pairs with the load in findMissing
  wake(own, G_RCU_WAITERS);
}

/** Starts the grace period after `last` unless somebody else did; returns the newest number. */
function start(last: u32): u32 {
  const gp = numberAfter(last);
  if (compareExchange(G_RCU_GP_SEQ, last, gp) !== last) return load(G_RCU_GP_SEQ);
  event(EVENT_GP_START, gp, 0);
  return gp;
}

/** Ends grace period `gp`, which all CPUs have passed. */
function end(gp: u32): void {
  const before = numberBefore(gp);
  if (compareExchange(G_RCU_COMPLETED, before, gp) !== before) return;
  count(COUNTER_GRACE_PERIODS);
  event(EVENT_GP_END, gp, 0);
  if (TIMED_GRACE_PERIODS === 0) return;
  const ns = load(G_RCU_STARTED_GP) === gp ? sinceStart() : 0;
  countLog2(thisCpu() + C_RCU_HISTOGRAM, ns);
  if (contentionMeasured()) measureDuration(MEASURED_GRACE_PERIOD, ns);
}

/** First CPU not known to have passed `gp`; the number of CPUs when all have. */
function findMissing(gp: u32): u32 {
  const own = thisCpu();
  const cpus = peek(H_CPUS);
  let cpu: Cpu = peek(own + C_RCU_CURSOR_GP) === gp ? peek(own + C_RCU_CURSOR) : 0;
  let passed = true;
  while (passed && cpu < cpus) {
    const seen = load(cpuArea(cpu) + C_RCU_QS);
    passed = seen === 0 || reaches(seen, gp);
    if (passed) cpu += 1;
  }
  poke(own + C_RCU_CURSOR_GP, gp);
  poke(own + C_RCU_CURSOR, cpu);
  if (TIMED_GRACE_PERIODS !== 0 && !passed) noteMissing(gp, cpu);
  return cpu;
}

/** Nanoseconds since G_RCU_STARTED_NS; 0 if another CPU, whose clock may be a little ahead, stored it just now. */
function sinceStart(): u32 {
  const started = load(G_RCU_STARTED_NS);
  const elapsed = (clockNs() - started) >>> 0;
  return elapsed < CLOCK_AHEAD ? elapsed : 0;
}

/** Stall detector: every so often, complains when `gp` has been waiting for longer than H_STALL_NS, now for `cpu`. */
function noteMissing(gp: u32, cpu: Cpu): void {
  if (load(G_RCU_STARTED_GP) !== gp) {
    store(G_RCU_STARTED_NS, clockNs());
    store(G_RCU_STARTED_GP, gp);
    return;
  }
  const scans = peek(thisCpu() + C_RCU_SCANS) + 1;
  poke(thisCpu() + C_RCU_SCANS, scans);
  if ((scans & 255) !== 0) return;
  const limit = peek(H_STALL_NS);
  if (limit === 0 || sinceStart() < limit || load(G_RCU_STARTED_GP) !== gp) return;
  store(G_RCU_STARTED_NS, clockNs());
  violation(ORACLE_NO_PROGRESS, cpuArea(cpu) + C_RCU_QS, cpu, peek(cpuArea(cpu) + C_OP));
}

/**
 * Moves grace periods on as far as possible without waiting; returns whether `target` has ended. This CPU is quiescent
 * and not idle.
 */
export function gpAdvance(target: u32): boolean {
  let done = load(G_RCU_COMPLETED);
  let stuck = false;
  while (!stuck && !reaches(done, target)) {
    let gp = load(G_RCU_GP_SEQ);
    if (gp === done) gp = start(gp);
    reportQuiescent();
    if (findMissing(gp) < peek(H_CPUS)) stuck = true;
    else end(gp);
    done = load(G_RCU_COMPLETED);
  }
  return reaches(done, target);
}

/**
 * Waits until `target` has ended. This CPU is idle. With `expedite`, asks each CPU that is missing to hurry.
 *
 * The wait is for one CPU's C_RCU_QS at a time; its owner wakes us when it stores it (`reportQuiescent`,
 * `rcuIdleEnter`).
 */
export function gpWait(target: u32, expedite: boolean): void {
  let done = load(G_RCU_COMPLETED);
  let hurried: u32 = done;
  while (!reaches(done, target)) {
    let gp = load(G_RCU_GP_SEQ);
    if (gp === done) gp = start(gp);
    const missing = findMissing(gp);
    if (missing < peek(H_CPUS)) {
      if (expedite && hurried !== gp) hurry(gp, missing);
      hurried = gp;
      waitFor(cpuArea(missing) + C_RCU_QS, AWAIT_ZERO_OR_REACHES, gp, RCU_SPINS, G_RCU_WAITERS);
    } else end(gp);
    done = load(G_RCU_COMPLETED);
  }
}

/** Interrupts every CPU from `first` on that has not passed `gp`. */
function hurry(gp: u32, first: u32): void {
  const cpus = peek(H_CPUS);
  for (let cpu = first; cpu < cpus; cpu++) {
    const seen = load(cpuArea(cpu) + C_RCU_QS);
    if (seen !== 0 && !reaches(seen, gp)) sendInterrupt(cpu, IPI_RESCHED);
  }
}
