/**
 * Daemons: what kernel threads do in the background, one bounded pass after the other. Each has a pass of its own that
 * returns how much it did, 0 when there is nothing to do; none of them keeps a lock, an RCU section or an address space
 * over its end.
 *
 *     daemonPass         what the protocol does in the background (word/hooks.ts)
 *     khugepaged.ts      makes spans huge (option `thp`), H_SCAN_SLEEP_NS after its last pass
 *     splitFolio.ts      splits folios of which some pages are not mapped any more, as Linux's shrinker does when
 *                        memory is short
 *
 * Who calls: a CPU of the machine that runs nothing else (option daemonCpu), in a loop that idles when a round did
 * nothing; or, where a program is replayed step by step, whoever does its operations, between two of them. Several CPUs
 * may.
 *
 * Source: Linux mm/khugepaged.c (khugepaged), mm/vmscan.c (kswapd), mm/huge_memory.c (deferred_split_scan): loops of
 * bounded work.
 */

import { deferredSplitPass } from '../rmap/splitFolio.ts';
import { SCAN_BATCH } from '../word/config.ts';
import { daemonPass } from '../word/hooks.ts';
import { khugepagedDue, khugepagedPass } from './khugepaged.ts';

/** Rounds after which `drainDaemons` gives up; what one frees may be work for the next, level by level. */
const DRAIN_ROUNDS: u32 = 16;

/** One bounded pass of every daemon. Returns how much was done; 0: nothing to do now. No lock held, no RCU section. */
export function runDaemons(): u32 {
  let done = daemonPass(SCAN_BATCH, false);
  if (khugepagedDue()) done += khugepagedPass();
  return done + deferredSplitPass();
}

/**
 * Frees all that daemons are to free, whether it is due or not. What makes pages huge, or splits them, is not owed: it
 * stays. Precondition: no CPU is in an operation.
 */
export function drainDaemons(): void {
  for (let round: u32 = 0; round < DRAIN_ROUNDS; round += 1) {
    if (daemonPass(0xffffffff, true) === 0) return;
  }
}
