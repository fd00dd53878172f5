/**
 * Read-copy update. A read-side section costs nothing: a CPU is outside of any section whenever it says so
 * (`rcuQuiescentState`, between operations) and while it is idle. Grace periods: rcuGracePeriod.ts. Callbacks:
 * rcuList.ts.
 *
 * Rules: sections nest, do not wait, and are not entered by an idle CPU. A quiescent state is reported outside of
 * sections and spinlocks; mmap_lock and VMA locks may be held. A CPU waits for readers, or becomes idle, under the same
 * rule and with interrupts enabled.
 *
 * Idle, the extended quiescent state: C_RCU_QS is 0. A CPU is idle before it starts, between runs, and while it is
 * parked on mmap_lock or waits for a grace period. Entering: leave the callbacks to others, make the TLB lazy, store 0,
 * wake whoever waits for it, poll interrupts. Leaving: store the newest number, poll interrupts, end the TLB's
 * laziness, take the callbacks back. The order of both against senders of interrupts is argued in irq.ts, against grace
 * periods in rcuGracePeriod.ts.
 *
 * Oracle grace-period (full checks): a reader stores the newest grace period's number in C_RCU_SECTION on entry and 0
 * on exit; a callback carries the number after the newest one. When it is invoked no section may hold an older one.
 * Every section that was under way when the callback was queued holds an older one. A section that does began, or its
 * CPU has read the number and will begin it before it is quiescent or idle, before the callback's grace period started:
 * so no complaint is wrong.
 *
 * Source: Desnoyers et al. 2012; Linux kernel/rcu/tree.c, include/linux/rcupdate.h (cond_resched_tasks_rcu_qs), kernel/
 * context_tracking.c (ct_idle_enter).
 */

import { pollInterrupts } from '../cpu/irq.ts';
import { wake } from '../cpu/parked.ts';
import { tlbEnterLazy, tlbLeaveLazy } from '../cpu/tlb.ts';
import { waitFor } from '../cpu/wait.ts';
import { LC_RCU, spinLock, spinUnlock } from '../lock/lock.ts';
import {
  contentionMeasured,
  MEASURED_SYNCHRONIZE,
  measureDuration,
} from '../observe/contention.ts';
import { holdsSpinlock } from '../observe/lockOrder.ts';
import { violation } from '../observe/report.ts';
import { CHECK } from '../word/check.ts';
import { reaches } from '../word/condition.ts';
import { AWAIT_EQUALS, CHECK_SECTIONS, ORACLE_GRACE_PERIOD, RCU_SPINS } from '../word/config.ts';
import {
  C_IRQ_DEPTH,
  C_NEED_RESCHED,
  C_RCU_INVOKE_WAITERS,
  C_RCU_INVOKED,
  C_RCU_INVOKER,
  C_RCU_INVOKING,
  C_RCU_LOCK,
  C_RCU_NESTING,
  C_RCU_QS,
  C_RCU_QUEUED,
  C_RCU_SECTION,
  cpuArea,
  G_RCU_GP_SEQ,
  G_RCU_ORPHANS,
  G_RCU_WAITERS,
  H_CPUS,
} from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { clockNs, load, peek, poke, store } from '../word/word.ts';
import { gpEnded, gpSnapshot, gpWait, reportQuiescent } from './rcuGracePeriod.ts';
import {
  adoptCallbacks,
  advanceList,
  invokeReady,
  leaveCallbacks,
  ownCallbacksPending,
  rcuCheckReaders,
  rcuStamp,
  reclaimCallbacks,
  waitingFor,
} from './rcuList.ts';

export { callRcu } from './rcuList.ts';
export { rcuInit } from './rcuGracePeriod.ts';

/** Begins a read-side section. */
export function rcuReadLock(): void {
  if (CHECK >= 1) {
    const cpu = thisCpu();
    const nesting = peek(cpu + C_RCU_NESTING);
    poke(cpu + C_RCU_NESTING, nesting + 1);
    if (nesting === 0) {
      if (peek(cpu + C_RCU_QS) === 0) violation(ORACLE_GRACE_PERIOD, cpu + C_RCU_QS, 0, 0);
      if (CHECK_SECTIONS !== 0 && CHECK >= 2) store(cpu + C_RCU_SECTION, load(G_RCU_GP_SEQ));
    }
  }
}

/** Ends the newest read-side section. */
export function rcuReadUnlock(): void {
  if (CHECK >= 1) {
    const cpu = thisCpu();
    const nesting = peek(cpu + C_RCU_NESTING) - 1;
    if (CHECK_SECTIONS !== 0 && CHECK >= 2 && nesting === 0) store(cpu + C_RCU_SECTION, 0);
    poke(cpu + C_RCU_NESTING, nesting);
  }
}

/** Complains when this CPU is in a section, holds a spinlock, or has interrupts disabled, none of which may be here. */
export function rcuCheckQuiescent(): void {
  if (CHECK >= 1) {
    const cpu = thisCpu();
    if (peek(cpu + C_RCU_NESTING) !== 0 || peek(cpu + C_IRQ_DEPTH) !== 0)
      violation(ORACLE_GRACE_PERIOD, cpu + C_RCU_NESTING, peek(cpu + C_RCU_NESTING), 0);
    if (CHECK >= 2 && holdsSpinlock()) violation(ORACLE_GRACE_PERIOD, cpu + C_RCU_NESTING, 0, 1);
  }
}

