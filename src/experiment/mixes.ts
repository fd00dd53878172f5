/**
 * The stress mixes. All CPUs work on the same address spaces, in a few 2 MiB spans, so that they meet: one touches a page,
 * another zaps its table, a third moves it, a fourth walks it. What a CPU does comes from its own seeded generator.
 *
 * Each CPU also has spans of its own in the same address spaces, where it knows what must be there: a page that it wrote
 * stays mapped to the same frame until it zaps, moves or pages it out itself. Anything else is a `lost-entry`.
 *
 * `cpu.shared`: the address spaces' handles, then the files'.
 */
import {
  ENOMEM,
  MADV_COLD,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MMAP_REPLACE,
  MMAP_SHARED,
  ORACLE_LOST_ENTRY,
  PMD_PAGES,
  PUD_PAGES,
  PGD_PAGES,
  VM_READ,
  VM_WRITE,
} from '../kernel/config.ts';
import { entryPresent, entryNumber } from '../kernel/entry.ts';
import type { Workload, WorkloadCpu } from './workload.ts';

/** Names of the mixes, and what each is for. */
export const MIXES = {
  'fault-heavy': 'mostly page faults, of every kind; tables are zapped under them now and then',
  'zap-heavy': 'mostly madvise(MADV_DONTNEED) of whole and partial tables, refilled by touches',
  'map-heavy':
    'mmap, munmap, mremap and mprotect of the same ranges by all CPUs; tables of every level come and go',
  walkers: 'lockless walks, GUP-fast and TLB accesses beside a few zaps and faults',
  'gup-only': 'CPU 0 faults and zaps; the only lockless walkers on the others are GUP-fast',
  all: 'everything',
} as const;

export type MixName = keyof typeof MIXES;
export const MIX_NAMES = Object.keys(MIXES) as MixName[];

const SPACES = 2;
const FILES = 2;
const FILE_PAGES = 8 * PMD_PAGES;
const INODE_FILE = 1;

/** Spans that CPUs collide on, by kind of memory: first page and number of 2 MiB spans. */
const ANON = { first: PUD_PAGES, spans: 8 };
const SHMEM = { first: 2 * PUD_PAGES, spans: 4 };
const FILE_PRIVATE = { first: 3 * PUD_PAGES, spans: 4 };
const FILE_SHARED = { first: 4 * PUD_PAGES, spans: 4 };
const REGIONS = [ANON, ANON, ANON, SHMEM, FILE_PRIVATE, FILE_SHARED];
/** Where spans of ANON are moved to and back from. */
const MOVED = { first: 5 * PUD_PAGES, spans: 8 };
/** Single mappings far apart, so that upper tables come and go: one in each of a few PGD slots. */
const FAR = { firstSlot: 8, slots: 4 };
/** The CPUs' own spans: a GiB each from here on. */
const OWN_FIRST = 16 * PGD_PAGES;
const OWN_SPANS = 2;
/** Pages of a span that are touched: few, so that tables become empty often, and many of them on few words. */
const HOT_PAGES = 8;

/** Pages that a CPU keeps pinned. */
const PINNED_MAX = 4;

const WHOLE = VM_READ | VM_WRITE;

/** An operation of a mix and how often it comes, relative to the others. */
type Step = (cpu: WorkloadCpu, state: CpuState) => void;

/** A frame pinned by GUP-fast, and its generation then. */
interface Pinned {
  frame: number;
  generation: number;
}

/** What a CPU knows. */
interface CpuState {
  pinned: Pinned[];
  /** Own pages by page number: the frame that must be there. */
  owned: Map<number, number>;
}

const states = new WeakMap<WorkloadCpu, CpuState>();

function stateOf(cpu: WorkloadCpu): CpuState {
  let state = states.get(cpu);
  if (state === undefined) {
    state = { pinned: [], owned: new Map() };
    states.set(cpu, state);
  }
  return state;
}

const pick = <T>(cpu: WorkloadCpu, from: readonly T[]): T => from[cpu.random(from.length)]!;
const space = (cpu: WorkloadCpu): number => (cpu.random(4) === 0 ? cpu.shared[1]! : cpu.shared[0]!);
const file = (cpu: WorkloadCpu): number => cpu.shared[SPACES + cpu.random(FILES)]!;

/** First page of a random span of a random region. */
const span = (cpu: WorkloadCpu, region = pick(cpu, REGIONS)): number =>
  region.first + cpu.random(region.spans) * PMD_PAGES;

/** A random page where CPUs collide: one of the first or last few of a span. */
function page(cpu: WorkloadCpu, region = pick(cpu, REGIONS)): number {
  const at = cpu.random(HOT_PAGES * 2);
  return span(cpu, region) + (at < HOT_PAGES ? at : PMD_PAGES - 1 - (at - HOT_PAGES));
}

