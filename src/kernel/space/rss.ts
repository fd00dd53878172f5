/**
 * Resident pages of an address space, by kind. Each CPU counts on a line of its own, so that a fault writes nothing
 * shared; a total is the sum over CPUs modulo 2^32, exact when no CPU is between a page-table change and its count.
 *
 * Source: Linux mm/memory.c (add_mm_rss_vec), include/linux/mm.h (mm_counter).
 */

import { F_ANON, F_SHMEM, folioFlags, folioOf, migratingHead } from '../alloc/folio.ts';
import { entryMigrating, entryNumber, PTE_SPECIAL } from '../word/entry.ts';
import { F_FLAGS, H_CPUS, MM_RSS } from '../word/layout.ts';
import { cpuId } from '../word/percpu.ts';
import { load, peek, poke } from '../word/word.ts';

/** Kinds: byte offsets in a CPU's line. */
export const RSS_FILE: u32 = 0;
export const RSS_ANON: u32 = 4;
export const RSS_SHMEM: u32 = 8;
export const RSS_SWAP: u32 = 12;

/** Counts `pages` more (modulo 2^32) of `kind` in `mm`. */
export function rssAdd(mm: Mm, kind: u32, pages: u32): void {
  const word = mm + MM_RSS + (cpuId() << 6) + kind;
  poke(word, (peek(word) + pages) >>> 0);
}

/** Counts `pages` fewer of `kind` in `mm`. */
export function rssSub(mm: Mm, kind: u32, pages: u32): void {
  const word = mm + MM_RSS + (cpuId() << 6) + kind;
  poke(word, (peek(word) - pages) >>> 0);
}

/** Kind under which an entry is counted that is present, not special, or a migration entry. */
export function rssKind(entry: Entry): u32 {
  const frame = entryNumber(entry);
  const flags = entryMigrating(entry)
    ? load(folioOf(migratingHead(frame)) + F_FLAGS)
    : folioFlags(frame);
  if ((flags & F_ANON) !== 0) return RSS_ANON;
  return (flags & F_SHMEM) !== 0 ? RSS_SHMEM : RSS_FILE;
}

/** Whether a present entry maps a page that is counted: the zero page is not. */
export function entryCounted(entry: Entry): boolean {
  return (entry & PTE_SPECIAL) === 0;
}

/** Pages of `kind` in `mm`, over all CPUs. */
export function rssTotal(mm: Mm, kind: u32): u32 {
  const cpus = peek(H_CPUS);
  let total: u32 = 0;
  for (let cpu: Cpu = 0; cpu < cpus; cpu += 1)
    total = (total + load(mm + MM_RSS + (cpu << 6) + kind)) >>> 0;
  return total;
}

/** Mapped anonymous pages of `mm`; the zero page is not one. */
export function anonPages(mm: Mm): u32 {
  return rssTotal(mm, RSS_ANON);
}
