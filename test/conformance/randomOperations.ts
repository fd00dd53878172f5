/** Random operations of one machine, every kernel call among them, from a seed. */
import {
  MADV_COLD,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  PGD_PAGES,
  PMD_PAGES,
  PUD_PAGES,
  xorshift,
} from '../../src/kernel/abi.ts';
import type { MachineHere } from './machineHere.ts';

/** Numbers in [0, below) from a 32-bit state (xorshift.ts). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e3779b9) >>> 0 || 1;
  }

  below(limit: number): number {
    this.#state = xorshift(this.#state);
    return Math.floor((this.#state / 2 ** 32) * limit);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }
}

/** An operation: what it is called, its arguments in words, and the CPU that does it. */
export interface RandomOperation {
  name: keyof typeof APPLY;
  args: number[];
  cpu: number;
}

/** Spans where operations meet: neighbours, others under the same PMD table, other PUD and PGD slots. */
const SPANS = [
  ...[0, 1, 2].map((span) => 3 * PUD_PAGES + span * PMD_PAGES),
  4 * PUD_PAGES - PMD_PAGES,
  4 * PUD_PAGES,
  2 * PGD_PAGES - PMD_PAGES,
  2 * PGD_PAGES,
];
const HEAP = 5 * PUD_PAGES;
const ADVICE = [
  MADV_DONTNEED,
  MADV_DONTNEED,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_FREE,
  MADV_COLD,
  MADV_PAGEOUT,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
];
/** Pages at either end of a span that are used most. */
const HOT = 8;
const PINS_MAX = 6;
const SPACES = 2;
const FILES = 2;

/** What operations find and leave beside the memory itself. */
export class State {
  readonly m: MachineHere;
  spaces: number[] = [];
  files: number[] = [];
  pins: number[] = [];

  constructor(m: MachineHere) {
    this.m = m;
    this.spaces = [m.mm, ...Array.from({ length: SPACES - 1 }, () => m.calls.mmCreate())];
    this.files = Array.from({ length: FILES }, () => m.kernel.inodeCreate(3 * PMD_PAGES, 1) >>> 0);
  }

  /** Gives everything back. */
  close(): void {
    for (const frame of this.pins) this.m.calls.gupPut(frame);
    for (const mm of this.spaces) if (mm !== 0) this.m.calls.mmDestroy(mm);
    for (const inode of this.files) if (inode !== 0) this.m.kernel.inodePut(inode);
  }
}

type Apply = (state: State, mm: number, args: number[]) => number;

/** How each kind of operation is done; the first argument chooses the address space. Gives what the kernel answered. */
const APPLY = {
  mmap: ({ m, files }, mm, [vpn, pages, prot, flags, file, pgoff]) =>
    m.calls.mmap(mm, vpn!, pages!, prot!, flags!, file === 0 ? 0 : files[file! - 1]!, pgoff!),
  munmap: ({ m }, mm, [vpn, pages]) => m.calls.munmap(mm, vpn!, pages!),
  mprotect: ({ m }, mm, [vpn, pages, prot]) => m.calls.mprotect(mm, vpn!, pages!, prot!),
  madvise: ({ m }, mm, [vpn, pages, advice]) => m.calls.madvise(mm, vpn!, pages!, advice!),
  mremap: ({ m }, mm, [vpn, pages, to, toPages, flags]) =>
    m.calls.mremap(mm, vpn!, pages!, to!, toPages!, flags!),
  brk: ({ m }, mm, [vpn]) => m.calls.brk(mm, vpn!),
  access: ({ m }, mm, [vpn, write]) => m.calls.access(mm, vpn!, write!),
  fault: ({ m }, mm, [vpn, write]) => m.calls.fault(mm, vpn!, write!),
  touch: ({ m }, mm, [vpn, count, stride, write]) =>
    m.calls.touch(mm, vpn!, count!, stride!, write!),
  walk: ({ m }, mm, [vpn]) => m.calls.walk(mm, vpn!),
  stall: ({ m }, mm, [vpn, polls]) => m.kernel.stallReader(mm, vpn!, polls!) >>> 0,
  pin: ({ m, pins }, mm, [vpn, write]) => {
    const frame = m.calls.gupFast(mm, vpn!, write!);
    if (frame !== 0) pins.push(frame);
    return frame;
  },
  unpin: ({ m, pins }, _mm, [which]) => {
    if (pins.length === 0) return 0;
    const [frame] = pins.splice(which! % pins.length, 1);
    m.calls.gupPut(frame!);
    return frame!;
  },
  quiescent: ({ m }) => m.kernel.rcuQuiescentState() ?? 0,
  resched: ({ m }) => m.kernel.condResched() ?? 0,
  synchronize: ({ m }, _mm, [expedited]) =>
    (expedited === 0 ? m.kernel.synchronizeRcu() : m.kernel.synchronizeRcuExpedited!()) ?? 0,
  barrier: ({ m }) => m.kernel.rcuBarrier() ?? 0,
  drain: ({ m }) => m.kernel.drainCaches() ?? 0,
  daemons: ({ m }) => m.kernel.runDaemons() >>> 0,
  renew: (state, mm) => {
    if (mm !== 0) state.m.calls.mmDestroy(mm);
    const fresh = state.m.calls.mmCreate();
    state.spaces[state.spaces.indexOf(mm)] = fresh;
    return fresh;
  },
} satisfies Record<string, Apply>;

