/**
 * Interrupts between CPUs. They are polled: one that is sent to a CPU is handled at its next poll with interrupts
 * enabled. Polls stand in every wait, between steps of long walks, and between operations; none stands between
 * `irqDisable` and `irqEnable`, which is what GUP-fast relies on.
 *
 * Sending, in this order:
 *   1. the request's own words (flush range, C_IPI_TLB_FROM), then or the kinds into C_IPI_KINDS of the target;
 *   2. sequence = ++C_IPI_REQ of the target;
 *   3. to wait: until C_IPI_ACK of the target reaches that sequence, unless the target is in an extended quiescent
 *      state.
 * Handling:
 *   1. r = C_IPI_REQ; 2. take C_IPI_KINDS and C_IPI_TLB_FROM, leaving 0; 3. handle; 4. C_IPI_ACK = r.
 * Whatever was asked for with a sequence up to r had its kinds stored before r was read, so step 2 or an earlier one
 * took it. A request taken early, before its sender's step 2, is handled once and acknowledged by a later, empty round.
 *
 * A CPU in an extended quiescent state (C_RCU_QS = 0) is not waited for. Entering, it stores 0 and then polls; the
 * sender stores its request and then reads C_RCU_QS. By sequential consistency one of the two sees the other: either
 * the sender finds 0 and does not wait, or the CPU's poll finds the request and acknowledges. Leaving, it stores a
 * number and then polls, before anything else: a sender that found 0 read it before that store, so its request precedes
 * that poll. Hence every request that is not waited for is handled before the CPU uses a translation or walks a table
 * again. By then its sender may have gone on to another flush and overwritten the range, so an idle CPU does not look
 * at it: until that poll is over, its TLB is lazy, ignores requests, and catches up as a whole when it leaves that
 * state (tlb.ts).
 *
 * Source: Linux kernel/smp.c (smp_call_function_many_cond), arch/x86/mm/tlb.c (flush_tlb_multi).
 */

import { injectFailure } from '../observe/inject.ts';
import { event, EVENT_INTERRUPT, violation } from '../observe/report.ts';
import { count, COUNTER_INTERRUPTS_HANDLED, COUNTER_INTERRUPTS_SENT } from '../observe/stats.ts';
import {
  HOST_ABORTED,
  HOST_STALLED,
  ORACLE_NO_PROGRESS,
  PARKING,
  STOP_ABORT,
  STOP_NO,
} from '../word/config.ts';
import {
  C_IPI_ACK,
  C_IPI_KINDS,
  C_IPI_REQ,
  C_IPI_TLB_FROM,
  C_IPI_WAITERS,
  C_IRQ_DEPTH,
  C_NEED_RESCHED,
  C_OP,
  C_RCU_QS,
  C_UFFD_WAIT,
  C_WAIT_POLLS,
  C_WAITING_FOR,
  cpuArea,
  H_CPUS,
  H_INJECT_RESCHED,
  H_STALL_NS,
  H_STOP,
  PERCPU,
} from '../word/layout.ts';
import { cpuId, cpuOfAddress, thisCpu } from '../word/percpu.ts';
import {
  add,
  clockNs,
  endCpu,
  exchange,
  load,
  notify,
  or,
  peek,
  poke,
  store,
} from '../word/word.ts';
import { wake } from './parked.ts';
import { tlbHandleFlush } from './tlb.ts';

/** Kinds of interrupts: an empty handler, a request to pass through a quiescent state soon, a TLB flush. */
export const IPI_SYNC: u32 = 1;
export const IPI_RESCHED: u32 = 2;
export const IPI_TLB: u32 = 4;

/**
 * Handles pending interrupts, unless they are disabled here. One atomic load when nothing is pending.
 * @inline
 */
export function pollInterrupts(): void {
  const cpu = thisCpu();
  if (load(cpu + C_IPI_REQ) !== peek(cpu + C_IPI_ACK)) {
    if (peek(cpu + C_IRQ_DEPTH) === 0) handleInterrupts();
  }
}

