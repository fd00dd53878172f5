/**
 * Waiting for interrupts to be handled: step 3 of the protocol that irq.ts states.
 *
 * Guarantee: on return the target has handled everything that was sent to it up to the sequence, or is in an extended
 * quiescent state and will before it uses a translation or walks a table again.
 *
 * Interrupts enabled: two CPUs that waited for each other with interrupts off would do so for ever. Source: Linux
 * kernel/smp.c (smp_call_function_many_cond, csd_lock_wait).
 */

import { contentionMeasured, MEASURED_INTERRUPT, measureDuration } from '../observe/contention.ts';
import { violation } from '../observe/report.ts';
import { CHECK } from '../word/check.ts';
import { reaches } from '../word/condition.ts';
import { AWAIT_REACHES, IPI_SPINS, ORACLE_LOCK_ORDER } from '../word/config.ts';
import {
  C_IPI_ACK,
  C_IPI_REQ,
  C_IPI_WAITERS,
  C_IRQ_DEPTH,
  C_RCU_QS,
  cpuArea,
  H_CPUS,
} from '../word/layout.ts';
import { cpuId, thisCpu } from '../word/percpu.ts';
import { clockNs, load, peek } from '../word/word.ts';
import { sendInterrupt } from './irq.ts';
import { waitFor } from './wait.ts';

/**
 * Waits until the CPU has handled the interrupt, or until it need not: see the top of this file. Interrupts enabled.
 */
export function waitInterrupt(cpu: Cpu, sequence: u32): void {
  const target = cpuArea(cpu);
  if (CHECK >= 1 && peek(thisCpu() + C_IRQ_DEPTH) !== 0)
    violation(ORACLE_LOCK_ORDER, target + C_IPI_ACK, cpu, 0);
  if (reaches(load(target + C_IPI_ACK), sequence)) return;
  if (load(target + C_RCU_QS) === 0) return;
  const measured = contentionMeasured();
  const startNs = measured ? clockNs() : 0;
  waitFor(target + C_IPI_ACK, AWAIT_REACHES, sequence, IPI_SPINS, target + C_IPI_WAITERS);
  if (measured) measureDuration(MEASURED_INTERRUPT, (clockNs() - startNs) >>> 0);
}

/**
 * Interrupts every other CPU that is not idle and waits until all have handled it. With IPI_SYNC: on return, every
 * stretch of code with interrupts disabled that was under way at the call has ended. An idle CPU is skipped: it is in
 * no such stretch, and one that it begins later comes after whatever the caller did before the call.
 */
export function interruptAll(kinds: u32): void {
  const cpus = peek(H_CPUS);
  const self = cpuId();
  for (let cpu: Cpu = 0; cpu < cpus; cpu++) {
    if (cpu !== self && load(cpuArea(cpu) + C_RCU_QS) !== 0) sendInterrupt(cpu, kinds);
  }
  for (let cpu: Cpu = 0; cpu < cpus; cpu++) {
    if (cpu === self) continue;
    // One number per target, its newest, stands for ours: ours is not later.
    waitInterrupt(cpu, load(cpuArea(cpu) + C_IPI_REQ));
  }
}
