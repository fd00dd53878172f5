/**
 * A workload: every CPU reads the entries of 64 MiB that are mapped, by lockless walks (pteOffsetMap), one after the
 * other; CPU 0 touches what is mapped before. An iteration is a walk.
 */
import { PMD_PAGES } from '../../src/kernel/abi.ts';
import type { WorkloadCpu } from '../../src/machine/workload.ts';
import { BASE, makeSpaces, map, write } from '../../src/experiment/workloads/named.ts';

const PAGES = 32 * PMD_PAGES;

export function prepare(cpu: WorkloadCpu): number[] {
  const [mm] = makeSpaces(cpu, 1);
  map(cpu, mm!, BASE, PAGES);
  write(cpu, mm!, BASE, PAGES);
  return [mm!];
}

export function run(cpu: WorkloadCpu): void {
  const mm = cpu.shared[0]!;
  cpu.calls.kernel.measureWalkLockless(mm, BASE, PAGES - 1, 0, PAGES);
  cpu.iterated(PAGES);
}

export function cleanUp(cpu: WorkloadCpu): void {
  cpu.calls.pages.mmDestroy(cpu.shared[0]!);
}