const readPage: Step = (cpu) => cpu.calls.pages.access(space(cpu), page(cpu), 0);
const writePage: Step = (cpu) => cpu.calls.pages.access(space(cpu), page(cpu), 1);

/** The same page several times: from the second on through the TLB, unless it is flushed in between. */
const readAgain: Step = (cpu) => {
  const mm = space(cpu);
  const at = page(cpu);
  for (let i = 0; i < 4; i++) cpu.calls.pages.access(mm, at, cpu.random(2));
};

const walk: Step = (cpu) => {
  const mm = space(cpu);
  for (let i = 0; i < 8; i++) cpu.calls.pages.walk(mm, page(cpu));
};

/** Pins a page and keeps it for a while: its frame must not be freed, whatever happens to its entry. */
const pin: Step = (cpu, state) => {
  const { kernel, pages } = cpu.calls;
  const frame = pages.gupFast(space(cpu), page(cpu), cpu.random(2));
  if (frame !== 0) state.pinned.push({ frame, generation: kernel.frameGeneration(frame) });
  if (state.pinned.length > PINNED_MAX) {
    const [oldest] = state.pinned.splice(cpu.random(state.pinned.length), 1);
    unpin(cpu, oldest!);
  }
};

function unpin(cpu: WorkloadCpu, pinned: Pinned): void {
  cpu.calls.kernel.gupCheck(pinned.frame, pinned.generation);
  cpu.calls.pages.gupPut(pinned.frame);
}

/** Zaps one or two whole spans: what a reclaim protocol frees tables for. */
const zapSpans: Step = (cpu) => {
  const region = pick(cpu, REGIONS);
  const spans = 1 + cpu.random(2);
  cpu.calls.pages.madvise(space(cpu), span(cpu, region), spans * PMD_PAGES, MADV_DONTNEED);
};

/** Zaps a part of one span, or parts of two neighbours. */
const zapPart: Step = (cpu) => {
  const start = span(cpu) + cpu.random(PMD_PAGES);
  cpu.calls.pages.madvise(space(cpu), start, 1 + cpu.random(PMD_PAGES), MADV_DONTNEED);
};

const advise =
  (advice: number): Step =>
  (cpu) => {
    cpu.calls.pages.madvise(space(cpu), page(cpu), 1 + cpu.random(HOT_PAGES), advice);
  };

const populate: Step = (cpu) => {
  const advice = cpu.random(2) === 0 ? MADV_POPULATE_READ : MADV_POPULATE_WRITE;
  cpu.calls.pages.madvise(space(cpu), page(cpu), 1 + cpu.random(HOT_PAGES), advice);
};

/** Maps a region's memory over [first, first + pages), replacing what is there. */
function map(
  cpu: WorkloadCpu,
  mm: number,
  region: { first: number },
  first: number,
  pages: number,
): void {
  const shared = region === SHMEM || region === FILE_SHARED;
  const inode = region === FILE_PRIVATE || region === FILE_SHARED ? file(cpu) : 0;
  const flags = MMAP_REPLACE | (shared ? MMAP_SHARED : 0);
  cpu.calls.pages.mmap(mm, first, pages, WHOLE, flags, inode, first % FILE_PAGES);
}

/** Unmaps a span or a part of it, and as a rule maps it again. */
const remap: Step = (cpu) => {
  const mm = space(cpu);
  const region = pick(cpu, REGIONS);
  const first = span(cpu, region);
  const whole = cpu.random(2) === 0;
  const start = whole ? first : first + cpu.random(PMD_PAGES / 2);
  const pages = whole ? PMD_PAGES : PMD_PAGES / 2;
  cpu.calls.pages.munmap(mm, start, pages);
  if (cpu.random(8) !== 0) map(cpu, mm, region, start, pages);
};

/** Maps over whatever is there. */
const replace: Step = (cpu) => {
  const region = pick(cpu, REGIONS);
  map(cpu, space(cpu), region, span(cpu, region), PMD_PAGES);
};

/** Moves a span of anonymous memory away or back, with its table or page by page. */
const move: Step = (cpu) => {
  const mm = space(cpu);
  const index = cpu.random(ANON.spans) * PMD_PAGES;
  const there = cpu.random(2) === 0;
  const offset = cpu.random(4) === 0 ? HOT_PAGES : 0;
  const pages = PMD_PAGES - offset;
  const from = (there ? ANON : MOVED).first + index + offset;
  const to = (there ? MOVED : ANON).first + index + offset;
  cpu.calls.pages.mremap(mm, from, pages, to, pages, 0);
  if (there && cpu.random(2) === 0) map(cpu, mm, ANON, from, pages);
};

