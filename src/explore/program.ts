/** What is explored: a program's memory, its CPUs as coroutines, and how they end. */

import { HOST_DEATH_EXCEPTION, HOST_DEATH_EXIT, HOST_DEATH_MEMORY } from '../kernel/abi.ts';
import type { CoroutineHost } from './link/coroutine.ts';
import type { Site } from './operation.ts';

/** A CPU's coroutine: yields codes (operation.ts), is resumed with results. */
export type Coroutine = Generator<number, unknown, number>;

/** What an execution runs. Every function is called anew for each run of a CPU and must do the same each time. */
export interface Program {
  /** Number of CPUs, at most 31. */
  cpus: number;
  /** Words of memory. */
  words: number;
  sites: readonly Site[];
  /** Before the CPUs start, alone. */
  setUp?(): Coroutine | void;
  /** What a CPU does. */
  run(cpu: number): Coroutine;
  /** When all CPUs have ended, alone; throws when something is wrong. */
  finish?(memory: Uint32Array): Coroutine | void;
  /** A word that is 0 as long as all is well, and what has happened when it is not; looked at after every step. */
  watch?: { word: number; failure: (memory: Uint32Array) => Error };
  /** Makes `cpu` the current one; called before it is resumed. */
  select?(cpu: number): void;
  /** Programs with a kernel. */
  kernel?: KernelPlaces;
}

/** Where a kernel program keeps what measures look at (worst/measures.ts). */
interface KernelPlaces {
  /** Word of a CPU's counter (COUNTER_ of the kernel's stats.ts). */
  counterWord(cpu: number, counter: number): number;
  /** First word of a table. */
  tableWord(table: number): number;
}

/** Makes a program for a host: the memory and the slots that it is to use. */
export type ProgramMaker = (host: CoroutineHost) => Program;

/** An event that a CPU's step ended in; `step` counts from 0. */
export interface KernelEvent {
  cpu: number;
  step: number;
  kind: number;
  a: number;
  b: number;
}

/** A CPU ended itself (`endCpu`). */
export class CpuEndedError extends Error {
  override readonly name = 'CpuEndedError';
  readonly reason: number;
  readonly detail: number;

  constructor(reason: number, detail: number) {
    super(`CPU ended: reason ${reason}, detail 0x${detail.toString(16)}`);
    this.reason = reason;
    this.detail = detail;
  }
}

/** The program does something else when it is run again with the same results: it cannot be explored. */
export class NondeterminismError extends Error {
  override readonly name = 'NondeterminismError';
}

/** Set-up or end, which run alone, do not come to their end. */
export class StuckError extends Error {
  override readonly name = 'StuckError';
}

/** Steps after which what runs alone is taken to go on for ever. */
export const ALONE_STEPS_MAX = 1_000_000;

/** Reasons of `endCpu` that are deaths the explorer chose, not failures. */
export const DEATHS: ReadonlySet<number> = new Set<number>([
  HOST_DEATH_EXIT,
  HOST_DEATH_EXCEPTION,
  HOST_DEATH_MEMORY,
]);
