/**
 * Allocation failing at every point: each story is run with its first allocation failing, then with its second, and so
 * on until none fails any more. Whatever fails, the machine must balance afterwards, and the story must succeed when it
 * is told again. Locks other than the default have no part in this.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import {
  ENOMEM,
  MADV_DONTNEED,
  MADV_PAGEOUT,
  MADV_POPULATE_WRITE,
  PGD_PAGES,
  PMD_PAGES,
  PUD_PAGES,
} from '../../src/kernel/abi.ts';
import * as layout from '../../src/kernel/abi.ts';
import { FILE, MachineHere, POPULATE, READ, REPLACE, SHARED } from './machineHere.ts';
import { VARIANTS, variantName } from './variants.ts';

const A = 4 * PUD_PAGES + 8 * PMD_PAGES;
const B = 6 * PUD_PAGES + 32 * PMD_PAGES;
/** More than any story allocates. */
const ALLOCATIONS_MAX = 2000;
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

interface Story {
  /** Before failures begin. */
  before?: (m: MachineHere) => void;
  /** Gives the errors of its operations, 0 for each that worked. */
  run: (m: MachineHere) => number[];
  /** Looks at the machine after a run in which an allocation failed. */
  after?: (m: MachineHere, errors: number[]) => void;
  /** Takes away what `before` and `run` made, failed or not. */
  clear?: (m: MachineHere) => void;
  /** Errors other than 0 and ENOMEM that a failure may cause. */
  mayFailWith?: number[];
}

const clearAll = (m: MachineHere): void => {
  expect(m.munmap(0, 0xffff_ffff)).toBe(0);
};

const inodes = new WeakMap<MachineHere, number>();
const putInode = (m: MachineHere): void => {
  const inode = inodes.get(m) ?? 0;
  if (inode !== 0) m.kernel.inodePut(inode);
  inodes.delete(m);
};

const STORIES: Record<string, Story> = {
  'touches far apart': {
    run: (m) => [
      ...[1, 2, 3].map((slot) => m.mmap(slot * PGD_PAGES + A, 2 * PMD_PAGES)),
      ...[1, 2, 3].flatMap((slot) => [
        m.write(slot * PGD_PAGES + A),
        m.read(slot * PGD_PAGES + A + PMD_PAGES),
        m.write(slot * PGD_PAGES + A + PMD_PAGES),
      ]),
    ],
    mayFailWith: [14],
  },
  'files, shared memory, copies': {
    run(m) {
      const inode = m.kernel.inodeCreate(8, FILE) >>> 0;
      if (inode === 0) return [ENOMEM];
      inodes.set(m, inode);
      return [
        m.mmap(A, 8, { inode }),
        m.mmap(B, 8, { inode, flags: SHARED }),
        m.mmap(B + PMD_PAGES, 8, { flags: SHARED | POPULATE }),
        ...range(3).flatMap((i) => [m.read(A + i), m.write(A + i), m.write(B + i)]),
        m.write(A + 7),
        m.write(B + PMD_PAGES),
      ];
    },
    clear: (m) => {
      clearAll(m);
      putInode(m);
    },
    mayFailWith: [14],
  },
  'mappings cut in pieces': {
    before: (m) => {
      m.mmap(A, 64);
      m.fill(A, 64);
    },
    run: (m) => [
      m.mprotect(A + 8, 8, READ),
      m.munmap(A + 20, 4),
      m.mmap(A + 40, 4, { flags: REPLACE, prot: READ }),
      m.mprotect(A, 20, READ),
      m.calls.brk(m.mm, B),
      m.calls.brk(m.mm, B + 100),
      m.calls.brk(m.mm, B + 40),
    ],
    mayFailWith: [],
  },
  'mremap entry by entry to tables that have to be made': {
    before: (m) => {
      m.mmap(A, 3 * PMD_PAGES);
      for (const span of range(3)) m.fill(A + span * PMD_PAGES + 500, 12);
    },
    run: (m) => [m.move(A, 3 * PMD_PAGES, 9 * PGD_PAGES + PUD_PAGES - PMD_PAGES - 100)],
    after: stillThere,
  },
  'mremap by whole tables': {
    before: (m) => {
      m.mmap(A, 3 * PMD_PAGES);
      for (const span of range(3)) m.fill(A + span * PMD_PAGES + 500, 12);
    },
    run: (m) => [m.move(A, 3 * PMD_PAGES, 9 * PGD_PAGES + PUD_PAGES - PMD_PAGES)],
    after: stillThere,
  },
  'zaps without room in the gather': {
    before: (m) => {
      m.put(layout.H_BATCH_ENTRIES, 3);
      m.put(layout.H_BATCH_COUNT, 2);
      m.mmap(A, 4 * PMD_PAGES);
      for (const span of range(4)) m.fill(A + span * PMD_PAGES, 30);
    },
    run: (m) => [
      m.madvise(A, 2 * PMD_PAGES, MADV_DONTNEED),
      m.munmap(A + PMD_PAGES, PMD_PAGES),
      m.munmap(A + 3 * PMD_PAGES, PMD_PAGES),
    ],
  },
  'pageout and swap-in': {
    before: (m) => {
      m.mmap(A, 12);
      m.fill(A, 12);
    },
    run: (m) => [m.madvise(A, 12, MADV_PAGEOUT), ...range(12).map((i) => m.write(A + i))],
    after: (m) => {
      expect(m.rss.anon + m.rss.swap).toBe(12);
    },
  },
  'populate and pins': {
    before: (m) => {
      m.mmap(A, 20);
      m.mmap(B, 4);
    },
    run(m) {
      const populated = m.madvise(A, 20, MADV_POPULATE_WRITE);
      const frame = m.calls.gupFast(m.mm, B, 1);
      if (frame !== 0) m.calls.gupPut(frame);
      return [populated, frame === 0 ? ENOMEM : 0];
    },
  },
  'address spaces': {
    run(m) {
      const mm = m.calls.mmCreate();
      if (mm === 0) return [ENOMEM];
      const errors = [
        m.mmap(A, 4, { mm }),
        m.mmap(B, 4, { mm, flags: SHARED }),
        m.write(A, mm),
        m.write(B, mm),
      ];
      m.calls.mmDestroy(mm);
      return errors;
    },
    mayFailWith: [14],
  },
};

