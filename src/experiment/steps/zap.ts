/** Steps that take pages out: whole tables, parts of them, by age. */
import { MADV_COLD, MADV_DONTNEED, MADV_FREE, MADV_PAGEOUT, PMD_PAGES } from '../../kernel/abi.ts';
import { HOT_PAGES, REGIONS, page, pick, space, span } from './places.ts';
import type { Step } from './step.ts';

/** Zaps one or two whole spans: what a reclaim protocol frees tables for. */
export const zapSpans: Step = (cpu) => {
  const region = pick(cpu, REGIONS);
  const spans = 1 + cpu.random(2);
  cpu.calls.pages.madvise(space(cpu), span(cpu, region), spans * PMD_PAGES, MADV_DONTNEED);
};

/** Zaps a part of one span, or parts of two neighbours. */
export const zapPart: Step = (cpu) => {
  const start = span(cpu) + cpu.random(PMD_PAGES);
  cpu.calls.pages.madvise(space(cpu), start, 1 + cpu.random(PMD_PAGES), MADV_DONTNEED);
};

export const advise =
  (advice: number): Step =>
  (cpu) => {
    cpu.calls.pages.madvise(space(cpu), page(cpu), 1 + cpu.random(HOT_PAGES), advice);
  };

/** Frees, ages or pages out a whole span. */
export const ageSpan: Step = (cpu) => {
  cpu.calls.pages.madvise(
    space(cpu),
    span(cpu),
    PMD_PAGES,
    pick(cpu, [MADV_FREE, MADV_COLD, MADV_PAGEOUT]),
  );
};
