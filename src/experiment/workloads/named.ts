/**
 * What named workloads are made of. A named workload stands for a known program; its file says which, and where it
 * differs. Its iterations are that program's, so that rates can be put beside those of other machines.
 *
 * Unlike a stress mix, a workload expects every call to succeed: an error number ends the run.
 */
import { C_WORKLOAD, cpuArea, ENOMEM, MMAP_REPLACE, VM_READ, VM_WRITE } from '../../kernel/abi.ts';
import { errnoName } from '../../machine/errno.ts';
import type { MachineOptions } from '../../machine/options.ts';
import type { Workload, WorkloadCpu } from '../../machine/workload.ts';

/** A workload with a name, and the machine that it needs. */
export interface NamedWorkload {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  readonly workload: Workload & { readonly unit: string };
  /** Least sizes of a machine of so many CPUs. */
  sizes(cpus: number): Pick<MachineOptions, 'tables' | 'frames' | 'addressSpaces' | 'inodes'>;
}

/** First page that workloads map, 1 TiB. */
export const BASE = 0x1000_0000;
export const READ_WRITE = VM_READ | VM_WRITE;
const LINE_BYTES = 64;
const SPINS = 200;
const PARK_MS = 1;
/** Waits for VMAs before a workload says that there are none: other CPUs may take those that one brings. */
const BARRIERS_MAX = 64;

/** Throws RangeError unless `errno` is 0. */
export function succeeded(call: string, errno: number): void {
  if (errno !== 0) throw new RangeError(`${call} of a workload: ${errnoName(errno)}`);
}

/** `count` address spaces. Throws RangeError when the machine has not so many. */
export function makeSpaces(cpu: WorkloadCpu, count: number): number[] {
  return Array.from({ length: count }, () => {
    const mm = cpu.calls.pages.mmCreate();
    if (mm === 0)
      throw new RangeError(`no ${count} address spaces for a workload (option addressSpaces)`);
    return mm;
  });
}

/**
 * Maps [first, first + pages) of private anonymous memory, or of the file `inode` from its start on. `flags` are MMAP_.
 * When a grace period takes long, because a CPU of the machine has no core, every VMA there is may be waiting for it:
 * then so does this.
 */
export function map(
  cpu: WorkloadCpu,
  mm: number,
  first: number,
  pages: number,
  flags = 0,
  inode = 0,
): void {
  const { kernel, pages: calls } = cpu.calls;
  let errno = calls.mmap(mm, first, pages, READ_WRITE, flags, inode, 0);
  for (let waits = 0; errno === ENOMEM && waits < BARRIERS_MAX; waits++) {
    kernel.rcuBarrier();
    errno = calls.mmap(mm, first, pages, READ_WRITE, flags, inode, 0);
  }
  succeeded('mmap', errno);
}

/** The same over whatever is there (MAP_FIXED). */
export function mapOver(cpu: WorkloadCpu, mm: number, first: number, pages: number): void {
  map(cpu, mm, first, pages, MMAP_REPLACE);
}

export function unmap(cpu: WorkloadCpu, mm: number, first: number, pages: number): void {
  succeeded('munmap', cpu.calls.pages.munmap(mm, first, pages));
}

/** Writes to each of `pages` pages. */
export function write(cpu: WorkloadCpu, mm: number, first: number, pages: number): void {
  succeeded('write', cpu.calls.pages.touch(mm, first, pages, 1, 1));
}

/** A word that CPUs of a workload signal each other with: line `line` (0 to 3) of CPU `owner`. */
export function signalWord(owner: number, line: number): number {
  return (cpuArea(owner) + C_WORKLOAD + line * LINE_BYTES) >>> 2;
}

/** Adds one to a signal word and wakes whoever awaits it; gives the new value. */
export function signal({ words }: WorkloadCpu, word: number): number {
  const value = Atomics.add(words, word, 1) + 1;
  // Pairs with the add in awaitSignal.
  if (Atomics.load(words, word + 1) !== 0) Atomics.notify(words, word);
  return value;
}

/**
 * Waits until a signal word is no longer `seen`; false when the machine stops first, or when it has looked and parked
 * `parks` times, a millisecond each. Idle for RCU while it is parked.
 */
export function awaitSignal(
  cpu: WorkloadCpu,
  word: number,
  seen: number,
  parks = Infinity,
): boolean {
  const { words } = cpu;
  const { kernel } = cpu.calls;
  for (let spin = 0; spin < SPINS; spin++) {
    if (Atomics.load(words, word) !== seen) return true;
    kernel.pollInterrupts();
    kernel.rcuQuiescentState();
  }
  kernel.rcuIdleEnter();
  Atomics.add(words, word + 1, 1);
  for (let park = 0; park < parks && Atomics.load(words, word) === seen && !cpu.stopped; park++)
    Atomics.wait(words, word, seen, PARK_MS);
  Atomics.sub(words, word + 1, 1);
  kernel.rcuIdleExit();
  return Atomics.load(words, word) !== seen;
}

/** Before the CPUs start: all signal words 0. */
export function resetSignals(cpu: WorkloadCpu): void {
  for (let owner = 0; owner < cpu.cpus; owner++)
    for (let line = 0; line < 4; line++)
      cpu.words.fill(0, signalWord(owner, line), signalWord(owner, line) + 2);
}
