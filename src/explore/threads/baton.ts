/**
 * The baton: shared words that let one CPU's thread at a time go on, in a given order.
 *
 * Each CPU has a word of its own, on a cache line of its own, with the number of the newest step that it may take. Who
 * has taken step n stores n + 1 in the word of the CPU whose step that is. A waiter looks at its word SPINS times, so
 * that a hand-over costs little when every CPU has a core, and then parks for a millisecond at most, so that more CPUs
 * than cores go on as well; the giver notifies only a CPU that has said that it parks. Says-then-looks against
 * stores-then-looks: one of the two sees the other.
 */

/** Looks before a waiter parks: some 20 microseconds. */
const SPINS = 2000;
const PARK_MS = 1;
const LINE_WORDS = 16;
/** Word 0: not 0 when the threads are to give up. Word LINE_WORDS: threads that are ready. */
const ABORTED = 0;
const READY = LINE_WORDS;
const TURN = LINE_WORDS * 2;
const PARKED = 1;

/** The replay is over for this thread: another one departed, or the time is up. */
export class AbortedError extends Error {
  override readonly name = 'AbortedError';
}

export class Baton {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;

  /** The baton of so many CPUs, or, in a thread, the one that the buffer holds. Nobody's turn has come: -2^31. */
  constructor(from: number | SharedArrayBuffer) {
    this.buffer =
      typeof from === 'number' ? new SharedArrayBuffer((2 + from) * LINE_WORDS * 4) : from;
    this.#words = new Int32Array(this.buffer);
    if (typeof from === 'number')
      for (let cpu = 0; cpu < from; cpu++) this.#words[TURN + cpu * LINE_WORDS] = -(2 ** 31);
  }

  /** Says that a thread is ready; whether it is the last of `all`. */
  ready(all: number): boolean {
    return Atomics.add(this.#words, READY, 1) === all - 1;
  }

  /** Lets `cpu` take step `step`. */
  give(cpu: number, step: number): void {
    const at = TURN + cpu * LINE_WORDS;
    Atomics.store(this.#words, at, step);
    if (Atomics.load(this.#words, at + PARKED) !== 0) Atomics.notify(this.#words, at);
  }

  /** Waits until `cpu` may take step `step`. Throws AbortedError. */
  await(cpu: number, step: number): void {
    const at = TURN + cpu * LINE_WORDS;
    const words = this.#words;
    for (let look = 0; look < SPINS; look++) if (Atomics.load(words, at) === step) return;
    for (;;) {
      Atomics.store(words, at + PARKED, 1);
      const turn = Atomics.load(words, at);
      if (turn !== step) Atomics.wait(words, at, turn, PARK_MS);
      Atomics.store(words, at + PARKED, 0);
      if (Atomics.load(words, at) === step) return;
      if (Atomics.load(words, ABORTED) !== 0) throw new AbortedError(`before step ${step}`);
    }
  }

  /** Makes every thread that waits give up. */
  abort(): void {
    Atomics.store(this.#words, ABORTED, 1);
  }
}
