/**
 * The kernel's calls in pages, as system calls (syscalls.ts), workloads and tests make them: what reports name an operation by, and events tell of it.
 */
import {
  EFAULT,
  OP_ACCESS,
  OP_BRK,
  OP_FAULT,
  OP_FORK,
  OP_GUP,
  OP_MADVISE,
  OP_MIGRATE,
  OP_MM_CREATE,
  OP_MM_DESTROY,
  OP_MMAP,
  OP_MPROTECT,
  OP_MREMAP,
  OP_MUNMAP,
  OP_RECLAIM,
  OP_TOUCH,
  OP_TRUNCATE,
  OP_UFFD_COPY,
  OP_UFFD_MOVE,
  OP_UFFD_REGISTER,
  OP_UFFD_SERVE,
  OP_UFFD_UNREGISTER,
  OP_UFFD_WRITEPROTECT,
  OP_UFFD_ZEROPAGE,
  OP_WALK,
} from '../kernel/abi.ts';
import type { Kernel } from './kernel.ts';

/**
 * The kernel's calls in pages, each marked as the operation under way, so that reports name it. `mm` is the handle of an
 * address space, `vpn` a page number; the others are the kernel's.
 */
export class PageCalls {
  readonly kernel: Kernel;
  readonly #recorded: boolean;