const protect: Step = (cpu) => {
  const prot = pick(cpu, [0, VM_READ, WHOLE, WHOLE]);
  cpu.calls.pages.mprotect(space(cpu), page(cpu), 1 + cpu.random(HOT_PAGES * 2), prot);
};

/** Maps a few pages far from everything, touches them and unmaps them: PTE, PMD and PUD tables come and go. */
const far: Step = (cpu) => {
  const mm = space(cpu);
  const slot = (FAR.firstSlot + cpu.random(FAR.slots)) * PGD_PAGES;
  const first = slot + cpu.random(2) * PUD_PAGES + cpu.random(3) * PMD_PAGES;
  const pages = 1 + cpu.random(2 * PMD_PAGES);
  map(cpu, mm, ANON, first, pages);
  cpu.calls.pages.access(mm, first, 1);
  cpu.calls.pages.access(mm, first + pages - 1, 0);
  if (cpu.random(8) !== 0) cpu.calls.pages.munmap(mm, first, pages);
};

/** An address space of one's own: made, used, destroyed. */
const life: Step = (cpu) => {
  const { pages } = cpu.calls;
  const mm = pages.mmCreate();
  if (mm === 0) return;
  for (const region of [ANON, SHMEM, FILE_PRIVATE]) {
    map(cpu, mm, region, region.first, PMD_PAGES * 2);
    for (let i = 0; i < 4; i++)
      pages.access(mm, region.first + cpu.random(PMD_PAGES * 2), cpu.random(2));
  }
  pages.mmDestroy(mm);
};

const ownFirst = (cpu: WorkloadCpu): number => OWN_FIRST + cpu.id * PUD_PAGES;

/** Writes an own page and notes its frame, or looks whether a noted one is still there. */
const own: Step = (cpu, state) => {
  const { kernel, pages } = cpu.calls;
  const mm = cpu.shared[0]!;
  const at = ownFirst(cpu) + cpu.random(OWN_SPANS) * PMD_PAGES + cpu.random(HOT_PAGES);
  const errno = pages.access(mm, at, 1);
  const entry = pages.walk(mm, at) >>> 0;
  const expected = state.owned.get(at);
  if (errno !== 0) {
    if (errno !== ENOMEM || expected !== undefined)
      kernel.violation(ORACLE_LOST_ENTRY, at, errno, expected ?? 0);
    return;
  }
  if (!entryPresent(entry) || (expected !== undefined && expected !== entryNumber(entry))) {
    kernel.violation(ORACLE_LOST_ENTRY, at, entry, expected ?? 0);
    state.owned.delete(at);
    return;
  }
  state.owned.set(at, entryNumber(entry));
};

/** Zaps own memory: nothing may be left. */
const ownZap: Step = (cpu, state) => {
  const { kernel, pages } = cpu.calls;
  const mm = cpu.shared[0]!;
  const first = ownFirst(cpu) + cpu.random(OWN_SPANS) * PMD_PAGES;
  const advice = cpu.random(4) === 0 ? MADV_PAGEOUT : MADV_DONTNEED;
  pages.madvise(mm, first, PMD_PAGES, advice);
  for (let at = first; at < first + HOT_PAGES; at++) {
    state.owned.delete(at);
    const entry = pages.walk(mm, at) >>> 0;
    if (advice === MADV_DONTNEED && entry !== 0) kernel.violation(ORACLE_LOST_ENTRY, at, entry, 0);
  }
};

const STEPS = {
  readPage,
  writePage,
  readAgain,
  walk,
  pin,
  zapSpans,
  zapPart,
  free: advise(MADV_FREE),
  cold: advise(MADV_COLD),
  pageout: advise(MADV_PAGEOUT),
  populate,
  remap,
  replace,
  move,
  protect,
  far,
  life,
  own,
  ownZap,
} satisfies Record<string, Step>;

type StepName = keyof typeof STEPS;

