/**
 * A machine in this thread: the memory of a real one, a built kernel, no workers. All its CPUs run here, one at a time;
 * those that do not are idle. The clock is a counter, so that a run depends on nothing but its operations.
 */
import { expect } from 'vitest';
import {
  entryNumber,
  entryPresent,
  PTE_SPECIAL,
  RSS_ANON,
  RSS_FILE,
  RSS_SHMEM,
  RSS_SWAP,
} from '../../src/kernel/abi.ts';
import * as layout from '../../src/kernel/abi.ts';
import { audit } from '../../src/machine/audit/index.ts';
import { loadKernel, prepareKernel, type Host, type Kernel } from '../../src/machine/kernel.ts';
import { createMemory } from '../../src/machine/memory.ts';
import {
  CHECK_LEVELS,
  resolveOptions,
  type MachineOptions,
  type ResolvedOptions,
} from '../../src/machine/options.ts';
import { PageCalls } from '../../src/machine/syscalls.ts';
import { readViolations, type Violation } from '../../src/machine/violations.ts';

/** Everything that the kernel exports; arguments and results are words. */
export type Exports = Kernel & Record<string, (...args: number[]) => number>;

/** A CPU ended itself: HOST_ reason and detail. */
export class Ended extends Error {
  readonly reason: number;
  readonly detail: number;

  constructor(reason: number, detail: number) {
    super(`the CPU ended: reason ${reason}, detail 0x${detail.toString(16)}`);
    this.reason = reason;
    this.detail = detail;
  }
}

interface WordModule {
  attachMemory(buffer: ArrayBufferLike, host: Host): void;
}

/** Nanoseconds between two looks at the clock, unless a test asks for more. */
const TICK_NS = 100;
export const READ = 1;
export const WRITE = 2;
export const SHARED = 1;
export const POPULATE = 2;
export const REPLACE = 4;
export const FILE = 1;

interface Clock {
  ns: number;
  tickNs: number;
}

/** Sizes that suffice for every case and are quick to clear and to compare. */
export const SMALL: MachineOptions = {
  cpus: 2,
  tables: 1024,
  frames: 8192,
  vmas: 512,
  anonVmas: 1024,
  anonVmaChains: 2048,
  addressSpaces: 4,
  inodes: 16,
  swapPages: 256,
  cacheBuckets: 512,
};

/** One memory with one kernel on it. Only the machine made or reset last may be used when the execution is js. */
export class MachineHere {
  readonly options: ResolvedOptions;
  readonly words: Uint32Array;
  readonly kernel: Exports;
  readonly calls: PageCalls;
  readonly #initial: Uint32Array;
  readonly #memory: WebAssembly.Memory;
  readonly #attach: (() => void) | null;
  readonly #clock: Clock;
  #mm = 0;

  private constructor(
    options: ResolvedOptions,
    memory: WebAssembly.Memory,
    kernel: Exports,
    clock: Clock,
    attach: (() => void) | null,
  ) {
    this.options = options;
    this.#memory = memory;
    this.words = new Uint32Array(memory.buffer);
    this.#initial = this.words.slice();
    this.kernel = kernel;
    this.calls = new PageCalls(kernel);
    this.#clock = clock;
    this.#attach = attach;
  }

  /** A new machine with all CPUs idle and no address space; see `reset`. */
  static async make(given: MachineOptions = {}): Promise<MachineHere> {
    const options = resolveOptions({ ...SMALL, ...given });
    const memory = createMemory(options);
    const clock = { ns: 0, tickNs: TICK_NS };
    const host: Host = {
      clockNs: () => {
        clock.ns = (clock.ns + clock.tickNs) >>> 0;
        return clock.ns;
      },
      end: (reason, detail) => {
        throw new Ended(reason, detail >>> 0);
      },
    };
    const code = await prepareKernel(options.execution, options.check, memory);
    const kernel = (await loadKernel(code, memory, host)) as Exports;
    if (code.execution === 'wasm') return new MachineHere(options, memory, kernel, clock, null);
    const word = (await import(new URL('word/word.js', code.folder).href)) as WordModule;
    const attach = (): void => word.attachMemory(memory.buffer, host);
    return new MachineHere(options, memory, kernel, clock, attach);
  }

