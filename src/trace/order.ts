import { BucketMap } from './bucketMap.ts';
import {
  CALL_BARRIER,
  CALL_BRK,
  CALL_EXIT,
  CALL_FAULT,
  CALL_FORK,
  CALL_MREMAP,
  CALL_TOUCH,
  FIELD_ARG2,
  FIELD_PROCESS,
  OP_FIELDS,
} from './operation.ts';
import type { OperationList } from './operation.ts';

/*
 * In which order several CPUs may replay a list.
 *
 * Each CPU runs its own operations in the order of the list. Two operations of different CPUs conflict,
 * and run in the order of the list, if their ranges meet in the same 2 MiB and at least one of them is
 * more than a fault or a touch. A barrier, a fork and an exit conflict with everything.
 *
 * Where conflicts are left to race, a process still exists while it does something: each of its operations follows the
 * fork that made it, and precedes its exit.
 *
 * A CPU waits for another only where it could not know already: each operation carries the vector of what
 * is certain to have finished when it begins (its CPU's last vector, and those of what it waits for), and
 * a wait that the vector implies is left out.
 */

/** The order of a list, in shared memory; operations are numbered by their place in the list. */
export interface OperationOrder {
  cpus: number;
  /** CPU c runs operations `cpuOps[cpuStart[c]]` to `cpuOps[cpuStart[c + 1] - 1]`, in this order. */
  cpuStart: Uint32Array<SharedArrayBuffer>;
  cpuOps: Uint32Array<SharedArrayBuffer>;
  /** Operation i waits for entries `depStart[i]` to `depStart[i + 1] - 1` of the arrays below. */
  depStart: Uint32Array<SharedArrayBuffer>;
  /** CPU to wait for. */
  depCpu: Uint32Array<SharedArrayBuffer>;
  /** How many of that CPU's operations must have finished. */
  depSeq: Uint32Array<SharedArrayBuffer>;
}

interface OrderOptions {
  /** False: only barriers order CPUs, conflicts are left to race. Default true. */
  conflicts?: boolean;
}

/** Computes the order of a list in time near linear in its length. */
export function orderOperations(list: OperationList, options: OrderOptions = {}): OperationOrder {
  const { operations, count, cpus, processes = 1 } = list;
  const conflicts = cpus > 1 && options.conflicts !== false;
  const cpuStart = sharedWords(cpus + 1);
  const cpuOps = sharedWords(count);
  const depStart = sharedWords(count + 1);
  const cpuOf = new Uint16Array(count);
  const seqOf = new Uint32Array(count);
  const done = new Uint32Array(cpus);
  for (let i = 0; i < count; i++) {
    const cpu = operations[i * OP_FIELDS + 1]!;
    cpuOf[i] = cpu;
    seqOf[i] = ++done[cpu]!;
  }
  for (let cpu = 0; cpu < cpus; cpu++) cpuStart[cpu + 1] = cpuStart[cpu]! + done[cpu]!;
  for (let i = 0; i < count; i++) cpuOps[cpuStart[cpuOf[i]!]! + seqOf[i]! - 1] = i;

  const clocks = new Clocks(cpus, cpuOf, seqOf);
  const deps = new WordList();
  const map = conflicts ? new BucketMap((operation) => cpuOf[operation]!) : null;
  const after = (operation: number): void => clocks.need(operation);
  const lastOf = new Int32Array(cpus).fill(-1);
  const barrierSeen = new Int32Array(cpus).fill(-1);
  const forkOf = new Int32Array(processes).fill(-1);
  const lastIn = new Int32Array(processes * cpus).fill(-1);
  let barrier = -1;
  const programBreak = new Float64Array(processes).fill(-1);
  for (let i = 0; i < count; i++) {
    const at = i * OP_FIELDS;
    const call = operations[at]!;
    const cpu = cpuOf[i]!;
    if (barrierSeen[cpu] !== barrier) {
      clocks.need(barrier);
      barrierSeen[cpu] = barrier;
    }
    const process = operations[at + FIELD_PROCESS]!;
    const lives = call === CALL_FORK || call === CALL_EXIT;
    clocks.need(forkOf[process]!);
    if (call === CALL_EXIT) {
      const lastOnes = lastIn.subarray(process * cpus, (process + 1) * cpus);
      for (const last of lastOnes) clocks.need(last);
    }
    if (call === CALL_FORK) {
      const child = operations[at + FIELD_ARG2]!;
      forkOf[child] = i;
      programBreak[child] = programBreak[process]!;
    }
    lastIn[process * cpus + cpu] = i;
    if (call === CALL_BARRIER || (conflicts && lives)) {
      for (const last of lastOf) clocks.need(last);
      barrier = barrierSeen[cpu] = i;
    } else if (map !== null) {
      const address = operations[at + 2]!;
      const first = BucketMap.bucketOf(address);
      const length = operations[at + 3]!;
      if (call === CALL_FAULT) map.share(first, first, i, after);
      else if (call === CALL_BRK) {
        const last = programBreak[process]!;
        const before = BucketMap.bucketOf(last < 0 ? address : last);
        map.exclude(Math.min(first, before), Math.max(first, before), i, after);
        programBreak[process] = address;
      } else {
        const last = lastBucket(address, length);
        if (call === CALL_TOUCH) map.share(first, last, i, after);
        else map.exclude(first, last, i, after);
        if (call === CALL_MREMAP) {
          const to = operations[at + 4]!;
          map.exclude(BucketMap.bucketOf(to), lastBucket(to, operations[at + 5]!), i, after);
        }
      }
    }
    clocks.begin(i, deps);
    depStart[i + 1] = deps.length / 2;
    lastOf[cpu] = i;
  }
  const depCpu = sharedWords(deps.length / 2);
  const depSeq = sharedWords(deps.length / 2);
  for (let k = 0; k < depCpu.length; k++) {
    depCpu[k] = deps.words[2 * k]!;
    depSeq[k] = deps.words[2 * k + 1]!;
  }
  return { cpus, cpuStart, cpuOps, depStart, depCpu, depSeq };
}

