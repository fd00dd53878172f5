/** Measurements of ptlab itself: machines without checks, and rounds in the threads of their CPUs (onCpu.ts). */
import { H_PTDESCS, PAGE_BYTES, PTDESC_SHIFT, tableAddress } from '../src/kernel/abi.ts';
import { type AddressSpace, type Machine, type MachineOptions, boot } from '../src/index.ts';
import { DIST } from '../src/machine/kernel.ts';
import type { Measurement, Setting, Unit } from './measurement.ts';
import type { BatchArguments, BatchName, LoopOrder, Meeting } from './onCpu.ts';

const ON_CPU = new URL('bench/onCpu.js', DIST);
export { PAGE_BYTES };
/** The page from which on suites map, in the middle of the address space; that of peers/walk.c. */
export const FIRST_PAGE = 0x1000_0000;
export const SPAN_PAGES = 512;
const SPARE_TABLES = 4096;

/** One operation that a measurement times, and what it works on. */
export interface Timed<Name extends BatchName = BatchName> {
  name: string;
  batch: Name;
  given: BatchArguments[Name];
  unit?: Unit;
  /** Operations of every batch; default: as many as take a millisecond. */
  operations?: number;
  peerOf?: string;
  atMost?: number;
}

/** A booted machine under measurement, with memory in its last SPARE_TABLES tables that nothing else uses. */
export class Bench implements AsyncDisposable {
  readonly machine: Machine;
  readonly #setting: Setting;

  private constructor(machine: Machine, setting: Setting) {
    this.machine = machine;
    this.#setting = setting;
  }

  /** Boots a machine without checks; `tables` are beside the spare ones. */
  static async open(
    setting: Setting,
    options: MachineOptions & { tables: number },
  ): Promise<Bench> {
    const tables = options.tables + SPARE_TABLES;
    return new Bench(await boot({ check: 'off', ...options, tables }), setting);
  }

  /** Address of the first of 4,096 locks, 64 bytes apart: those of the spare tables. */
  get locks(): number {
    const first = this.machine.options.tables - SPARE_TABLES;
    return this.machine.words[H_PTDESCS >>> 2]! + (first << PTDESC_SHIFT);
  }

  /** Address of 8 MiB less a line; the line at its end is the meeting's. */
  get spare(): number {
    return tableAddress(this.machine.options.tables - SPARE_TABLES);
  }

  #meeting(parties: number): Meeting {
    const arrived = tableAddress(this.machine.options.tables) - 128;
    const meeting = { arrived, stop: arrived + 64, parties };
    Atomics.store(this.machine.words, meeting.arrived >>> 2, 0);
    Atomics.store(this.machine.words, meeting.stop >>> 2, 0);
    return meeting;
  }

  /** An address space with one mapping of `pages` pages from FIRST_PAGE on, or none. */
  async space(pages = 0): Promise<AddressSpace> {
    const space = await this.machine.createAddressSpace();
    if (pages > 0) {
      const length = pages * PAGE_BYTES;
      const errno = await this.machine.cpu(0).mmap(space, FIRST_PAGE * PAGE_BYTES, length);
      if (errno !== null) throw new Error(`mmap of ${pages} pages: ${errno}`);
    }
    return space;
  }

  /** Reads or writes the first page of each `every` from page `first` on, up to `pages` pages. */
  async touch(space: AddressSpace, first: number, pages: number, kind: 'r' | 'w', every = 1) {
    const cpu = this.machine.cpu(0);
    const stride = every * PAGE_BYTES;
    const errno = await cpu.touch(space, first * PAGE_BYTES, pages * PAGE_BYTES, kind, stride);
    if (errno !== null) throw new Error(`touch of ${pages} pages: ${errno}`);
  }

  call(cpu: number, name: string, argument: unknown): Promise<unknown> {
    return this.machine.cpu(cpu).callModule(ON_CPU, name, argument);
  }

  /** What CPU 0 times; beside `loops`, which the other CPUs run meanwhile. */
  batches<Name extends BatchName>(
    { name, batch, given, operations, unit = 'ns', peerOf, atMost }: Timed<Name>,
    loops: readonly LoopOrder[] = [],
  ): Measurement {
    const { roundMs } = this.#setting;
    const order = { name: batch, given };
    const runRound = async () => {
      const meeting = this.#meeting(loops.length + 1);
      const others = loops.map((loop, i) => this.call(i + 1, 'runLoop', { order: loop, meeting }));
      const ns = await this.call(0, 'runBatches', {
        order,
        roundMs,
        operations,
        meeting: loops.length > 0 ? meeting : undefined,
      });
      Atomics.store(this.machine.words, meeting.stop >>> 2, 1);
      await Promise.all(others);
      return Number(ns) / nsPer[unit];
    };
    return {
      name,
      unit,
      runRound,
      ...(peerOf === undefined ? {} : { peerOf }),
      ...(atMost === undefined ? {} : { atMost }),
    };
  }

  /**
   * Runs `loops`, one on each CPU, for `durationMs`. Gives elapsed nanoseconds over the operations of the first
   * `counted` of them together, and how many operations all did.
   */
  async together(
    loops: readonly LoopOrder[],
    durationMs: number,
    counted = loops.length,
  ): Promise<{ nsPerOperation: number; operations: number }> {
    const meeting = this.#meeting(loops.length);
    const runs = loops.map((order, cpu) =>
      this.call(cpu, 'runLoop', { order, meeting, ...(cpu === 0 ? { durationMs } : {}) }),
    );
    const results = (await Promise.all(runs)) as { operations: number; elapsedNs: number }[];
    const sum = (part: typeof results) => part.reduce((all, { operations }) => all + operations, 0);
    return {
      nsPerOperation: results[0]!.elapsedNs / sum(results.slice(0, counted)),
      operations: sum(results),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.machine.shutdown();
  }
}

const nsPer: Record<Unit, number> = { ns: 1, us: 1e3, ms: 1e6 };

/** Opens machines one after the other; when one fails, those already open are ended. */
export class Benches {
  readonly #open: Bench[] = [];
  readonly #setting: Setting;

  constructor(setting: Setting) {
    this.#setting = setting;
  }

  async open(options: MachineOptions & { tables: number }): Promise<Bench> {
    const bench = await Bench.open(this.#setting, options);
    this.#open.push(bench);
    return bench;
  }

  close = async (): Promise<void> => {
    for (const bench of this.#open.splice(0)) await bench[Symbol.asyncDispose]();
  };

  /** What `make` gives; what is open is ended when it fails. */
  async closeOnError<T>(make: () => Promise<T>): Promise<T> {
    try {
      return await make();
    } catch (error) {
      await this.close();
      throw error;
    }
  }
}
