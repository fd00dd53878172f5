/**
 * A program that goes on after a failure: what a reduced search needs when it is to find the executions that pass among
 * those that fail.
 *
 * A search with partial-order reduction learns from an execution which steps race. An execution that is cut off where
 * it fails does not show the steps that the other CPUs would have taken, and what passes only because one of them comes
 * earlier would never be tried. So here a CPU that throws just ends, as if it had died with whatever it held, and an
 * oracle's violation is only noted; each execution runs until no CPU can move.
 */

import { type Execution } from '../execution.ts';
import { CpuEndedError, DEATHS, type Coroutine, type ProgramMaker } from '../program.ts';

/**
 * Plain reads of a CPU without a step in between, after which it counts as caught in a loop: it has a broken list
 * before it.
 */
const READS_MAX = 5_000_000;

export interface PastFailures {
  make: ProgramMaker;
  /** Whether an execution of it has failed anywhere. */
  failed(execution: Execution): boolean;
}

const isDeath = (error: unknown): boolean =>
  error instanceof CpuEndedError && DEATHS.has(error.reason);

/** The program of `make`, going on after failures. */
export function pastFailures(make: ProgramMaker): PastFailures {
  let watched = -1;
  return {
    make: (host) => {
      let reads = 0;
      const program = make({
        ...host,
        peek: (address) => {
          reads += 1;
          if (reads > READS_MAX) throw new Error('a loop without steps');
          return host.peek(address);
        },
      });
      const { watch, words, ...rest } = program;
      watched = watch?.word ?? -1;
      return {
        ...rest,
        // A word for each CPU, in which it is noted that it threw.
        words: words + program.cpus,
        select: (cpu): void => {
          reads = 0;
          program.select?.(cpu);
        },
        *run(cpu): Coroutine {
          try {
            return yield* program.run(cpu);
          } catch (error) {
            if (isDeath(error)) throw error;
            host.poke((words + cpu) * 4, 1);
            return undefined;
          }
        },
      };
    },
    failed: ({ cpus, words }) =>
      words.subarray(words.length - cpus).some((threw) => threw !== 0) ||
      (watched >= 0 && words[watched] !== 0),
  };
}
