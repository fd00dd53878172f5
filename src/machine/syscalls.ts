/**
 * The table of the kernel's calls: what a CPU of a machine can be told to do, in pages as workloads and tests say it
 * (PageCalls), and in bytes as programs do (SystemCalls). A call that stands in both can be made from a machine's `Cpu`
 * by its name, and is named in reports and events.
 */
import {
  EFAULT,
  EINVAL,
  ENOMEM,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PAGE_BYTES,
  SIGBUS,
  TASK_END,
} from '../kernel/abi.ts';

/** The kernel's exports, as kernel.ts has them (`Kernel`). */
type Kernel = typeof import('../kernel/index.ts');

/**
 * What a CPU is doing, as reports name it, and its code (C_OP): 1 to 8 are the calls of operation records, in their
 * order.
 */
export const OPERATIONS = {
  mmap: 1,
  munmap: 2,
  touch: 3,
  madvise: 4,
  mremap: 5,
  mprotect: 6,
  brk: 7,
  fault: 8,
  walk: 9,
  gup: 10,
  access: 11,
  'mm-create': 12,
  'mm-destroy': 13,
  fork: 18,
  migrate: 19,
  truncate: 20,
  reclaim: 21,
  'uffd-register': 40,
  'uffd-unregister': 41,
  'uffd-copy': 42,
  'uffd-zeropage': 43,
  'uffd-move': 44,
  'uffd-writeprotect': 45,
  'uffd-serve': 46,
} as const;

/**
 * The kernel's calls in pages, each marked as the operation under way, so that reports name it. `mm` is the handle of
 * an address space, `vpn` a page number; the others are the kernel's.
 */
export class PageCalls {
  readonly kernel: Kernel;
  readonly #recorded: boolean;

