/** Steps on pages that several address spaces share: fork, migration, reclaim through the rmap, truncation. */
import { MADV_DONTNEED, PMD_PAGES } from '../../kernel/abi.ts';
import type { WorkloadCpu } from '../../machine/workload.ts';
import { ANON, FILE_PAGES, FILE_SHARED, HOT_PAGES, file, page, space, span } from './places.ts';
import { type CpuState, type Step, keepPinned } from './step.ts';

/**
 * Forks an address space, uses both, and lets the child go: pages are shared, written to on either side, zapped and
 * unmapped while others do the same in the parent.
 */
export const fork: Step = (cpu, state) => forkOf(cpu, state, space(cpu));

/** The same of the second address space, so that own pages, all in the first, are not copied on write. */
export const forkSecond: Step = (cpu, state) => forkOf(cpu, state, cpu.shared[1]!);

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
export const migrate: Step = (cpu) => {
  for (let i = 0; i < 4; i++) cpu.calls.pages.migrate(space(cpu), page(cpu));
};

/** Takes a page away from everybody who maps it. */
export const reclaim: Step = (cpu) => {
  for (let i = 0; i < 2; i++) cpu.calls.pages.reclaim(space(cpu), page(cpu));
};

/** Cuts a file off somewhere, and as a rule lets it grow again at once. */
export const truncate: Step = (cpu) => {
  const { pages } = cpu.calls;
  const inode = file(cpu);
  pages.truncate(inode, cpu.random(2) === 0 ? cpu.random(HOT_PAGES) : cpu.random(FILE_PAGES));
  pages.access(space(cpu), page(cpu, FILE_SHARED), 1);
  if (cpu.random(4) !== 0) pages.truncate(inode, FILE_PAGES);
};
