/**
 * A workload: CPU 0 maps and unmaps a page of its own again and again, holding mmap_lock for write each time; the
 * others, in the same address space, write to every page of spans of their own, then drop them. An iteration is a fault
 * of the others.
 */
import { MADV_DONTNEED, PMD_PAGES } from '../../src/kernel/abi.ts';
import {
  BASE,
  makeSpaces,
  map,
  succeeded,
  unmap,
  write,
} from '../../src/experiment/workloads/named.ts';
import type { WorkloadCpu } from '../../src/machine/workload.ts';

const PAGES = 4 * PMD_PAGES;
/** Where each CPU's memory begins: apart, so that each has VMAs of its own. */
const firstOf = (id: number): number => BASE + id * 2 * PAGES;

export function prepare(cpu: WorkloadCpu): number[] {
  const [mm] = makeSpaces(cpu, 1);
  for (let id = 1; id < cpu.cpus; id++) map(cpu, mm!, firstOf(id), PAGES);
  return [mm!];
}

export function run(cpu: WorkloadCpu): void {
  const mm = cpu.shared[0]!;
  const first = firstOf(cpu.id);
  if (cpu.id === 0) {
    map(cpu, mm, first, 1);
    unmap(cpu, mm, first, 1);
    cpu.iterated(0);
    return;
  }
  write(cpu, mm, first, PAGES);
  cpu.iterated(PAGES);
  succeeded('madvise', cpu.calls.pages.madvise(mm, first, PAGES, MADV_DONTNEED));
}

export function cleanUp(cpu: WorkloadCpu): void {
  cpu.calls.pages.mmDestroy(cpu.shared[0]!);
}
