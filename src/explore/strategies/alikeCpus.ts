/**
 * Alike CPUs: the first steps of CPUs that run the same function happen in the order of their numbers. A CPU's first
 * step is not enabled before that of the CPU alike before it, and happens after it, as if that one had spawned it; such
 * a pair is no race.
 *
 * Sound: as long as the function does not observe its CPU's number, renaming alike CPUs turns an execution into an
 * execution with the same verdict, and each execution has a renaming in which the first steps are in order (CPUs that
 * never step come last). With that edge the program is an ordinary one with spawned CPUs, of which every class is
 * explored. Three CPUs that are alike from their first step on have up to six times fewer executions.
 */

export class AlikeCpus {
  /** For each CPU the one alike before it, which spawns it; -1: none. */
  readonly spawner: Int32Array;
  /** CPUs that are spawned by another, a bit each. */
  readonly spawned: number;

  /** `symmetric`: for each of `cpus` CPUs the first one alike; empty: none are. */
  constructor(cpus: number, symmetric: readonly number[]) {
    if (symmetric.length !== 0 && symmetric.length !== cpus)
      throw new RangeError(`symmetric: ${symmetric.length} entries for ${cpus} CPUs`);
    this.spawner = new Int32Array(cpus).fill(-1);
    let spawned = 0;
    for (const [cpu, alike] of symmetric.entries()) {
      const by = cpu === 0 ? -1 : symmetric.lastIndexOf(alike, cpu - 1);
      if (by < 0) continue;
      this.spawner[cpu] = by;
      spawned |= 1 << cpu;
    }
    this.spawned = spawned;
  }

  /**
   * CPUs whose spawner has neither taken a step nor ended (`finished`, a bit each) without one, a bit each; `lastOfCpu`
   * is 0 for a CPU that has not stepped.
   */
  unspawned(lastOfCpu: Int32Array, finished: number): number {
    let unspawned = 0;
    let rest = this.spawned;
    while (rest !== 0) {
      const cpu = 31 - Math.clz32(rest);
      rest &= ~(1 << cpu);
      const by = this.spawner[cpu]!;
      if (lastOfCpu[by] === 0 && (finished & (1 << by)) === 0) unspawned |= 1 << cpu;
    }
    return unspawned;
  }

  /** Of the enabled CPUs those that have been spawned. Throws when there are none: the CPUs are not alike. */
  enabled(enabled: number, lastOfCpu: Int32Array, finished: number): number {
    if (this.spawned === 0 || enabled === 0) return enabled;
    const left = enabled & ~this.unspawned(lastOfCpu, finished);
    if (left === 0)
      throw new Error(
        'CPUs said to be alike are not: a later one can begin, and the first of them cannot',
      );
    return left;
  }
}
