/**
 * What every variant must do alike with a userfaultfd: one small case each, on a machine just reset. A thread alone
 * cannot wait for another, so faults here end in SIGBUS (UFFD_FEATURE_SIGBUS), or the CPU is a monitor itself. What
 * Linux answers to the same is in test/linux/uffd.test.ts.
 */
import { expect } from 'vitest';
import {
  EAGAIN,
  EBUSY,
  EEXIST,
  EFAULT,
  EINVAL,
  ENOENT,
  ENTRY_KIND,
  ENTRY_SWAP,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_PAGEOUT,
  MADV_POPULATE_WRITE,
  PMD_PAGES,
  PTE_SPECIAL,
  PTE_UFFD_WP,
  PTE_WRITE,
  PUD_PAGES,
  SIGBUS,
  UFFD_COPY_WP,
  UFFD_FEATURE_SIGBUS,
  UFFD_FEATURE_WP_UNPOPULATED,
  UFFD_MARKER,
  UFFD_MOVE_ALLOW_SRC_HOLES,
  UFFD_REGISTER_MISSING as MISSING,
  UFFD_REGISTER_WP as WP,
  UFFD_WRITEPROTECT_WP,
} from '../../src/kernel/abi.ts';
import * as layout from '../../src/kernel/abi.ts';
import { expectLeft, type Case } from './cases.ts';
import { FILE, READ, SHARED, type MachineHere } from './machineHere.ts';

const A = 4 * PUD_PAGES + 8 * PMD_PAGES;
const B = 6 * PUD_PAGES + 32 * PMD_PAGES;

const vmas = (m: MachineHere): number => m.at(m.mm + layout.MM_MAP_COUNT);
const flagsOf = (m: MachineHere, vpn: number): number => m.entry(vpn) & 0xff;

/** A userfaultfd that answers faults with SIGBUS. */
function api(m: MachineHere, features = 0): void {
  expect(m.calls.uffdApi(m.mm, UFFD_FEATURE_SIGBUS | features)).toBe(0);
}

const register = (m: MachineHere, vpn: number, pages: number, mode: number): number =>
  m.calls.uffdRegister(m.mm, vpn, pages, mode);
const protect = (m: MachineHere, vpn: number, pages: number): number =>
  m.calls.uffdWriteprotect(m.mm, vpn, pages, UFFD_WRITEPROTECT_WP);
const unprotect = (m: MachineHere, vpn: number, pages: number): number =>
  m.calls.uffdWriteprotect(m.mm, vpn, pages, 0);
const move = (m: MachineHere, to: number, from: number, pages: number, mode = 0): number =>
  m.calls.uffdMove(m.mm, to, from, pages, mode);

