/**
 * userfaultfd: how a fault is handed to a monitor, and how the faulting CPU waits.
 *
 * Guarantee: a CPU that waits for a fault is woken by the first wake-up of its page that follows the moment at which
 * the page was still missing, or write-protected, to its eyes; a wake-up may come for nothing, and the access then
 * faults again. While it waits it holds no lock and is idle for RCU. The end of the run ends the wait (EINTR).
 *
 *  1. The fault, on mmap_lock or the VMA lock, finds that the monitor is to be told (`handleUserfault`). Under the
 *     queue's lock it writes page and reason into its CPU's area and sets its bit in MM_UFFD_PENDING.
 *  2. Then, still on its lock, it looks at the tables: if the page has come meanwhile nobody is bound to wake it, and
 *     it leaves the queue.
 *  3. Otherwise it drops its lock and waits (`userfaultWait`) until C_UFFD_WAIT is 0.
 *  A monitor reads a message (`uffdRead`: the bit moves to MM_UFFD_READ), resolves it (uffdFill.ts, uffdMove.ts,
 *  uffdWp.ts), and wakes (`uffdWake`: every waiting CPU whose page is in the range leaves the queue).
 *
 * Step 2 follows step 1: a monitor changes the tables before it looks at the queue. Either the look finds the change,
 * or the monitor finds the CPU.
 *
 * An address space has at most one userfaultfd, so a CPU's area has room for the one fault that it can be waiting for.
 * Lock order: MM_UFFD_LOCK is innermost. Source: Linux fs/userfaultfd.c (handle_userfault, userfaultfd_must_wait,
 * userfaultfd_ctx_read, __wake_userfault).
 */

import { spinLock, spinUnlock } from '../lock/lock.ts';
import { LC_UFFD } from '../observe/lockOrder.ts';
import { count, COUNTER_USERFAULTS_MISSING, COUNTER_USERFAULTS_WP } from '../observe/stats.ts';
import { pteOffsetMap, pteUnmap } from '../tables/pteMap.ts';
import { pmdFind } from '../tables/walk.ts';
import { FAULT_USERFAULT, PARKING, SIGBUS, UFFD_FEATURE_SIGBUS } from '../word/config.ts';
import { entryHuge, entryNoneMostly, PTE_WRITE } from '../word/entry.ts';
import {
  C_UFFD_MESSAGE,
  C_UFFD_REASON,
  C_UFFD_VPN,
  C_UFFD_WAIT,
  cpuArea,
  MM_UFFD_FEATURES,
  MM_UFFD_LOCK,
  MM_UFFD_PENDING,
  MM_UFFD_READ,
} from '../word/layout.ts';
import { cpuId, thisCpu } from '../word/percpu.ts';
import { exchange, load, notify, peek, poke, store } from '../word/word.ts';

/** Reasons of a fault. */
export const UFFD_FAULT_MISSING: u32 = 1;
export const UFFD_FAULT_WP: u32 = 2;

/** This CPU's bit in the masks. */
function ownBit(): u32 {
  return (1 << cpuId()) >>> 0;
}

/** Step 2: whether the page at `vpn` is as it was when the fault was found. The fault's lock is held. */
function mustWait(mm: Mm, vpn: Vpn, reason: u32): boolean {
  const pmd = pmdFind(mm, vpn);
  const upper = pmd === 0 ? 0 : load(pmd);
  if (entryHuge(upper)) return reason === UFFD_FAULT_WP && (upper & PTE_WRITE) === 0;
  const pte = pmd === 0 ? 0 : pteOffsetMap(pmd, vpn);
  if (pte === 0) return true;
  const entry = load(pte);
  pteUnmap(pte);
  if (entryNoneMostly(entry)) return true;
  return reason === UFFD_FAULT_WP && (entry & PTE_WRITE) === 0;
}

/**
 * Takes this CPU out of the queue, if it is in it; whether it was: nobody has woken it. No pair: both words are this
 * CPU's or the lock's; uffdRead looks again.
 */
export function leaveQueue(mm: Mm): boolean {
  const bit = ownBit();
  spinLock(mm + MM_UFFD_LOCK, LC_UFFD);
  const pending = load(mm + MM_UFFD_PENDING);
  const waiting = ((pending | peek(mm + MM_UFFD_READ)) & bit) !== 0;
  if (waiting) {
    store(mm + MM_UFFD_PENDING, (pending & ~bit) >>> 0);
    poke(mm + MM_UFFD_READ, (peek(mm + MM_UFFD_READ) & ~bit) >>> 0);
    store(thisCpu() + C_UFFD_WAIT, 0);
  }
  spinUnlock(mm + MM_UFFD_LOCK, LC_UFFD);
  return waiting;
}

