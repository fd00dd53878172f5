/**
 * What every variant must do alike: one small case each, on a machine just reset. After each the machine must be free
 * of violations and balance (semantics.test.ts).
 */
import {
  COUNTER_CALLBACKS_INVOKED,
  COUNTER_COPIES,
  COUNTER_FAULTS,
  COUNTER_FAULTS_VMA_LOCK,
  COUNTER_GATHER_FULL,
  COUNTER_PAGED_OUT,
  COUNTER_SWAP_INS,
  COUNTER_TABLES_FREED_SINGLY,
  COUNTER_TABLES_RECLAIMED_FAST,
  COUNTER_TABLES_RECLAIMED_SLOW,
  COUNTER_TLB_FULL_FLUSHES,
  COUNTER_ZAP_BREAKS,
  EEXIST,
  EFAULT,
  EINVAL,
  ENOMEM,
  ENTRY_KIND,
  ENTRY_SWAP,
  MADV_COLD,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  PGD_PAGES,
  PIN_BIAS,
  PMD_PAGES,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_SPECIAL,
  PTE_USER,
  PTE_WRITE,
  PT_DETACHED,
  PT_FREE,
  PUD_PAGES,
  SIGBUS,
  TASK_END,
  UFFD_MARKER,
  UFFD_REGISTER_WP,
  UFFD_WRITEPROTECT_WP,
  ZERO_FRAME,
  entryNumber,
  entryPresent,
} from '../../src/kernel/abi.ts';
import { expect } from 'vitest';
import * as layout from '../../src/kernel/abi.ts';
import { aboutProtocol } from '../../src/machine/protocols.ts';
import { FILE, POPULATE, READ, REPLACE, SHARED, WRITE, type MachineHere } from './machineHere.ts';

/** A PMD-aligned page with room around it. */
const A = 4 * PUD_PAGES + 8 * PMD_PAGES;
/** Another one, under another PMD table. */
const B = 6 * PUD_PAGES + 32 * PMD_PAGES;

type Left = number | readonly number[];

/** What is left where protocols free as is said (ProtocolAbout); what is not said is as the one before. */
interface LeftBy {
  nothing: Left;
  whole?: Left;
  part?: Left;
  upper?: Left;
}

/**
 * `actual` is what is to be left under the machine's protocol. One that does not say what it frees may leave anything
 * between the extremes.
 */
export function expectLeft(
  m: MachineHere,
  actual: Left,
  { nothing, whole = nothing, part = whole, upper = part }: LeftBy,
): void {
  const { frees } = aboutProtocol(m.options.protocol);
  if (frees !== undefined) return expect(actual).toEqual({ nothing, whole, part, upper }[frees]);
  const numbers = (left: Left): readonly number[] => (typeof left === 'number' ? [left] : left);
  const ends = [numbers(nothing), numbers(upper)] as const;
  for (const [i, one] of numbers(actual).entries()) {
    expect(one).toBeGreaterThanOrEqual(Math.min(ends[0][i]!, ends[1][i]!));
    expect(one).toBeLessThanOrEqual(Math.max(ends[0][i]!, ends[1][i]!));
  }
}

/** How many of `tables` whole tables that a zap has emptied it detaches itself. */
const byZap = (m: MachineHere, tables: number): number =>
  m.kernel.zapEligible(A, A + PMD_PAGES) ? tables : 0;
const file = (m: MachineHere, pages: number): number => m.kernel.inodeCreate(pages, FILE) >>> 0;
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

export type Case = (m: MachineHere) => void;

