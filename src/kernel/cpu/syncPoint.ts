/**
 * Synchronisation points: where another CPU's step in between would matter, a run may ask for a delay or for an
 * interrupt of some other CPU.
 *
 * Only with checks, and only as often as the run's configuration says (H_INJECT_DELAY, H_INJECT_STORM); the draws come
 * from the CPU's own generator (inject.ts). The explorer has another version, which chooses. No lock is needed that the
 * caller has not got, none is taken.
 */

import { random } from '../observe/inject.ts';
import { CHECK } from '../word/check.ts';
import { H_CPUS, H_INJECT_DELAY, H_INJECT_STORM, H_STOP } from '../word/layout.ts';
import { cpuId } from '../word/percpu.ts';
import { load, peek } from '../word/word.ts';
import { IPI_SYNC, pollInterrupts, sendInterrupt } from './irq.ts';

/** A synchronisation point: perhaps a delay, perhaps an interrupt for some other CPU. */
export function syncPoint(): void {
  if (CHECK >= 1) {
    if (peek(H_INJECT_DELAY) !== 0) delay();
    if (peek(H_INJECT_STORM) !== 0) storm();
  }
}

/** One time in H_INJECT_DELAY: mostly a short delay, one in 16 as long as a lost time slice on a quick machine. */
function delay(): void {
  if (random() % peek(H_INJECT_DELAY) !== 0) return;
  const kind = random();
  let left: u32 = kind & 511;
  if (((kind >>> 16) & 15) === 0) left = left << 6;
  while (left > 0 && load(H_STOP) === 0) {
    pollInterrupts();
    left -= 1;
  }
}

function storm(): void {
  if (random() % peek(H_INJECT_STORM) !== 0) return;
  const target = random() % peek(H_CPUS);
  if (target !== cpuId()) sendInterrupt(target, IPI_SYNC);
}
