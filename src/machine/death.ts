/** How CPUs end before their time, and what a dead CPU leaves behind. */
import * as layout from '../kernel/layout.ts';
import { describeAddress } from './addresses.ts';
import { END_REASONS, LOCK_CLASS_NAMES, OPERATION_NAMES } from './codes.ts';
import type { RunReport } from './machine.ts';

/** Thrown by the host to end the CPU that the kernel runs on. */
export class CpuEnd extends Error {
  override readonly name = 'CpuEnd';

  constructor(reason: number, detail: number) {
    super(`${END_REASONS.get(reason) ?? `reason ${reason}`} (0x${detail.toString(16)})`);
  }
}

/** The message of a CpuEnd, whose name does not survive the way between threads. */
const CPU_END = /^([a-z-]+) \((0x[0-9a-f]+)\)$/;

/** A lock that a dead CPU held. */
export interface HeldLock {
  address: number;
  /** Such as `PTE lock of table 12`. */
  name: string;
  /** Lock class, where the CPU kept a list (check level full); null otherwise. */
  lockClass: string | null;
}

/** The death of a CPU. */
export interface CpuDeath {
  cpu: number;
  /** What ended it: an exception's message, an exit code, a full heap. */
  cause: string;
  /** The operation it was in, `none` between operations, and its first two arguments. */
  operation: string;
  operationArguments: [number, number];
  /** Locks it held, outermost first where their order is known. */
  locks: HeldLock[];
}

/** A CPU died; the machine has ended with it. */
export class CpuDiedError extends Error {
  override readonly name = 'CpuDiedError';
  readonly death: CpuDeath;
  readonly cpu: number;
  readonly operation: string;
  readonly locks: readonly HeldLock[];
  /** What the run that it died in had done until then; null outside runs. */
  report: RunReport | null = null;

  constructor(death: CpuDeath) {
    const holding =
      death.locks.length === 0
        ? 'holding no lock'
        : `holding ${death.locks.map((lock) => lock.name).join(', ')}`;
    super(`CPU ${death.cpu} died in ${death.operation}: ${death.cause}; ${holding}`);
    this.death = death;
    this.cpu = death.cpu;
    this.operation = death.operation;
    this.locks = death.locks;
  }
}

/** Locks as Linux calls them, by class; `place` is what stands at the lock's address. */
const LOCK_TITLES: Readonly<Record<string, (place: string) => string>> = {
  pte: (place) => `PTE ${place}`,
  pmd: (place) => `PMD ${place}`,
  mmapRead: (place) => `mmap_lock (read) of ${place}`,
  mmapWrite: (place) => `mmap_lock (write) of ${place}`,
  vmaRead: (place) => `VMA lock (read) of ${place}`,
  vmaWrite: (place) => `VMA lock (write) of ${place}`,
};

/** What CPU `cpu`, which no longer runs, was doing when `error` ended it, and the locks that it held. */
export function describeDeath(words: Uint32Array, cpu: number, error: unknown): CpuDeath {
  const at = (address: number): number => Atomics.load(words, address >>> 2);
  const area = layout.cpuArea(cpu);
  const operation = OPERATION_NAMES.get(at(area + layout.C_OP)) ?? 'unknown';
  return {
    cpu,
    cause: describeCause(words, error),
    operation,
    operationArguments: [at(area + layout.C_OP_A), at(area + layout.C_OP_B)],
    locks: heldLocks(words, cpu),
  };
}

function describeCause(words: Uint32Array, error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY') return 'out of memory';
  const exit = /^worker exited with code: (\d+)$/.exec(error.message);
  if (exit !== null) return `its thread exited with code ${exit[1]}`;
  const end = CPU_END.exec(error.message);
  if (end?.[1] === 'stalled') {
    const address = Number(end[2]);
    const what = describeAddress(words, address) ?? `the word at ${end[2]}`;
    return `it waited longer than the machine's limit (option stallMs) for ${what}`;
  }
  return error.name === 'Error' ? error.message : `${error.name}: ${error.message}`;
}

/**
 * Locks whose words name CPU `cpu` as their holder. The CPU's own list, where it has one, gives class and order, and those
 * locks whose words name nobody (mmap_lock, VMA locks).
 */
function heldLocks(words: Uint32Array, cpu: number): HeldLock[] {
  const at = (address: number): number => Atomics.load(words, address >>> 2);
  const locks = new Map<number, HeldLock>();
  const add = (address: number, lockClass: string | null): void => {
    if (locks.has(address)) return;
    const place = describeAddress(words, address) ?? `0x${address.toString(16)}`;
    const title = lockClass === null ? undefined : LOCK_TITLES[lockClass];
    const name = title?.(place) ?? (place.includes('lock of') ? place : `lock of ${place}`);
    locks.set(address, { address, name, lockClass });
  };
  const area = layout.cpuArea(cpu);
  const depth = Math.min(at(area + layout.C_HELD_DEPTH), layout.HELD_MAX);
  for (let i = 0; i < depth; i++) {
    const held = area + layout.C_HELD + i * 8;
    add(at(held), LOCK_CLASS_NAMES.get(at(held + 4)) ?? null);
  }
  for (const lock of allLocks(words)) {
    const word = at(lock + layout.LOCK_WORD);
    const owner = at(lock + layout.LOCK_OWNER);
    if ((word & 0x7fff_ffff) === cpu + 1 && owner === 0 && at(lock + layout.LOCK_AUX) === 0)
      add(lock, null);
    else if (owner === cpu + 1) add(lock, null);
  }
  return [...locks.values()];
}

/** Addresses of every lock that names its holder. */
function* allLocks(words: Uint32Array): Generator<number> {
  const at = (address: number): number => words[address >>> 2]!;
  yield* [
    layout.G_TABLE_LOCK,
    layout.G_FRAME_LOCK,
    layout.G_VMA_LOCK,
    layout.G_SWAP_LOCK,
    layout.G_MM_LOCK,
  ];
  for (let cpu = 0; cpu < at(layout.H_CPUS); cpu++) yield layout.cpuArea(cpu) + layout.C_RCU_LOCK;
  for (let i = 0; i < at(layout.H_MMS); i++)
    yield at(layout.H_MM_BASE) + i * layout.MM_BYTES + layout.MM_PAGE_TABLE_LOCK;
  for (let i = 1; i < at(layout.G_TABLE_BUMP); i++)
    yield at(layout.H_PTDESCS) + (i << layout.PTDESC_SHIFT) + layout.PT_LOCK;
  for (let i = 0; i <= at(layout.H_CACHE_MASK); i++)
    yield at(layout.H_CACHE_BASE) + (i << layout.BUCKET_SHIFT);
}