export const UFFD_CASES: Record<string, Case> = {
  'userfaultfd: handshake, and what can be registered'(m) {
    m.mmap(A, 8);
    expect(register(m, A, 8, MISSING)).toBe(EINVAL);
    expect(m.calls.uffdApi(m.mm, 1 << 20)).toBe(EINVAL);
    api(m);
    expect(m.calls.uffdApi(m.mm, 0)).toBe(EINVAL);
    expect(register(m, A, 8, 0)).toBe(EINVAL);
    expect(register(m, A, 8, 8)).toBe(EINVAL);
    expect(register(m, A, 0, MISSING)).toBe(EINVAL);
    expect(register(m, B, 8, MISSING)).toBe(EINVAL);
    m.mmap(B, 8, { inode: m.kernel.inodeCreate(8, FILE) >>> 0 });
    expect(register(m, B, 8, MISSING)).toBe(EINVAL);
    expect(register(m, A, 8, MISSING | WP)).toBe(0);
    expect(register(m, A - 4, 8, MISSING)).toBe(0);
    expect(m.calls.uffdUnregister(m.mm, B, 8)).toBe(EINVAL);
    expect(m.calls.uffdUnregister(m.mm, A, 8)).toBe(0);
    expect(m.calls.uffdUnregister(m.mm, A, 8)).toBe(0);
  },

  'userfaultfd: markers that a registration without write protection leaves go with their table in a collapse'(
    m,
  ) {
    m.mmap(A, PMD_PAGES, { flags: SHARED });
    expect(m.calls.access(m.mm, A, 1)).toBe(0);
    api(m);
    expect(register(m, A, PMD_PAGES, WP)).toBe(0);
    expect(protect(m, A + 1, 1)).toBe(0);
    expect(m.entry(A + 1)).toBe(UFFD_MARKER);
    expect(register(m, A, PMD_PAGES, MISSING)).toBe(0);
    expect(m.entry(A + 1)).toBe(UFFD_MARKER);
    expect(m.calls.madvise(m.mm, A, PMD_PAGES, MADV_COLLAPSE)).toBe(0);
    expect(m.entry(A + 1)).not.toBe(UFFD_MARKER);
  },

  'userfaultfd: registration splits and merges as rights do'(m) {
    api(m);
    m.mmap(A, 12);
    expect(register(m, A + 4, 4, MISSING)).toBe(0);
    expect(vmas(m)).toBe(3);
    expect(register(m, A, 12, MISSING)).toBe(0);
    expect(vmas(m)).toBe(1);
    expect(register(m, A, 6, WP)).toBe(0);
    expect(vmas(m)).toBe(2);
    expect(m.calls.uffdClose(m.mm)).toBe(0);
    expect(vmas(m)).toBe(1);
    expect(m.fill(A, 12)).toBe(0);
  },

  'userfaultfd: a missing page is told of, the zero page is none'(m) {
    api(m);
    m.mmap(A, 8);
    m.write(A);
    m.read(A + 1);
    expect(register(m, A, 8, MISSING)).toBe(0);
    expect([m.write(A), m.read(A + 1), m.write(A + 1)]).toEqual([0, 0, 0]);
    expect([m.read(A + 2), m.write(A + 3)]).toEqual([SIGBUS, SIGBUS]);
    expect(m.madvise(A + 2, 2, MADV_POPULATE_WRITE)).toBe(EFAULT);
    expect(m.calls.uffdCopy(m.mm, A + 2, 2, 0)).toBe(0);
    expect([m.read(A + 2), m.write(A + 3)]).toEqual([0, 0]);
    expect(m.calls.uffdZeropage(m.mm, A + 4, 1, 0)).toBe(0);
    expect(m.entry(A + 4) & PTE_SPECIAL).not.toBe(0);
    expect([m.read(A + 4), m.write(A + 4)]).toEqual([0, 0]);
    expect(m.rss.anon).toBe(5);
    m.madvise(A, 8, MADV_DONTNEED);
    expect(m.read(A)).toBe(SIGBUS);
  },

  'userfaultfd: UFFDIO_COPY and _ZEROPAGE refuse'(m) {
    api(m);
    m.mmap(A, 8);
    m.mmap(B, 8);
    m.write(A + 4);
    register(m, A, 8, MISSING);
    const { calls, mm } = m;
    expect(calls.uffdCopy(mm, A, 1, 4)).toBe(EINVAL);
    expect(calls.uffdCopy(mm, A, 0, 0)).toBe(EINVAL);
    expect(calls.uffdCopy(mm, A, 1, UFFD_COPY_WP)).toBe(EINVAL);
    expect(calls.uffdCopy(mm, B, 1, 0)).toBe(ENOENT);
    expect(calls.uffdCopy(mm, A + 100, 1, 0)).toBe(ENOENT);
    expect(calls.uffdCopy(mm, A, 9, 0)).toBe(ENOENT);
    expect(calls.uffdCopy(mm, A + 4, 1, 0)).toBe(EEXIST);
    expect(calls.uffdZeropage(mm, A + 4, 1, 0)).toBe(EEXIST);
    expect(calls.uffdZeropage(mm, A, 1, 2)).toBe(EINVAL);
    expect(calls.uffdCopy(mm, A + 2, 4, 0)).toBe(EAGAIN);
    expect(m.kernel.uffdDone()).toBe(2);
    expect(m.rss.anon).toBe(3);
  },

  'userfaultfd: shared memory is missing when it is not cached'(m) {
    api(m);
    m.mmap(A, 8, { flags: SHARED });
    m.write(A);
    m.madvise(A, 1, MADV_DONTNEED);
    register(m, A, 8, MISSING);
    expect([m.read(A), m.read(A + 1)]).toEqual([0, SIGBUS]);
    expect(m.calls.uffdCopy(m.mm, A + 1, 1, 0)).toBe(0);
    expect(m.write(A + 1)).toBe(0);
    expect(m.calls.uffdZeropage(m.mm, A + 2, 1, 0)).toBe(0);
    expect(m.calls.uffdCopy(m.mm, A + 2, 1, 0)).toBe(EEXIST);
    m.madvise(A + 1, 1, MADV_DONTNEED);
    expect(m.calls.uffdCopy(m.mm, A + 1, 1, 0)).toBe(EEXIST);
    expect(m.read(A + 1)).toBe(0);
    expect(m.rss.shmem).toBe(3);
  },

  'UFFDIO_MOVE: pages, the zero page, holes'(m) {
    api(m);
    m.mmap(A, 8);
    m.mmap(B, 8);
    register(m, B, 8, MISSING);
    m.fill(A, 2);
    m.read(A + 2);
    const frames = [m.frame(A), m.frame(A + 1)];
    expect(move(m, B, A, 4)).toBe(EAGAIN);
    expect(m.kernel.uffdDone()).toBe(3);
    expect([m.frame(B), m.frame(B + 1)]).toEqual(frames);
    expect([m.entry(A), m.entry(A + 1), m.entry(A + 2)]).toEqual([0, 0, 0]);
    expect(m.entry(B + 2) & PTE_SPECIAL).not.toBe(0);
    expect(move(m, B + 3, A + 3, 1)).toBe(ENOENT);
    m.write(A + 5);
    expect(move(m, B + 3, A + 3, 3, UFFD_MOVE_ALLOW_SRC_HOLES)).toBe(0);
    expect(m.frame(B + 5)).not.toBe(0);
    expect([m.write(B), m.write(B + 2), m.read(B + 3)]).toEqual([0, 0, SIGBUS]);
    expect(m.rss.anon).toBe(4);
  },

  'UFFDIO_MOVE: what does not move'(m) {
    api(m);
    m.mmap(A, 8);
    m.mmap(B, 8);
    m.mmap(B + 8, 8, { prot: READ });
    m.mmap(B + 16, 8, { flags: SHARED });
    m.fill(A, 4);
    register(m, B, 24, MISSING);
    expect(move(m, B, A, 0)).toBe(EINVAL);
    expect(move(m, B, A, 1, 4)).toBe(EINVAL);
    expect(move(m, A + 4, A, 1)).toBe(EINVAL);
    expect(move(m, B + 8, A, 1)).toBe(EINVAL);
    expect(move(m, B + 16, A, 1)).toBe(EINVAL);
    expect(move(m, B, B + 16, 1)).toBe(EINVAL);
    expect(move(m, B, A, 9)).toBe(EINVAL);
    expect(move(m, B + 64, A, 1)).toBe(ENOENT);
    expect(move(m, B, A + 64, 1)).toBe(ENOENT);
    m.calls.uffdCopy(m.mm, B, 1, 0);
    expect(move(m, B, A, 1)).toBe(EEXIST);
    const pinned = m.calls.gupFast(m.mm, A + 1, 0);
    expect(move(m, B + 1, A + 1, 1)).toBe(EBUSY);
    m.calls.gupPut(pinned);
    expect(move(m, B + 1, A + 1, 1)).toBe(0);
    expect(move(m, A + 1, A + 2, 1)).toBe(EINVAL);
    expect(move(m, B + 3, B + 1, 1)).toBe(0);
    expect(m.rss.anon).toBe(5);
  },

  'UFFDIO_MOVE between tables, and of what is in swap'(m) {
    api(m);
    m.mmap(A, 2 * PMD_PAGES);
    m.mmap(B, 2 * PMD_PAGES);
    register(m, B, 2 * PMD_PAGES, MISSING);
    m.fill(A + PMD_PAGES - 3, 6);
    m.madvise(A + PMD_PAGES - 1, 1, MADV_PAGEOUT);
    expect(move(m, B + PMD_PAGES - 2, A + PMD_PAGES - 3, 6)).toBe(0);
    expect(m.entry(B + PMD_PAGES) & ENTRY_KIND).toBe(ENTRY_SWAP);
    expect(m.fill(B + PMD_PAGES - 2, 6)).toBe(0);
    expect(m.rss).toEqual({ anon: 6, file: 0, shmem: 0, swap: 0 });
    m.madvise(A, 2 * PMD_PAGES, MADV_DONTNEED);
    expectLeft(m, m.tables[0], { nothing: 4, whole: 2 });
  },

  'write protection: present pages'(m) {
    api(m);
    m.mmap(A, 8);
    m.fill(A, 4);
    expect(protect(m, A, 4)).toBe(ENOENT);
    register(m, A, 8, WP);
    expect(protect(m, A, 8)).toBe(0);
    expect(flagsOf(m, A) & (PTE_UFFD_WP | PTE_WRITE)).toBe(PTE_UFFD_WP);
    expect([m.read(A), m.write(A)]).toEqual([0, SIGBUS]);
    expect(m.entry(A + 4)).toBe(0);
    expect(m.write(A + 4)).toBe(0);
    expect(unprotect(m, A, 1)).toBe(0);
    expect([m.write(A), m.write(A + 1)]).toEqual([0, SIGBUS]);
    expect(m.mprotect(A, 8, READ)).toBe(0);
    expect(m.mprotect(A, 8, 3)).toBe(0);
    expect([m.write(A), m.write(A + 1)]).toEqual([0, SIGBUS]);
    expect(m.calls.uffdWriteprotect(m.mm, A, 1, 3)).toBe(EINVAL);
    expect(m.calls.uffdWriteprotect(m.mm, A, 1, 4)).toBe(EINVAL);
    expect(protect(m, A, 9)).toBe(0);
    expect(protect(m, B, 1)).toBe(ENOENT);
    expect(m.calls.uffdUnregister(m.mm, A, 8)).toBe(0);
    expect(flagsOf(m, A + 1) & PTE_UFFD_WP).toBe(0);
    expect(m.fill(A, 8)).toBe(0);
  },

  'write protection follows a page into swap and back'(m) {
    api(m);
    m.mmap(A, 2);
    m.fill(A, 2);
    register(m, A, 2, WP);
    protect(m, A, 2);
    m.madvise(A, 2, MADV_PAGEOUT);
    expect(m.entry(A) & (ENTRY_KIND | PTE_UFFD_WP)).toBe(ENTRY_SWAP | PTE_UFFD_WP);
    expect(m.read(A)).toBe(0);
    expect(flagsOf(m, A) & (PTE_UFFD_WP | PTE_WRITE)).toBe(PTE_UFFD_WP);
    expect(unprotect(m, A + 1, 1)).toBe(0);
    expect([m.write(A), m.write(A + 1)]).toEqual([SIGBUS, 0]);
    expect(m.rss).toEqual({ anon: 2, file: 0, shmem: 0, swap: 0 });
  },

  'write protection: UFFDIO_COPY brings a protected page'(m) {
    api(m);
    m.mmap(A, 2);
    register(m, A, 2, MISSING | WP);
    expect(m.calls.uffdCopy(m.mm, A, 1, UFFD_COPY_WP)).toBe(0);
    expect([m.read(A), m.write(A)]).toEqual([0, SIGBUS]);
    expect(unprotect(m, A, 1)).toBe(0);
    expect(m.write(A)).toBe(0);
  },

  'markers: shared memory that is not there'(m) {
    api(m);
    m.mmap(A, PMD_PAGES, { flags: SHARED });
    m.fill(A, 2);
    register(m, A, PMD_PAGES, WP);
    expect(protect(m, A, 4)).toBe(0);
    expect([m.entry(A + 2), m.entry(A + 3), m.entry(A + 4)]).toEqual([UFFD_MARKER, UFFD_MARKER, 0]);
    m.madvise(A, PMD_PAGES, MADV_DONTNEED);
    expect([m.entry(A), m.entry(A + 3)]).toEqual([UFFD_MARKER, UFFD_MARKER]);
    expect(m.tables[0]).toBe(1);
    expect(m.rss.shmem).toBe(0);
    expect([m.read(A), m.write(A)]).toEqual([0, SIGBUS]);
    expect([m.write(A + 2), m.write(A + 4)]).toEqual([SIGBUS, 0]);
    m.madvise(A, 1, MADV_PAGEOUT);
    expect(m.entry(A)).toBe(UFFD_MARKER);
    expect(unprotect(m, A, 4)).toBe(0);
    expect([m.entry(A), m.entry(A + 3)]).toEqual([0, 0]);
    m.madvise(A, PMD_PAGES, MADV_DONTNEED);
    expectLeft(m, m.tables[0], { nothing: 1, whole: 0 });
  },

  'markers: munmap takes them, unregistering too'(m) {
    api(m);
    m.mmap(A, PMD_PAGES, { flags: SHARED });
    register(m, A, PMD_PAGES, WP);
    expect(protect(m, A, PMD_PAGES)).toBe(0);
    expect(m.munmap(A, 4)).toBe(0);
    expect(m.entry(A)).toBe(0);
    expect(m.entry(A + 4)).toBe(UFFD_MARKER);
    expect(m.calls.uffdUnregister(m.mm, A + 4, 4)).toBe(0);
    expect(m.entry(A + 4)).toBe(0);
    expect(m.entry(A + 8)).toBe(UFFD_MARKER);
    expect(m.calls.uffdClose(m.mm)).toBe(0);
    expect(m.entry(A + 8)).toBe(0);
    expect(m.fill(A + 4, 8)).toBe(0);
  },

  'markers: anonymous memory has them only when asked for'(m) {
    api(m, UFFD_FEATURE_WP_UNPOPULATED);
    m.mmap(A, PMD_PAGES);
    register(m, A, PMD_PAGES, WP);
    expect(protect(m, A, 4)).toBe(0);
    expect([m.entry(A), m.entry(A + 4)]).toEqual([UFFD_MARKER, 0]);
    expect([m.read(A), m.write(A)]).toEqual([0, SIGBUS]);
    expect(m.entry(A) & (PTE_SPECIAL | PTE_UFFD_WP)).toBe(PTE_SPECIAL | PTE_UFFD_WP);
    expect([m.write(A + 1), m.write(A + 1)]).toEqual([SIGBUS, SIGBUS]);
    expect(m.frame(A + 1)).not.toBe(0);
    m.madvise(A + 2, 1, MADV_FREE);
    expect(m.entry(A + 2)).toBe(UFFD_MARKER);
    m.madvise(A, PMD_PAGES, MADV_DONTNEED);
    expect(m.entry(A + 2)).toBe(0);
    expectLeft(m, m.tables[0], { nothing: 1, whole: 0 });
  },

  'markers: UFFDIO_COPY and _ZEROPAGE on them, UFFDIO_MOVE from them'(m) {
    api(m, UFFD_FEATURE_WP_UNPOPULATED);
    m.mmap(A, 8);
    m.mmap(B, 8);
    register(m, A, 8, MISSING | WP);
    register(m, B, 8, MISSING);
    expect(protect(m, A, 4)).toBe(0);
    expect(m.calls.uffdZeropage(m.mm, A, 1, 0)).toBe(EEXIST);
    expect(m.calls.uffdCopy(m.mm, A, 1, 0)).toBe(0);
    expect(m.write(A)).toBe(0);
    expect(move(m, B, A + 1, 1)).toBe(EFAULT);
    expect(move(m, A + 1, A, 1)).toBe(EEXIST);
    expect(m.write(A + 1)).toBe(SIGBUS);
  },

  'mremap: the new place is not watched'(m) {
    api(m, UFFD_FEATURE_WP_UNPOPULATED);
    m.mmap(A, PMD_PAGES);
    m.fill(A, 2);
    register(m, A, PMD_PAGES, MISSING | WP);
    protect(m, A, 4);
    expect(m.move(A, PMD_PAGES, B)).toBe(0);
    expect([m.write(B), m.write(B + 2), m.write(B + 8)]).toEqual([0, 0, 0]);
    expect(flagsOf(m, B) & PTE_UFFD_WP).toBe(0);
    m.mmap(A, 8);
    m.mmap(A + 8, 8, { prot: READ });
    register(m, A, 16, MISSING);
    expect(m.move(A, 16, B + PMD_PAGES)).toBe(EFAULT);
    expect(m.move(A + 8, 8, B + PMD_PAGES)).toBe(0);
  },

  'a CPU that is its own monitor'(m) {
    expect(m.calls.uffdApi(m.mm, 0)).toBe(0);
    m.kernel.uffdMonitor(1);
    m.mmap(A, 16);
    m.mmap(B, 16, { flags: SHARED });
    register(m, A, 16, MISSING | WP);
    register(m, B, 16, MISSING | WP);
    expect(m.fill(A, 16)).toBe(0);
    expect(m.read(B + 3)).toBe(0);
    expect(protect(m, A, 16)).toBe(0);
    expect(protect(m, B, 16)).toBe(0);
    expect(m.fill(A, 16)).toBe(0);
    expect(m.fill(B, 16)).toBe(0);
    m.madvise(A, 16, MADV_DONTNEED);
    expect(m.madvise(A, 16, MADV_POPULATE_WRITE)).toBe(0);
    expect(m.rss.anon).toBe(16);
    expect(m.kernel.uffdPending(m.mm)).toBeFalsy();
  },
};
