/**
 * The steps that stress mixes are made of: one operation each, with arguments drawn so that CPUs meet. All CPUs work on the
 * same address spaces, in a few 2 MiB spans: one touches a page, another zaps its table, a third moves it, a fourth walks it.
 *
 * Each CPU also has spans of its own in the same address space, where it knows what must be there: a page that it wrote
 * stays mapped to the same frame until it zaps it or pages it out itself. Anything else is a `lost-entry`.
 *
 * `cpu.shared`: the address spaces' handles, then the files'.
 */
import {
  EINTR,
  ENOENT,
  ENOMEM,
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MMAP_REPLACE,
  MMAP_SHARED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  ORACLE_LOST_ENTRY,
  PGD_PAGES,
  PMD_PAGES,
  PUD_PAGES,
  UFFD_COPY_DONTWAKE,
  UFFD_COPY_WP,
  UFFD_MOVE_ALLOW_SRC_HOLES,
  UFFD_REGISTER_MISSING,
  UFFD_REGISTER_WP,
  UFFD_WRITEPROTECT_WP,
  VM_READ,
  VM_WRITE,
} from '../kernel/config.ts';
import { entryNumber, entryPresent } from '../kernel/entry.ts';
import type { WorkloadCpu } from './workload.ts';

/** Address spaces and files that the CPUs of a mix share. */
export const SPACES = 2;
export const FILES = 2;
export const FILE_PAGES = 8 * PMD_PAGES;

/** Spans that CPUs collide on, by kind of memory: first page and number of 2 MiB spans. */
export const ANON = { first: PUD_PAGES, spans: 8 };
export const SHMEM = { first: 2 * PUD_PAGES, spans: 4 };
export const FILE_PRIVATE = { first: 3 * PUD_PAGES, spans: 4 };
export const FILE_SHARED = { first: 4 * PUD_PAGES, spans: 4 };
const REGIONS = [ANON, ANON, ANON, SHMEM, FILE_PRIVATE, FILE_SHARED];
/** Where spans of ANON are moved to and back from. */
const MOVED = { first: 5 * PUD_PAGES, spans: 8 };
/** Single mappings far apart, so that upper tables come and go: one in each of a few PGD slots. */
const FAR = { firstSlot: 8, slots: 4 };
/** The CPUs' own spans: a GiB each from here on. */
export const OWN_FIRST = 16 * PGD_PAGES;
export const OWN_SPANS = 2;
/** Pages of a span that are touched: few, so that tables become empty often, and many of them on few words. */
const HOT_PAGES = 8;
/** Distance of the pages that steps for large folios touch: folios of 64 KiB, if they are enabled, lie side by side. */
const LARGE_PAGES = 16;

/** Looks at a table that a slow walker takes at most: some tens of microseconds. */
const SLOW_POLLS = 4000;
/** Pages that a CPU keeps pinned. */
const PINNED_MAX = 4;

/** All rights. */
export const WHOLE = VM_READ | VM_WRITE;

/** One operation. */
export type Step = (cpu: WorkloadCpu, state: CpuState) => void;

/** A frame pinned by GUP-fast, and its generation then. */
interface Pinned {
  frame: number;
  generation: number;
}

/** What a CPU knows. */
export interface CpuState {
  pinned: Pinned[];
  /** Own pages by page number: the frame that must be there. */
  owned: Map<number, number>;
}

const states = new WeakMap<WorkloadCpu, CpuState>();

/** What `cpu` knows; made at its first step. */
export function stateOf(cpu: WorkloadCpu): CpuState {
  let state = states.get(cpu);
  if (state === undefined) {
    state = { pinned: [], owned: new Map() };
    // Nobody waits for a monitor that waits itself.
    cpu.calls.kernel.uffdMonitor(1);
    states.set(cpu, state);
  }
  return state;
}

const pick = <T>(cpu: WorkloadCpu, from: readonly T[]): T => from[cpu.random(from.length)]!;
const space = (cpu: WorkloadCpu): number => (cpu.random(4) === 0 ? cpu.shared[1]! : cpu.shared[0]!);
const file = (cpu: WorkloadCpu): number => cpu.shared[SPACES + cpu.random(FILES)]!;

/** First page of a random span of a random region, every other time of its first one, where most CPUs meet. */
const span = (cpu: WorkloadCpu, region = pick(cpu, REGIONS)): number =>
  region.first + (cpu.random(2) === 0 ? 0 : cpu.random(region.spans)) * PMD_PAGES;

