/**
 * What a purging allocator does to page tables, as jemalloc with a short decay: each CPU has an arena of 128 MiB in one
 * address space. Slabs of 4 to 64 pages in a window of 16 MiB are purged by MADV_DONTNEED and refilled at once, at
 * least in part. Every 256 slabs the window moves on by 2 MiB, and what it leaves is purged slab by slab: a table
 * becomes empty bit by bit, and stays empty until the window comes round.
 *
 * No call covers a whole table, so a protocol that looks only at the range of a call frees nothing; one that looks at
 * tables that emptied over time can free those behind the window, and gains nothing where it frees those inside. An
 * iteration is a slab purged and refilled.
 *
 * Source: jemalloc src/pages.c (pages_purge_forced), in outline.
 */
import { MADV_DONTNEED, PMD_PAGES } from '../../kernel/abi.ts';
import type { WorkloadCpu } from '../../machine/workload.ts';
import { BASE, makeSpaces, map, type NamedWorkload, succeeded, write } from './named.ts';

const ARENA_SPANS = 64;
const WINDOW_SPANS = 8;
const ARENA_PAGES = ARENA_SPANS * PMD_PAGES;
const SLAB_PAGES = [4, 8, 16, 32, 64] as const;
const LARGEST = 64;
const SLABS_A_WINDOW = 256;

/** Slabs that a CPU has been through. */
const progress = new WeakMap<WorkloadCpu, number>();

function purge(cpu: WorkloadCpu, first: number, pages: number): void {
  succeeded('madvise', cpu.calls.pages.madvise(cpu.shared[0]!, first, pages, MADV_DONTNEED));
}

function run(cpu: WorkloadCpu): void {
  const mm = cpu.shared[0]!;
  const arena = BASE + cpu.id * ARENA_PAGES;
  const slabs = progress.get(cpu) ?? 0;
  if (slabs === 0) map(cpu, mm, arena, ARENA_PAGES);
  progress.set(cpu, slabs + 1);
  const windowFirst = Math.floor(slabs / SLABS_A_WINDOW) % ARENA_SPANS;
  if (slabs > 0 && slabs % SLABS_A_WINDOW === 0) {
    const left = arena + ((windowFirst + ARENA_SPANS - 1) % ARENA_SPANS) * PMD_PAGES;
    for (let at = 0; at < PMD_PAGES; at += LARGEST) purge(cpu, left + at, LARGEST);
  }
  const pages = SLAB_PAGES[cpu.random(SLAB_PAGES.length)]!;
  const span = (windowFirst + cpu.random(WINDOW_SPANS)) % ARENA_SPANS;
  const slab = arena + span * PMD_PAGES + cpu.random(PMD_PAGES / pages) * pages;
  purge(cpu, slab, pages);
  write(cpu, mm, slab, 1 + cpu.random(pages));
  cpu.iterated(1);
}

/** The churn of a purging allocator. */
export const churn: NamedWorkload = {
  name: 'churn',
  summary: 'small MADV_DONTNEED with refill, in a window that moves on, as jemalloc purges',
  workload: {
    unit: 'slabs',
    prepare: (cpu) => makeSpaces(cpu, 1),
    run,
    cleanUp: (cpu) => cpu.calls.pages.mmDestroy(cpu.shared[0]!),
  },
  sizes: (cpus) => ({
    tables: 8192 + 256 * cpus,
    frames: 65_536 + ARENA_PAGES * cpus,
    addressSpaces: 2,
    inodes: 1,
  }),
};