  /** A kernel that has its memory, and for life. */
  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.#recorded = Boolean(kernel.eventsRecorded());
  }

  /**
   * `a` and `b` are arguments that events are to tell as well, if any are recorded; so are the two after them that
   * `#tell` tells.
   */
  #as(
    op: number,
    mm: number,
    vpn: number,
    a: number,
    b: number,
    result: (kernel: Kernel) => number | void,
  ): number {
    this.kernel.beginOperation(op, mm, vpn);
    if (this.#recorded) this.kernel.operationArguments(a, b);
    const errno = (result(this.kernel) ?? 0) >>> 0;
    this.kernel.endOperation();
    return errno;
  }

  #tell(c: number, d: number): void {
    if (this.#recorded) this.kernel.operationArguments(c, d);
  }

  mmap(
    mm: number,
    vpn: number,
    pages: number,
    prot: number,
    flags: number,
    inode: number,
    pgoff: number,
  ): number {
    return this.#as(OPERATIONS.mmap, mm, vpn, pages, prot, (k) => {
      this.#tell(flags, inode);
      return k.doMmap(mm, vpn, pages, prot, flags, inode, pgoff);
    });
  }

  munmap(mm: number, vpn: number, pages: number): number {
    return this.#as(OPERATIONS.munmap, mm, vpn, pages, 0, (k) => k.doMunmap(mm, vpn, pages));
  }

  mprotect(mm: number, vpn: number, pages: number, prot: number): number {
    return this.#as(OPERATIONS.mprotect, mm, vpn, pages, prot, (k) =>
      k.doMprotect(mm, vpn, pages, prot),
    );
  }

  madvise(mm: number, vpn: number, pages: number, advice: number): number {
    return this.#as(OPERATIONS.madvise, mm, vpn, pages, advice, (k) =>
      k.doMadvise(mm, vpn, pages, advice),
    );
  }

  mremap(
    mm: number,
    vpn: number,
    pages: number,
    to: number,
    toPages: number,
    flags: number,
  ): number {
    return this.#as(OPERATIONS.mremap, mm, vpn, pages, to, (k) => {
      this.#tell(toPages, flags);
      return k.doMremap(mm, vpn, pages, to, toPages, flags);
    });
  }

  brk(mm: number, vpn: number): number {
    return this.#as(OPERATIONS.brk, mm, vpn, 0, 0, (k) => k.doBrk(mm, vpn));
  }

  access(mm: number, vpn: number, write: number): number {
    return this.#as(OPERATIONS.access, mm, vpn, write, 0, (k) => k.access(mm, vpn, write));
  }

  /** Accesses `count` pages from `vpn` on, every `stride` pages, until one fails. */
  touch(mm: number, vpn: number, count: number, stride: number, write: number): number {
    return this.#as(OPERATIONS.touch, mm, vpn, write, count, (k) => {
      this.#tell(stride, 0);
      for (let i = 0; i < count; i++) {
        const errno = k.access(mm, vpn + i * stride, write);
        if (errno !== 0) return errno;
        k.condResched();
      }
      return 0;
    });
  }

  /** A page fault of a recorded program: maps the page first where no mapping is known. */
  fault(mm: number, vpn: number, write: number): number {
    return this.#as(OPERATIONS.fault, mm, vpn, write, 0, (k) => {
      const errno = k.access(mm, vpn, write);
      if (errno !== EFAULT) return errno;
      const mapped = k.mapImplicit(mm, vpn);
      return mapped === 0 ? k.access(mm, vpn, write) : mapped;
    });
  }

  walk(mm: number, vpn: number): number {
    return this.#as(OPERATIONS.walk, mm, vpn, 0, 0, (k) => k.walkLockless(mm, vpn));
  }

  /** A walk that looks at the entry `polls` times before it leaves the table. */
  stall(mm: number, vpn: number, polls: number): number {
    return this.#as(OPERATIONS.walk, mm, vpn, polls, 0, (k) => k.stallReader(mm, vpn, polls));
  }

  gupFast(mm: number, vpn: number, write: number): number {
    return this.#as(OPERATIONS.gup, mm, vpn, write, 0, (k) => k.gupFast(mm, vpn, write));
  }

  /** As gupFast, but never faults and never takes a lock. */
  gupFastOnly(mm: number, vpn: number, write: number): number {
    return this.#as(OPERATIONS.gup, mm, vpn, write, 1, (k) => k.gupFastOnly(mm, vpn, write));
  }

  gupPut(frame: number): void {
    this.#as(OPERATIONS.gup, 0, 0, 0, 0, (k) => k.gupPut(frame));
  }

  /** The handshake of the address space's userfaultfd; `features` are Linux's UFFD_FEATURE_ bits. */
  uffdApi(mm: number, features: number): number {
    return this.#as(OPERATIONS['uffd-register'], mm, 0, features, 0, (k) =>
      k.uffdApi(mm, features),
    );
  }

  uffdClose(mm: number): number {
    return this.#as(OPERATIONS['uffd-unregister'], mm, 0, 0, 0, (k) => k.uffdClose(mm));
  }

  uffdRegister(mm: number, vpn: number, pages: number, mode: number): number {
    return this.#as(OPERATIONS['uffd-register'], mm, vpn, pages, mode, (k) =>
      k.uffdRegister(mm, vpn, pages, mode),
    );
  }

  uffdUnregister(mm: number, vpn: number, pages: number): number {
    return this.#as(OPERATIONS['uffd-unregister'], mm, vpn, pages, 0, (k) =>
      k.uffdUnregister(mm, vpn, pages),
    );
  }

  uffdCopy(mm: number, vpn: number, pages: number, mode: number): number {
    return this.#as(OPERATIONS['uffd-copy'], mm, vpn, pages, mode, (k) =>
      k.uffdCopy(mm, vpn, pages, mode),
    );
  }

  uffdZeropage(mm: number, vpn: number, pages: number, mode: number): number {
    return this.#as(OPERATIONS['uffd-zeropage'], mm, vpn, pages, mode, (k) =>
      k.uffdZeropage(mm, vpn, pages, mode),
    );
  }

  /** Moves pages from `from` to `vpn`. */
  uffdMove(mm: number, vpn: number, from: number, pages: number, mode: number): number {
    return this.#as(OPERATIONS['uffd-move'], mm, vpn, from, pages, (k) =>
      k.uffdMove(mm, vpn, from, pages, mode),
    );
  }

  uffdWriteprotect(mm: number, vpn: number, pages: number, mode: number): number {
    return this.#as(OPERATIONS['uffd-writeprotect'], mm, vpn, pages, mode, (k) =>
      k.uffdWriteprotect(mm, vpn, pages, mode),
    );
  }

  /** Answers the faults that wait for a monitor; gives how many. */
  uffdServe(mm: number): number {
    return this.#as(OPERATIONS['uffd-serve'], mm, 0, 0, 0, (k) => k.uffdServe(mm));
  }

  /** A new address space's handle, 0 when there is none left. */
  mmCreate(): number {
    return this.#as(OPERATIONS['mm-create'], 0, 0, 0, 0, (k) => k.mmCreate());
  }

  /** A copy of an address space; 0: no memory. */
  fork(mm: number): number {
    return this.#as(OPERATIONS.fork, mm, 0, 0, 0, (k) => k.forkMm(mm));
  }

  /** Moves a page to another frame: 0, EFAULT, EAGAIN or ENOMEM. */
  migrate(mm: number, vpn: number): number {
    return this.#as(OPERATIONS.migrate, mm, vpn, 0, 0, (k) => k.migratePage(mm, vpn));
  }

  /** Takes a page out of every address space that maps it, as memory pressure would: 0, EFAULT or EAGAIN. */
  reclaim(mm: number, vpn: number): number {
    return this.#as(OPERATIONS.reclaim, mm, vpn, 0, 0, (k) => k.reclaimPage(mm, vpn));
  }

  /** Gives a file a new size in pages. */
  truncate(inode: number, pages: number): void {
    this.#as(OPERATIONS.truncate, 0, 0, inode, pages, (k) => k.doTruncate(inode, pages));
  }

  mmDestroy(mm: number): void {
    this.#as(OPERATIONS['mm-destroy'], mm, 0, 0, 0, (k) => k.mmDestroy(mm));
  }
}