/** A random page where CPUs collide: one of the first or last few of a span. */
function page(cpu: WorkloadCpu, region = pick(cpu, REGIONS)): number {
  const at = cpu.random(HOT_PAGES * 2);
  return span(cpu, region) + (at < HOT_PAGES ? at : PMD_PAGES - 1 - (at - HOT_PAGES));
}

const readPage: Step = (cpu) => cpu.calls.pages.access(space(cpu), page(cpu), 0);
const writePage: Step = (cpu) => cpu.calls.pages.access(space(cpu), page(cpu), 1);

/** Writes the first pages of a span and its last, so that walkers find something. */
const fill: Step = (cpu) => {
  const { pages } = cpu.calls;
  const mm = space(cpu);
  const first = span(cpu);
  for (let i = 0; i < HOT_PAGES; i++) pages.access(mm, first + i, 1);
  pages.access(mm, first + PMD_PAGES - 1, 0);
};

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

/** A walker that takes its time in one table, polling interrupts, as one does that is preempted or traced. */
const walkSlowly: Step = (cpu) => {
  cpu.calls.pages.stall(space(cpu), page(cpu), 1 + cpu.random(SLOW_POLLS));
};

/** Pins a page and keeps it for a while: its frame must not be freed, whatever happens to its entry. */
const pin: Step = (cpu, state) => {
  keepPinned(cpu, state, cpu.calls.pages.gupFast(space(cpu), page(cpu), cpu.random(2)));
};

/** The same without the slow path, so that interrupts are off in every walk. */
const pinOnly: Step = (cpu, state) => {
  keepPinned(cpu, state, cpu.calls.pages.gupFastOnly(space(cpu), page(cpu), cpu.random(2)));
};

function keepPinned(cpu: WorkloadCpu, state: CpuState, frame: number): void {
  const generation = cpu.calls.kernel.frameGeneration(frame);
  if (frame !== 0) state.pinned.push({ frame, generation });
  if (state.pinned.length > PINNED_MAX) {
    const [oldest] = state.pinned.splice(cpu.random(state.pinned.length), 1);
    unpin(cpu, oldest!);
  }
}

/** Checks a pinned frame and lets it go. */
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

/** Makes one or two spans huge. */
const collapse: Step = (cpu) => {
  const pages = (1 + cpu.random(2)) * PMD_PAGES;
  cpu.calls.pages.madvise(space(cpu), span(cpu), pages, MADV_COLLAPSE);
};

/** Allows huge pages in a span, or forbids them in it or in a part of it. */
const allowHuge: Step = (cpu) => {
  const advice = cpu.random(4) === 0 ? MADV_NOHUGEPAGE : MADV_HUGEPAGE;
  const pages = cpu.random(4) === 0 ? PMD_PAGES / 2 : PMD_PAGES;
  cpu.calls.pages.madvise(space(cpu), span(cpu), pages, advice);
};

/** Frees, ages or pages out a whole span. */
const ageSpan: Step = (cpu) => {
  cpu.calls.pages.madvise(
    space(cpu),
    span(cpu),
    PMD_PAGES,
    pick(cpu, [MADV_FREE, MADV_COLD, MADV_PAGEOUT]),
  );
};

