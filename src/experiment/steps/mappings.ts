/** Steps that change what is mapped where; tables of every level come and go. */
import {
  MMAP_REPLACE,
  MMAP_SHARED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PGD_PAGES,
  PMD_PAGES,
  PUD_PAGES,
  VM_READ,
} from '../../kernel/abi.ts';
import type { WorkloadCpu } from '../../machine/workload.ts';
import {
  ANON,
  FAR,
  FILE_PAGES,
  FILE_PRIVATE,
  FILE_SHARED,
  HOT_PAGES,
  MOVED,
  REGIONS,
  SHMEM,
  WHOLE,
  file,
  page,
  pick,
  space,
  span,
} from './places.ts';
import type { Step } from './step.ts';

/** Maps a region's memory over [first, first + pages), replacing what is there. */
export function map(
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
export const remap: Step = (cpu) => {
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
export const replace: Step = (cpu) => {
  const region = pick(cpu, REGIONS);
  map(cpu, space(cpu), region, span(cpu, region), PMD_PAGES);
};

/** Moves a span of anonymous memory away or back, with its table or page by page. */
export const move: Step = (cpu) => {
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

export const protect: Step = (cpu) => {
  const prot = pick(cpu, [0, VM_READ, WHOLE, WHOLE]);
  cpu.calls.pages.mprotect(space(cpu), page(cpu), 1 + cpu.random(HOT_PAGES * 2), prot);
};

/** Gives a whole span other rights. */
export const protectSpan: Step = (cpu) => {
  cpu.calls.pages.mprotect(space(cpu), span(cpu), PMD_PAGES, pick(cpu, [0, VM_READ, WHOLE, WHOLE]));
};

/** Maps a few pages far from everything, touches them and unmaps them: PTE, PMD and PUD tables come and go. */
export const far: Step = (cpu) => {
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
export const life: Step = (cpu) => {
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