const FAULT_HEAVY: Partial<Record<StepName, number>> = {
  readPage: 20,
  writePage: 40,
  readAgain: 5,
  populate: 8,
  zapSpans: 4,
  zapPart: 6,
  pageout: 3,
  free: 2,
  protect: 1,
  walk: 2,
  pin: 2,
  own: 6,
  ownZap: 1,
};
const ZAP_HEAVY: Partial<Record<StepName, number>> = {
  readPage: 10,
  writePage: 25,
  readAgain: 2,
  zapSpans: 30,
  zapPart: 10,
  free: 2,
  cold: 1,
  pageout: 3,
  walk: 5,
  pin: 3,
  own: 6,
  ownZap: 3,
};
const MAP_HEAVY: Partial<Record<StepName, number>> = {
  readPage: 8,
  writePage: 20,
  walk: 5,
  pin: 3,
  zapSpans: 5,
  remap: 15,
  replace: 8,
  move: 12,
  protect: 10,
  far: 10,
  life: 2,
  own: 5,
  ownZap: 1,
};
const WALKERS: Partial<Record<StepName, number>> = {
  walk: 50,
  pin: 20,
  readAgain: 15,
  readPage: 5,
  writePage: 8,
  zapSpans: 6,
  zapPart: 2,
  own: 4,
  ownZap: 1,
};
const ALL: Partial<Record<StepName, number>> = {
  readPage: 10,
  writePage: 20,
  readAgain: 6,
  walk: 12,
  pin: 8,
  zapSpans: 10,
  zapPart: 5,
  free: 3,
  cold: 1,
  pageout: 3,
  populate: 4,
  remap: 5,
  replace: 3,
  move: 5,
  protect: 4,
  far: 3,
  life: 1,
  own: 6,
  ownZap: 2,
};
const GUP_MUTATOR: Partial<Record<StepName, number>> = {
  readPage: 10,
  writePage: 30,
  zapSpans: 30,
  zapPart: 5,
};
const GUP_WALKER: Partial<Record<StepName, number>> = { pin: 1 };

/** The steps of a mix in a list as long as the sum of their weights, to draw from. */
function lots(weights: Partial<Record<StepName, number>>): Step[] {
  return Object.entries(weights).flatMap(([name, weight]) =>
    Array.from({ length: weight }, () => STEPS[name as StepName]),
  );
}

const LOTS: Record<MixName, (cpu: WorkloadCpu) => Step[]> = (() => {
  const [faults, zaps, maps, walkers, all] = [FAULT_HEAVY, ZAP_HEAVY, MAP_HEAVY, WALKERS, ALL].map(
    lots,
  );
  const [mutator, walker] = [GUP_MUTATOR, GUP_WALKER].map(lots);
  return {
    'fault-heavy': () => faults!,
    'zap-heavy': () => zaps!,
    'map-heavy': () => maps!,
    walkers: () => walkers!,
    'gup-only': (cpu) => (cpu.id === 0 ? mutator! : walker!),
    all: () => all!,
  };
})();

function prepare(cpu: WorkloadCpu): number[] {
  const { kernel, pages } = cpu.calls;
  const files = Array.from({ length: FILES }, () => kernel.inodeCreate(FILE_PAGES, INODE_FILE));
  const spaces = Array.from({ length: SPACES }, () => pages.mmCreate());
  if (files.includes(0) || spaces.includes(0))
    throw new RangeError(
      `the mixes need ${SPACES} address spaces and ${FILES} files (options addressSpaces, inodes, tables)`,
    );
  for (const mm of spaces) {
    const shared = (first: number, spans: number, inode: number, flags: number): void => {
      pages.mmap(mm, first, spans * PMD_PAGES, WHOLE, flags, inode, first % FILE_PAGES);
    };
    shared(ANON.first, ANON.spans, 0, 0);
    shared(SHMEM.first, SHMEM.spans, 0, MMAP_SHARED);
    shared(FILE_PRIVATE.first, FILE_PRIVATE.spans, files[0]!, 0);
    shared(FILE_SHARED.first, FILE_SHARED.spans, files[1]!, MMAP_SHARED);
  }
  for (let id = 0; id < cpu.cpus; id++)
    pages.mmap(spaces[0]!, OWN_FIRST + id * PUD_PAGES, OWN_SPANS * PMD_PAGES, WHOLE, 0, 0, 0);
  return [...spaces, ...files];
}

function finish(cpu: WorkloadCpu): void {
  for (const pinned of stateOf(cpu).pinned) unpin(cpu, pinned);
  states.delete(cpu);
}

function cleanUp(cpu: WorkloadCpu): void {
  const { kernel, pages } = cpu.calls;
  for (const mm of cpu.shared.slice(0, SPACES)) pages.mmDestroy(mm);
  for (const inode of cpu.shared.slice(SPACES)) kernel.inodePut(inode);
}

/** The mix of that name, or null. */
export function mixWorkload(name: string): Workload | null {
  if (!Object.hasOwn(MIXES, name)) return null;
  const steps = LOTS[name as MixName];
  return {
    prepare,
    run: (cpu) => {
      const list = steps(cpu);
      list[cpu.random(list.length)]!(cpu, stateOf(cpu));
    },
    finish,
    cleanUp,
  };
}