  /** A kernel that has its memory, and for life. */
  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.#recorded = Boolean(kernel.eventsRecorded());
  }

  /** `a` and `b` are arguments that events are to tell as well, if any are recorded; so are the two after them that `#tell` tells. */
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
    return this.#as(OP_MMAP, mm, vpn, pages, prot, (k) => {
      this.#tell(flags, inode);
      return k.doMmap(mm, vpn, pages, prot, flags, inode, pgoff);
    });
  }

  munmap(mm: number, vpn: number, pages: number): number {
    return this.#as(OP_MUNMAP, mm, vpn, pages, 0, (k) => k.doMunmap(mm, vpn, pages));
  }

  mprotect(mm: number, vpn: number, pages: number, prot: number): number {
    return this.#as(OP_MPROTECT, mm, vpn, pages, prot, (k) => k.doMprotect(mm, vpn, pages, prot));
  }

  madvise(mm: number, vpn: number, pages: number, advice: number): number {
    return this.#as(OP_MADVISE, mm, vpn, pages, advice, (k) => k.doMadvise(mm, vpn, pages, advice));
  }

  mremap(
    mm: number,
    vpn: number,
    pages: number,
    to: number,
    toPages: number,
    flags: number,
  ): number {
    return this.#as(OP_MREMAP, mm, vpn, pages, to, (k) => {
      this.#tell(toPages, flags);
      return k.doMremap(mm, vpn, pages, to, toPages, flags);
    });
  }

  brk(mm: number, vpn: number): number {
    return this.#as(OP_BRK, mm, vpn, 0, 0, (k) => k.doBrk(mm, vpn));
  }

  access(mm: number, vpn: number, write: number): number {
    return this.#as(OP_ACCESS, mm, vpn, write, 0, (k) => k.access(mm, vpn, write));
  }

  /** Accesses `count` pages from `vpn` on, every `stride` pages, until one fails. */
  touch(mm: number, vpn: number, count: number, stride: number, write: number): number {
    return this.#as(OP_TOUCH, mm, vpn, write, count, (k) => {
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
    return this.#as(OP_FAULT, mm, vpn, write, 0, (k) => {
      const errno = k.access(mm, vpn, write);
      if (errno !== EFAULT) return errno;
      const mapped = k.mapImplicit(mm, vpn);
      return mapped === 0 ? k.access(mm, vpn, write) : mapped;
    });
  }

  walk(mm: number, vpn: number): number {
    return this.#as(OP_WALK, mm, vpn, 0, 0, (k) => k.walkLockless(mm, vpn));
  }

  /** A walk that looks at the entry `polls` times before it leaves the table. */
  stall(mm: number, vpn: number, polls: number): number {
    return this.#as(OP_WALK, mm, vpn, polls, 0, (k) => k.stallReader(mm, vpn, polls));
  }

  gupFast(mm: number, vpn: number, write: number): number {
    return this.#as(OP_GUP, mm, vpn, write, 0, (k) => k.gupFast(mm, vpn, write));
  }

  /** As gupFast, but never faults and never takes a lock. */
  gupFastOnly(mm: number, vpn: number, write: number): number {
    return this.#as(OP_GUP, mm, vpn, write, 1, (k) => k.gupFastOnly(mm, vpn, write));
  }

  gupPut(frame: number): void {
    this.#as(OP_GUP, 0, 0, 0, 0, (k) => k.gupPut(frame));
  }

  /** The handshake of the address space's userfaultfd; `features` are Linux's UFFD_FEATURE_ bits. */
  uffdApi(mm: number, features: number): number {
    return this.#as(OP_UFFD_REGISTER, mm, 0, features, 0, (k) => k.uffdApi(mm, features));
  }

  uffdClose(mm: number): number {
    return this.#as(OP_UFFD_UNREGISTER, mm, 0, 0, 0, (k) => k.uffdClose(mm));
  }

  uffdRegister(mm: number, vpn: number, pages: number, mode: number): number {
    return this.#as(OP_UFFD_REGISTER, mm, vpn, pages, mode, (k) =>
      k.uffdRegister(mm, vpn, pages, mode),
    );
  }

  uffdUnregister(mm: number, vpn: number, pages: number): number {
    return this.#as(OP_UFFD_UNREGISTER, mm, vpn, pages, 0, (k) => k.uffdUnregister(mm, vpn, pages));
  }

  uffdCopy(mm: number, vpn: number, pages: number, mode: number): number {
    return this.#as(OP_UFFD_COPY, mm, vpn, pages, mode, (k) => k.uffdCopy(mm, vpn, pages, mode));
  }

  uffdZeropage(mm: number, vpn: number, pages: number, mode: number): number {
    return this.#as(OP_UFFD_ZEROPAGE, mm, vpn, pages, mode, (k) =>
      k.uffdZeropage(mm, vpn, pages, mode),
    );
  }

  /** Moves pages from `from` to `vpn`. */
  uffdMove(mm: number, vpn: number, from: number, pages: number, mode: number): number {
    return this.#as(OP_UFFD_MOVE, mm, vpn, from, pages, (k) =>
      k.uffdMove(mm, vpn, from, pages, mode),
    );
  }

  uffdWriteprotect(mm: number, vpn: number, pages: number, mode: number): number {
    return this.#as(OP_UFFD_WRITEPROTECT, mm, vpn, pages, mode, (k) =>
      k.uffdWriteprotect(mm, vpn, pages, mode),
    );
  }

  /** Answers the faults that wait for a monitor; gives how many. */
  uffdServe(mm: number): number {
    return this.#as(OP_UFFD_SERVE, mm, 0, 0, 0, (k) => k.uffdServe(mm));
  }

  /** A new address space's handle, 0 when there is none left. */
  mmCreate(): number {
    return this.#as(OP_MM_CREATE, 0, 0, 0, 0, (k) => k.mmCreate());
  }

  /** A copy of an address space; 0: no memory. */
  fork(mm: number): number {
    return this.#as(OP_FORK, mm, 0, 0, 0, (k) => k.forkMm(mm));
  }

  /** Moves a page to another frame: 0, EFAULT, EAGAIN or ENOMEM. */
  migrate(mm: number, vpn: number): number {
    return this.#as(OP_MIGRATE, mm, vpn, 0, 0, (k) => k.migratePage(mm, vpn));
  }

  /** Takes a page out of every address space that maps it, as memory pressure would: 0, EFAULT or EAGAIN. */
  reclaim(mm: number, vpn: number): number {
    return this.#as(OP_RECLAIM, mm, vpn, 0, 0, (k) => k.reclaimPage(mm, vpn));
  }

  /** Gives a file a new size in pages. */
  truncate(inode: number, pages: number): void {
    this.#as(OP_TRUNCATE, 0, 0, inode, pages, (k) => k.doTruncate(inode, pages));
  }

  mmDestroy(mm: number): void {
    this.#as(OP_MM_DESTROY, mm, 0, 0, 0, (k) => k.mmDestroy(mm));
  }
}
