/**
 * Callbacks waiting for a grace period: a list per CPU, in two pieces.
 *
 *     NEXT   queued, in order; C_RCU_NEXT_GP is the grace period that the newest of them needs
 *     WAIT   older ones, all of which may run when C_RCU_WAIT_GP has ended; 0: none
 *
 * Guarantee: a callback is invoked once, outside of sections and spinlocks, after every section that was under way when
 * it was queued has ended; the callbacks of one list are invoked in the order in which they were queued; C_RCU_INVOKED
 * of a list reaches n when its first n callbacks (modulo 2^32) have returned.
 *
 * Protocol. The list's lock covers both pieces. NEXT becomes WAIT as a whole when WAIT is empty. Whoever finds WAIT
 * ready takes it off under the lock, marks the list C_RCU_INVOKING, and invokes with the lock dropped; then stores
 * C_RCU_INVOKED, then clears the mark. Only one CPU invokes from a list at a time, so that C_RCU_INVOKED is a prefix of
 * what was queued even when an adopter works on a list whose owner has come back: without the mark the owner could
 * finish a younger batch first, and rcuBarrier would take its count for the older one's.
 *
 * Idle CPUs. A CPU that goes idle with callbacks left counts itself in G_RCU_ORPHANS, which every quiescent state of
 * the others reads; they drive and invoke its list. An adopter that empties the list takes the mark C_RCU_ORPHAN back,
 * under the list's lock, and so does the owner on leaving; whoever exchanges it to 0 lowers the count. When all CPUs
 * are idle nothing is invoked until one of them is not, or calls rcuBarrier.
 *
 * rcuBarrier invokes whatever is ready itself, on any list: it waits for nobody but grace periods and for an invocation
 * that is under way, which never waits. So two barriers at once, or a barrier and an idle owner, cannot block each
 * other.
 *
 * Lock order: a list's lock is innermost. Source: Linux kernel/rcu/rcu_segcblist.c, kernel/rcu/tree.c (rcu_do_batch,
 * rcu_barrier, rcutree_migrate_callbacks).
 */

import { pollInterrupts } from '../cpu/irq.ts';
import { wake } from '../cpu/parked.ts';
import { LC_RCU, spinLock, spinUnlock } from '../lock/lock.ts';
import { event, EVENT_CALLBACKS, violation } from '../observe/report.ts';
import { countBy, COUNTER_CALLBACKS_INVOKED } from '../observe/stats.ts';
import { CHECK } from '../word/check.ts';
import { reaches } from '../word/condition.ts';
import { CHECK_SECTIONS, ORACLE_GRACE_PERIOD, RCU_BATCH } from '../word/config.ts';
import {
  C_OP,
  C_RCU_INVOKE_WAITERS,
  C_RCU_INVOKED,
  C_RCU_INVOKER,
  C_RCU_INVOKING,
  C_RCU_LOCK,
  C_RCU_NEXT_GP,
  C_RCU_NEXT_HEAD,
  C_RCU_NEXT_TAIL,
  C_RCU_ORPHAN,
  C_RCU_QUEUED,
  C_RCU_SECTION,
  C_RCU_WAIT_GP,
  C_RCU_WAIT_HEAD,
  C_RCU_WAIT_UPTO,
  cpuArea,
  G_RCU_GP_SEQ,
  G_RCU_ORPHANS,
  H_CPUS,
  RCU_FUNC,
  RCU_NEXT,
  RCU_STAMP,
} from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { add, exchange, load, peek, poke, store, sub } from '../word/word.ts';
import { rcuInvoke } from './rcuCallbacks.ts';
import { gpAdvance, gpEnded, gpSnapshot, numberAfter, reportQuiescent } from './rcuGracePeriod.ts';

/**
 * For the grace-period oracle: the least number that a section may hold when what waits from now on has ended. Not by
 * `gpSnapshot`, which the oracle doubts.
 */
export function rcuStamp(): u32 {
  return numberAfter(load(G_RCU_GP_SEQ));
}

/** Oracle: every section that is older than `stamp` must have ended; `what` names what was waiting for that. */
export function rcuCheckReaders(stamp: u32, what: u32): void {
  const cpus = peek(H_CPUS);
  for (let cpu: Cpu = 0; cpu < cpus; cpu++) {
    const section = load(cpuArea(cpu) + C_RCU_SECTION);
    if (section !== 0 && !reaches(section, stamp))
      violation(ORACLE_GRACE_PERIOD, what, cpu, peek(cpuArea(cpu) + C_OP));
  }
}

/**
 * Queues `head` for `rcuInvoke(head, func)` after a grace period. The caller has unlinked what the head is in, and owns
 * the head from here until it is invoked no more. Any locks may be held; not in a CPU that is idle.
 */
export function callRcu(head: u32, func: u32): void {
  const list = thisCpu();
  poke(head + RCU_NEXT, 0);
  poke(head + RCU_FUNC, func);
  if (CHECK_SECTIONS !== 0 && CHECK >= 2) poke(head + RCU_STAMP, rcuStamp());
  spinLock(list + C_RCU_LOCK, LC_RCU);
  const tail = peek(list + C_RCU_NEXT_TAIL);
  if (tail === 0) poke(list + C_RCU_NEXT_HEAD, head);
  else poke(tail + RCU_NEXT, head);
  poke(list + C_RCU_NEXT_TAIL, head);
  poke(list + C_RCU_NEXT_GP, gpSnapshot());
  poke(list + C_RCU_QUEUED, peek(list + C_RCU_QUEUED) + 1);
  spinUnlock(list + C_RCU_LOCK, LC_RCU);
}

