/** Steps of userfaultfd: ranges watched, pages brought, moved and write-protected, waiting faults answered. */
import {
  PMD_PAGES,
  UFFD_COPY_DONTWAKE,
  UFFD_COPY_WP,
  UFFD_MOVE_ALLOW_SRC_HOLES,
  UFFD_REGISTER_MISSING,
  UFFD_REGISTER_WP,
  UFFD_WRITEPROTECT_WP,
} from '../../kernel/abi.ts';
import type { WorkloadCpu } from '../../machine/workload.ts';
import { ANON, HOT_PAGES, SHMEM, SPACES, page, pick, space, span } from './places.ts';
import type { Step } from './step.ts';

/** What a userfaultfd can watch. */
const WATCHED = [ANON, ANON, SHMEM];

/** Has a span, or a part of one, watched for missing pages, for writes, or for both. */
export const watch: Step = (cpu) => {
  const region = pick(cpu, WATCHED);
  const mode = 1 + cpu.random(UFFD_REGISTER_MISSING | UFFD_REGISTER_WP);
  const [first, pages] = cpu.random(2) === 0 ? [span(cpu, region), PMD_PAGES] : somePages(cpu);
  cpu.calls.pages.uffdRegister(space(cpu), first, pages, mode);
};

export const unwatch: Step = (cpu) => {
  const [first, pages] =
    cpu.random(2) === 0 ? [span(cpu, pick(cpu, WATCHED)), PMD_PAGES] : somePages(cpu);
  cpu.calls.pages.uffdUnregister(space(cpu), first, pages);
};

/** A few pages of what can be watched. */
const somePages = (cpu: WorkloadCpu): [first: number, pages: number] => [
  page(cpu, pick(cpu, WATCHED)),
  1 + cpu.random(HOT_PAGES),
];

/** Brings pages, whether anybody waits for them or not. */
export const bring: Step = (cpu) => {
  const mm = space(cpu);
  const [first, pages] = somePages(cpu);
  const { pages: calls } = cpu.calls;
  if (cpu.random(4) === 0) calls.uffdZeropage(mm, first, pages, 0);
  else calls.uffdCopy(mm, first, pages, cpu.random(UFFD_COPY_DONTWAKE | UFFD_COPY_WP) + 1);
};

/** Moves pages of anonymous memory to another span by UFFDIO_MOVE. */
export const moveByUserfault: Step = (cpu) => {
  const pages = 1 + cpu.random(HOT_PAGES);
  const holes = cpu.random(2) * UFFD_MOVE_ALLOW_SRC_HOLES;
  cpu.calls.pages.uffdMove(space(cpu), page(cpu, ANON), page(cpu, ANON), pages, holes);
};

export const writeProtect: Step = (cpu) => {
  const [first, pages] =
    cpu.random(8) === 0 ? [span(cpu, pick(cpu, WATCHED)), PMD_PAGES] : somePages(cpu);
  const mode = cpu.random(3) === 0 ? 0 : UFFD_WRITEPROTECT_WP;
  cpu.calls.pages.uffdWriteprotect(space(cpu), first, pages, mode);
};

/** Answers whoever waits. */
export const serve: Step = (cpu) => {
  for (const mm of cpu.shared.slice(0, SPACES)) cpu.calls.pages.uffdServe(mm);
};
