/**
 * System calls of one CPU: byte addresses and lengths in, a Linux error number out (0: none). Checks of alignment and
 * range in Linux's order, then the kernel's calls in pages.
 */
import { EFAULT, EINVAL, ENOMEM, MREMAP_FIXED, MREMAP_MAYMOVE, TASK_END } from '../kernel/abi.ts';
import type { Kernel } from './kernel.ts';
import { PageCalls } from './pageCalls.ts';

export const PAGE_BYTES = 4096;
/** First address that no mapping may reach: the last page below 16 TiB stays unmapped. */
export const TASK_BYTES = TASK_END * PAGE_BYTES;
/** munmap may name the last page, too, so that a script can unmap everything: `munmap 0 16T`. */
const MUNMAP_BYTES = TASK_BYTES + PAGE_BYTES;
const WRAP_BYTES = 2 ** 64;
/** What an access beyond the end of a file gives instead of an errno. */
export const SIGBUS = 7;
const MREMAP_MAYMOVE_FIXED = 0;

const pageUp = (bytes: number): number => {
  const up = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
  return up >= WRAP_BYTES ? 0 : up;
};

/** A signal where a program would get one for its access: EFAULT, whatever the cause. */
const fatal = (errno: number): number => (errno === SIGBUS ? EFAULT : errno);

/** Addresses come as doubles: one that has been rounded to 2^64 was not aligned. */
const unaligned = (address: number): boolean => address % PAGE_BYTES !== 0 || address >= WRAP_BYTES;

/** Whether a call of a userfaultfd can name the range: whole pages of the address space, one at least (validate_range). */
const uffdRange = (address: number, length: number): boolean =>
  !unaligned(address) &&
  length > 0 &&
  length % PAGE_BYTES === 0 &&
  address < TASK_BYTES &&
  length <= TASK_BYTES - address;

