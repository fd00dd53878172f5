/** The CPU that runs daemons: one pass after the other while there is work, else idle, until it is told to stop. */
import { H_DAEMON_STOP, H_STOP, HOST_ABORTED, STOP_ABORT } from '../kernel/abi.ts';
import { CpuEnd } from './death.ts';
import type { Kernel } from './kernel.ts';

/**
 * How long the CPU sleeps when a pass found nothing to do, milliseconds. Nobody wakes it, so that who makes work pays
 * nothing for it.
 */
const SLEEP_MS = 1;

/** Runs passes until `stopDaemons`. A sleeping CPU is in an extended quiescent state: nobody waits for it. */
export function daemonLoop(kernel: Kernel, words: Int32Array): void {
  const stop = H_DAEMON_STOP >>> 2;
  while (Atomics.load(words, stop) === 0) {
    const done = kernel.runDaemons();
    kernel.pollInterrupts();
    kernel.rcuQuiescentState();
    if (done === 0) {
      kernel.rcuIdleEnter();
      Atomics.wait(words, stop, 0, SLEEP_MS);
      kernel.rcuIdleExit();
    }
    if (Atomics.load(words, H_STOP >>> 2) === STOP_ABORT) throw new CpuEnd(HOST_ABORTED, 0);
  }
}

/** Lets loops begin. */
export function allowDaemons(words: Uint32Array): void {
  Atomics.store(words, H_DAEMON_STOP >>> 2, 0);
}

/** Ends the loop after the pass under way. */
export function stopDaemons(words: Uint32Array): void {
  Atomics.store(words, H_DAEMON_STOP >>> 2, 1);
  Atomics.notify(new Int32Array(words.buffer), H_DAEMON_STOP >>> 2);
}
