/**
 * Huge PMDs: what becomes of one when a page of it is to move, to leave memory, or to be aged, and others share or hold
 * it. Every protocol, both executions.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import {
  EAGAIN,
  EBUSY,
  EEXIST,
  EFAULT,
  INODE_SHMEM,
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_FREE,
  MADV_PAGEOUT,
  PMD_PAGES,
  PTE_ACCESSED,
  PTE_HUGE,
  PUD_PAGES,
  UFFD_REGISTER_MISSING,
} from '../../src/kernel/abi.ts';
import { EXECUTIONS, PROTOCOLS } from '../../src/machine/options.ts';
import { MachineHere, SHARED } from './machineHere.ts';

const A = 4 * PUD_PAGES + 8 * PMD_PAGES;

const MACHINES = EXECUTIONS.flatMap((execution) =>
  PROTOCOLS.map((protocol) => ({ execution, protocol })),
);

describe.each(MACHINES)('huge PMDs, $execution $protocol', (options) => {
  let m: MachineHere;

  const huge = (at = A, mm = m.mm): boolean =>
    (m.at(m.kernel.pmdOf!(mm, at) >>> 0) & PTE_HUGE) !== 0;
  const frames = (mm = m.mm): number[] =>
    Array.from({ length: PMD_PAGES }, (_, i) => m.frame(A + i, mm));
  /** The frames of a span, but for those of `pages`. */
  const others = (pages: number[], mm = m.mm): number[] =>
    frames(mm).filter((_, i) => !pages.includes(i));
  const end = (...children: number[]): void => {
    m.balanced();
    for (const mm of [...children, m.mm]) m.calls.mmDestroy(mm);
    m.balanced();
  };

  beforeEach(async () => {
    m = (await MachineHere.make({ ...options, thp: 'always' })).reset();
    m.mmap(A, PMD_PAGES);
    m.write(A);
    expect(huge()).toBe(true);
  });

  it('a page that migrates is split off, and the others stay where they are', () => {
    const before = frames();
    expect(m.calls.migrate(m.mm, A + 7)).toBe(0);
    expect(huge()).toBe(false);
    expect(m.frame(A + 7)).not.toBe(before[7]);
    expect(others([7])).toEqual(before.filter((_, i) => i !== 7));
    expect(m.rss.anon).toBe(PMD_PAGES);
    end();
  });

  it('a page that is reclaimed goes to swap alone', () => {
    expect(m.calls.reclaim(m.mm, A + 9)).toBe(0);
    expect([huge(), m.frame(A + 9)]).toEqual([false, 0]);
    expect([m.rss.anon, m.rss.swap]).toEqual([PMD_PAGES - 1, 1]);
    expect(m.read(A + 9)).toBe(0);
    expect([m.rss.anon, m.rss.swap]).toEqual([PMD_PAGES, 0]);
    end();
  });

  it('a page that fork has shared moves in both address spaces', () => {
    const child = m.calls.fork(m.mm);
    expect([huge(), huge(A, child)]).toEqual([true, true]);
    expect(m.calls.migrate(child, A + 3)).toBe(0);
    expect([huge(), huge(A, child)]).toEqual([false, false]);
    expect(frames(child)).toEqual(frames());
    expect(m.write(A + 3)).toBe(0);
    expect(m.frame(A + 3)).not.toBe(m.frame(A + 3, child));
    end(child);
  });

  it('a pinned page keeps the whole where it is', () => {
    const frame = m.calls.gupFast(m.mm, A + 20, 1);
    const before = frames();
    expect(m.calls.migrate(m.mm, A + 5)).toBe(EAGAIN);
    expect(m.calls.reclaim(m.mm, A + 5)).toBe(EAGAIN);
    expect([huge(), frames()]).toEqual([true, before]);
    m.calls.gupPut(frame);
    expect(m.calls.migrate(m.mm, A + 5)).toBe(0);
    end();
  });

  it('the huge zero page and huge pages of a file stay', () => {
    m.munmap(A, PMD_PAGES);
    m.mmap(A, PMD_PAGES);
    m.read(A);
    expect(huge()).toBe(true);
    expect(m.calls.migrate(m.mm, A + 1)).toBe(EFAULT);
    m.munmap(A, PMD_PAGES);
    const inode = m.kernel.inodeCreate(PMD_PAGES, INODE_SHMEM) >>> 0;
    m.mmap(A, PMD_PAGES, { flags: SHARED, inode });
    m.fill(A, 2);
    expect(m.madvise(A, PMD_PAGES, MADV_COLLAPSE)).toBe(0);
    m.read(A);
    expect(huge()).toBe(true);
    expect(m.calls.migrate(m.mm, A + 1)).toBe(EAGAIN);
    expect(m.calls.reclaim(m.mm, A + 1)).toBe(EAGAIN);
    m.munmap(A, PMD_PAGES);
    m.kernel.inodePut(inode);
    end();
  });

  describe('UFFDIO_MOVE', () => {
    const B = A + 16 * PMD_PAGES;
    const move = (to: number, from: number, pages: number): number =>
      m.calls.uffdMove(m.mm, to, from, pages, 0);

    beforeEach(() => {
      m.mmap(B, 3 * PMD_PAGES);
      m.calls.uffdApi(m.mm, 0);
      m.calls.uffdRegister(m.mm, B, 3 * PMD_PAGES, UFFD_REGISTER_MISSING);
    });

    it('a whole one goes whole', () => {
      const before = frames();
      const tables = m.tables;
      expect(move(B, A, PMD_PAGES)).toBe(0);
      expect([huge(B), m.frame(A)]).toEqual([true, 0]);
      expect(Array.from(before, (_, i) => m.frame(B + i))).toEqual(before);
      expect(m.tables[0]).toBe(tables[0]);
      expect(m.write(B + 3)).toBe(0);
      expect(m.calls.migrate(m.mm, B + 3)).toBe(0);
      expect(m.frame(B + 3)).not.toBe(before[3]);
      end();
    });

    it('a part goes page by page, split off', () => {
      const before = frames();
      expect(move(B + 5, A + 2, 7)).toBe(0);
      expect(Array.from({ length: 7 }, (_, i) => m.frame(B + 5 + i))).toEqual(before.slice(2, 9));
      expect(frames().filter((frame) => frame !== 0)).toEqual([
        ...before.slice(0, 2),
        ...before.slice(9),
      ]);
      expect(m.rss.anon).toBe(PMD_PAGES);
      end();
    });

    it('where a table is, and where it does not fit, it goes page by page', () => {
      const before = frames();
      expect(move(B + 1, A, PMD_PAGES)).toBe(0);
      expect(Array.from(before, (_, i) => m.frame(B + 1 + i))).toEqual(before);
      end();
    });

    it('one that is pinned, or that fork has shared, stays', () => {
      const frame = m.calls.gupFast(m.mm, A + 20, 1);
      expect([move(B, A, PMD_PAGES), huge()]).toEqual([EBUSY, true]);
      expect(move(B, A + 1, 1)).toBe(EBUSY);
      m.calls.gupPut(frame);
      const child = m.calls.fork(m.mm);
      expect(move(B, A, PMD_PAGES)).toBe(EBUSY);
      expect(move(B, A + 1, 1)).toBe(EBUSY);
      end(child);
    });

    it('nothing goes over what is there', () => {
      m.mmap(A + PMD_PAGES, PMD_PAGES);
      m.write(A + PMD_PAGES);
      expect(move(B, A, PMD_PAGES)).toBe(0);
      expect(move(B, A + PMD_PAGES, PMD_PAGES)).toBe(EEXIST);
      end();
    });

    it('the zero page goes whole as well', () => {
      m.munmap(A, PMD_PAGES);
      m.mmap(A, PMD_PAGES);
      m.read(A);
      expect(move(B, A, PMD_PAGES)).toBe(0);
      expect([huge(B), m.rss.anon]).toEqual([true, 0]);
      expect(m.write(B + 1)).toBe(0);
      end();
    });
  });

  it('what is aged in part is split, what is aged as a whole is not', () => {
    m.madvise(A, PMD_PAGES, MADV_COLD);
    expect([huge(), m.entry(A) & PTE_ACCESSED]).toEqual([true, 0]);
    m.madvise(A, PMD_PAGES, MADV_FREE);
    expect(huge()).toBe(true);
    m.write(A);
    m.madvise(A + 1, 4, MADV_COLD);
    expect(huge()).toBe(false);
    expect(m.rss.anon).toBe(PMD_PAGES);
    end();
  });

  it('what is paged out in part leaves the rest', () => {
    m.madvise(A + 4, 8, MADV_PAGEOUT);
    expect([huge(), m.rss.anon, m.rss.swap]).toEqual([false, PMD_PAGES - 8, 8]);
    expect(frames().map((frame) => frame === 0)).toEqual(
      Array.from({ length: PMD_PAGES }, (_, i) => i >= 4 && i < 12),
    );
    end();
  });
});
