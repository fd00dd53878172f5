/**
 * The memory that stress mixes work on. All CPUs work on the same address spaces, in a few 2 MiB spans: one touches a
 * page, another zaps its table, a third moves it, a fourth walks it. Arguments are drawn so that CPUs meet.
 */
import { PGD_PAGES, PMD_PAGES, PUD_PAGES, VM_READ, VM_WRITE } from '../../kernel/abi.ts';
import type { WorkloadCpu } from '../../machine/workload.ts';

/** Address spaces and files that the CPUs of a mix share. */
export const SPACES = 2;
export const FILES = 2;
export const FILE_PAGES = 8 * PMD_PAGES;

/** Spans that CPUs collide on, by kind of memory: first page and number of 2 MiB spans. */
export const ANON = { first: PUD_PAGES, spans: 8 };
export const SHMEM = { first: 2 * PUD_PAGES, spans: 4 };
export const FILE_PRIVATE = { first: 3 * PUD_PAGES, spans: 4 };
export const FILE_SHARED = { first: 4 * PUD_PAGES, spans: 4 };
export const REGIONS = [ANON, ANON, ANON, SHMEM, FILE_PRIVATE, FILE_SHARED];
/** Where spans of ANON are moved to and back from. */
export const MOVED = { first: 5 * PUD_PAGES, spans: 8 };
/** Single mappings far apart, so that upper tables come and go: one in each of a few PGD slots. */
export const FAR = { firstSlot: 8, slots: 4 };
/** The CPUs' own spans: a GiB each from here on. */
export const OWN_FIRST = 16 * PGD_PAGES;
export const OWN_SPANS = 2;
/** Pages of a span that are touched: few, so that tables become empty often, and many of them on few words. */
export const HOT_PAGES = 8;
/** Distance of the pages that steps for large folios touch: folios of 64 KiB, if they are enabled, lie side by side. */
export const LARGE_PAGES = 16;

/** All rights. */
export const WHOLE = VM_READ | VM_WRITE;

export const pick = <T>(cpu: WorkloadCpu, from: readonly T[]): T => from[cpu.random(from.length)]!;
export const space = (cpu: WorkloadCpu): number =>
  cpu.random(4) === 0 ? cpu.shared[1]! : cpu.shared[0]!;
export const file = (cpu: WorkloadCpu): number => cpu.shared[SPACES + cpu.random(FILES)]!;

/** First page of a random span of a random region, every other time of its first one, where most CPUs meet. */
export const span = (cpu: WorkloadCpu, region = pick(cpu, REGIONS)): number =>
  region.first + (cpu.random(2) === 0 ? 0 : cpu.random(region.spans)) * PMD_PAGES;

/** A random page where CPUs collide: one of the first or last few of a span. */
export function page(cpu: WorkloadCpu, region = pick(cpu, REGIONS)): number {
  const at = cpu.random(HOT_PAGES * 2);
  return span(cpu, region) + (at < HOT_PAGES ? at : PMD_PAGES - 1 - (at - HOT_PAGES));
}