/** After a move that failed, every page is where it was, and none is at the destination. */
function stillThere(m: MachineHere, [error]: number[]): void {
  if (error === 0) return;
  for (const span of range(3))
    for (const i of range(12)) expect(m.frame(A + span * PMD_PAGES + 500 + i)).toBeGreaterThan(1);
  expect(m.rss.anon).toBe(36);
  expect(m.tables[0]).toBe(3);
}

/** Runs a story with its `nth` allocation failing; whether there was one. */
function tell(m: MachineHere, story: Story, nth: number): boolean {
  m.reset();
  story.before?.(m);
  const counter = layout.cpuArea(0) + layout.C_ALLOCATIONS;
  m.put(counter, 0);
  m.put(layout.H_INJECT_NTH, nth);
  const errors = story.run(m);
  m.put(layout.H_INJECT_NTH, 0);
  const failed = m.at(counter) >= nth;
  const allowed = [0, ENOMEM, ...(story.mayFailWith ?? [])];
  for (const error of errors) expect(allowed).toContain(error);
  if (failed) story.after?.(m, errors);
  else expect(errors.every((error) => error === 0)).toBe(true);
  m.balanced();
  (story.clear ?? clearAll)(m);
  m.balanced();
  expect(m.tables).toEqual([0, 0, 0]);
  return failed;
}

const TOLD = VARIANTS.filter(({ lock }) => lock === 'adaptive');

describe.each(TOLD.map((variant) => [variantName(variant), variant] as const))(
  '%s',
  (_, variant) => {
    let machine: MachineHere;
    beforeAll(async () => {
      machine = await MachineHere.make(variant);
    });

    it.each(Object.entries(STORIES))('%s', (_name, story) => {
      let nth = 1;
      while (nth < ALLOCATIONS_MAX && tell(machine, story, nth)) nth++;
      expect(nth).toBeGreaterThan(3);
      expect(nth).toBeLessThan(ALLOCATIONS_MAX);
    });
  },
);