/** Gives a whole span other rights. */
const protectSpan: Step = (cpu) => {
  cpu.calls.pages.mprotect(space(cpu), span(cpu), PMD_PAGES, pick(cpu, [0, VM_READ, WHOLE, WHOLE]));
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
  cpu.calls.pages.mremap(mm, from, pages, to, pages, MREMAP_MAYMOVE | MREMAP_FIXED);
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

/**
 * Forks an address space, uses both, and lets the child go: pages are shared, written to on either side, zapped and unmapped while others do the same in the
 * parent.
 */
const fork: Step = (cpu, state) => forkOf(cpu, state, space(cpu));

/** The same of the second address space, so that own pages, all in the first, are not copied on write. */
const forkSecond: Step = (cpu, state) => forkOf(cpu, state, cpu.shared[1]!);

function forkOf(cpu: WorkloadCpu, state: CpuState, mm: number): void {
  const { pages } = cpu.calls;
  const child = pages.fork(mm);
  if (child === 0) return;
  for (let i = 0; i < 6; i++) {
    const at = page(cpu);
    const write = cpu.random(2);
    pages.access(child, at, write);
    if (cpu.random(3) === 0) pages.access(mm, at, 1 - write);
  }
  if (cpu.random(3) === 0) keepPinned(cpu, state, pages.gupFast(child, page(cpu), 0));
  if (cpu.random(3) === 0) pages.madvise(child, span(cpu, ANON), PMD_PAGES, MADV_DONTNEED);
  if (cpu.random(4) === 0) {
    const grandchild = pages.fork(child);
    if (grandchild !== 0) {
      pages.access(grandchild, page(cpu), 1);
      if (cpu.random(2) === 0) pages.reclaim(grandchild, page(cpu));
      pages.mmDestroy(grandchild);
    }
  }
  pages.mmDestroy(child);
}

/** Moves a page to another frame under whoever uses it. */
const migrate: Step = (cpu) => {
  for (let i = 0; i < 4; i++) cpu.calls.pages.migrate(space(cpu), page(cpu));
};

/** Takes a page away from everybody who maps it. */
const reclaim: Step = (cpu) => {
  for (let i = 0; i < 2; i++) cpu.calls.pages.reclaim(space(cpu), page(cpu));
};

/** Cuts a file off somewhere, and as a rule lets it grow again at once. */
const truncate: Step = (cpu) => {
  const { pages } = cpu.calls;
  const inode = file(cpu);
  pages.truncate(inode, cpu.random(2) === 0 ? cpu.random(HOT_PAGES) : cpu.random(FILE_PAGES));
  pages.access(space(cpu), page(cpu, FILE_SHARED), 1);
  if (cpu.random(4) !== 0) pages.truncate(inode, FILE_PAGES);
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
    if (errno !== EINTR && (errno !== ENOMEM || expected !== undefined))
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

/** What a userfaultfd can watch. */
const WATCHED = [ANON, ANON, SHMEM];

/** Has a span, or a part of one, watched for missing pages, for writes, or for both. */
const watch: Step = (cpu) => {
  const region = pick(cpu, WATCHED);
  const mode = 1 + cpu.random(UFFD_REGISTER_MISSING | UFFD_REGISTER_WP);
  const [first, pages] = cpu.random(2) === 0 ? [span(cpu, region), PMD_PAGES] : somePages(cpu);
  cpu.calls.pages.uffdRegister(space(cpu), first, pages, mode);
};

const unwatch: Step = (cpu) => {
  const [first, pages] =
    cpu.random(2) === 0 ? [span(cpu, pick(cpu, WATCHED)), PMD_PAGES] : somePages(cpu);
  cpu.calls.pages.uffdUnregister(space(cpu), first, pages);
};

/** A few pages of what can be watched. */
const somePages = (cpu: WorkloadCpu): [first: number, pages: number] => [
  page(cpu, pick(cpu, WATCHED)),
  1 + cpu.random(HOT_PAGES),
];

/** Brings pages, whether anybody waits for them or not. */
const bring: Step = (cpu) => {
  const mm = space(cpu);
  const [first, pages] = somePages(cpu);
  const { pages: calls } = cpu.calls;
  if (cpu.random(4) === 0) calls.uffdZeropage(mm, first, pages, 0);
  else calls.uffdCopy(mm, first, pages, cpu.random(UFFD_COPY_DONTWAKE | UFFD_COPY_WP) + 1);
};

/** Moves pages of anonymous memory to another span by UFFDIO_MOVE. */
const moveByUserfault: Step = (cpu) => {
  const pages = 1 + cpu.random(HOT_PAGES);
  const holes = cpu.random(2) * UFFD_MOVE_ALLOW_SRC_HOLES;
  cpu.calls.pages.uffdMove(space(cpu), page(cpu, ANON), page(cpu, ANON), pages, holes);
};

const writeProtect: Step = (cpu) => {
  const [first, pages] =
    cpu.random(8) === 0 ? [span(cpu, pick(cpu, WATCHED)), PMD_PAGES] : somePages(cpu);
  const mode = cpu.random(3) === 0 ? 0 : UFFD_WRITEPROTECT_WP;
  cpu.calls.pages.uffdWriteprotect(space(cpu), first, pages, mode);
};

/** Answers whoever waits. */
const serve: Step = (cpu) => {
  for (const mm of cpu.shared.slice(0, SPACES)) cpu.calls.pages.uffdServe(mm);
};

/** Moves an own page to the other own span by UFFDIO_MOVE: the frame must arrive. */
const ownMove: Step = (cpu, state) => {
  const { kernel, pages } = cpu.calls;
  const mm = cpu.shared[0]!;
  const first = ownFirst(cpu);
  pages.uffdRegister(mm, first, OWN_SPANS * PMD_PAGES, UFFD_REGISTER_MISSING);
  for (let i = 0; i < HOT_PAGES; i++) {
    const spans = cpu.random(2) === 0 ? [0, PMD_PAGES] : [PMD_PAGES, 0];
    const [from, to] = spans.map((at) => first + at + i) as [number, number];
    const expected = state.owned.get(from);
    if (expected === undefined || state.owned.has(to)) continue;
    const errno = pages.uffdMove(mm, to, from, 1, 0);
    if (errno === ENOENT) kernel.violation(ORACLE_LOST_ENTRY, from, errno, expected);
    if (errno !== 0) continue;
    state.owned.delete(from);
    const entry = pages.walk(mm, to) >>> 0;
    if (entryPresent(entry) && entryNumber(entry) === expected) state.owned.set(to, expected);
    else kernel.violation(ORACLE_LOST_ENTRY, to, entry, expected);
  }
};

/** First page and length of a part of a large folio, if there is one: some pages at a multiple of 16, or up to one. */
function part(cpu: WorkloadCpu): [first: number, pages: number] {
  const first = span(cpu, ANON) + cpu.random(4) * LARGE_PAGES;
  const pages = 1 + cpu.random(LARGE_PAGES + HOT_PAGES);
  return cpu.random(2) === 0 ? [first, pages] : [first + cpu.random(LARGE_PAGES), pages];
}

/** Writes one page of each of a few groups of pages: as many faults of large folios, where they are enabled. */
const fillLarge: Step = (cpu) => {
  const mm = space(cpu);
  const first = span(cpu, ANON);
  for (let i = 0; i < 4; i++)
    cpu.calls.pages.access(mm, first + i * LARGE_PAGES + cpu.random(LARGE_PAGES), 1);
};

const advisePart =
  (advice: number): Step =>
  (cpu) => {
    cpu.calls.pages.madvise(space(cpu), ...part(cpu), advice);
  };

const protectPart: Step = (cpu) => {
  cpu.calls.pages.mprotect(space(cpu), ...part(cpu), pick(cpu, [0, VM_READ, WHOLE, WHOLE]));
};

/** Moves a part of a folio to another place, another table as a rule, or moves something back. */
const movePart: Step = (cpu) => {
  const [first, pages] = part(cpu);
  const mm = space(cpu);
  const there = cpu.random(2) === 0;
  const away = MOVED.first + (first - ANON.first) + cpu.random(3);
  const [from, to] = there ? [first, away] : [away, first];
  cpu.calls.pages.mremap(mm, from, pages, to, pages, MREMAP_MAYMOVE | MREMAP_FIXED);
  if (there && cpu.random(2) === 0) map(cpu, mm, ANON, first, pages);
};

const unmapPart: Step = (cpu) => {
  const [first, pages] = part(cpu);
  const mm = space(cpu);
  cpu.calls.pages.munmap(mm, first, pages);
  if (cpu.random(4) !== 0) map(cpu, mm, ANON, first, pages);
};

/** Pins a page of a large folio, a tail as a rule. */
const pinPart: Step = (cpu, state) => {
  keepPinned(cpu, state, cpu.calls.pages.gupFast(space(cpu), part(cpu)[0], cpu.random(2)));
};

/** Steps by name. */
export const STEPS = {
  readPage,
  writePage,
  fill,
  readAgain,
  walk,
  walkSlowly,
  pin,
  pinOnly,
  zapSpans,
  zapPart,
  free: advise(MADV_FREE),
  cold: advise(MADV_COLD),
  pageout: advise(MADV_PAGEOUT),
  populate,
  collapse,
  allowHuge,
  ageSpan,
  protectSpan,
  remap,
  replace,
  move,
  protect,
  far,
  life,
  fork,
  forkSecond,
  migrate,
  reclaim,
  truncate,
  own,
  ownZap,
  watch,
  unwatch,
  bring,
  moveByUserfault,
  writeProtect,
  serve,
  ownMove,
  fillLarge,
  zapLarge: advisePart(MADV_DONTNEED),
  freeLarge: advisePart(MADV_FREE),
  coldLarge: advisePart(MADV_COLD),
  pageoutLarge: advisePart(MADV_PAGEOUT),
  protectPart,
  movePart,
  unmapPart,
  pinPart,
} satisfies Record<string, Step>;

/** Names of the steps. */
export type StepName = keyof typeof STEPS;

/** Forgets what `cpu` knows and lets its pinned frames go. */
export function forget(cpu: WorkloadCpu): void {
  for (const pinned of stateOf(cpu).pinned) unpin(cpu, pinned);
  cpu.calls.kernel.uffdMonitor(0);
  states.delete(cpu);
}
