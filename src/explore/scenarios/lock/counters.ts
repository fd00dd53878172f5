/**
 * Counters that several CPUs increment: nothing can go wrong, and the number of executions is known, which is what this
 * is for.
 *
 * PATTERN 0: one counter; 1: two, in turn; 2: one for each CPU. With four increments of one counter by three CPUs there
 * are 12! / (4!)^3 = 34,650 orders when the results are used (USED), and one when they are not and may commute.
 */

import { add, expect, load, several } from '../../portable/scenarioApi.ts';

export const about = {
  summary: 'counters that three CPUs increment: a model of known size',
  source: 'the explorer-independent count 12! / (4!)^3; models of Relacy, loom, Nidhugg, GenMC',
  expected: 'passes',
  memoryBytes: 64,
};

const CPUS: u32 = 3;
const INCREMENTS: u32 = 4;
const PATTERN: u32 = 0;
/** Whether the increments' results are used, and therefore their order is observed. */
const USED: u32 = 1;

function counter(cpu: u32, i: u32): u32 {
  if (PATTERN === 1) return (i & 1) << 2;
  if (PATTERN === 2) return cpu << 2;
  return 0;
}

function increment(cpu: u32): void {
  for (let i: u32 = 0; i < INCREMENTS; i++) {
    const at = counter(cpu, i);
    if (USED !== 0) {
      const before = add(at, 1);
      expect(before < CPUS * INCREMENTS, 'a counter below the sum');
    } else add(at, 1);
  }
}

export const cpus = several(CPUS, increment);

export function finish(): void {
  let sum: u32 = 0;
  for (let at: u32 = 0; at < CPUS << 2; at += 4) sum += load(at);
  expect(sum === CPUS * INCREMENTS, 'every increment counted');
}
