/**
 * The stress mixes: which steps (steps.ts) a CPU draws from, and how often each comes. What a CPU does follows from its own
 * seeded generator.
 */
import {
  MADV_NOHUGEPAGE,
  MMAP_SHARED,
  PMD_PAGES,
  PUD_PAGES,
  THP_NEVER,
  UFFD_FEATURE_WP_UNPOPULATED,
} from '../kernel/config.ts';
import { H_DAEMON_CPUS, H_THP } from '../kernel/layout.ts';
import { INODE_FILE } from '../kernel/mm.ts';
import { errnoName } from '../machine/errno.ts';
import { OptionError, type ResolvedOptions } from '../machine/options.ts';
import { STEPS, type StepName } from './steps/index.ts';
import {
  ANON,
  FILES,
  FILE_PAGES,
  FILE_PRIVATE,
  FILE_SHARED,
  OWN_FIRST,
  OWN_SPANS,
  SHMEM,
  SPACES,
  WHOLE,
} from './steps/places.ts';
import { forget, stateOf, type Step } from './steps/step.ts';
import type { Workload, WorkloadCpu } from './workload.ts';

/** Names of the mixes, and what each is for. */
export const MIXES = {
  'fault-heavy': 'mostly page faults, of every kind; tables are zapped under them now and then',
  'zap-heavy': 'mostly madvise(MADV_DONTNEED) of whole and partial tables, refilled by touches',
  'map-heavy':
    'mmap, munmap, mremap and mprotect of the same ranges by all CPUs; tables of every level come and go',
  walkers: 'lockless walks, GUP-fast and TLB accesses beside a few zaps and faults',
  'gup-only': 'CPU 0 faults and zaps; the only lockless walkers on the others are GUP-fast',
  uffd: 'userfaultfd: missing faults resolved by other CPUs, UFFDIO_MOVE, write protection and markers, beside zaps and moves of the same ranges',
  folio: 'parts of large folios zapped, moved, protected, unmapped and pinned; wants --mthp',
  huge: 'collapse, huge faults (with --thp), zaps and moves of whole and partial huge pages, under walkers and pins',
  fork: 'fork and exit, copy-on-write, migration and paging out of pages that several address spaces map, truncation, beside faults, zaps and moves',
  all: 'faults, zaps, walks, pins, maps and moves of every kind of memory',
  everything: 'what all the other mixes do, at once; wants --thp always, --mthp and --zap folio',
} as const;

export type MixName = keyof typeof MIXES;
export const MIX_NAMES = Object.keys(MIXES) as MixName[];

