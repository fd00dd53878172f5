/**
 * Machines without a zero page: what a read of private anonymous memory allocates where nothing is mapped, and what
 * becomes of it. Every protocol, every fault path, both executions. What Linux answers to the same is in test/linux.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import {
  COUNTER_COPIES,
  COUNTER_HUGE_FAULTS,
  COUNTER_SPECULATIVE_COMMITS,
  EFAULT,
  F_EXCLUSIVE,
  F_ORDER,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_POPULATE_READ,
  PMD_PAGES,
  PTE_DIRTY,
  PTE_HUGE,
  PTE_SPECIAL,
  PTE_UFFD_WP,
  PTE_WRITE,
  PUD_PAGES,
  SIGBUS,
  UFFD_FEATURE_SIGBUS,
  UFFD_FEATURE_WP_UNPOPULATED,
  UFFD_REGISTER_MISSING,
  UFFD_REGISTER_WP,
  UFFD_WRITEPROTECT_WP,
  ZERO_FRAME,
} from '../../src/kernel/abi.ts';
import * as layout from '../../src/kernel/abi.ts';
import { EXECUTIONS, FAULT_PATHS, PROTOCOLS } from '../../src/machine/options.ts';
import { MachineHere, POPULATE, READ, SHARED } from './machineHere.ts';

const A = 4 * PUD_PAGES + 8 * PMD_PAGES;

const WITHOUT = { zeroPage: false, anonVmas: 256, anonVmaChains: 512 };

/** Each protocol, each fault path with two of them. */
const MACHINES = EXECUTIONS.flatMap((execution) =>
  PROTOCOLS.map((protocol, index) => ({
    execution,
    protocol,
    fault: FAULT_PATHS[index % FAULT_PATHS.length]!,
  })),
);