/** The system calls of a CPU. `mm` is the handle of an address space. */
export class SystemCalls {
  readonly kernel: Kernel;
  readonly pages: PageCalls;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.pages = new PageCalls(kernel);
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
    return this.pages.mmap(mm, address / PAGE_BYTES, pages, prot, flags, inode, pgoff);
  }

  munmap(mm: number, address: number, length: number): number {
    if (unaligned(address) || address > MUNMAP_BYTES || length > MUNMAP_BYTES - address)
      return EINVAL;
    const bytes = pageUp(length);
    if (bytes === 0) return EINVAL;
    const end = Math.min(address + bytes, TASK_BYTES);
    if (address >= end) return 0;
    return this.pages.munmap(mm, address / PAGE_BYTES, (end - address) / PAGE_BYTES);
  }

  mprotect(mm: number, address: number, length: number, prot: number): number {
    if (unaligned(address)) return EINVAL;
    if (length === 0) return 0;
    const bytes = pageUp(length);
    if (bytes === 0 || address + bytes >= WRAP_BYTES || address >= TASK_BYTES) return ENOMEM;
    const end = Math.min(address + bytes, TASK_BYTES);
    const errno = this.pages.mprotect(mm, address / PAGE_BYTES, (end - address) / PAGE_BYTES, prot);
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
    const errno = this.pages.madvise(mm, start, pages, advice);
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
    if (address >= TASK_BYTES) return EFAULT;
    return this.pages.mremap(
      mm,
      address / PAGE_BYTES,
      Math.min(oldBytes / PAGE_BYTES, TASK_END),
      newAddress / PAGE_BYTES,
      newBytes / PAGE_BYTES,
      flags === MREMAP_MAYMOVE_FIXED ? MREMAP_MAYMOVE | MREMAP_FIXED : MREMAP_MAYMOVE,
    );
  }

  /** Moves the break to `address`, rounded up to a page. */
  brk(mm: number, address: number): number {
    const end = pageUp(address);
    if (end > TASK_BYTES || (end === 0 && address !== 0)) return ENOMEM;
    return this.pages.brk(mm, end / PAGE_BYTES);
  }

  /** userfaultfd() and UFFDIO_API; `features` are Linux's UFFD_FEATURE_ bits, fewer than Linux has. */
  uffdApi(mm: number, features: number): number {
    return this.pages.uffdApi(mm, features);
  }

  uffdClose(mm: number): number {
    return this.pages.uffdClose(mm);
  }

  uffdRegister(mm: number, address: number, length: number, mode: number): number {
    if (!uffdRange(address, length)) return EINVAL;
    return this.pages.uffdRegister(mm, address / PAGE_BYTES, length / PAGE_BYTES, mode);
  }

  uffdUnregister(mm: number, address: number, length: number): number {
    if (!uffdRange(address, length)) return EINVAL;
    return this.pages.uffdUnregister(mm, address / PAGE_BYTES, length / PAGE_BYTES);
  }

  /** UFFDIO_COPY; what is copied has no bytes. `uffdDone` of the kernel's calls: pages done. */
  uffdCopy(mm: number, address: number, length: number, mode: number): number {
    if (!uffdRange(address, length)) return EINVAL;
    return this.pages.uffdCopy(mm, address / PAGE_BYTES, length / PAGE_BYTES, mode);
  }

  uffdZeropage(mm: number, address: number, length: number, mode: number): number {
    if (!uffdRange(address, length)) return EINVAL;
    return this.pages.uffdZeropage(mm, address / PAGE_BYTES, length / PAGE_BYTES, mode);
  }

  uffdMove(mm: number, address: number, from: number, length: number, mode: number): number {
    if (!uffdRange(address, length) || !uffdRange(from, length)) return EINVAL;
    const [to, source] = [address / PAGE_BYTES, from / PAGE_BYTES];
    return this.pages.uffdMove(mm, to, source, length / PAGE_BYTES, mode);
  }

  uffdWriteprotect(mm: number, address: number, length: number, mode: number): number {
    if (!uffdRange(address, length)) return EINVAL;
    return this.pages.uffdWriteprotect(mm, address / PAGE_BYTES, length / PAGE_BYTES, mode);
  }

  uffdWake(mm: number, address: number, length: number): number {
    if (!uffdRange(address, length)) return EINVAL;
    this.kernel.uffdWake(mm, address / PAGE_BYTES, length / PAGE_BYTES);
    return 0;
  }

  /** Answers the faults that wait for a monitor, as a program's handler thread does; gives how many. */
  uffdServe(mm: number): number {
    return this.pages.uffdServe(mm);
  }

  /** Reads or writes the byte at `address`, faulting as needed. EFAULT: no mapping, no right, or beyond a file's end. */
  access(mm: number, address: number, write: boolean): number {
    if (address >= TASK_BYTES) return EFAULT;
    return fatal(this.pages.access(mm, Math.floor(address / PAGE_BYTES), write ? 1 : 0));
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
    if (address % PAGE_BYTES === 0 && strideBytes % PAGE_BYTES === 0 && end <= TASK_BYTES) {
      const count = Math.max(0, Math.ceil(length / strideBytes));
      const stride = strideBytes / PAGE_BYTES;
      return fatal(this.pages.touch(mm, address / PAGE_BYTES, count, stride, write ? 1 : 0));
    }
    for (let at = address; at < end; at += strideBytes) {
      const errno = this.access(mm, at, write);
      if (errno !== 0) return errno;
      this.kernel.condResched();
    }
    return 0;
  }

  /** A page fault of a recorded program: where no mapping is known, one page is mapped first. */
  fault(mm: number, address: number, write: boolean): number {
    if (address >= TASK_BYTES) return EFAULT;
    return fatal(this.pages.fault(mm, Math.floor(address / PAGE_BYTES), write ? 1 : 0));
  }

  /** The entry that a lockless walk finds for `address`, or 0. */
  walk(mm: number, address: number): number {
    return address >= TASK_BYTES ? 0 : this.pages.walk(mm, Math.floor(address / PAGE_BYTES));
  }

  /** A frame with a reference taken by GUP-fast, or 0; give it back with `gupPut`. */
  gupFast(mm: number, address: number, write: boolean): number {
    if (address >= TASK_BYTES) return 0;
    return this.pages.gupFast(mm, Math.floor(address / PAGE_BYTES), write ? 1 : 0);
  }

  gupPut(frame: number): void {
    this.pages.gupPut(frame);
  }
}
