/**
 * The time by which daemons wait and measure: nanoseconds modulo 2^32, so differences up to 4.29 s mean something.
 *
 * It is the machine's clock, or, in the replay of a recorded program, the recording's time, which the replay writes to
 * G_CLOCK_NS between operations: the program's own pauses count, not how fast it is replayed. An execution without a
 * clock (the explorer) stands at 0: everything is due at the next pass.
 */

import { reaches } from '../word/condition.ts';
import { G_CLOCK_NS, G_CLOCK_RECORDED } from '../word/layout.ts';
import { clockNs, load, store } from '../word/word.ts';

export function daemonClock(): u32 {
  return load(G_CLOCK_RECORDED) !== 0 ? load(G_CLOCK_NS) : clockNs();
}

/**
 * From here on the time is what this call and later ones say; it does not go back, so calls by CPUs that are behind do
 * nothing.
 */
export function setDaemonClock(ns: u32): void {
  if (load(G_CLOCK_RECORDED) === 0 || reaches(ns, load(G_CLOCK_NS))) store(G_CLOCK_NS, ns);
  store(G_CLOCK_RECORDED, 1);
}