describe.each(MACHINES)('no zero page, $execution $protocol $fault', (options) => {
  let m: MachineHere;

  const make = async (more: Parameters<typeof MachineHere.make>[0] = {}): Promise<void> => {
    m = (await MachineHere.make({ ...options, ...WITHOUT, ...more })).reset();
  };
  const folioFlags = (vpn: number): number =>
    m.at(m.folio(m.kernel.folioHead!(m.frame(vpn))) + layout.F_FLAGS);
  const rights = (vpn: number): number => m.entry(vpn) & (PTE_WRITE | PTE_DIRTY | PTE_SPECIAL);
  const pmd = (vpn = A, mm = m.mm): number => m.at(m.kernel.pmdOf!(mm, vpn) >>> 0);
  const end = (...children: number[]): void => {
    m.balanced();
    for (const mm of [...children, m.mm]) m.calls.mmDestroy(mm);
    m.balanced();
  };

  beforeEach(() => make());

  it('a read maps a page that is the entry’s alone, writable and dirty, and a write then finds it', () => {
    m.mmap(A, 8);
    expect(m.read(A)).toBe(0);
    const frame = m.frame(A);
    expect(frame).toBeGreaterThan(ZERO_FRAME);
    expect(rights(A)).toBe(PTE_WRITE | PTE_DIRTY);
    expect(folioFlags(A) & F_EXCLUSIVE).toBe(F_EXCLUSIVE);
    expect(m.rss.anon).toBe(1);
    expect(m.write(A)).toBe(0);
    expect([m.frame(A), m.counter(COUNTER_COPIES)]).toEqual([frame, 0]);
    end();
  });

  it('a read of what may not be written to maps a clean page; the right to write brings no copy', () => {
    m.mmap(A, 8, { prot: READ });
    expect(m.read(A + 1)).toBe(0);
    const frame = m.frame(A + 1);
    expect(frame).toBeGreaterThan(ZERO_FRAME);
    expect(rights(A + 1)).toBe(0);
    expect(m.write(A + 1)).toBe(EFAULT);
    m.mprotect(A, 8, 3);
    expect(m.write(A + 1)).toBe(0);
    expect([m.frame(A + 1), m.counter(COUNTER_COPIES), m.rss.anon]).toEqual([frame, 0, 1]);
    end();
  });

  it('populating by reading allocates', () => {
    m.mmap(A, 8);
    expect(m.madvise(A, 4, MADV_POPULATE_READ)).toBe(0);
    expect(m.rss.anon).toBe(4);
    m.mmap(A + PMD_PAGES, 3, { prot: READ, flags: POPULATE });
    expect(m.rss.anon).toBe(7);
    expect(rights(A + PMD_PAGES)).toBe(0);
    end();
  });

  it('shared memory and memory without rights are as ever', () => {
    m.mmap(A, 4, { flags: SHARED });
    expect(m.read(A)).toBe(0);
    expect(m.rss).toMatchObject({ anon: 0, shmem: 1 });
    m.mmap(A + 8, 4, { prot: 0 });
    expect(m.read(A + 8)).toBe(EFAULT);
    expect(m.rss.anon).toBe(0);
    end();
  });

  it('fork shares what was read; the first who writes copies, the last one keeps', () => {
    m.mmap(A, 2);
    m.read(A);
    const frame = m.frame(A);
    const child = m.calls.fork(m.mm);
    expect(m.frame(A, child)).toBe(frame);
    expect(folioFlags(A) & F_EXCLUSIVE).toBe(0);
    expect(m.write(A, child)).toBe(0);
    expect(m.frame(A, child)).not.toBe(frame);
    expect(m.write(A)).toBe(0);
    expect([m.frame(A), m.counter(COUNTER_COPIES)]).toEqual([frame, 1]);
    expect(m.read(A + 1, child)).toBe(0);
    expect(m.frame(A + 1)).toBe(0);
    end(child);
  });

  it('a table of pages that were only read goes when they are given up', () => {
    m.mmap(A, PMD_PAGES);
    for (let i = 0; i < PMD_PAGES; i += 64) m.read(A + i);
    expect(m.rss.anon).toBe(8);
    expect(m.madvise(A, PMD_PAGES, MADV_DONTNEED)).toBe(0);
    expect(m.rss.anon).toBe(0);
    end();
  });

  it('a read takes a large folio where a write does', async () => {
    await make({ mthp: '64K' });
    m.mmap(A, PMD_PAGES);
    // Speculative faults take single pages, once there is a table.
    expect(m.read(A + 37)).toBe(0);
    expect(folioFlags(A + 37) & F_ORDER).toBe(4);
    expect(m.rss.anon).toBe(16);
    expect([m.frame(A + 31), m.frame(A + 48)]).toEqual([0, 0]);
    expect(rights(A + 32)).toBe(PTE_WRITE | PTE_DIRTY);
    end();
  });

  it('a read maps a huge page, which a write keeps', async () => {
    await make({ thp: 'always' });
    m.mmap(A, PMD_PAGES);
    expect(m.read(A + 3)).toBe(0);
    expect(pmd() & (PTE_HUGE | PTE_SPECIAL | PTE_WRITE)).toBe(PTE_HUGE | PTE_WRITE);
    const frame = m.frame(A);
    expect(m.rss.anon).toBe(PMD_PAGES);
    expect(m.write(A + 5)).toBe(0);
    expect([m.frame(A), m.counter(COUNTER_HUGE_FAULTS)]).toEqual([frame, 1]);
    const child = m.calls.fork(m.mm);
    expect(pmd(A, child) & (PTE_HUGE | PTE_WRITE)).toBe(PTE_HUGE);
    expect(m.rss.anon).toBe(PMD_PAGES);
    end(child);
  });

  it('a huge page of what may not be written to is not writable', async () => {
    await make({ thp: 'always' });
    m.mmap(A, PMD_PAGES, { prot: READ });
    expect(m.read(A)).toBe(0);
    expect(pmd() & (PTE_HUGE | PTE_SPECIAL | PTE_WRITE)).toBe(PTE_HUGE);
    expect(m.write(A)).toBe(EFAULT);
    expect(m.rss.anon).toBe(PMD_PAGES);
    end();
  });

  it('where there is no huge folio a read maps a page', async () => {
    await make({ thp: 'always', frames: 1536 });
    m.mmap(A + 4 * PMD_PAGES, 1);
    m.read(A + 4 * PMD_PAGES);
    m.mmap(A, 2 * PMD_PAGES);
    expect(m.read(A)).toBe(0);
    expect(m.read(A + PMD_PAGES)).toBe(0);
    expect(m.rss.anon).toBe(PMD_PAGES + 2);
    expect(m.frame(A + PMD_PAGES)).toBeGreaterThan(ZERO_FRAME);
    end();
  });

  it('a collapse counts pages that were only read as pages', () => {
    m.mmap(A, PMD_PAGES);
    m.read(A);
    m.read(A + 100);
    expect(m.madvise(A, PMD_PAGES, MADV_COLLAPSE)).toBe(0);
    expect([pmd() & PTE_HUGE, m.rss.anon]).toEqual([PTE_HUGE, PMD_PAGES]);
    end();
  });

  it('a userfaultfd is told of reads, and UFFDIO_ZEROPAGE brings a page', () => {
    m.mmap(A, 8);
    m.calls.uffdApi(m.mm, UFFD_FEATURE_SIGBUS);
    m.calls.uffdRegister(m.mm, A, 8, UFFD_REGISTER_MISSING);
    expect(m.read(A)).toBe(SIGBUS);
    expect(m.rss.anon).toBe(0);
    expect(m.calls.uffdZeropage(m.mm, A, 2, 0)).toBe(0);
    expect([rights(A), m.rss.anon]).toEqual([PTE_WRITE | PTE_DIRTY, 2]);
    expect(m.read(A)).toBe(0);
    end();
  });

  it('a read of a marker maps a page that is write-protected for the userfaultfd; UFFDIO_ZEROPAGE takes the marker away', () => {
    m.mmap(A, 8);
    m.calls.uffdApi(m.mm, UFFD_FEATURE_SIGBUS | UFFD_FEATURE_WP_UNPOPULATED);
    m.calls.uffdRegister(m.mm, A, 8, UFFD_REGISTER_WP);
    m.calls.uffdWriteprotect(m.mm, A, 8, UFFD_WRITEPROTECT_WP);
    expect(m.read(A)).toBe(0);
    expect(m.frame(A)).toBeGreaterThan(ZERO_FRAME);
    expect(m.entry(A) & (PTE_UFFD_WP | PTE_WRITE)).toBe(PTE_UFFD_WP);
    expect(m.write(A)).toBe(SIGBUS);
    expect(m.calls.uffdZeropage(m.mm, A + 1, 1, 0)).toBe(0);
    expect(m.entry(A + 1) & (PTE_UFFD_WP | PTE_WRITE)).toBe(PTE_WRITE);
    end();
  });
});

describe.each(EXECUTIONS)('speculative reads without a zero page, %s', (execution) => {
  it('commit with a page, writable where the memory is, once the VMA has its anon_vma', async () => {
    const m = (await MachineHere.make({ execution, fault: 'speculative', ...WITHOUT })).reset();
    const commits = (): number => m.counter(COUNTER_SPECULATIVE_COMMITS);
    m.mmap(A, 8);
    m.read(A);
    expect(commits()).toBe(0);
    m.read(A + 1);
    expect([commits(), m.rss.anon]).toEqual([1, 2]);
    expect(m.entry(A + 1) & (PTE_WRITE | PTE_DIRTY)).toBe(PTE_WRITE | PTE_DIRTY);
    m.mprotect(A, 8, READ);
    m.read(A + 2);
    expect([commits(), m.rss.anon]).toEqual([2, 3]);
    expect(m.entry(A + 2) & (PTE_WRITE | PTE_DIRTY)).toBe(0);
    m.balanced();
  });
});