/**
 * This CPU is outside of any section. Reads two shared words when nothing is to be done; otherwise reports, moves on
 * the grace periods that its own callbacks or those of idle CPUs wait for, and invokes those that are ready.
 * @inline
 */
export function rcuQuiescentState(): void {
  const cpu = thisCpu();
  rcuCheckQuiescent();
  poke(cpu + C_NEED_RESCHED, 0);
  if (load(G_RCU_GP_SEQ) !== peek(cpu + C_RCU_QS)) quiescentStateSlow();
  else if (load(G_RCU_ORPHANS) !== 0) quiescentStateSlow();
  else if (load(cpu + C_RCU_INVOKED) !== peek(cpu + C_RCU_QUEUED)) quiescentStateSlow();
}

function quiescentStateSlow(): void {
  const cpu = thisCpu();
  if (peek(cpu + C_RCU_QS) === 0) return;
  reportQuiescent();
  if (peek(cpu + C_RCU_INVOKER) !== 0) return;
  if (ownCallbacksPending()) advanceList(cpu);
  if (load(G_RCU_ORPHANS) !== 0) adoptCallbacks();
}

/** Between steps of a long operation, outside of sections and spinlocks: interrupts, and a quiescent state. */
export function condResched(): void {
  pollInterrupts();
  rcuQuiescentState();
}

/** Enters the extended quiescent state. */
export function rcuIdleEnter(): void {
  const own = thisCpu() + C_RCU_QS;
  rcuCheckQuiescent();
  if (CHECK >= 1 && peek(own) === 0) violation(ORACLE_GRACE_PERIOD, own, 0, 2);
  leaveCallbacks();
  tlbEnterLazy();
  store(own, 0); // pairs with findMissing, and with sendInterrupt's and waitInterrupt's reads
  wake(own, G_RCU_WAITERS);
  pollInterrupts();
}

/** Leaves the extended quiescent state. */
export function rcuIdleExit(): void {
  const cpu = thisCpu();
  store(cpu + C_RCU_QS, load(G_RCU_GP_SEQ));
  pollInterrupts();
  tlbLeaveLazy();
  reclaimCallbacks(cpu);
}

/** Waits until every section that was under way at the call has ended. Outside of sections and spinlocks, not idle. */
export function synchronizeRcu(): void {
  synchronize(false);
}

/** The same, interrupting the CPUs it waits for, so that long operations pass through a quiescent state soon. */
export function synchronizeRcuExpedited(): void {
  synchronize(true);
}

function synchronize(expedite: boolean): void {
  let stamp: u32 = 0;
  if (CHECK_SECTIONS !== 0 && CHECK >= 2) stamp = rcuStamp();
  const measured = contentionMeasured();
  const startNs = measured ? clockNs() : 0;
  waitForGracePeriod(gpSnapshot(), expedite);
  if (measured) measureDuration(MEASURED_SYNCHRONIZE, (clockNs() - startNs) >>> 0);
  if (CHECK_SECTIONS !== 0 && CHECK >= 2) rcuCheckReaders(stamp, 0);
}

/**
 * Waits until every callback that was queued on any CPU before the call has been invoked. Rules as for synchronizeRcu.
 */
export function rcuBarrier(): void {
  drainAll();
}

/** Returns when the callbacks up to number `upto` of `list` have been invoked. */
function drain(list: u32, upto: u32): void {
  let invoked = load(list + C_RCU_INVOKED);
  while (!reaches(invoked, upto)) {
    if (load(list + C_RCU_INVOKING) !== 0) {
      // For the mark, not for the count: the count may have been stored before it was read, and then stays as it is.
      rcuIdleEnter();
      waitFor(list + C_RCU_INVOKING, AWAIT_EQUALS, 0, RCU_SPINS, list + C_RCU_INVOKE_WAITERS);
      rcuIdleExit();
    } else {
      const gp = waitingFor(list);
      if (gp !== 0) {
        if (!gpEnded(gp)) waitForGracePeriod(gp, false);
        invokeReady(list);
      }
    }
    invoked = load(list + C_RCU_INVOKED);
  }
}

/** `gpWait` for a CPU that is not idle. */
function waitForGracePeriod(gp: u32, expedite: boolean): void {
  rcuIdleEnter();
  gpWait(gp, expedite);
  rcuIdleExit();
}

/** Invokes, or sees invoked, every callback that was queued on any CPU before the call. */
function drainAll(): void {
  waitForGracePeriod(gpSnapshot(), false);
  const cpus = peek(H_CPUS);
  for (let cpu: Cpu = 0; cpu < cpus; cpu++) {
    const list = cpuArea(cpu);
    spinLock(list + C_RCU_LOCK, LC_RCU);
    const upto = peek(list + C_RCU_QUEUED);
    spinUnlock(list + C_RCU_LOCK, LC_RCU);
    drain(list, upto);
  }
}
