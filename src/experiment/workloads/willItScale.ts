/**
 * will-it-scale's page_fault1 to 3, mmap1 and mmap2: each CPU maps 128 MiB, writes to every page (page_fault), unmaps,
 * over and over. As the original, in one address space (`_threads`) or in one of each CPU's own (`_processes`); files
 * are the CPU's own in both.
 *
 *   page_fault1  private anonymous memory; an iteration is a fault
 *   page_fault2  a private mapping of a file: every write copies a cached page; an iteration is a fault
 *   page_fault3  a shared mapping of a file; an iteration is a fault
 *   mmap1        mmap and munmap of anonymous memory, nothing touched; an iteration is the pair
 *   mmap2        the same of a file, privately
 *
 * The original leaves the address to mmap, which puts one mapping beside the other; so here CPU n's begins where CPU n
 * - 1's ends, and anonymous neighbours become one VMA, as they do in Linux. Nothing else of a process is there: no
 *   stack, no libraries.
 *
 * Source: will-it-scale tests/page_fault{1,2,3}.c, tests/mmap{1,2}.c.
 */
import { INODE_FILE, MMAP_SHARED, PMD_PAGES } from '../../kernel/abi.ts';
import type { Workload, WorkloadCpu } from '../../machine/workload.ts';
import { BASE, makeSpaces, map, type NamedWorkload, unmap, write } from './named.ts';

/** Pages of each CPU's mapping: 128 MiB. */
const PAGES = 32_768;
const SPANS = PAGES / PMD_PAGES;

type Memory = 'anonymous' | 'private file' | 'shared file';
const ONE_SPACE = 'threads';
const MODES = [ONE_SPACE, 'processes'] as const;
type Mode = (typeof MODES)[number];

interface Test {
  name: string;
  memory: Memory;
  touched: boolean;
  summary: string;
}

const TESTS: readonly Test[] = [
  {
    name: 'page_fault1',
    memory: 'anonymous',
    touched: true,
    summary: 'write faults on 128 MiB of private anonymous memory, then munmap',
  },
  {
    name: 'page_fault2',
    memory: 'private file',
    touched: true,
    summary: 'write faults on a private mapping of a file of 128 MiB, then munmap',
  },
  {
    name: 'page_fault3',
    memory: 'shared file',
    touched: true,
    summary: 'write faults on a shared mapping of a file of 128 MiB, then munmap',
  },
  {
    name: 'mmap1',
    memory: 'anonymous',
    touched: false,
    summary: 'mmap and munmap of 128 MiB of anonymous memory',
  },
  {
    name: 'mmap2',
    memory: 'private file',
    touched: false,
    summary: 'mmap and munmap of a file of 128 MiB',
  },
];

/** `cpu.shared`: one space or one of each CPU, then a file of each CPU if there are any. */
function workloadOf({ memory, touched }: Test, mode: Mode): NamedWorkload['workload'] {
  const spacesOf = (cpu: WorkloadCpu): number => (mode === ONE_SPACE ? 1 : cpu.cpus);
  const flags = memory === 'shared file' ? MMAP_SHARED : 0;
  const spans = touched ? SPANS : 0;
  const workload: Workload & { unit: string } = {
    unit: touched ? 'faults' : 'pairs of mmap and munmap',
    prepare: (cpu) => {
      const spaces = makeSpaces(cpu, spacesOf(cpu));
      if (memory === 'anonymous') return spaces;
      const files = Array.from({ length: cpu.cpus }, () =>
        cpu.calls.kernel.inodeCreate(PAGES, INODE_FILE),
      );
      if (files.includes(0))
        throw new RangeError(`no ${cpu.cpus} files for a workload (option inodes)`);
      return [...spaces, ...files];
    },
    run: (cpu) => {
      const spaces = spacesOf(cpu);
      const mm = cpu.shared[spaces === 1 ? 0 : cpu.id]!;
      const inode = memory === 'anonymous' ? 0 : cpu.shared[spaces + cpu.id]!;
      const first = BASE + cpu.id * PAGES;
      map(cpu, mm, first, PAGES, flags, inode);
      for (let span = 0; span < spans && !cpu.stopped; span++) {
        write(cpu, mm, first + span * PMD_PAGES, PMD_PAGES);
        cpu.iterated(PMD_PAGES);
      }
      unmap(cpu, mm, first, PAGES);
      if (!touched) cpu.iterated(1);
    },
    cleanUp: (cpu) => {
      const spaces = spacesOf(cpu);
      for (const mm of cpu.shared.slice(0, spaces)) cpu.calls.pages.mmDestroy(mm);
      for (const inode of cpu.shared.slice(spaces)) cpu.calls.kernel.inodePut(inode);
    },
  };
  return workload;
}

/** The tests in both modes. */
export const willItScale: readonly NamedWorkload[] = TESTS.flatMap((test) =>
  MODES.map((mode) => ({
    name: `${test.name}_${mode}`,
    summary: `${test.summary}; ${mode === ONE_SPACE ? 'all CPUs in one address space' : 'each CPU in its own'}`,
    workload: workloadOf(test, mode),
    sizes: (cpus) => ({
      tables: 256 * cpus + 16_384,
      frames: 2 * PAGES * cpus + 65_536,
      addressSpaces: cpus + 1,
      inodes: cpus + 1,
    }),
  })),
);