const WEIGHTS: Record<keyof typeof APPLY, number> = {
  mmap: 90,
  munmap: 12,
  mprotect: 40,
  madvise: 120,
  mremap: 25,
  brk: 15,
  access: 400,
  fault: 10,
  touch: 80,
  walk: 40,
  stall: 5,
  pin: 60,
  unpin: 50,
  quiescent: 60,
  resched: 20,
  synchronize: 8,
  barrier: 4,
  drain: 4,
  daemons: 30,
  renew: 3,
};
const LOTS = Object.entries(WEIGHTS).flatMap(([name, weight]) =>
  Array.from({ length: weight }, () => name as keyof typeof APPLY),
);

/** A page that operations meet on: near the ends of a span, or anywhere in it. */
function page(random: Random): number {
  const span = random.pick(SPANS);
  const kind = random.below(8);
  if (kind === 0) return span + random.below(PMD_PAGES);
  return kind < 5 ? span + random.below(HOT) : span + PMD_PAGES - 1 - random.below(HOT);
}

/** A range: whole spans (in `whole` of 8), a few pages, or something odd. */
function range(random: Random, whole: number): [number, number] {
  const kind = random.below(8);
  if (kind < whole) return [random.pick(SPANS), PMD_PAGES * (1 + random.below(3))];
  if (kind < 7) return [page(random), 1 + random.below(20)];
  return [page(random), 1 + random.below(PMD_PAGES)];
}

function argumentsOf(name: keyof typeof APPLY, random: Random): number[] {
  const [vpn, pages] = range(random, name === 'mmap' ? 6 : 3);
  switch (name) {
    case 'mmap': {
      const file = random.below(4) === 0 ? 1 + random.below(FILES) : 0;
      const shared = random.below(4) === 0 ? 1 : 0;
      const flags = shared | (random.below(24) === 0 ? 2 : 0) | (random.below(4) === 0 ? 0 : 4);
      return [vpn, pages, random.pick([0, 1, 3, 3, 3, 3, 3, 3]), flags, file, vpn % PMD_PAGES];
    }
    case 'munmap':
      return [vpn, pages];
    case 'mprotect':
      return [vpn, pages, random.pick([0, 1, 3, 3, 3])];
    case 'madvise':
      return [vpn, pages, random.pick(ADVICE)];
    case 'mremap': {
      const to = random.below(2) === 0 ? random.pick(SPANS) + (vpn % PMD_PAGES) : page(random);
      const toPages = random.below(4) === 0 ? 1 + random.below(2 * PMD_PAGES) : pages;
      return [vpn, random.below(32) === 0 ? 0 : pages, to, toPages, random.pick([0, 1, 3, 3, 3])];
    }
    case 'brk':
      return [HEAP + random.below(3 * PMD_PAGES)];
    case 'touch':
      return [page(random), 1 + random.below(12), 1 + random.below(70), random.below(2)];
    case 'stall':
      return [page(random), random.below(20)];
    case 'unpin':
      return [random.below(PINS_MAX)];
    case 'synchronize':
      return [random.below(2)];
    default:
      return [page(random), random.below(2)];
  }
}

/** The `count` operations of a seed, for a machine of `cpus` CPUs that take turns; CPU 0 has most. */
export function randomOperations(seed: number, count: number, cpus: number): RandomOperation[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => {
    const name = random.pick(LOTS);
    const cpu = random.below(5) === 0 ? random.below(cpus) : 0;
    return { name, cpu, args: [random.below(4) === 0 ? 1 : 0, ...argumentsOf(name, random)] };
  });
}

/** Does one operation; gives what the kernel answered. */
export function apply(state: State, { name, args, cpu }: RandomOperation): number {
  const mm = state.spaces[args[0]!]!;
  if (mm === 0 && name !== 'renew') return 0;
  if (name === 'pin' && state.pins.length >= PINS_MAX) return 0;
  const run = (): number => (APPLY[name] as Apply)(state, mm, args.slice(1)) >>> 0;
  return cpu === 0 ? run() : state.m.on(cpu, run);
}