const FAULT_HEAVY: Partial<Record<StepName, number>> = {
  readPage: 20,
  writePage: 40,
  fill: 8,
  readAgain: 5,
  populate: 8,
  zapSpans: 10,
  zapPart: 6,
  pageout: 3,
  free: 2,
  protect: 1,
  replace: 2,
  walk: 2,
  walkSlowly: 10,
  pin: 2,
  own: 6,
  ownZap: 1,
};
const ZAP_HEAVY: Partial<Record<StepName, number>> = {
  readPage: 10,
  writePage: 25,
  fill: 12,
  readAgain: 2,
  zapSpans: 30,
  zapPart: 10,
  free: 2,
  cold: 1,
  pageout: 3,
  walk: 5,
  walkSlowly: 8,
  pin: 3,
  own: 6,
  ownZap: 3,
};
const MAP_HEAVY: Partial<Record<StepName, number>> = {
  readPage: 8,
  writePage: 20,
  fill: 8,
  walk: 5,
  walkSlowly: 8,
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
  walkSlowly: 10,
  pin: 20,
  readAgain: 15,
  readPage: 5,
  writePage: 8,
  fill: 12,
  zapSpans: 6,
  zapPart: 2,
  own: 4,
  ownZap: 1,
};
const ALL: Partial<Record<StepName, number>> = {
  readPage: 10,
  writePage: 20,
  fill: 10,
  readAgain: 6,
  walk: 12,
  walkSlowly: 12,
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
const UFFD: Partial<Record<StepName, number>> = {
  readPage: 10,
  writePage: 20,
  fill: 6,
  readAgain: 4,
  watch: 8,
  unwatch: 4,
  bring: 8,
  moveByUserfault: 15,
  writeProtect: 10,
  serve: 5,
  zapSpans: 10,
  zapPart: 4,
  free: 2,
  pageout: 4,
  populate: 3,
  remap: 2,
  move: 3,
  protect: 2,
  walk: 4,
  walkSlowly: 4,
  pin: 4,
  own: 6,
  ownMove: 6,
  ownZap: 2,
};
const FOLIO: Partial<Record<StepName, number>> = {
  fillLarge: 30,
  writePage: 8,
  readPage: 4,
  zapLarge: 14,
  zapSpans: 6,
  movePart: 8,
  unmapPart: 4,
  protectPart: 6,
  freeLarge: 3,
  coldLarge: 1,
  pageoutLarge: 4,
  pinPart: 8,
  walk: 3,
  walkSlowly: 2,
  life: 1,
  own: 5,
  ownZap: 2,
};
const HUGE: Partial<Record<StepName, number>> = {
  readPage: 10,
  writePage: 20,
  fill: 8,
  readAgain: 8,
  walk: 10,
  walkSlowly: 8,
  pin: 6,
  collapse: 20,
  allowHuge: 6,
  zapSpans: 8,
  zapPart: 8,
  free: 2,
  ageSpan: 4,
  pageout: 1,
  populate: 3,
  remap: 4,
  replace: 2,
  move: 8,
  protect: 3,
  protectSpan: 4,
  own: 4,
  ownZap: 2,
};
const FORK: Partial<Record<StepName, number>> = {
  readPage: 8,
  writePage: 20,
  fill: 8,
  readAgain: 3,
  walk: 3,
  walkSlowly: 3,
  pin: 6,
  zapSpans: 8,
  zapPart: 4,
  free: 3,
  pageout: 3,
  populate: 3,
  remap: 4,
  replace: 2,
  move: 5,
  protect: 4,
  life: 2,
  fork: 10,
  migrate: 10,
  reclaim: 8,
  truncate: 4,
};
/** Weights so that each family of steps has about the same share; own pages are all in the first address space, which is not forked here. */
const EVERYTHING: Partial<Record<StepName, number>> = {
  readPage: 10,
  writePage: 20,
  fill: 10,
  readAgain: 6,
  walk: 12,
  walkSlowly: 12,
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
  life: 2,
  own: 8,
  ownZap: 2,
  ownMove: 2,
  collapse: 8,
  allowHuge: 3,
  ageSpan: 2,
  protectSpan: 2,
  forkSecond: 5,
  migrate: 6,
  reclaim: 6,
  truncate: 3,
  watch: 3,
  unwatch: 3,
  bring: 4,
  moveByUserfault: 5,
  writeProtect: 4,
  serve: 3,
  fillLarge: 8,
  zapLarge: 4,
  movePart: 3,
  unmapPart: 2,
  protectPart: 2,
  freeLarge: 1,
  coldLarge: 1,
  pageoutLarge: 2,
  pinPart: 3,
};
const GUP_MUTATOR: Partial<Record<StepName, number>> = {
  readPage: 10,
  writePage: 30,
  fill: 15,
  zapSpans: 30,
  zapPart: 5,
};
const GUP_WALKER: Partial<Record<StepName, number>> = { pinOnly: 1 };

/** The steps of a mix in a list as long as the sum of their weights, to draw from. */
function lots(weights: Partial<Record<StepName, number>>): Step[] {
  return Object.entries(weights).flatMap(([name, weight]) =>
    Array.from({ length: weight }, () => STEPS[name as StepName]),
  );
}

const WEIGHTS: Record<Exclude<MixName, 'gup-only'>, Partial<Record<StepName, number>>> = {
  'fault-heavy': FAULT_HEAVY,
  'zap-heavy': ZAP_HEAVY,
  'map-heavy': MAP_HEAVY,
  walkers: WALKERS,
  uffd: UFFD,
  folio: FOLIO,
  huge: HUGE,
  fork: FORK,
  all: ALL,
  everything: EVERYTHING,
};

/** What each CPU draws from in the mix of that name. */
function stepsOf(name: MixName): (cpu: WorkloadCpu) => Step[] {
  if (name === 'gup-only') {
    const [mutator, walker] = [lots(GUP_MUTATOR), lots(GUP_WALKER)];
    return (cpu) => (cpu.id === 0 ? mutator : walker);
  }
  const steps = lots(WEIGHTS[name]);
  return () => steps;
}

function prepareRange(
  cpu: WorkloadCpu,
  mm: number,
  region: { first: number; spans: number },
  flags: number,
  inode: number,
): void {
  const { first, spans } = region;
  const pages = spans * PMD_PAGES;
  const errno = cpu.calls.pages.mmap(mm, first, pages, WHOLE, flags, inode, first % FILE_PAGES);
  if (errno !== 0)
    throw new RangeError(
      `mmap of pages ${first} to ${first + pages} for a mix: ${errnoName(errno)}`,
    );
}

/** Times that an allocation is tried again in preparation, since an injected failure may have hit it. */
const ATTEMPTS = 100;

/** What `make` gives when it is not 0, within ATTEMPTS; else 0. */
function insist(make: () => number): number {
  let made = 0;
  for (let attempt = 0; attempt < ATTEMPTS && made === 0; attempt++) made = make();
  return made;
}

const khugepagedRuns = ({ words }: WorkloadCpu): boolean =>
  words[H_DAEMON_CPUS >>> 2] !== 0 && words[H_THP >>> 2] !== THP_NEVER;

function prepare(cpu: WorkloadCpu): number[] {
  const { kernel, pages } = cpu.calls;
  const files = Array.from({ length: FILES }, () => kernel.inodeCreate(FILE_PAGES, INODE_FILE));
  const spaces = Array.from({ length: SPACES }, () => insist(() => pages.mmCreate()));
  if (files.includes(0) || spaces.includes(0))
    throw new RangeError(
      `the mixes need ${SPACES} address spaces and ${FILES} files (options addressSpaces, inodes, tables)`,
    );
  for (const mm of spaces) {
    prepareRange(cpu, mm, ANON, 0, 0);
    prepareRange(cpu, mm, SHMEM, MMAP_SHARED, 0);
    prepareRange(cpu, mm, FILE_PRIVATE, 0, files[0]!);
    prepareRange(cpu, mm, FILE_SHARED, MMAP_SHARED, files[1]!);
  }
  pages.uffdApi(spaces[0]!, UFFD_FEATURE_WP_UNPOPULATED);
  pages.uffdApi(spaces[1]!, 0);
  for (let id = 0; id < cpu.cpus; id++) {
    const mine = { first: OWN_FIRST + id * PUD_PAGES, spans: OWN_SPANS };
    prepareRange(cpu, spaces[0]!, mine, 0, 0);
    // Own pages stay in their frames.
    if (khugepagedRuns(cpu))
      pages.madvise(spaces[0]!, mine.first, mine.spans * PMD_PAGES, MADV_NOHUGEPAGE);
  }
  return [...spaces, ...files];
}

function cleanUp(cpu: WorkloadCpu): void {
  const { kernel, pages } = cpu.calls;
  for (const mm of cpu.shared.slice(0, SPACES)) pages.mmDestroy(mm);
  for (const inode of cpu.shared.slice(SPACES)) kernel.inodePut(inode);
}

/**
 * Checks that a machine is large enough for the mixes. Sizes that run out later are no error: calls answer ENOMEM.
 * Throws OptionError.
 */
export function checkMixSizes(options: ResolvedOptions): void {
  const { cpus } = options;
  const least = { addressSpaces: SPACES, inodes: FILES + SPACES, vmas: 16 + 2 * cpus, tables: 64 };
  for (const [name, value] of Object.entries(least) as [keyof typeof least, number][])
    if (options[name] < value)
      throw new OptionError(name, options[name], `at least ${value} for a mix on ${cpus} CPUs`);
}

/** The mix of that name, or null. */
export function mixWorkload(name: string): Workload | null {
  if (!Object.hasOwn(MIXES, name)) return null;
  const steps = stepsOf(name as MixName);
  return {
    prepare,
    run: (cpu) => {
      const list = steps(cpu);
      list[cpu.random(list.length)]!(cpu, stateOf(cpu));
    },
    finish: forget,
    cleanUp,
  };
}
