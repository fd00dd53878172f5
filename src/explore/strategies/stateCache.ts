/**
 * Exhaustive search that remembers the states it has visited and goes on from each of them once; no partial-order
 * reduction.
 *
 * Guarantee: every reachable state is visited, and so every deadlock, every unmet wait, every failing step and every
 * end is found, as far as no two different states have the same 64-bit number (stateHash.ts). Only the numbers are
 * kept, as in hash compaction (Wolper, Leroy: Reliable hashing without collision detection, CAV 1993; Holzmann, The
 * SPIN Model Checker, 2004, chapter 9). With n states the probability that any two have the same number, and something
 * may be missed, is at most n^2 / 2^65 if the mix is taken to be random: 3e-6 for ten million; `missProbability` of the
 * result. What is found is real and comes with its schedule.
 *
 * Not combined with partial-order reduction: sleep sets and persistent sets are properties of a path, and cutting a
 * path off at a state that another one has reached would lose what only the first was to explore (Godefroid,
 * Partial-Order Methods for the Verification of Concurrent Systems, LNCS 1032, 1996, section 5.3 and chapter 6).
 *
 * Loops: a CPU's history is part of the state and grows with each of its steps, so no state lies on a cycle and no path
 * ends in one. A CPU that waits in an await takes no steps; one that tries again for ever (without another one's
 * progress, which the kernel's rules exclude) makes ever longer paths, and is reported as `endless` after `maxSteps`.
 *
 * Not looked at: races on plain words, which are a property of paths (the search with reduction does).
 */

import { searchDepthFirst } from './depthFirst.ts';
import { Execution } from '../execution.ts';
import { type ProgramMaker } from '../program.ts';
import type { SearchLimitOptions } from './limits.ts';
import { StateHash } from './stateHash.ts';
import type { SearchResult, SearchStatistics } from '../verdict.ts';

interface StateCacheOptions extends SearchLimitOptions {
  /** States after which the search stops, at 11 to 23 bytes each. Default: 100,000,000. */
  maxStates?: number;
}

/**
 * `executions` are states in which an execution is over; `steps` are transitions; `blocked` those that led to a state
 * visited before.
 */
interface StateStatistics extends SearchStatistics {
  states: number;
}

interface StateCacheResult extends SearchResult {
  statistics: StateStatistics;
  /** Bound on the probability that a state was taken for another one. */
  missProbability: number;
}

const FIRST_SLOTS = 1 << 12;
/** Of the slots, that may be taken: 7 in 10. */
const LOAD_FACTOR = 0.7;

/** A set of 64-bit numbers. */
class Visited {
  size = 0;
  #high = new Int32Array(FIRST_SLOTS);
  #low = new Int32Array(FIRST_SLOTS);

  /** Adds a number; whether it was not there. */
  add(high: number, low: number): boolean {
    // A slot of zeroes is empty.
    const lowKey = (high | low) === 0 ? 1 : low;
    let mask = this.#low.length - 1;
    let at = lowKey & mask;
    while (this.#low[at] !== 0 || this.#high[at] !== 0) {
      if (this.#low[at] === lowKey && this.#high[at] === high) return false;
      at = (at + 1) & mask;
    }
    this.#low[at] = lowKey;
    this.#high[at] = high;
    this.size += 1;
    if (this.size > this.#low.length * LOAD_FACTOR) {
      const [highs, lows] = [this.#high, this.#low];
      this.#high = new Int32Array(lows.length * 2);
      this.#low = new Int32Array(lows.length * 2);
      mask = this.#low.length - 1;
      for (let from = 0; from < lows.length; from++) {
        if (lows[from] === 0 && highs[from] === 0) continue;
        at = lows[from]! & mask;
        while (this.#low[at] !== 0 || this.#high[at] !== 0) at = (at + 1) & mask;
        this.#low[at] = lows[from]!;
        this.#high[at] = highs[from]!;
      }
    }
    return true;
  }
}

/** Visits every reachable state of a program once. */
export function exploreStates(
  make: ProgramMaker,
  options: StateCacheOptions = {},
): StateCacheResult {
  const execution = new Execution(make);
  const hash = new StateHash(execution);
  const visited = new Visited();
  const maxStates = options.maxStates ?? 100_000_000;
  const { result } = searchDepthFirst(execution, options, {
    enter: () => visited.add(hash.high, hash.low),
    full: () => visited.size >= maxStates,
    stepped: () => hash.stepped(),
    rewind: (depth) => hash.rewind(depth),
  });
  const states = visited.size;
  const statistics: StateStatistics = { ...result.statistics, states };
  return { ...result, statistics, missProbability: Math.min(1, states ** 2 / 2 ** 65) };
}