/** First address that no mapping may reach: the last page below 16 TiB stays unmapped. */
const TASK_BYTES = TASK_END * PAGE_BYTES;
/** munmap may name the last page, too, so that a script can unmap everything: `munmap 0 16T`. */
const MUNMAP_BYTES = TASK_BYTES + PAGE_BYTES;
const WRAP_BYTES = 2 ** 64;
const MREMAP_MAYMOVE_FIXED = 0;

const pageUp = (bytes: number): number => {
  const up = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
  return up >= WRAP_BYTES ? 0 : up;
};

/** A signal where a program would get one for its access: EFAULT, whatever the cause. */
const fatal = (errno: number): number => (errno === SIGBUS ? EFAULT : errno);

/** Addresses come as doubles: one that has been rounded to 2^64 was not aligned. */
const unaligned = (address: number): boolean => address % PAGE_BYTES !== 0 || address >= WRAP_BYTES;

/**
 * Whether a call of a userfaultfd can name the range: whole pages of the address space, one at least (validate_range).
 */
const uffdRange = (address: number, length: number): boolean =>
  !unaligned(address) &&
  length > 0 &&
  length % PAGE_BYTES === 0 &&
  address < TASK_BYTES &&
  length <= TASK_BYTES - address;

/**
 * System calls of one CPU: byte addresses and lengths in, a Linux error number out (0: none). Checks of alignment and
 * range in Linux's order, then the kernel's calls in pages. `mm` is the handle of an address space.
 */
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

  /**
   * Reads or writes the byte at `address`, faulting as needed. EFAULT: no mapping, no right, or beyond a file's end.
   */
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

/** A call by its name: a method of SystemCalls, with numbers and booleans as arguments. */
export type CallName = {
  [Name in keyof SystemCalls]: SystemCalls[Name] extends (...args: never[]) => number | void
    ? Name
    : never;
}[keyof SystemCalls];
