/**
 * What most scenarios set up: one address space with one private, writable, anonymous mapping from page 0 on. For
 * `setUp`, where a CPU is alone and nothing may fail; and what others look at in `finish`.
 */

import { access } from '../../kernel/access/access.ts';
import {
  MADV_DONTNEED,
  MMAP_SHARED,
  PMD_PAGES,
  VM_READ,
  VM_WRITE,
} from '../../kernel/word/config.ts';
import { drainDaemons, runDaemons } from '../../kernel/daemons/daemons.ts';
import { entryHuge, hugePart } from '../../kernel/word/entry.ts';
import { freesLater } from '../../kernel/word/hooks.ts';
import { H_TABLES, tableAddress, VMA_INODE } from '../../kernel/word/layout.ts';
import { doMadvise } from '../../kernel/calls/madvise.ts';
import { mmCreate } from '../../kernel/space/mm.ts';
import { doMmap } from '../../kernel/calls/mmap.ts';
import { setThisCpu } from '../../kernel/word/percpu.ts';
import { populateRange } from '../../kernel/access/populate.ts';
import { pteOffsetMap } from '../../kernel/tables/pteMap.ts';
import { rcuIdleEnter, rcuIdleExit } from '../../kernel/rcu/rcu.ts';
import { vmaLookup } from '../../kernel/space/vma.ts';
import { pmdOf, pteOffset } from '../../kernel/tables/offsets.ts';
import { load, peek } from '../../kernel/word/word.ts';
import { expect } from './primitives.ts';

/** Tables at the end of the memory that no scenario comes to use. */
const SCRATCH_TABLES: u32 = 8;

/** A new address space with pages 0 to `pages` - 1 mapped, none of them present. */
export function newSpace(pages: u32): u32 {
  const mm = mmCreate();
  expect(mm !== 0, 'set-up: an address space');
  mapPages(mm, 0, pages);
  return mm;
}

/** A new address space with one span of shared memory from page 0 on, none of it present. */
export function newSharedSpan(): u32 {
  const mm = mmCreate();
  const flags = VM_READ | VM_WRITE;
  expect(doMmap(mm, 0, PMD_PAGES, flags, MMAP_SHARED, 0, 0) === 0, 'set-up: shared memory');
  return mm;
}

/** The object of which page `vpn` is mapped. */
export function objectAt(mm: u32, vpn: u32): u32 {
  return peek(vmaLookup(mm, vpn) + VMA_INODE);
}

/** Maps [start, start + pages) as well; does not touch it. */
export function mapPages(mm: u32, start: u32, pages: u32): void {
  expect(doMmap(mm, start, pages, VM_READ | VM_WRITE, 0, 0, 0) === 0, 'set-up: mapped');
}

/** Makes the pages [start, end) present and writable. */
export function touchPages(mm: u32, start: u32, end: u32): void {
  expect(populateRange(mm, start, end, 1) === 0, 'set-up: populated');
}

/**
 * madvise(MADV_DONTNEED) of [start, start + pages), and what makes its protocol free the tables that are empty now:
 * under `async` a pass of the daemons. The others have done so when madvise returns, or never do.
 */
export function zapAndReclaim(mm: u32, start: u32, pages: u32): void {
  expect(doMadvise(mm, start, pages, MADV_DONTNEED) === 0, 'madvise succeeds');
  if (freesLater()) runDaemons();
}

/** Has `cpu` write to page `vpn`, so that its TLB holds the translation and `mm` is its address space from here on. */
export function touchOnCpu(cpu: u32, mm: u32, vpn: u32): void {
  setThisCpu(cpu);
  expect(access(mm, vpn, 1) === 0, 'set-up: accessed');
  setThisCpu(0);
}

/**
 * Has `cpu` map the PTE table of `vpn` without a lock and stay in it. Returns the entry's address, for pteUnmap on that
 * CPU.
 */
export function visitOnCpu(cpu: u32, mm: u32, vpn: u32): u32 {
  setThisCpu(cpu);
  const pte = pteOffsetMap(pmdOf(mm, vpn), vpn);
  expect(pte !== 0, 'set-up: visited');
  setThisCpu(0);
  return pte;
}

/** Address of word `index` of memory that nothing else uses, zero at the start: scenarios' own data. */
export function scratchWord(index: u32): u32 {
  return tableAddress(peek(H_TABLES) - SCRATCH_TABLES) + (index << 2);
}

/**
 * The page-table entry of `vpn`, of a huge PMD what a PTE would be; 0 when it is none or a table is missing. For
 * `finish`: no check, no lock.
 */
export function entryAt(mm: u32, vpn: u32): u32 {
  const pmd = pmdOf(mm, vpn);
  const upper = pmd === 0 ? 0 : load(pmd);
  if (entryHuge(upper)) return hugePart(upper, vpn & (PMD_PAGES - 1));
  return upper === 0 ? 0 : load(pteOffset(upper, vpn));
}

/** Has the daemons do all that is left to do. For `finish`, where every CPU is idle. */
export function finishDaemons(): void {
  rcuIdleExit();
  drainDaemons();
  rcuIdleEnter();
}