function handleInterrupts(): void {
  const cpu = thisCpu();
  poke(cpu + C_IRQ_DEPTH, peek(cpu + C_IRQ_DEPTH) + 1);
  const request = load(cpu + C_IPI_REQ);
  // Pairs with the ors of the senders: each bit is taken once, in this round or in a later one.
  const kinds = exchange(cpu + C_IPI_KINDS, 0);
  const senders = exchange(cpu + C_IPI_TLB_FROM, 0);
  let from = senders;
  if ((kinds & IPI_RESCHED) !== 0) poke(cpu + C_NEED_RESCHED, 1);
  let sender: u32 = 0;
  while (from !== 0) {
    if ((from & 1) !== 0) tlbHandleFlush(sender);
    from = from >>> 1;
    sender += 1;
  }
  count(COUNTER_INTERRUPTS_HANDLED);
  event(EVENT_INTERRUPT, kinds, senders);
  store(cpu + C_IPI_ACK, request); // pairs with waitInterrupt
  wake(cpu + C_IPI_ACK, cpu + C_IPI_WAITERS);
  poke(cpu + C_IRQ_DEPTH, peek(cpu + C_IRQ_DEPTH) - 1);
}

/** Disables interrupts on this CPU; nests. */
export function irqDisable(): void {
  const depth = thisCpu() + C_IRQ_DEPTH;
  poke(depth, peek(depth) + 1);
}

/** Undoes one `irqDisable`; handles what came meanwhile when it was the outermost. */
export function irqEnable(): void {
  const depth = thisCpu() + C_IRQ_DEPTH;
  poke(depth, peek(depth) - 1);
  pollInterrupts();
}

/** Sends interrupts of the given kinds; returns the sequence number to hand to `waitInterrupt`. */
export function sendInterrupt(cpu: Cpu, kinds: u32): u32 {
  const target = cpuArea(cpu);
  count(COUNTER_INTERRUPTS_SENT);
  // Pairs with the exchange in handleInterrupts. Before the sequence: whoever reads that finds the kinds, unless they
  // are taken already.
  or(target + C_IPI_KINDS, kinds);
  const sequence = (add(target + C_IPI_REQ, 1) + 1) >>> 0; // pairs with the load in handleInterrupts
  if (PARKING !== 0 && load(target + C_RCU_QS) !== 0) {
    // A CPU that is parked would poll only when its park times out.
    const parkedOn = load(target + C_WAITING_FOR);
    if (parkedOn !== 0) notify(parkedOn, 0x7fffffff);
  }
  return sequence;
}

/** Asks a CPU to carry out this CPU's flush request (C_FLUSH_), which stays unchanged until it is acknowledged. */
export function sendTlbInterrupt(cpu: Cpu): u32 {
  const bit: u32 = 1 << cpuId();
  // Publishes this CPU's request. Pairs with the exchange in handleInterrupts; before the sequence, as the kinds.
  or(cpuArea(cpu) + C_IPI_TLB_FROM, bit);
  return sendInterrupt(cpu, IPI_TLB);
}

/** Whether a long operation should drop its locks and pass through a quiescent state. Polls. */
export function needResched(): boolean {
  pollInterrupts();
  if (peek(thisCpu() + C_NEED_RESCHED) !== 0) return true;
  return injectFailure(H_INJECT_RESCHED);
}

/**
 * Called between two looks of every wait: ends the CPU when the run is aborted or when the wait, begun at `startNs`,
 * has lasted longer than H_STALL_NS (0: for ever), and polls interrupts. A wait for a userfaultfd's monitor ends with
 * the run instead. The violation names the word awaited, what it holds, or, when the word belongs to a CPU, that CPU
 * and its operation.
 */
export function pollWhileWaiting(address: u32, startNs: u32): void {
  const stop = load(H_STOP);
  if (stop === STOP_ABORT) endCpu(HOST_ABORTED, address);
  pollInterrupts();
  if (address === thisCpu() + C_UFFD_WAIT) {
    // For a monitor (uffdFault.ts): as long as it takes, but not beyond the end of the run. No pair: the waiter is this
    // CPU.
    if (stop !== STOP_NO) store(address, 0);
    return;
  }
  const polls = peek(thisCpu() + C_WAIT_POLLS) + 1;
  poke(thisCpu() + C_WAIT_POLLS, polls);
  if ((polls & 63) !== 0) return;
  const limit = peek(H_STALL_NS);
  if (limit === 0 || (clockNs() - startNs) >>> 0 < limit) return;
  reportStall(address);
  endCpu(HOST_STALLED, address);
}

/** The no-progress violation for a wait for the word at `address`. */
function reportStall(address: u32): void {
  if (address >= PERCPU && address < cpuArea(peek(H_CPUS))) {
    const owner = cpuOfAddress(address);
    violation(ORACLE_NO_PROGRESS, address, owner, peek(cpuArea(owner) + C_OP));
  } else {
    violation(ORACLE_NO_PROGRESS, address, load(address), 0);
  }
}
