/**
 * The race detector for plain words: a word that is peeked at or poked by one CPU and written, or poked and read, by
 * another with nothing that orders the two. The kernel promises that there is none (layout.ts says beside each word who
 * may touch it), and the search depends on it, since plain accesses are no steps.
 *
 * For each word it keeps the step of the last plain write and, for each CPU, of the last plain read; two accesses are
 * ordered when the clock of the later step includes a step of the earlier CPU after its access (as in FastTrack:
 * Flanagan, Freund, PLDI 2009; a plain access comes after the operation of its step, so that step does not publish it).
 * What a CPU does before its first step is not looked at.
 */

/** Two CPUs touched a word without order, at least one of them plainly and one of them writing. */
export class PlainRaceError extends Error {
  override readonly name = 'PlainRaceError';
  /** Of the word, in bytes. */
  readonly address: number;
  /** The CPU that came first here, and the other. */
  readonly cpus: readonly [number, number];

  constructor(address: number, cpus: readonly [number, number]) {
    super(
      `race on plain word 0x${address.toString(16)}: CPU ${cpus[0]} and CPU ${cpus[1]} touch it, and nothing orders them`,
    );
    this.address = address;
    this.cpus = cpus;
  }
}

export class PlainWords {
  readonly #cpus: number;
  /** Steps count from 1; 0: none. */
  readonly #writeStep: Int32Array;
  readonly #writeCpu: Uint8Array;
  readonly #readStep: Int32Array;
  /** What to restore: index into #readStep, or -1 - word; the step, and the CPU, there before. */
  #undo = new Int32Array(3 * 256);
  #top = 0;

  constructor(words: number, cpus: number) {
    this.#cpus = cpus;
    this.#writeStep = new Int32Array(words);
    this.#writeCpu = new Uint8Array(words);
    this.#readStep = new Int32Array(words * cpus);
  }

  /** Whether there has been any plain access. */
  used = false;

  /** Position of the log, to go back to. */
  get top(): number {
    return this.#top;
  }

  #push(index: number, step: number, cpu: number): void {
    if (this.#top + 3 > this.#undo.length) {
      const longer = new Int32Array(this.#undo.length * 2);
      longer.set(this.#undo);
      this.#undo = longer;
    }
    this.#undo[this.#top] = index;
    this.#undo[this.#top + 1] = step;
    this.#undo[this.#top + 2] = cpu;
    this.#top += 3;
  }

  rewind(top: number): void {
    while (this.#top > top) {
      this.#top -= 3;
      const index = this.#undo[this.#top]!;
      const step = this.#undo[this.#top + 1]!;
      if (index >= 0) this.#readStep[index] = step;
      else {
        this.#writeStep[-1 - index] = step;
        this.#writeCpu[-1 - index] = this.#undo[this.#top + 2]!;
      }
    }
  }

  /**
   * A CPU with which an access of `cpu` to `word` conflicts that its clock (at `base` of `clock`) does not include; -1:
   * none. A plain or atomic access, as far as earlier plain ones are concerned.
   */
  conflict(word: number, cpu: number, write: boolean, clock: Int32Array, base: number): number {
    const wrote = this.#writeStep[word]!;
    if (wrote !== 0) {
      const writer = this.#writeCpu[word]!;
      if (writer !== cpu && clock[base + writer]! <= wrote) return writer;
    }
    if (write) {
      const reads = word * this.#cpus;
      for (let reader = 0; reader < this.#cpus; reader++) {
        const read = this.#readStep[reads + reader]!;
        if (reader !== cpu && read !== 0 && clock[base + reader]! <= read) return reader;
      }
    }
    return -1;
  }

  /** Notes a plain access of `cpu` in step `step`, counted from 1. */
  note(word: number, cpu: number, write: boolean, step: number): void {
    this.used = true;
    if (write) {
      if (this.#writeStep[word] === step) return;
      this.#push(-1 - word, this.#writeStep[word]!, this.#writeCpu[word]!);
      this.#writeStep[word] = step;
      this.#writeCpu[word] = cpu;
    } else {
      const index = word * this.#cpus + cpu;
      if (this.#readStep[index] === step) return;
      this.#push(index, this.#readStep[index]!, 0);
      this.#readStep[index] = step;
    }
  }
}
