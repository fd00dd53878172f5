/**
 * userfaultfd: step 3 of a fault that is handed to a monitor (uffdFault.ts): the wait, without locks and idle for RCU.
 *
 * Guarantee: as there. Two CPUs that are monitors of one address space, each waiting for the other, resolve each
 * other's faults (uffdMonitor.ts), which is why this stands above the monitor.
 *
 * Source: Linux fs/userfaultfd.c (handle_userfault, from the wait on).
 */

import { pollInterrupts } from '../cpu/irq.ts';
import { awaitNamed } from '../cpu/wait.ts';
import { rcuIdleEnter, rcuIdleExit } from '../rcu/rcu.ts';
import { leaveQueue } from '../watch/uffdFault.ts';
import { AWAIT_EQUALS, EINTR, RWSEM_SPINS } from '../word/config.ts';
import { C_UFFD_MONITOR, C_UFFD_WAIT, MM_UFFD_PENDING } from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { load, peek } from '../word/word.ts';
import { uffdServe } from './uffdMonitor.ts';

/** Looks at C_UFFD_WAIT for a while, idle; whether it is 0 now. */
function lookAWhile(word: u32): boolean {
  let left = RWSEM_SPINS;
  while (left > 0 && load(word) !== 0) {
    pollInterrupts();
    left -= 1;
  }
  return load(word) === 0;
}

/**
 * Step 3, no lock held. A CPU that is a monitor itself gives the others a while, then resolves what is pending, its own
 * fault included; when another monitor has read its fault already, that one is about to resolve it. Returns 0: woken;
 * or EINTR: the run ends.
 */
export function userfaultWait(mm: Mm): u32 {
  const word = thisCpu() + C_UFFD_WAIT;
  rcuIdleEnter();
  let woken = lookAWhile(word);
  while (!woken && peek(thisCpu() + C_UFFD_MONITOR) !== 0 && load(mm + MM_UFFD_PENDING) !== 0) {
    rcuIdleExit();
    uffdServe(mm);
    rcuIdleEnter();
    woken = load(word) === 0;
  }
  // Pairs with the store in uffdWake, and in pollWhileWaiting, at the end of the run.
  if (!woken) awaitNamed(word, 0xffffffff, AWAIT_EQUALS, 0, 0);
  rcuIdleExit();
  return leaveQueue(mm) ? EINTR : 0;
}
