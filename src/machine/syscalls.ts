/**
 * System calls of one CPU: byte addresses and lengths in, a Linux error number out (0: none). Checks of alignment and
 * range in Linux's order, then the kernel's calls in pages.
 */
import {
  EFAULT,
  EINVAL,
  ENOMEM,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  TASK_END,
} from '../kernel/config.ts';
import type { Kernel } from './kernel.ts';

export const PAGE_BYTES = 4096;
/** First address that no mapping may reach: the last page below 16 TiB stays unmapped. */
export const TASK_BYTES = TASK_END * PAGE_BYTES;
const WRAP_BYTES = 2 ** 64;
/** What an access beyond the end of a file gives instead of an errno. */
export const SIGBUS = 7;
/** mmap's arg4 in operation records: `file + FILE_RADIX * page offset`. */
const MREMAP_MAYMOVE_FIXED = 0;

const pageUp = (bytes: number): number => {
  const up = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
  return up >= WRAP_BYTES ? 0 : up;
};

/** Addresses come as doubles: one that has been rounded to 2^64 was not aligned. */
const unaligned = (address: number): boolean => address % PAGE_BYTES !== 0 || address >= WRAP_BYTES;

/** The system calls of the CPU that `kernel` runs on. `mm` is the handle of an address space. */
export class SystemCalls {
  readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** mmap, fixed. `flags` are MMAP_ codes, `inode` the handle of a file or 0, `pgoff` in pages. */
  mmap(
    mm: number,
    address: number,
    length: number,
    prot: number,
    flags: number,
    inode = 0,
    pgoff = 0,
  ): number {
    if (length === 0) return EINVAL;
    const bytes = pageUp(length);
    if (bytes === 0 || bytes > TASK_BYTES || address > TASK_BYTES - bytes) return ENOMEM;
    if (unaligned(address)) return EINVAL;
    const pages = bytes / PAGE_BYTES;
    return this.kernel.doMmap(mm, address / PAGE_BYTES, pages, prot, flags, inode, pgoff);
  }

  munmap(mm: number, address: number, length: number): number {
    if (unaligned(address) || address > TASK_BYTES || length > TASK_BYTES - address) return EINVAL;
    const bytes = pageUp(length);
    if (bytes === 0) return EINVAL;
    return this.kernel.doMunmap(mm, address / PAGE_BYTES, bytes / PAGE_BYTES);
  }

  mprotect(mm: number, address: number, length: number, prot: number): number {
    if (unaligned(address)) return EINVAL;
    if (length === 0) return 0;
    const bytes = pageUp(length);
    if (bytes === 0 || address + bytes >= WRAP_BYTES || address >= TASK_BYTES) return ENOMEM;
    const end = Math.min(address + bytes, TASK_BYTES);
    const errno = this.kernel.doMprotect(
      mm,
      address / PAGE_BYTES,
      (end - address) / PAGE_BYTES,
      prot,
    );
    return errno === 0 && address + bytes > TASK_BYTES ? ENOMEM : errno;
  }

  /** madvise; `advice` is Linux's number. What lies past the address space is a hole. */
  madvise(mm: number, address: number, length: number, advice: number): number {
    if (unaligned(address)) return EINVAL;
    const bytes = pageUp(length);
    if (length !== 0 && bytes === 0) return EINVAL;
    if (address + bytes >= WRAP_BYTES) return EINVAL;
    const end = Math.min(address + bytes, TASK_BYTES);
    const pages = Math.max(0, end - address) / PAGE_BYTES;
    const start = Math.min(address, TASK_BYTES) / PAGE_BYTES;
    const errno = this.kernel.doMadvise(mm, start, pages, advice);
    return errno === 0 && address + bytes > TASK_BYTES ? ENOMEM : errno;
  }

  /** mremap with MREMAP_MAYMOVE; `flags` 0: MREMAP_FIXED as well. */
  mremap(
    mm: number,
    address: number,
    oldLength: number,
    newAddress: number,
    newLength: number,
    flags: number,
  ): number {
    const oldBytes = pageUp(oldLength);
    const newBytes = pageUp(newLength);
    if (unaligned(address) || newBytes === 0 || newBytes > TASK_BYTES) return EINVAL;
    if (flags === MREMAP_MAYMOVE_FIXED) {
      if (unaligned(newAddress) || newAddress > TASK_BYTES - newBytes) return EINVAL;
      if (address + oldBytes > newAddress && newAddress + newBytes > address) return EINVAL;
    }
    if (address >= TASK_BYTES || address + oldBytes > TASK_BYTES) return EFAULT;
    return this.kernel.doMremap(
      mm,
      address / PAGE_BYTES,
      oldBytes / PAGE_BYTES,
      newAddress / PAGE_BYTES,
      newBytes / PAGE_BYTES,
      flags === MREMAP_MAYMOVE_FIXED ? MREMAP_MAYMOVE | MREMAP_FIXED : MREMAP_MAYMOVE,
    );
  }

  /** Moves the break to `address`, rounded up to a page. */
  brk(mm: number, address: number): number {
    const end = pageUp(address);
    if (end > TASK_BYTES || (end === 0 && address !== 0)) return ENOMEM;
    return this.kernel.doBrk(mm, end / PAGE_BYTES);
  }

  /** Reads or writes the byte at `address`, faulting as needed. EFAULT: no mapping, no right, or beyond a file's end. */
  access(mm: number, address: number, write: boolean): number {
    if (address >= TASK_BYTES) return EFAULT;
    const errno = this.kernel.access(mm, Math.floor(address / PAGE_BYTES), write ? 1 : 0);
    return errno === SIGBUS ? EFAULT : errno;
  }

  /** Accesses [address, address + length) every `strideBytes`; stops at the first access that fails. */
  touch(
    mm: number,
    address: number,
    length: number,
    write: boolean,
    strideBytes = PAGE_BYTES,
  ): number {
    if (!(strideBytes > 0)) return EINVAL;
    const end = address + length;
    let calls = 0;
    for (let at = address; at < end; at += strideBytes) {
      const errno = this.access(mm, at, write);
      if (errno !== 0) return errno;
      if ((++calls & 63) === 0) this.kernel.rcuQuiescentState();
    }
    return 0;
  }

  /** A page fault of a recorded program: where no mapping is known, one page is mapped first. */
  fault(mm: number, address: number, write: boolean): number {
    const errno = this.access(mm, address, write);
    if (errno !== EFAULT || address >= TASK_BYTES) return errno;
    const mapped = this.kernel.mapImplicit(mm, Math.floor(address / PAGE_BYTES));
    return mapped === 0 ? this.access(mm, address, write) : mapped;
  }

  /** The entry that a lockless walk finds for `address`, or 0. */
  walk(mm: number, address: number): number {
    return address >= TASK_BYTES
      ? 0
      : this.kernel.walkLockless(mm, Math.floor(address / PAGE_BYTES));
  }

  /** A frame with a reference taken by GUP-fast, or 0; give it back with `gupPut`. */
  gupFast(mm: number, address: number, write: boolean): number {
    if (address >= TASK_BYTES) return 0;
    return this.kernel.gupFast(mm, Math.floor(address / PAGE_BYTES), write ? 1 : 0);
  }

  gupPut(frame: number): void {
    this.kernel.gupPut(frame);
  }
}