function lastBucket(address: number, length: number): number {
  return BucketMap.bucketOf(address + Math.max(1, length) - 1);
}

function sharedWords(length: number): Uint32Array<SharedArrayBuffer> {
  return new Uint32Array(new SharedArrayBuffer(length * 4));
}

class WordList {
  words = new Uint32Array(1024);
  length = 0;

  push(word: number): void {
    if (this.length === this.words.length) {
      const grown = new Uint32Array(this.words.length * 2);
      grown.set(this.words);
      this.words = grown;
    }
    this.words[this.length++] = word;
  }
}

/** For every operation the vector of operations, by CPU, that have finished when it begins. */
class Clocks {
  readonly #cpus: number;
  readonly #cpuOf: Uint16Array;
  readonly #seqOf: Uint32Array;
  /** Vectors one after the other; an operation without waits shares its predecessor's. */
  readonly #vectors = new WordList();
  readonly #vectorOf: Uint32Array;
  readonly #vectorOfCpu: Uint32Array;
  /** By CPU: the latest operation needed by the one that is about to begin, -1 for none. */
  readonly #needed: Int32Array;
  readonly #neededCpus: number[] = [];

  constructor(cpus: number, cpuOf: Uint16Array, seqOf: Uint32Array) {
    this.#cpus = cpus;
    this.#cpuOf = cpuOf;
    this.#seqOf = seqOf;
    this.#vectorOf = new Uint32Array(seqOf.length);
    this.#vectorOfCpu = new Uint32Array(cpus);
    this.#needed = new Int32Array(cpus).fill(-1);
    for (let cpu = 0; cpu < cpus; cpu++) this.#vectors.push(0);
  }

  /** The next operation to begin comes after `operation`; -1: after none. */
  need(operation: number): void {
    if (operation < 0) return;
    const cpu = this.#cpuOf[operation]!;
    const before = this.#needed[cpu]!;
    if (before >= operation) return;
    if (before < 0) this.#neededCpus.push(cpu);
    this.#needed[cpu] = operation;
  }

  /** Begins `operation`: appends the waits that nothing implies to `deps`, as CPU and sequence. */
  begin(operation: number, deps: WordList): void {
    const own = this.#cpuOf[operation]!;
    const vector = this.#vectorOfCpu[own]!;
    if (this.#neededCpus.length > 0) {
      const waits: number[] = [];
      for (const cpu of this.#neededCpus) {
        const needed = this.#needed[cpu]!;
        this.#needed[cpu] = -1;
        const known = cpu === own || this.#vectors.words[vector + cpu]! >= this.#seqOf[needed]!;
        if (!known) waits.push(needed);
      }
      this.#neededCpus.length = 0;
      if (waits.length > 0) this.#wait(own, waits, deps);
    }
    this.#vectorOf[operation] = this.#vectorOfCpu[own]!;
  }

  #wait(own: number, waits: readonly number[], deps: WordList): void {
    const vectors = this.#vectors;
    const start = vectors.length;
    const before = this.#vectorOfCpu[own]!;
    for (let cpu = 0; cpu < this.#cpus; cpu++) vectors.push(vectors.words[before + cpu]!);
    for (const wait of waits) {
      const cpu = this.#cpuOf[wait]!;
      const seq = this.#seqOf[wait]!;
      const implied = waits.some(
        (other) => other !== wait && vectors.words[this.#vectorOf[other]! + cpu]! >= seq,
      );
      if (!implied) {
        deps.push(cpu);
        deps.push(seq);
      }
    }
    for (const wait of waits) {
      const theirs = this.#vectorOf[wait]!;
      const words = vectors.words;
      for (let cpu = 0; cpu < this.#cpus; cpu++) {
        words[start + cpu] = Math.max(words[start + cpu]!, words[theirs + cpu]!);
      }
      const cpu = this.#cpuOf[wait]!;
      words[start + cpu] = Math.max(words[start + cpu]!, this.#seqOf[wait]!);
    }
    this.#vectorOfCpu[own] = start;
  }
}
