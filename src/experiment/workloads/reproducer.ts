/**
 * The reproducer of empty page tables: 50 GiB mapped; for each 2 MiB of it a write to the first page, then
 * madvise(MADV_DONTNEED) of those 2 MiB. Without reclaim it leaves 25,600 empty tables, 102,400 kB; with it, next to
 * none. The CPUs share the 50 GiB, each in a mapping of its own part of one address space; a CPU that is through unmaps
 * its part and begins anew. An iteration is 2 MiB.
 *
 * Source: Zheng, "synchronously scan and reclaim empty user PTE pages" (v4, December 2024), the program of its cover
 * letter.
 */
import { MADV_DONTNEED, PMD_PAGES } from '../../kernel/abi.ts';
import type { WorkloadCpu } from '../../machine/workload.ts';
import { BASE, makeSpaces, map, type NamedWorkload, succeeded, unmap, write } from './named.ts';

/** Tables of 50 GiB. */
const SPANS = 25_600;
/** Spans of one operation, between two looks at the machine's stop word. */
const SPANS_AT_ONCE = 64;

/** Next span of each CPU within its part. */
const progress = new WeakMap<WorkloadCpu, number>();

const spansOf = (cpu: WorkloadCpu): number => Math.floor(SPANS / cpu.cpus);

function run(cpu: WorkloadCpu): void {
  const mm = cpu.shared[0]!;
  const spans = spansOf(cpu);
  const first = BASE + cpu.id * spans * PMD_PAGES;
  let span = progress.get(cpu) ?? 0;
  if (span === 0) map(cpu, mm, first, spans * PMD_PAGES);
  const end = Math.min(spans, span + SPANS_AT_ONCE);
  for (; span < end; span++) {
    const at = first + span * PMD_PAGES;
    write(cpu, mm, at, 1);
    succeeded('madvise', cpu.calls.pages.madvise(mm, at, PMD_PAGES, MADV_DONTNEED));
    cpu.iterated(1);
  }
  if (span === spans) unmap(cpu, mm, first, spans * PMD_PAGES);
  progress.set(cpu, span === spans ? 0 : span);
}

/** The reproducer. */
export const reproducer: NamedWorkload = {
  name: 'reproducer',
  summary: '50 GiB mapped; for each 2 MiB a write, then MADV_DONTNEED',
  workload: {
    unit: 'spans of 2 MiB',
    prepare: (cpu) => makeSpaces(cpu, 1),
    run,
    cleanUp: (cpu) => cpu.calls.pages.mmDestroy(cpu.shared[0]!),
  },
  sizes: (cpus) => ({
    tables: 65_536 + 1024 * cpus,
    frames: 65_536,
    addressSpaces: 2,
    inodes: 1,
  }),
};
