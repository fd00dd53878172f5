/**
 * Steps on a CPU's own spans, where it knows what must be there: a page that it wrote stays mapped to the same frame
 * until it zaps it, moves it or pages it out itself. Anything else is a `lost-entry`.
 */
import {
  EINTR,
  ENOENT,
  ENOMEM,
  entryNumber,
  entryPresent,
  MADV_DONTNEED,
  MADV_PAGEOUT,
  ORACLE_LOST_ENTRY,
  PMD_PAGES,
  PUD_PAGES,
  UFFD_REGISTER_MISSING,
} from '../../kernel/abi.ts';
import type { WorkloadCpu } from '../../machine/workload.ts';
import { HOT_PAGES, OWN_FIRST, OWN_SPANS } from './places.ts';
import type { Step } from './step.ts';

const ownFirst = (cpu: WorkloadCpu): number => OWN_FIRST + cpu.id * PUD_PAGES;

/** Writes an own page and notes its frame, or looks whether a noted one is still there. */
export const own: Step = (cpu, state) => {
  const { kernel, pages } = cpu.calls;
  const mm = cpu.shared[0]!;
  const at = ownFirst(cpu) + cpu.random(OWN_SPANS) * PMD_PAGES + cpu.random(HOT_PAGES);
  const errno = pages.access(mm, at, 1);
  const entry = pages.walk(mm, at) >>> 0;
  const expected = state.owned.get(at);
  if (errno !== 0) {
    if (errno !== EINTR && (errno !== ENOMEM || expected !== undefined))
      kernel.violation(ORACLE_LOST_ENTRY, at, errno, expected ?? 0);
    return;
  }
  if (!entryPresent(entry) || (expected !== undefined && expected !== entryNumber(entry))) {
    kernel.violation(ORACLE_LOST_ENTRY, at, entry, expected ?? 0);
    state.owned.delete(at);
    return;
  }
  state.owned.set(at, entryNumber(entry));
};

/** Zaps own memory: nothing may be left. */
export const ownZap: Step = (cpu, state) => {
  const { kernel, pages } = cpu.calls;
  const mm = cpu.shared[0]!;
  const first = ownFirst(cpu) + cpu.random(OWN_SPANS) * PMD_PAGES;
  const advice = cpu.random(4) === 0 ? MADV_PAGEOUT : MADV_DONTNEED;
  pages.madvise(mm, first, PMD_PAGES, advice);
  for (let at = first; at < first + HOT_PAGES; at++) {
    state.owned.delete(at);
    const entry = pages.walk(mm, at) >>> 0;
    if (advice === MADV_DONTNEED && entry !== 0) kernel.violation(ORACLE_LOST_ENTRY, at, entry, 0);
  }
};

/** Moves an own page to the other own span by UFFDIO_MOVE: the frame must arrive. */
export const ownMove: Step = (cpu, state) => {
  const { kernel, pages } = cpu.calls;
  const mm = cpu.shared[0]!;
  const first = ownFirst(cpu);
  pages.uffdRegister(mm, first, OWN_SPANS * PMD_PAGES, UFFD_REGISTER_MISSING);
  for (let i = 0; i < HOT_PAGES; i++) {
    const spans = cpu.random(2) === 0 ? [0, PMD_PAGES] : [PMD_PAGES, 0];
    const [from, to] = spans.map((at) => first + at + i) as [number, number];
    const expected = state.owned.get(from);
    if (expected === undefined || state.owned.has(to)) continue;
    const errno = pages.uffdMove(mm, to, from, 1, 0);
    if (errno === ENOENT) kernel.violation(ORACLE_LOST_ENTRY, from, errno, expected);
    if (errno !== 0) continue;
    state.owned.delete(from);
    const entry = pages.walk(mm, to) >>> 0;
    if (entryPresent(entry) && entryNumber(entry) === expected) state.owned.set(to, expected);
    else kernel.violation(ORACLE_LOST_ENTRY, to, entry, expected);
  }
};