export const CASES: Record<string, Case> = {
  'mmap: what is there already, nothing, and beyond the end'(m) {
    expect(m.mmap(A, 16)).toBe(0);
    expect(m.mmap(A + 15, 4)).toBe(EEXIST);
    expect(m.mmap(B, 0)).toBe(EINVAL);
    expect(m.mmap(TASK_END - 1, 2)).toBe(ENOMEM);
    expect(m.mmap(TASK_END - 2, 2)).toBe(0);
    expect(m.write(TASK_END - 1)).toBe(0);
    expect(m.tables).toEqual([1, 1, 1]);
  },

  'access: no mapping, no right'(m) {
    expect(m.read(A)).toBe(EFAULT);
    m.mmap(A, 2, { prot: READ });
    m.mmap(B, 1, { prot: 0 });
    expect(m.read(A)).toBe(0);
    expect(m.write(A)).toBe(EFAULT);
    expect(m.read(A + 2)).toBe(EFAULT);
    expect(m.read(B)).toBe(EFAULT);
    expect(m.rss.anon).toBe(0);
  },

  'munmap takes every table that nobody else can use'(m) {
    m.mmap(A, 3 * PMD_PAGES);
    m.mmap(B, 1);
    for (const vpn of [A, A + PMD_PAGES, A + 2 * PMD_PAGES + 5, B]) expect(m.write(vpn)).toBe(0);
    expect(m.tables).toEqual([4, 2, 1]);
    expect(m.munmap(A, 3 * PMD_PAGES)).toBe(0);
    expect(m.tables).toEqual([1, 1, 1]);
    expect(m.munmap(B, 1)).toBe(0);
    expect(m.tables).toEqual([0, 0, 0]);
    expect(m.rss.anon).toBe(0);
    expect(m.munmap(A, 0)).toBe(EINVAL);
  },

  'munmap leaves tables that a neighbour shares'(m) {
    m.mmap(A, PMD_PAGES);
    m.fill(A, PMD_PAGES);
    const first = m.frame(A);
    expect(m.munmap(A + 1, PMD_PAGES - 2)).toBe(0);
    expect(m.tables).toEqual([1, 1, 1]);
    expect(m.rss.anon).toBe(2);
    expect(m.frame(A)).toBe(first);
    expect(m.munmap(A, 1)).toBe(0);
    expect(m.tables).toEqual([1, 1, 1]);
    expect(m.munmap(A + PMD_PAGES - 1, 1)).toBe(0);
    expect(m.tables).toEqual([0, 0, 0]);
  },

  'munmap of tables that hold nothing, at every level'(m) {
    for (const slot of [1, 2, 3]) {
      m.mmap(slot * PGD_PAGES + A, 1);
      m.write(slot * PGD_PAGES + A);
      m.madvise(slot * PGD_PAGES + A, 1, MADV_DONTNEED);
    }
    expectLeft(m, m.tables, { nothing: [3, 3, 3], part: [0, 3, 3], upper: [0, 0, 0] });
    expect(m.munmap(0, TASK_END)).toBe(0);
    expect(m.tables).toEqual([0, 0, 0]);
  },

  'mmap over a mapping replaces it'(m) {
    m.mmap(A, 8);
    m.fill(A, 8);
    expect(m.mmap(A + 2, 4, { flags: REPLACE })).toBe(0);
    expect(m.rss.anon).toBe(4);
    expect(m.entry(A + 2)).toBe(0);
    expect(m.frame(A + 6)).not.toBe(0);
  },

  'a mapping made for a recorded fault'(m) {
    expect(m.kernel.mapImplicit(m.mm, A)).toBe(0);
    expect(m.kernel.mapImplicit(m.mm, A + 1)).toBe(0);
    expect(m.at(m.mm + layout.MM_MAP_COUNT)).toBe(1);
    expect(m.fill(A, 2)).toBe(0);
  },

  'mprotect: rights go at once and come back'(m) {
    m.mmap(A, 8);
    m.fill(A, 8);
    const frames = range(8).map((i) => m.frame(A + i));
    expect(m.mprotect(A + 2, 4, READ)).toBe(0);
    expect(m.write(A + 2)).toBe(EFAULT);
    expect(m.read(A + 2)).toBe(0);
    expect(m.mprotect(A + 4, 4, 0)).toBe(0);
    expect(m.read(A + 4)).toBe(EFAULT);
    expect(m.entry(A + 4) & (PTE_USER | PTE_WRITE)).toBe(0);
    expect(m.mprotect(A, 8, READ | WRITE)).toBe(0);
    expect(m.fill(A, 8)).toBe(0);
    expect(range(8).map((i) => m.frame(A + i))).toEqual(frames);
    expect(m.at(m.mm + layout.MM_MAP_COUNT)).toBe(1);
  },

  'mprotect: a hole ends it, what came before stays changed'(m) {
    m.mmap(A, 4);
    m.mmap(A + 6, 4);
    m.fill(A, 4);
    m.fill(A + 6, 4);
    expect(m.mprotect(A, 10, READ)).toBe(ENOMEM);
    expect(m.write(A)).toBe(EFAULT);
    expect(m.write(A + 6)).toBe(0);
    expect(m.mprotect(A + 4, 4, READ)).toBe(ENOMEM);
    expect(m.write(A + 6)).toBe(0);
  },

  'mremap entry by entry'(m) {
    m.mmap(A + 3, 600);
    m.fill(A + 3, 20);
    m.fill(A + 500, 20);
    const frames = [...range(20).map((i) => m.frame(A + 3 + i)), m.frame(A + 519)];
    expect(m.move(A + 3, 600, B + 7)).toBe(0);
    expect([...range(20).map((i) => m.frame(B + 7 + i)), m.frame(B + 523)]).toEqual(frames);
    expect(m.read(A + 3)).toBe(EFAULT);
    expect(m.tables).toEqual([2, 1, 1]);
    expect(m.rss.anon).toBe(40);
  },

  'mremap by whole PTE tables'(m) {
    m.mmap(A, 3 * PMD_PAGES);
    m.write(A);
    m.write(A + 2 * PMD_PAGES + 1);
    const [first, third] = [m.table(A), m.table(A + 2 * PMD_PAGES)];
    expect(m.move(A, 3 * PMD_PAGES, B)).toBe(0);
    expect([m.table(B), m.table(B + PMD_PAGES), m.table(B + 2 * PMD_PAGES)]).toEqual([
      first,
      0,
      third,
    ]);
    expect(m.read(A)).toBe(EFAULT);
    expect(m.read(B)).toBe(0);
    expect(m.tables).toEqual([2, 1, 1]);
  },

  'mremap by whole PMD tables'(m) {
    const [from, to] = [3 * PGD_PAGES, 5 * PGD_PAGES];
    m.mmap(from, PUD_PAGES);
    m.write(from + 77);
    m.write(from + PUD_PAGES - 1);
    const frame = m.frame(from + 77);
    expect(m.move(from, PUD_PAGES, to)).toBe(0);
    expect(m.frame(to + 77)).toBe(frame);
    expect(m.write(to + PUD_PAGES - 1)).toBe(0);
    expect(m.read(from + 77)).toBe(EFAULT);
    expect(m.tables).toEqual([2, 1, 1]);
    expect(m.rss.anon).toBe(2);
  },

  'mremap onto a mapping, to another length, and refused'(m) {
    m.mmap(A, 8);
    m.fill(A, 8);
    m.mmap(B, 8);
    m.fill(B, 8);
    const kept = m.frame(A + 3);
    expect(m.move(A, 8, B, 4)).toBe(0);
    expect(m.frame(B + 3)).toBe(kept);
    expect(m.rss.anon).toBe(8);
    expect(m.read(A)).toBe(EFAULT);
    expect(m.move(B, 4, A, 12)).toBe(0);
    expect(m.frame(A + 3)).toBe(kept);
    expect(m.fill(A, 12)).toBe(0);
    expect(m.move(A, 4, A + 2)).toBe(EINVAL);
    expect(m.move(A, 4, B, 0)).toBe(EINVAL);
    expect(m.move(B + 64, 4, A + 64)).toBe(EFAULT);
  },

  'mremap takes swap entries and shared pages along'(m) {
    m.mmap(A, 4);
    m.fill(A, 4);
    m.madvise(A, 4, MADV_PAGEOUT);
    const inode = file(m, 16);
    m.mmap(A + 4, 4, { flags: SHARED, inode });
    m.fill(A + 4, 4);
    const frame = m.frame(A + 4);
    expect(m.move(A, 8, B + 1)).toBe(0);
    expect(m.rss).toEqual({ anon: 0, file: 4, shmem: 0, swap: 4 });
    expect(m.frame(B + 5)).toBe(frame);
    expect(m.fill(B + 1, 8)).toBe(0);
    expect(m.rss).toEqual({ anon: 4, file: 4, shmem: 0, swap: 0 });
    m.munmap(B, 16);
    m.kernel.inodePut(inode);
  },

  'brk grows, shrinks, and stops at a mapping'(m) {
    expect(m.calls.brk(m.mm, A)).toBe(0);
    expect(m.calls.brk(m.mm, A + 600)).toBe(0);
    expect(m.fill(A + 500, 100)).toBe(0);
    expect(m.calls.brk(m.mm, A + 512)).toBe(0);
    expect(m.rss.anon).toBe(12);
    expect(m.read(A + 512)).toBe(EFAULT);
    m.mmap(A + 1000, 1);
    expect(m.calls.brk(m.mm, A + 1001)).toBe(ENOMEM);
    expect(m.calls.brk(m.mm, A + 1000)).toBe(0);
    expect(m.calls.brk(m.mm, A - 1)).toBe(EINVAL);
    expect(m.calls.brk(m.mm, A)).toBe(0);
    expect(m.rss.anon).toBe(0);
  },

  'dontneed of a part leaves the table, unless the table knows that it is empty'(m) {
    m.mmap(A, 2 * PMD_PAGES);
    m.fill(A + 500, 20);
    expect(m.madvise(A + 1, PMD_PAGES - 1, MADV_DONTNEED)).toBe(0);
    expect(m.rss.anon).toBe(8);
    expectLeft(m, m.tables, { nothing: [2, 1, 1], part: [1, 1, 1] });
    expect(m.entry(A + 511)).toBe(0);
    expect(m.frame(A + 512)).not.toBe(0);
  },

  'dontneed of whole spans: the protocol says what becomes of the tables'(m) {
    m.mmap(A, 4 * PMD_PAGES);
    for (const span of range(4)) m.fill(A + span * PMD_PAGES + span, 9);
    expect(m.madvise(A + 5, 4 * PMD_PAGES - 10, MADV_DONTNEED)).toBe(0);
    // The first table's entries 5 to 8 go, and all of the last one's, but not its last five, which are none.
    expectLeft(m, m.tables, { nothing: [4, 1, 1], whole: [2, 1, 1], part: [1, 1, 1] });
    expect(m.madvise(A, 4 * PMD_PAGES, MADV_DONTNEED)).toBe(0);
    expectLeft(m, m.tables, { nothing: [4, 1, 1], whole: [0, 1, 1], upper: [0, 0, 0] });
    expect(m.rss.anon).toBe(0);
    expect(m.counter(COUNTER_TABLES_RECLAIMED_FAST)).toBe(byZap(m, 4));
    expect(m.counter(COUNTER_TABLES_RECLAIMED_SLOW)).toBe(0);
    expect(m.fill(A, 3)).toBe(0);
  },

  'dontneed over a hole: ENOMEM, and everything mapped is zapped'(m) {
    m.mmap(A, 4);
    m.mmap(A + 8, 4);
    m.fill(A, 4);
    m.fill(A + 8, 4);
    expect(m.madvise(A, 12, MADV_DONTNEED)).toBe(ENOMEM);
    expect(m.rss.anon).toBe(0);
    expect(m.madvise(A, 4, 99)).toBe(EINVAL);
    expect(m.madvise(B, 4, MADV_DONTNEED)).toBe(ENOMEM);
  },

  'dontneed frees a table of the zero page, and an empty one'(m) {
    m.mmap(A, 2 * PMD_PAGES);
    for (const i of range(64)) m.read(A + i * 8);
    m.write(A + PMD_PAGES);
    m.madvise(A + PMD_PAGES, 1, MADV_DONTNEED);
    expectLeft(m, m.tables[0], { nothing: 2, part: 1 });
    expect(m.madvise(A, 2 * PMD_PAGES, MADV_DONTNEED)).toBe(0);
    expectLeft(m, m.tables[0], { nothing: 2, whole: 0 });
  },

  'an entry that stays makes its table ineligible'(m) {
    m.mmap(A, PMD_PAGES, { flags: SHARED });
    m.write(A);
    const table = m.table(A);
    expect(m.calls.uffdApi(m.mm, 0)).toBe(0);
    expect(m.calls.uffdRegister(m.mm, A, PMD_PAGES, UFFD_REGISTER_WP)).toBe(0);
    expect(m.calls.uffdWriteprotect(m.mm, A + 100, 1, UFFD_WRITEPROTECT_WP)).toBe(0);
    m.madvise(A, PMD_PAGES, MADV_DONTNEED);
    expect(m.table(A)).toBe(table);
    expect(m.entry(A + 100)).toBe(UFFD_MARKER);
    m.write(A);
    expect(m.calls.uffdWriteprotect(m.mm, A + 100, 1, 0)).toBe(0);
    m.madvise(A, PMD_PAGES, MADV_DONTNEED);
    expectLeft(m, m.table(A), { nothing: table, whole: 0 });
  },

  'a gather that fills up drops the lock: slow path'(m) {
    m.put(layout.H_BATCH_ENTRIES, 2);
    m.put(layout.H_BATCH_COUNT, 1);
    m.mmap(A, 3 * PMD_PAGES);
    m.fill(A, 3 * PMD_PAGES);
    expect(m.madvise(A, 3 * PMD_PAGES, MADV_DONTNEED)).toBe(0);
    expect(m.counter(COUNTER_GATHER_FULL)).toBeGreaterThan(100);
    expectLeft(m, m.tables[0], { nothing: 3, whole: 0 });
    expect(m.counter(COUNTER_TABLES_RECLAIMED_SLOW)).toBe(byZap(m, 3));
    expect(m.counter(COUNTER_TABLES_RECLAIMED_FAST)).toBe(0);
  },

  'a gather that fills up with the very last entry'(m) {
    m.put(layout.H_BATCH_COUNT, 0);
    m.mmap(A, PMD_PAGES);
    m.fill(A + PMD_PAGES - 8, 8);
    expect(m.madvise(A, PMD_PAGES, MADV_DONTNEED)).toBe(0);
    expect(m.counter(COUNTER_GATHER_FULL)).toBe(1);
    expectLeft(m, m.tables[0], { nothing: 1, whole: 0 });
    expect(m.rss.anon).toBe(0);
  },

  'a reschedule in the middle of a table: slow path'(m) {
    m.put(layout.H_INJECT_RESCHED, 1);
    m.mmap(A, PMD_PAGES);
    m.fill(A, 200);
    expect(m.madvise(A, PMD_PAGES, MADV_DONTNEED)).toBe(0);
    expect(m.counter(COUNTER_ZAP_BREAKS)).toBeGreaterThan(3);
    expect(m.counter(COUNTER_TABLES_RECLAIMED_SLOW)).toBe(byZap(m, 1));
    expectLeft(m, m.tables[0], { nothing: 1, whole: 0 });
  },

  'no batch page for tables: each is freed singly'(m) {
    m.put(layout.H_INJECT_BATCH, 1);
    m.mmap(A, 3 * PMD_PAGES);
    for (const span of range(3)) m.write(A + span * PMD_PAGES);
    m.madvise(A, 3 * PMD_PAGES, MADV_DONTNEED);
    expectLeft(m, m.counter(COUNTER_TABLES_FREED_SINGLY), { nothing: 0, whole: 3, upper: 5 });
    expect(m.munmap(A, 3 * PMD_PAGES)).toBe(0);
    // The PTE tables if they are still there, the PMD table, the PUD table.
    expect(m.counter(COUNTER_TABLES_FREED_SINGLY)).toBe(5);
  },

  'a freed table waits for a grace period, and is then used again'(m) {
    m.mmap(A, PMD_PAGES);
    m.write(A);
    const table = m.table(A);
    m.munmap(A, PMD_PAGES);
    expect(m.at(m.ptdesc(table) + layout.PT_STATE) & 0xff).toBe(PT_DETACHED);
    expect(m.at(layout.G_TABLES_HELD)).toBe(3);
    const invoked = m.counter(COUNTER_CALLBACKS_INVOKED);
    for (const _ of range(4)) m.kernel.rcuQuiescentState();
    expect(m.counter(COUNTER_CALLBACKS_INVOKED)).toBeGreaterThan(invoked);
    expect(m.at(m.ptdesc(table) + layout.PT_STATE) & 0xff).toBe(PT_FREE);
    expect(m.at(layout.G_TABLES_HELD)).toBe(0);
    m.mmap(A, PMD_PAGES);
    m.write(A);
    expect(m.counter(COUNTER_FAULTS)).toBe(2);
    expect(m.at(m.ptdesc(table) + layout.PT_GEN)).toBeGreaterThan(1);
  },

  'tables and frames come back: many times round a small machine'(m) {
    m.mmap(A, 64 * PMD_PAGES);
    for (const round of range(8)) {
      for (const span of range(64)) m.fill(A + span * PMD_PAGES + round, 4);
      expect(m.madvise(A, 64 * PMD_PAGES, MADV_DONTNEED)).toBe(0);
      m.kernel.condResched();
      expectLeft(m, m.tables[0], { nothing: 64, whole: 0 });
    }
    expect(m.at(layout.G_TABLE_BUMP)).toBeLessThan(400);
  },

  'no table left: ENOMEM, and all goes on when some are free again'(m) {
    m.mmap(A, 2000 * PMD_PAGES);
    let span = 0;
    while (span < 2000 && m.write(A + span * PMD_PAGES) === 0) span++;
    expect(span).toBeGreaterThan(900);
    expect(m.write(A + span * PMD_PAGES)).toBe(ENOMEM);
    m.munmap(A, 2000 * PMD_PAGES);
    m.settle();
    m.mmap(B, 1);
    expect(m.write(B)).toBe(0);
  },

  'no frame left: ENOMEM'(m) {
    m.mmap(A, 10_000);
    let page = 0;
    while (page < 10_000 && m.write(A + page) === 0) page++;
    expect(page).toBeGreaterThan(7000);
    expect(page).toBeLessThan(8192);
    expect(m.madvise(A, 10_000, MADV_POPULATE_WRITE)).toBe(ENOMEM);
    expect(m.madvise(A, 10_000, MADV_DONTNEED)).toBe(0);
    expect(m.write(A + 9000)).toBe(0);
  },

  'the zero page: read, then written'(m) {
    m.mmap(A, 4);
    expect(m.read(A)).toBe(0);
    const zero = m.entry(A);
    expect(zero & PTE_SPECIAL).not.toBe(0);
    expect(zero & PTE_WRITE).toBe(0);
    expect(entryNumber(zero)).toBe(ZERO_FRAME);
    expect(m.rss.anon).toBe(0);
    expect(m.write(A)).toBe(0);
    expect(m.frame(A)).toBeGreaterThan(ZERO_FRAME);
    expect(m.entry(A) & (PTE_WRITE | PTE_DIRTY)).toBe(PTE_WRITE | PTE_DIRTY);
    expect(m.rss.anon).toBe(1);
    expect(m.counter(COUNTER_COPIES)).toBe(1);
  },

  'a private file: read shares, written copies'(m) {
    const inode = file(m, 8);
    m.mmap(A, 8, { inode });
    m.mmap(B, 8, { inode });
    expect(m.read(A + 3)).toBe(0);
    expect(m.read(B + 3)).toBe(0);
    const cached = m.frame(A + 3);
    expect(m.frame(B + 3)).toBe(cached);
    expect(m.at(m.folio(cached) + layout.F_REF)).toBe(3);
    expect(m.write(A + 3)).toBe(0);
    expect(m.frame(A + 3)).not.toBe(cached);
    expect(m.frame(B + 3)).toBe(cached);
    expect(m.write(A + 4)).toBe(0);
    expect(m.rss).toEqual({ anon: 2, file: 1, shmem: 0, swap: 0 });
    expect(m.at(inode + layout.INODE_NR_CACHED)).toBe(2);
    expect(m.madvise(A, 8, MADV_DONTNEED)).toBe(0);
    expect(m.read(A + 3)).toBe(0);
    expect(m.frame(A + 3)).toBe(cached);
    m.munmap(A, 8);
    m.munmap(B, 8);
    m.kernel.inodePut(inode);
    expect(m.at(inode + layout.INODE_STATE)).toBe(0);
  },

  'a shared file: two address spaces, one page'(m) {
    const inode = file(m, 8);
    const other = m.calls.mmCreate();
    m.mmap(A, 8, { flags: SHARED, inode });
    m.mmap(B, 4, { flags: SHARED, inode, pgoff: 2, mm: other });
    expect(m.write(A + 3)).toBe(0);
    expect(m.read(B + 1, other)).toBe(0);
    const frame = m.frame(A + 3);
    expect(m.frame(B + 1, other)).toBe(frame);
    expect(m.entry(B + 1, other) & PTE_WRITE).toBe(0);
    expect(m.write(B + 1, other)).toBe(0);
    expect(m.frame(B + 1, other)).toBe(frame);
    expect(m.at(m.folio(frame) + layout.F_MAP)).toBe(2);
    m.calls.mmDestroy(other);
    expect(m.at(m.folio(frame) + layout.F_MAP)).toBe(1);
    expect(m.counter(COUNTER_COPIES)).toBe(0);
  },

  'beyond the end of a file: SIGBUS'(m) {
    const inode = file(m, 3);
    m.mmap(A, 8, { flags: SHARED, inode });
    m.mmap(B, 8, { inode });
    expect(m.read(A + 2)).toBe(0);
    expect(m.read(A + 3)).toBe(SIGBUS);
    expect(m.write(B + 7)).toBe(SIGBUS);
    expect(m.madvise(A, 8, MADV_POPULATE_READ)).toBe(EFAULT);
    expect(m.rss.file).toBe(3);
  },

  'anonymous shared memory keeps its pages through dontneed'(m) {
    m.mmap(A, 8, { flags: SHARED });
    m.fill(A, 8);
    const frames = range(8).map((i) => m.frame(A + i));
    expect(m.rss.shmem).toBe(8);
    expect(m.madvise(A, 8, MADV_DONTNEED)).toBe(0);
    expect(m.rss.shmem).toBe(0);
    expect(m.fill(A, 8)).toBe(0);
    expect(range(8).map((i) => m.frame(A + i))).toEqual(frames);
    m.munmap(A, 8);
    for (const frame of frames) expect(m.at(m.folio(frame) + layout.F_REF)).toBe(0);
  },

  'the last mapping of shared memory drops what is cached, however scattered'(m) {
    m.mmap(A, 40 * PMD_PAGES, { flags: SHARED });
    for (const span of range(40)) m.fill(A + span * PMD_PAGES + span * 7, 2);
    m.madvise(A, 40 * PMD_PAGES, MADV_DONTNEED);
    expect(m.munmap(A, 20 * PMD_PAGES)).toBe(0);
    expect(m.munmap(A + 20 * PMD_PAGES, 20 * PMD_PAGES)).toBe(0);
    m.settle();
    expect(m.at(m.at(layout.H_INODE_BASE) + layout.INODE_NR_CACHED)).toBe(0);
  },

  'pageout and swap-in'(m) {
    m.mmap(A, 100);
    m.fill(A, 100);
    expect(m.madvise(A, 100, MADV_PAGEOUT)).toBe(0);
    expect(m.rss).toEqual({ anon: 0, file: 0, shmem: 0, swap: 100 });
    expect(m.entry(A) & ENTRY_KIND).toBe(ENTRY_SWAP);
    expect(m.counter(COUNTER_PAGED_OUT)).toBe(100);
    expect(m.read(A)).toBe(0);
    expect(m.write(A + 1)).toBe(0);
    expect(m.counter(COUNTER_SWAP_INS)).toBe(2);
    expect(m.rss).toEqual({ anon: 2, file: 0, shmem: 0, swap: 98 });
    expect(m.madvise(A, 50, MADV_DONTNEED)).toBe(0);
    expect(m.rss).toEqual({ anon: 0, file: 0, shmem: 0, swap: 50 });
    expect(m.madvise(A + 50, 10, MADV_FREE)).toBe(0);
    expect(m.rss.swap).toBe(40);
    expect(m.munmap(A, 100)).toBe(0);
    expect(m.rss.swap).toBe(0);
  },

  'a table of swap entries is reclaimed like any other'(m) {
    m.mmap(A, PMD_PAGES);
    m.fill(A, 100);
    m.madvise(A, PMD_PAGES, MADV_PAGEOUT);
    expect(m.madvise(A, PMD_PAGES, MADV_DONTNEED)).toBe(0);
    expectLeft(m, m.tables[0], { nothing: 1, whole: 0 });
  },

  'swap is full: pages stay'(m) {
    m.mmap(A, 300);
    m.fill(A, 300);
    expect(m.madvise(A, 300, MADV_PAGEOUT)).toBe(0);
    expect(m.rss).toEqual({ anon: 45, file: 0, shmem: 0, swap: 255 });
    expect(m.fill(A, 300)).toBe(0);
    expect(m.rss).toEqual({ anon: 300, file: 0, shmem: 0, swap: 0 });
  },

  'pageout of a file drops its pages, of shared memory what nobody has written to'(m) {
    const inode = file(m, 8);
    m.mmap(A, 8, { flags: SHARED, inode });
    m.mmap(B, 8, { flags: SHARED });
    m.fill(A, 8);
    m.fill(B, 4);
    for (let i = 4; i < 8; i++) expect(m.read(B + i)).toBe(0);
    expect(m.rss).toEqual({ anon: 0, file: 8, shmem: 8, swap: 0 });
    const frame = entryNumber(m.entry(B));
    expect(m.madvise(A, 8, MADV_PAGEOUT)).toBe(0);
    expect(m.madvise(B, 8, MADV_PAGEOUT)).toBe(0);
    expect(m.rss).toEqual({ anon: 0, file: 0, shmem: 0, swap: 0 });
    expect(m.at(inode + layout.INODE_NR_CACHED)).toBe(0);
    expect(m.fill(A, 8)).toBe(0);
    expect(m.read(B)).toBe(0);
    expect(entryNumber(m.entry(B))).toBe(frame);
    expect(m.rss).toEqual({ anon: 0, file: 8, shmem: 4, swap: 0 });
  },

  'a read maps what is cached around it, within the VMA'(m) {
    const inode = file(m, 40);
    m.mmap(A, 40, { flags: SHARED, inode });
    m.mmap(B + 3, 20, { flags: SHARED, inode, pgoff: 3 });
    m.fill(A, 18);
    const before = m.rss.file;
    expect(m.read(B + 8)).toBe(0);
    expect(m.rss.file - before).toBe(15);
    expect(m.entry(B + 17)).not.toBe(0);
    expect(m.read(B + 20)).toBe(0);
    expect(m.rss.file - before).toBe(16);
  },

  'MADV_FREE: discarded unless written again'(m) {
    m.mmap(A, 4);
    m.fill(A, 4);
    expect(m.madvise(A, 4, MADV_FREE)).toBe(0);
    expect(m.entry(A) & PTE_DIRTY).toBe(0);
    expect(m.write(A + 1)).toBe(0);
    expect(m.madvise(A + 2, 1, MADV_POPULATE_WRITE)).toBe(0);
    expect(m.madvise(A, 4, MADV_PAGEOUT)).toBe(0);
    expect(m.entry(A)).toBe(0);
    expect(entryPresent(m.entry(A + 1))).toBe(true);
    expect(entryPresent(m.entry(A + 2))).toBe(true);
    expect(m.entry(A + 3)).toBe(0);
    const inode = file(m, 2);
    m.mmap(B, 2, { inode });
    expect(m.madvise(B, 2, MADV_FREE)).toBe(EINVAL);
  },

  'MADV_COLD clears accessed, and the next access sets it'(m) {
    m.mmap(A, 4);
    m.fill(A, 4);
    expect(m.entry(A) & PTE_ACCESSED).not.toBe(0);
    expect(m.madvise(A, 4, MADV_COLD)).toBe(0);
    expect(m.entry(A) & PTE_ACCESSED).toBe(0);
    expect(m.read(A)).toBe(0);
    expect(m.entry(A) & PTE_ACCESSED).not.toBe(0);
    expect(m.entry(A + 1) & PTE_ACCESSED).toBe(0);
  },

  'populate: read, write, hole, right, MAP_POPULATE'(m) {
    m.mmap(A, 8);
    expect(m.madvise(A, 8, MADV_POPULATE_READ)).toBe(0);
    expect(m.rss.anon).toBe(0);
    expect(m.madvise(A, 8, MADV_POPULATE_WRITE)).toBe(0);
    expect(m.rss.anon).toBe(8);
    m.mmap(A + 10, 2, { prot: READ });
    expect(m.madvise(A, 12, MADV_POPULATE_READ)).toBe(ENOMEM);
    expect(m.entry(A + 10)).toBe(0);
    expect(m.madvise(A + 10, 2, MADV_POPULATE_WRITE)).toBe(EINVAL);
    expect(m.mmap(B, 700, { flags: POPULATE })).toBe(0);
    expect(m.rss.anon).toBe(708);
    expect(m.mmap(B + 700, 4, { flags: POPULATE, prot: 0 })).toBe(0);
    expect(m.rss.anon).toBe(708);
  },

  'a pinned page outlives its mapping'(m) {
    m.mmap(A, PMD_PAGES);
    m.write(A);
    const frame = m.calls.gupFast(m.mm, A, 1);
    expect(frame).toBe(m.frame(A));
    const generation = m.kernel.frameGeneration(frame);
    m.madvise(A, PMD_PAGES, MADV_DONTNEED);
    m.munmap(A, PMD_PAGES);
    m.settle();
    m.kernel.gupCheck(frame, generation);
    expect(m.at(m.folio(frame) + layout.F_REF)).toBe(PIN_BIAS);
    m.mmap(B, 512);
    m.fill(B, 512);
    for (const i of range(512)) expect(m.frame(B + i)).not.toBe(frame);
    m.calls.gupPut(frame);
    expect(m.kernel.frameGeneration(frame) & 1).toBe(0);
  },

  'a pinned page is not paged out'(m) {
    m.mmap(A, 2);
    m.fill(A, 2);
    const frame = m.calls.gupFast(m.mm, A, 1);
    m.madvise(A, 2, MADV_PAGEOUT);
    expect(m.frame(A)).toBe(frame);
    expect(m.rss).toEqual({ anon: 1, file: 0, shmem: 0, swap: 1 });
    m.calls.gupPut(frame);
    m.madvise(A, 2, MADV_PAGEOUT);
    expect(m.rss.swap).toBe(2);
  },

  'a pinned page stays the one that is mapped when it is written again'(m) {
    m.mmap(A, 2);
    m.fill(A, 2);
    const pins = [A, A + 1].map((vpn) => m.calls.gupFast(m.mm, vpn, 1));
    m.mprotect(A, 2, READ);
    m.mprotect(A, 2, READ | WRITE);
    expect(m.fill(A, 2)).toBe(0);
    m.madvise(A, 2, MADV_COLD);
    m.mprotect(A, 1, READ);
    m.put(layout.tableAddress(m.table(A)) + 4, m.entry(A + 1) & ~PTE_WRITE);
    m.kernel.flushTlbRange!(m.mm, A, A + 2, false);
    expect(m.write(A + 1)).toBe(0);
    expect([m.frame(A), m.frame(A + 1)]).toEqual(pins);
    expect(m.counter(COUNTER_COPIES)).toBe(0);
    for (const frame of pins) m.calls.gupPut(frame);
  },

  'GUP: what cannot be pinned at once is faulted in'(m) {
    const inode = file(m, 4);
    m.mmap(A, 4);
    m.mmap(B, 4, { inode });
    m.mmap(B + 8, 1, { prot: READ });
    const pins = [
      m.calls.gupFast(m.mm, A, 1),
      m.calls.gupFast(m.mm, B, 0),
      m.calls.gupFast(m.mm, B, 1),
    ];
    expect(pins.every((frame) => frame > 1)).toBe(true);
    expect(pins[1]).not.toBe(pins[2]);
    expect(m.frame(B)).toBe(pins[2]);
    expect(m.calls.gupFast(m.mm, A + 1, 0)).toBe(0);
    expect(m.calls.gupFast(m.mm, B + 8, 1)).toBe(0);
    expect(m.calls.gupFast(m.mm, B + 9, 0)).toBe(0);
    for (const frame of pins) m.calls.gupPut(frame);
  },

  'what another CPU has cached goes with the mapping'(m) {
    m.mmap(A, 64);
    const cache = (): void => m.on(1, () => range(64).forEach((i) => m.write(A + i)));
    cache();
    m.munmap(A, 1);
    expect(m.on(1, () => m.read(A))).toBe(EFAULT);
    expect(m.on(1, () => m.read(A + 1))).toBe(0);
    expect(m.mprotect(A + 1, 63, READ)).toBe(0);
    expect(m.on(1, () => m.write(A + 5))).toBe(EFAULT);
    m.mprotect(A + 1, 63, READ | WRITE);
    cache();
    m.madvise(A + 1, 40, MADV_DONTNEED);
    m.mmap(B, 64);
    m.fill(B, 64);
    expect(m.on(1, () => m.write(A + 1))).toBe(0);
    expect(m.on(1, () => m.frame(A + 1))).not.toBe(m.frame(B));
    m.mmap(A, 1);
    m.write(A);
    m.move(A + 1, 63, B + 100);
    expect(m.on(1, () => m.read(A + 30))).toBe(EFAULT);
    expect(m.on(1, () => m.read(A + 60))).toBe(EFAULT);
    expect(m.on(1, () => m.read(B + 130))).toBe(0);
  },

  'what another CPU has cached goes when whole tables move, and no upper table with them'(m) {
    m.mmap(A, 2 * PMD_PAGES);
    m.write(A + PMD_PAGES);
    const [from, to] = [3 * PGD_PAGES, 5 * PGD_PAGES];
    m.mmap(from, 2 * PUD_PAGES);
    m.write(from + PUD_PAGES);
    const both = (run: () => number): number[] => [m.on(1, run), run()];
    expect(both(() => m.write(A + 7))).toEqual([0, 0]);
    m.move(A, PMD_PAGES, B);
    expect(both(() => m.write(A + 7))).toEqual([EFAULT, EFAULT]);
    expect(both(() => m.write(B + 7))).toEqual([0, 0]);
    expect(both(() => m.write(from + 7))).toEqual([0, 0]);
    m.move(from, PUD_PAGES, to);
    expect(both(() => m.write(from + 7))).toEqual([EFAULT, EFAULT]);
    expect(both(() => m.write(to + 7))).toEqual([0, 0]);
  },

  'another CPU reads what this one has copied'(m) {
    const inode = file(m, 8);
    m.mmap(A, 8, { inode });
    m.mmap(B, 8);
    for (const vpn of [A, B]) {
      expect(m.on(1, () => m.read(vpn))).toBe(0);
      expect(m.write(vpn)).toBe(0);
    }
  },

  'an upper entry that another CPU has cached goes with its table'(m) {
    m.mmap(A, PMD_PAGES);
    m.on(1, () => m.write(A));
    m.madvise(A, PMD_PAGES, MADV_DONTNEED);
    m.settle();
    m.mmap(B, PMD_PAGES);
    m.write(B);
    expect(m.on(1, () => m.write(A + 7))).toBe(0);
    expect(m.on(1, () => m.write(A))).toBe(0);
    m.munmap(A, PMD_PAGES);
    m.settle();
    expect(m.on(1, () => m.write(A))).toBe(EFAULT);
  },

  'a short range is flushed page by page, a long one as a whole'(m) {
    m.mmap(A, 65);
    m.fill(A, 65);
    const before = m.counter(COUNTER_TLB_FULL_FLUSHES);
    m.madvise(A, 8, MADV_DONTNEED);
    expect(m.counter(COUNTER_TLB_FULL_FLUSHES)).toBe(before);
    m.madvise(A, 64, MADV_DONTNEED);
    expect(m.counter(COUNTER_TLB_FULL_FLUSHES)).toBe(before + 1);
  },

  'two gathers open in one address space: the one that finishes flushes everything, once'(m) {
    m.mmap(A, 64);
    m.fill(A, 64);
    m.fill(A, 4);
    const pending = m.mm + layout.MM_TLB_PENDING;
    m.put(pending, 1);
    const before = m.counter(COUNTER_TLB_FULL_FLUSHES);
    m.madvise(A, 1, MADV_DONTNEED);
    expect(m.counter(COUNTER_TLB_FULL_FLUSHES)).toBe(before + 1);
    m.munmap(A, 64);
    expect(m.counter(COUNTER_TLB_FULL_FLUSHES)).toBe(before + 2);
    expect(m.at(pending)).toBe(1);
    m.put(pending, 0);
  },

  'a page number means another page in another address space'(m) {
    const other = m.calls.mmCreate();
    m.mmap(A, 4);
    m.mmap(A + 1, 3, { mm: other });
    m.fill(A, 4);
    expect(m.write(A, other)).toBe(EFAULT);
    expect(m.write(A + 1, other)).toBe(0);
    expect(m.frame(A + 1)).not.toBe(m.frame(A + 1, other));
    expect(m.write(A)).toBe(0);
    m.munmap(A, 1);
    expect(m.write(A + 1, other)).toBe(0);
    expect(m.write(A)).toBe(EFAULT);
    m.calls.mmDestroy(other);
  },

  'an address space is used again, with nothing of the old one'(m) {
    const first = m.calls.mmCreate();
    m.mmap(A, 16, { mm: first });
    range(16).forEach((i) => m.write(A + i, first));
    m.on(1, () => range(16).forEach((i) => m.write(A + i, first)));
    m.calls.mmDestroy(first);
    const second = m.calls.mmCreate();
    expect(second).toBe(first);
    expect(m.write(A, second)).toBe(EFAULT);
    expect(m.on(1, () => m.write(A + 1, second))).toBe(EFAULT);
    m.mmap(A, 16, { mm: second });
    expect(m.on(1, () => m.write(A + 1, second))).toBe(0);
    m.calls.mmDestroy(second);
  },

  'every address space there is, and one more'(m) {
    const made = range(4).map(() => m.calls.mmCreate());
    expect(made.map((mm) => mm !== 0)).toEqual([true, true, true, false]);
    for (const mm of made.slice(0, 3)) m.calls.mmDestroy(mm);
  },

  'the fault path is the one that was chosen'(m) {
    m.mmap(A, 16);
    m.fill(A, 16);
    const onVmaLock = m.counter(COUNTER_FAULTS_VMA_LOCK);
    expect(onVmaLock > 0).toBe(m.options.fault === 'vma-lock');
    expect(m.counter(COUNTER_FAULTS)).toBe(16);
  },

  'synchronizeRcu and rcuBarrier with another CPU idle, and callbacks left behind by it'(m) {
    m.mmap(A, PMD_PAGES);
    m.on(1, () => {
      m.write(A);
      m.munmap(A, PMD_PAGES);
    });
    expect(m.at(layout.G_TABLES_HELD)).toBe(3);
    m.kernel.synchronizeRcu();
    for (const _ of range(4)) m.kernel.rcuQuiescentState();
    expect(m.at(layout.G_TABLES_HELD)).toBe(0);
    m.mmap(A, 1);
    m.write(A);
    m.munmap(A, 1);
    m.kernel.rcuBarrier();
    expect(m.at(layout.G_TABLES_HELD)).toBe(0);
  },
};
