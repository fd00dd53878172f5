/** Steps on huge pages and on parts of large folios. */
import {
  MADV_COLLAPSE,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PMD_PAGES,
  VM_READ,
} from '../../kernel/abi.ts';
import type { WorkloadCpu } from '../../machine/workload.ts';
import { map } from './mappings.ts';
import { ANON, HOT_PAGES, LARGE_PAGES, MOVED, WHOLE, pick, space, span } from './places.ts';
import { type Step, keepPinned } from './step.ts';

/** Makes one or two spans huge. */
export const collapse: Step = (cpu) => {
  const pages = (1 + cpu.random(2)) * PMD_PAGES;
  cpu.calls.pages.madvise(space(cpu), span(cpu), pages, MADV_COLLAPSE);
};

/** Allows huge pages in a span, or forbids them in it or in a part of it. */
export const allowHuge: Step = (cpu) => {
  const advice = cpu.random(4) === 0 ? MADV_NOHUGEPAGE : MADV_HUGEPAGE;
  const pages = cpu.random(4) === 0 ? PMD_PAGES / 2 : PMD_PAGES;
  cpu.calls.pages.madvise(space(cpu), span(cpu), pages, advice);
};

/** First page and length of a part of a large folio, if there is one: some pages at a multiple of 16, or up to one. */
function part(cpu: WorkloadCpu): [first: number, pages: number] {
  const first = span(cpu, ANON) + cpu.random(4) * LARGE_PAGES;
  const pages = 1 + cpu.random(LARGE_PAGES + HOT_PAGES);
  return cpu.random(2) === 0 ? [first, pages] : [first + cpu.random(LARGE_PAGES), pages];
}

/** Writes one page of each of a few groups of pages: as many faults of large folios, where they are enabled. */
export const fillLarge: Step = (cpu) => {
  const mm = space(cpu);
  const first = span(cpu, ANON);
  for (let i = 0; i < 4; i++)
    cpu.calls.pages.access(mm, first + i * LARGE_PAGES + cpu.random(LARGE_PAGES), 1);
};

export const advisePart =
  (advice: number): Step =>
  (cpu) => {
    cpu.calls.pages.madvise(space(cpu), ...part(cpu), advice);
  };

export const protectPart: Step = (cpu) => {
  cpu.calls.pages.mprotect(space(cpu), ...part(cpu), pick(cpu, [0, VM_READ, WHOLE, WHOLE]));
};

/** Moves a part of a folio to another place, another table as a rule, or moves something back. */
export const movePart: Step = (cpu) => {
  const [first, pages] = part(cpu);
  const mm = space(cpu);
  const there = cpu.random(2) === 0;
  const away = MOVED.first + (first - ANON.first) + cpu.random(3);
  const [from, to] = there ? [first, away] : [away, first];
  cpu.calls.pages.mremap(mm, from, pages, to, pages, MREMAP_MAYMOVE | MREMAP_FIXED);
  if (there && cpu.random(2) === 0) map(cpu, mm, ANON, first, pages);
};

export const unmapPart: Step = (cpu) => {
  const [first, pages] = part(cpu);
  const mm = space(cpu);
  cpu.calls.pages.munmap(mm, first, pages);
  if (cpu.random(4) !== 0) map(cpu, mm, ANON, first, pages);
};

/** Pins a page of a large folio, a tail as a rule. */
export const pinPart: Step = (cpu, state) => {
  keepPinned(cpu, state, cpu.calls.pages.gupFast(space(cpu), part(cpu)[0], cpu.random(2)));
};
