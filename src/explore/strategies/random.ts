/**
 * Numbers by chance from a seed, of which each execution of a run has a sequence of its own: execution number i of a
 * seed can be had without those before it. Small Fast Counter (sfc32, Doty-Humphrey, PractRand), whose state the seed,
 * i, and a counter fill.
 */

/** Rounds after which every bit of the state depends on every bit of seed and index. */
const WARM_UP = 12;

export class Random {
  #a = 0;
  #b = 0;
  #c = 0;
  #counter = 1;

  /** The sequence number `index` of `seed`, both u32. */
  constructor(seed: number, index = 0) {
    this.begin(seed, index);
  }

  /** Goes to the start of a sequence. */
  begin(seed: number, index: number): void {
    this.#a = seed | 0;
    this.#b = index | 0;
    this.#c = 0x9e3779b9 | 0;
    this.#counter = 1;
    for (let round = 0; round < WARM_UP; round++) this.next();
  }

  /** A u32. */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  /** A number from 0 to `bound` - 1, all alike; `bound` is far below 2^32. */
  below(bound: number): number {
    return Math.floor((this.next() / 2 ** 32) * bound);
  }
}