  /** Bytes of the whole memory, for comparing. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.#memory.buffer);
  }

  /** Back to the state of a machine just made, CPU 0 running, with one address space, whose handle is `mm`. */
  reset(): this {
    this.words.set(this.#initial);
    this.#clock.ns = 0;
    this.#clock.tickNs = TICK_NS;
    this.#attach?.();
    this.kernel.setThisCpu(0);
    this.kernel.rcuIdleExit();
    this.#mm = this.calls.mmCreate();
    return this;
  }

  /** Makes the clock move on by `tickNs` with every look at it. */
  hurry(tickNs: number): void {
    this.#clock.tickNs = tickNs;
  }

  get mm(): number {
    return this.#mm;
  }

  /** Makes this machine the one that the js kernel works on. */
  attach(): void {
    this.#attach?.();
  }

  at(address: number): number {
    return this.words[address >>> 2]!;
  }

  put(address: number, value: number): void {
    this.words[address >>> 2] = value;
  }

  /** Runs `body` on CPU `cpu`, while CPU 0, which is running otherwise, is idle. */
  on<R>(cpu: number, body: () => R): R {
    this.kernel.rcuIdleEnter();
    this.kernel.setThisCpu(cpu);
    this.kernel.rcuIdleExit();
    const result = body();
    this.kernel.rcuIdleEnter();
    this.kernel.setThisCpu(0);
    this.kernel.rcuIdleExit();
    return result;
  }

  mmap(
    vpn: number,
    pages: number,
    { prot = READ | WRITE, flags = 0, inode = 0, pgoff = 0, mm = this.#mm } = {},
  ): number {
    return this.calls.mmap(mm, vpn, pages, prot, flags, inode, pgoff);
  }

  munmap(vpn: number, pages: number): number {
    return this.calls.munmap(this.#mm, vpn, pages);
  }

  mprotect(vpn: number, pages: number, prot: number): number {
    return this.calls.mprotect(this.#mm, vpn, pages, prot);
  }

  madvise(vpn: number, pages: number, advice: number): number {
    return this.calls.madvise(this.#mm, vpn, pages, advice);
  }

  /** mremap with MREMAP_MAYMOVE | MREMAP_FIXED. */
  move(from: number, pages: number, to: number, toPages = pages): number {
    return this.calls.mremap(this.#mm, from, pages, to, toPages, 3);
  }

  read(vpn: number, mm = this.#mm): number {
    return this.calls.access(mm, vpn, 0);
  }

  write(vpn: number, mm = this.#mm): number {
    return this.calls.access(mm, vpn, 1);
  }

  /** Writes `pages` pages from `vpn` on; the first error, or 0. */
  fill(vpn: number, pages: number): number {
    for (let i = 0; i < pages; i++) {
      const errno = this.write(vpn + i);
      if (errno !== 0) return errno;
    }
    return 0;
  }

  entry(vpn: number, mm = this.#mm): number {
    return this.calls.walk(mm, vpn);
  }

  /** Frame mapped at `vpn`, 0 for none and for the zero page. */
  frame(vpn: number, mm = this.#mm): number {
    const entry = this.entry(vpn, mm);
    return entryPresent(entry) && (entry & PTE_SPECIAL) === 0 ? entryNumber(entry) : 0;
  }

  folio(frame: number): number {
    return this.at(layout.H_FOLIOS) + (frame << layout.FOLIO_SHIFT);
  }

  ptdesc(table: number): number {
    return this.at(layout.H_PTDESCS) + (table << layout.PTDESC_SHIFT);
  }

  /** Number of the PTE table that maps `vpn`, 0: none. */
  table(vpn: number, mm = this.#mm): number {
    const pmd = this.kernel.pmdOf!(mm, vpn) >>> 0;
    return pmd === 0 ? 0 : this.at(pmd) >>> 8;
  }

  /** PTE, PMD and PUD tables of the address space. */
  get tables(): [number, number, number] {
    const at = this.#mm + layout.MM_TABLES_BY_LEVEL;
    return [this.at(at), this.at(at + 4), this.at(at + 8)];
  }

  #rss(kind: number): number {
    let sum = 0;
    for (let cpu = 0; cpu < this.options.cpus; cpu++)
      sum = (sum + this.at(this.#mm + layout.MM_RSS + cpu * 64 + kind)) | 0;
    return sum;
  }

  /** Resident pages of the address space by kind. */
  get rss(): { anon: number; file: number; shmem: number; swap: number } {
    return {
      anon: this.#rss(RSS_ANON),
      file: this.#rss(RSS_FILE),
      shmem: this.#rss(RSS_SHMEM),
      swap: this.#rss(RSS_SWAP),
    };
  }

  /** Sum over all CPUs of a counter of stats.ts. */
  counter(code: number): number {
    let sum = 0;
    for (let cpu = 0; cpu < this.options.cpus; cpu++)
      sum += this.at(layout.cpuArea(cpu) + layout.C_COUNTERS + code * 4);
    return sum;
  }

  violations(): Violation[] {
    return readViolations(this.words);
  }

  /** All callbacks invoked, all CPUs' caches given back. */
  settle(): void {
    this.kernel.rcuBarrier();
    for (let cpu = 1; cpu < this.options.cpus; cpu++) this.on(cpu, () => this.kernel.drainCaches());
    this.kernel.drainCaches();
  }

  /** What an audit finds now, as `oracle: message`. */
  findings(): string[] {
    const report = audit(this.words, CHECK_LEVELS.indexOf(this.options.check));
    return report.findings.map((one) => `${one.oracle}: ${one.message}`);
  }

  /** Fails the test unless the machine has seen no violation and balances. */
  balanced(): void {
    expect(this.violations().map((one) => one.message)).toEqual([]);
    this.settle();
    expect(this.findings()).toEqual([]);
    expect(this.violations().map((one) => one.message)).toEqual([]);
  }
}
