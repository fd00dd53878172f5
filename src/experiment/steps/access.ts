/** Steps that touch, walk and pin pages. */
import { MADV_POPULATE_READ, MADV_POPULATE_WRITE, PMD_PAGES } from '../../kernel/abi.ts';
import { HOT_PAGES, page, space, span } from './places.ts';
import { SLOW_POLLS, type Step, keepPinned } from './step.ts';

export const readPage: Step = (cpu) => cpu.calls.pages.access(space(cpu), page(cpu), 0);
export const writePage: Step = (cpu) => cpu.calls.pages.access(space(cpu), page(cpu), 1);

/** Writes the first pages of a span and its last, so that walkers find something. */
export const fill: Step = (cpu) => {
  const { pages } = cpu.calls;
  const mm = space(cpu);
  const first = span(cpu);
  for (let i = 0; i < HOT_PAGES; i++) pages.access(mm, first + i, 1);
  pages.access(mm, first + PMD_PAGES - 1, 0);
};

/** The same page several times: from the second on through the TLB, unless it is flushed in between. */
export const readAgain: Step = (cpu) => {
  const mm = space(cpu);
  const at = page(cpu);
  for (let i = 0; i < 4; i++) cpu.calls.pages.access(mm, at, cpu.random(2));
};

export const walk: Step = (cpu) => {
  const mm = space(cpu);
  for (let i = 0; i < 8; i++) cpu.calls.pages.walk(mm, page(cpu));
};

/** A walker that takes its time in one table, polling interrupts, as one does that is preempted or traced. */
export const walkSlowly: Step = (cpu) => {
  cpu.calls.pages.stall(space(cpu), page(cpu), 1 + cpu.random(SLOW_POLLS));
};

/** Pins a page and keeps it for a while: its frame must not be freed, whatever happens to its entry. */
export const pin: Step = (cpu, state) => {
  keepPinned(cpu, state, cpu.calls.pages.gupFast(space(cpu), page(cpu), cpu.random(2)));
};

/** The same without the slow path, so that interrupts are off in every walk. */
export const pinOnly: Step = (cpu, state) => {
  keepPinned(cpu, state, cpu.calls.pages.gupFastOnly(space(cpu), page(cpu), cpu.random(2)));
};

export const populate: Step = (cpu) => {
  const advice = cpu.random(2) === 0 ? MADV_POPULATE_READ : MADV_POPULATE_WRITE;
  cpu.calls.pages.madvise(space(cpu), page(cpu), 1 + cpu.random(HOT_PAGES), advice);
};