/** Whether this CPU's own list has callbacks that have not been invoked. */
export function ownCallbacksPending(): boolean {
  const list = thisCpu();
  return load(list + C_RCU_INVOKED) !== peek(list + C_RCU_QUEUED);
}

/** Under the list's lock, WAIT taken off or empty: NEXT becomes WAIT. */
function nextToWait(list: u32): void {
  const head = peek(list + C_RCU_NEXT_HEAD);
  if (head === 0) {
    store(list + C_RCU_WAIT_GP, 0);
    return;
  }
  poke(list + C_RCU_WAIT_HEAD, head);
  poke(list + C_RCU_WAIT_UPTO, peek(list + C_RCU_QUEUED));
  poke(list + C_RCU_NEXT_HEAD, 0);
  poke(list + C_RCU_NEXT_TAIL, 0);
  store(list + C_RCU_WAIT_GP, peek(list + C_RCU_NEXT_GP));
}

/** The grace period that the oldest callbacks of the list need; 0 when it has none that is not being invoked. */
export function waitingFor(list: u32): u32 {
  const gp = load(list + C_RCU_WAIT_GP);
  if (gp !== 0) return gp;
  spinLock(list + C_RCU_LOCK, LC_RCU);
  if (load(list + C_RCU_WAIT_GP) === 0) nextToWait(list);
  spinUnlock(list + C_RCU_LOCK, LC_RCU);
  return load(list + C_RCU_WAIT_GP);
}

/** Invokes the callbacks of WAIT if their grace period has ended and nobody else is invoking from this list. */
export function invokeReady(list: u32): void {
  spinLock(list + C_RCU_LOCK, LC_RCU);
  const gp = load(list + C_RCU_WAIT_GP);
  if (gp === 0 || load(list + C_RCU_INVOKING) !== 0 || !gpEnded(gp)) {
    spinUnlock(list + C_RCU_LOCK, LC_RCU);
    return;
  }
  const head = peek(list + C_RCU_WAIT_HEAD);
  const upto = peek(list + C_RCU_WAIT_UPTO);
  store(list + C_RCU_INVOKING, 1);
  nextToWait(list);
  spinUnlock(list + C_RCU_LOCK, LC_RCU);

  invokeChain(head);

  store(list + C_RCU_INVOKED, upto); // before the mark goes: the next invoker's count is a later one
  store(list + C_RCU_INVOKING, 0);
  wake(list + C_RCU_INVOKING, list + C_RCU_INVOKE_WAITERS);
  if (list !== thisCpu()) disownEmpty(list);
}

function invokeChain(first: u32): void {
  const self = thisCpu();
  let head = first;
  let invoked: u32 = 0;
  poke(self + C_RCU_INVOKER, 1);
  while (head !== 0) {
    const next = peek(head + RCU_NEXT);
    if (CHECK_SECTIONS !== 0 && CHECK >= 2) rcuCheckReaders(peek(head + RCU_STAMP), head);
    rcuInvoke(head, peek(head + RCU_FUNC));
    invoked += 1;
    if ((invoked & (RCU_BATCH - 1)) === 0) {
      pollInterrupts();
      reportQuiescent();
    }
    head = next;
  }
  poke(self + C_RCU_INVOKER, 0);
  countBy(COUNTER_CALLBACKS_INVOKED, invoked);
  event(EVENT_CALLBACKS, invoked, 0);
}

/** One step for a list, without waiting: drives its grace period, invokes what is ready. */
export function advanceList(list: u32): void {
  const gp = waitingFor(list);
  if (gp !== 0 && gpAdvance(gp)) invokeReady(list);
}

/** This CPU is about to become idle: leaves its callbacks to the others. */
export function leaveCallbacks(): void {
  if (!ownCallbacksPending()) return;
  add(G_RCU_ORPHANS, 1);
  store(thisCpu() + C_RCU_ORPHAN, 1);
}

/** The owner of `list`, or an adopter under its lock, takes the mark back. */
export function reclaimCallbacks(list: u32): void {
  if (load(list + C_RCU_ORPHAN) !== 0 && exchange(list + C_RCU_ORPHAN, 0) !== 0)
    sub(G_RCU_ORPHANS, 1);
}

/** An owner that is back and queues again does so under the lock, and marks the list after that: the mark stays. */
function disownEmpty(list: u32): void {
  spinLock(list + C_RCU_LOCK, LC_RCU);
  if (peek(list + C_RCU_QUEUED) === load(list + C_RCU_INVOKED)) reclaimCallbacks(list);
  spinUnlock(list + C_RCU_LOCK, LC_RCU);
}

/** One step for the list of each idle CPU. */
export function adoptCallbacks(): void {
  const cpus = peek(H_CPUS);
  for (let cpu: Cpu = 0; cpu < cpus; cpu++) {
    const list = cpuArea(cpu);
    if (load(list + C_RCU_ORPHAN) !== 0) advanceList(list);
  }
}
