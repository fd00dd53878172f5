/**
 * Where the reversal of a race can begin (initials; Abdulla et al., POPL 2014, definition 4.2).
 *
 * To see a step without an earlier one, `race`, before it, a search has to take, from the state before `race`, the
 * steps since then that do not depend on `race`, and then the step. Any of the CPUs whose first step among these
 * depends on no other of them may move first.
 */

/** There is nothing to do. */
export const COVERED = -1;

export class Initials {
  readonly #cpus: number;
  /** For each CPU its first step. */
  readonly #first: Int32Array;

  constructor(cpus: number) {
    this.#cpus = cpus;
    this.#first = new Int32Array(cpus);
  }

  /**
   * CPUs, a bit each, that may move first after the state before step `race` on the way to the step in row `step` of
   * the clocks, which is one of `cpu`; COVERED when one of them is in `covered`. `stepCpu`: CPU of each step.
   */
  find(
    clock: Int32Array,
    stepCpu: Uint32Array,
    race: number,
    step: number,
    cpu: number,
    covered: number,
  ): number {
    const cpus = this.#cpus;
    const first = this.#first;
    const owner = stepCpu[race]!;
    let initials = 0;
    let seen = 0;
    for (let at = race + 1; at <= step; at++) {
      const who = at === step ? cpu : stepCpu[at]!;
      const bit = 1 << who;
      if ((seen & bit) !== 0) continue;
      const row = at * cpus;
      if (at !== step && clock[row + owner]! > race) continue;
      let leads = true;
      let others = seen;
      while (others !== 0) {
        const other = 31 - Math.clz32(others);
        others &= ~(1 << other);
        // The clock of the step itself includes `race` and what depends on it; all of that lies outside.
        if (clock[row + other]! > first[other]!) {
          leads = false;
          break;
        }
      }
      seen |= bit;
      first[who] = at;
      if (!leads) continue;
      if ((covered & bit) !== 0) return COVERED;
      initials |= bit;
    }
    return initials;
  }
}
