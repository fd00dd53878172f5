/**
 * Words of the shared memory, JavaScript execution. The only kernel file that differs between executions:
 * `word.wasm.ts` is its WebAssembly twin with the same contracts.
 *
 * Every address is a byte address, a multiple of 4; every value is a u32. All atomics are sequentially consistent, in
 * both executions (ECMAScript's Atomics, WebAssembly's threads proposal), so the kernel's arguments never need a weaker
 * order or a fence of their own.
 *
 * `peek` and `poke` are plain: for words that only their owning CPU touches, that a held lock covers, or that are
 * constant while CPUs run. The place where the word is declared (layout.ts) says which.
 */

/** What the kernel asks of its host; see `attachMemory`. */
export interface Host {
  /** Nanoseconds of a monotonic clock, modulo 2^32. */
  clockNs(): number;
  /** Ends the calling CPU by throwing; `reason` is one of the HOST_ codes, `detail` a word for the report. */
  end(reason: number, detail: number): void;
}

let words: Uint32Array<ArrayBufferLike> = new Uint32Array(0);
let signed: Int32Array<ArrayBufferLike> = new Int32Array(0);
let host: Host = { clockNs: () => 0, end: () => {} };

/** Points this execution at a memory and a host. One memory at a time for each instance of this module. */
export function attachMemory(buffer: ArrayBufferLike, to: Host): void {
  words = new Uint32Array(buffer);
  signed = new Int32Array(buffer);
  host = to;
}

/** Atomic load. */
export function load<A extends Address>(address: A): WordAt<A> {
  return Atomics.load(words, address >>> 2) as WordAt<A>;
}

/** Atomic store. */
export function store<A extends Address>(address: A, value: WordAt<A>): void {
  Atomics.store(words, address >>> 2, value);
}

/** Atomic exchange; returns the old value. */
export function exchange<A extends Address>(address: A, value: WordAt<A>): WordAt<A> {
  return Atomics.exchange(words, address >>> 2, value) as WordAt<A>;
}

/**
 * Atomic compare-and-exchange; returns the old value, equal to `expected` when it stored. `expected` must be unsigned.
 */
export function compareExchange<A extends Address>(
  address: A,
  expected: WordAt<A>,
  value: WordAt<A>,
): WordAt<A> {
  return Atomics.compareExchange(words, address >>> 2, expected, value) as WordAt<A>;
}

/** Atomic add modulo 2^32; returns the old value. */
export function add<A extends Address>(address: A, value: u32): WordAt<A> {
  return Atomics.add(words, address >>> 2, value) as WordAt<A>;
}

/** Atomic subtract modulo 2^32; returns the old value. */
export function sub<A extends Address>(address: A, value: u32): WordAt<A> {
  return Atomics.sub(words, address >>> 2, value) as WordAt<A>;
}

/** Atomic or; returns the old value. */
export function or<A extends Address>(address: A, value: u32): WordAt<A> {
  return Atomics.or(words, address >>> 2, value) as WordAt<A>;
}

/** Atomic and; returns the old value. */
export function and<A extends Address>(address: A, value: u32): WordAt<A> {
  return Atomics.and(words, address >>> 2, value) as WordAt<A>;
}

/** Plain load of a word that no other CPU may be writing. */
export function peek<A extends Address>(address: A): WordAt<A> {
  return words[address >>> 2] as WordAt<A>;
}

/** Plain store to a word that no other CPU may be reading. */
export function poke<A extends Address>(address: A, value: WordAt<A>): void {
  words[address >>> 2] = value;
}

/** Longest park, in ms: a writer that does not notify is seen after it all the same. */
const PARK_MS = 0.1;

/**
 * Parks this CPU on the word at `address` while it is `value`, for PARK_MS at most; may return early. Pairs with
 * `notify`.
 */
export function parkOn(address: Address, value: u32): void {
  Atomics.wait(signed, address >>> 2, value | 0, PARK_MS);
}

/** Wakes up to `count` CPUs parked on the word at `address`; returns how many there were. */
export function notify(address: Address, count: u32): u32 {
  return Atomics.notify(signed, address >>> 2, count);
}

/** Nanoseconds of the host's monotonic clock, modulo 2^32: differences up to 4.29 s mean something. */
export function clockNs(): u32 {
  return host.clockNs() >>> 0;
}

/** Ends this CPU; does not return. `reason` is one of the HOST_ codes of config.ts. */
export function endCpu(reason: u32, detail: u32): void {
  host.end(reason, detail);
}

/** Plain stores of `value` to `count` words from `address` on, none of which another CPU may be using. */
export function fillWords(address: Address, count: u32, value: u32): void {
  words.fill(value, address >>> 2, (address >>> 2) + count);
}
