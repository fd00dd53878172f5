/**
 * The stress mixes: which steps (steps/) a CPU draws from, and what they work on. How often each step comes is in
 * mixWeights.ts. What a CPU does follows from its own seeded generator.
 */
import {
  H_DAEMON_CPUS,
  H_THP,
  INODE_FILE,
  MADV_NOHUGEPAGE,
  MMAP_SHARED,
  PMD_PAGES,
  PUD_PAGES,
  THP_NEVER,
  UFFD_FEATURE_WP_UNPOPULATED,
} from '../kernel/abi.ts';
import { errnoName } from '../machine/errno.ts';
import { OptionError, type ResolvedOptions } from '../machine/options.ts';
import { MIXES, type MixName } from './mixNames.ts';
import { GUP_MUTATOR, GUP_WALKER, WEIGHTS, type Weights } from './mixWeights.ts';
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
import type { Workload, WorkloadCpu } from '../machine/workload.ts';

/** The steps of a mix in a list as long as the sum of their weights, to draw from. */
function lots(weights: Weights): Step[] {
  return Object.entries(weights).flatMap(([name, weight]) =>
    Array.from({ length: weight }, () => STEPS[name as StepName]),
  );
}

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