/**
 * Steps 1 and 2 for a fault at `vpn` for `reason` (UFFD_FAULT_). Precondition: the fault's lock, no spinlock. Returns
 * FAULT_USERFAULT: the caller drops its locks and calls `userfaultWait`; 0: the page has come meanwhile; SIGBUS: the
 * monitor asked for signals instead of messages. The bit pairs with uffdWake: a monitor changes the tables and then
 * takes the queue's lock, this CPU looks at the tables after it has released that.
 */
export function handleUserfault(mm: Mm, vpn: Vpn, reason: u32): u32 {
  count(reason === UFFD_FAULT_WP ? COUNTER_USERFAULTS_WP : COUNTER_USERFAULTS_MISSING);
  if ((load(mm + MM_UFFD_FEATURES) & UFFD_FEATURE_SIGBUS) !== 0) return SIGBUS;
  const cpu = thisCpu();
  spinLock(mm + MM_UFFD_LOCK, LC_UFFD);
  poke(cpu + C_UFFD_VPN, vpn);
  poke(cpu + C_UFFD_REASON, reason);
  store(cpu + C_UFFD_WAIT, 1);
  store(mm + MM_UFFD_PENDING, (load(mm + MM_UFFD_PENDING) | ownBit()) >>> 0);
  spinUnlock(mm + MM_UFFD_LOCK, LC_UFFD);
  if (mustWait(mm, vpn, reason)) return FAULT_USERFAULT;
  leaveQueue(mm);
  return 0;
}

/** Instead of step 3: the fault is given up. */
export function userfaultCancel(mm: Mm): void {
  leaveQueue(mm);
}

/**
 * Reads the fault of some CPU that nobody has read: its page and reason are then in C_UFFD_MESSAGE, and it counts as
 * read. Returns whether there was one. No lock held. No pair: under the queue's lock; who looks without it has a hint.
 */
export function uffdRead(mm: Mm): boolean {
  if (load(mm + MM_UFFD_PENDING) === 0) return false;
  spinLock(mm + MM_UFFD_LOCK, LC_UFFD);
  const pending = load(mm + MM_UFFD_PENDING);
  let cpu: Cpu = 0;
  if (pending !== 0) {
    while (((pending >>> cpu) & 1) === 0) cpu += 1;
    const bit: u32 = (1 << cpu) >>> 0;
    store(mm + MM_UFFD_PENDING, (pending & ~bit) >>> 0);
    poke(mm + MM_UFFD_READ, (peek(mm + MM_UFFD_READ) | bit) >>> 0);
    poke(thisCpu() + C_UFFD_MESSAGE, peek(cpuArea(cpu) + C_UFFD_VPN));
    poke(thisCpu() + C_UFFD_MESSAGE + 4, peek(cpuArea(cpu) + C_UFFD_REASON));
  }
  spinUnlock(mm + MM_UFFD_LOCK, LC_UFFD);
  return pending !== 0;
}

/** UFFDIO_WAKE: wakes every CPU that waits for a page of [start, start + pages). No lock held but mmap_lock. */
export function uffdWake(mm: Mm, start: Vpn, pages: u32): void {
  spinLock(mm + MM_UFFD_LOCK, LC_UFFD);
  const waiting: u32 = (load(mm + MM_UFFD_PENDING) | peek(mm + MM_UFFD_READ)) >>> 0;
  let woken: u32 = 0;
  let rest = waiting;
  for (let cpu: Cpu = 0; rest !== 0; cpu += 1) {
    if ((rest & 1) !== 0 && (peek(cpuArea(cpu) + C_UFFD_VPN) - start) >>> 0 < pages)
      woken = (woken | (1 << cpu)) >>> 0;
    rest = rest >>> 1;
  }
  if (woken !== 0) {
    // No pair: under the queue's lock.
    store(mm + MM_UFFD_PENDING, (load(mm + MM_UFFD_PENDING) & ~woken) >>> 0);
    poke(mm + MM_UFFD_READ, (peek(mm + MM_UFFD_READ) & ~woken) >>> 0);
    rest = woken;
    for (let cpu: Cpu = 0; rest !== 0; cpu += 1) {
      // Pairs with userfaultWait's await. A CPU that has seen it may use its area again, for a fault of another address
      // space even.
      if ((rest & 1) !== 0) exchange(cpuArea(cpu) + C_UFFD_WAIT, 0);
      rest = rest >>> 1;
    }
  }
  spinUnlock(mm + MM_UFFD_LOCK, LC_UFFD);
  rest = PARKING === 0 ? 0 : woken;
  for (let cpu: Cpu = 0; rest !== 0; cpu += 1) {
    if ((rest & 1) !== 0) notify(cpuArea(cpu) + C_UFFD_WAIT, 1);
    rest = rest >>> 1;
  }
}

/** Whether a monitor has something to read. */
export function uffdPending(mm: Mm): boolean {
  return load(mm + MM_UFFD_PENDING) !== 0;
}
