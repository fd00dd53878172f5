import {
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MMAP_POPULATE,
  MMAP_REPLACE,
  MMAP_SHARED,
  PAGE_BYTES,
  VM_READ,
  VM_WRITE,
  UFFD_REGISTER_MISSING,
  UFFD_REGISTER_WP,
  UFFD_WRITEPROTECT_WP,
} from '../kernel/abi.ts';
import type { MessagePort } from 'node:worker_threads';
import type { CpuLink } from './control.ts';
import { errnoName } from './errno.ts';
import type { SharedMemory } from './memory.ts';
import type { KernelCode } from './kernel.ts';
import type { CallName, SystemCalls } from './syscalls.ts';
import type { WorkloadSpec } from './workloadSpec.ts';

/** What a CPU's worker is started with. */
export interface CpuTask {
  cpu: number;
  memory: SharedMemory;
  port: MessagePort;
  kernel: KernelCode;
  /** Start of every CPU's clock, nanoseconds of the process's monotonic clock. */
  clockStartNs: bigint;
}

/** What a CPU's worker serves over its port. */
export interface CpuService {
  /** Settles when the CPU is up. */
  ready(): void;
  /** One system call; gives its number. */
  call(name: CallName, args: (number | boolean | undefined)[]): number | Promise<number>;
  /** One kernel call that takes and gives words. */
  kernel(name: string, args: number[]): number | Promise<number>;
  /** Creates what a workload shares between CPUs; gives the words that its `run` is handed on every CPU. */
  prepare(workload: WorkloadSpec): Promise<number[]>;
  /** Runs a workload until the machine's stop word is raised or its count is reached; gives the operations done. */
  run(workload: WorkloadSpec, shared: number[]): Promise<number>;
  /** Gives back what `prepare` made, when all CPUs have run. */
  cleanUp(workload: WorkloadSpec, shared: number[]): Promise<void>;
  /** Calls an exported function of a module with the workload's view of this CPU and `argument`. */
  callModule(url: string, name: string, argument: unknown): Promise<unknown>;
  /** Runs daemons until they are stopped. */
  daemons(): void | Promise<void>;
  /** Ends the CPU's task. */
  shutdown(): void;
}

export type Protection = 'none' | 'r' | 'rw';
const PROTECTIONS: Record<Protection, number> = { none: 0, r: VM_READ, rw: VM_READ | VM_WRITE };

/** Linux's madvise numbers by name. */
export const ADVICE = {
  dontneed: MADV_DONTNEED,
  free: MADV_FREE,
  populate_read: MADV_POPULATE_READ,
  populate_write: MADV_POPULATE_WRITE,
  hugepage: MADV_HUGEPAGE,
  nohugepage: MADV_NOHUGEPAGE,
  collapse: MADV_COLLAPSE,
  pageout: MADV_PAGEOUT,
  cold: MADV_COLD,
} as const;
export type Advice = keyof typeof ADVICE;

/** How a mapping is made. */
export interface MapOptions {
  /** Default `rw`. */
  prot?: Protection;
  shared?: boolean;
  populate?: boolean;
  /** What was mapped there is unmapped first; otherwise an overlap is EEXIST. */
  replace?: boolean;
  file?: FileHandle;
  /** Offset in the file, in pages. */
  filePage?: number;
}

/** A simulated file. */
export interface FileHandle {
  readonly handle: number;
  readonly pages: number;
}

/** An address space that operations name. */
export interface AddressSpaceHandle {
  readonly handle: number;
}

type Errno = string | null;

/**
 * One CPU of a machine. Addresses and lengths are in bytes. Operations give null or an errno's name; they reject with
 * CpuDiedError when the CPU dies. They say in names what `call` says in numbers.
 */
export class Cpu {
  readonly id: number;
  readonly #link: CpuLink<CpuService>;

  constructor(id: number, link: CpuLink<CpuService>) {
    this.id = id;
    this.#link = link;
  }

  /** Any call of SystemCalls by its name, with its arguments, an address space by its handle; gives its number. */
  call<Name extends CallName>(name: Name, ...args: Parameters<SystemCalls[Name]>): Promise<number> {
    return this.#link.call((remote) => remote.call(name, args));
  }

  async #errno<Name extends CallName>(
    name: Name,
    ...args: Parameters<SystemCalls[Name]>
  ): Promise<Errno> {
    return errnoName(await this.call(name, ...args));
  }

  /** Maps [address, address + length). */
  mmap(
    space: AddressSpaceHandle,
    address: number,
    length: number,
    options: MapOptions = {},
  ): Promise<Errno> {
    const flags =
      (options.shared ? MMAP_SHARED : 0) |
      (options.populate ? MMAP_POPULATE : 0) |
      (options.replace ? MMAP_REPLACE : 0);
    const prot = PROTECTIONS[options.prot ?? 'rw'];
    const file = options.file?.handle ?? 0;
    return this.#errno(
      'mmap',
      space.handle,
      address,
      length,
      prot,
      flags,
      file,
      options.filePage ?? 0,
    );
  }

  munmap(space: AddressSpaceHandle, address: number, length: number): Promise<Errno> {
    return this.#errno('munmap', space.handle, address, length);
  }

  mprotect(
    space: AddressSpaceHandle,
    address: number,
    length: number,
    prot: Protection,
  ): Promise<Errno> {
    return this.#errno('mprotect', space.handle, address, length, PROTECTIONS[prot]);
  }

  madvise(
    space: AddressSpaceHandle,
    address: number,
    length: number,
    advice: Advice,
  ): Promise<Errno> {
    return this.#errno('madvise', space.handle, address, length, ADVICE[advice]);
  }

  /** Moves a mapping to `newAddress` (MREMAP_MAYMOVE | MREMAP_FIXED). */
  mremap(
    space: AddressSpaceHandle,
    address: number,
    oldLength: number,
    newAddress: number,
    newLength: number = oldLength,
  ): Promise<Errno> {
    return this.#errno('mremap', space.handle, address, oldLength, newAddress, newLength, 0);
  }

  brk(space: AddressSpaceHandle, address: number): Promise<Errno> {
    return this.#errno('brk', space.handle, address);
  }

  /** Accesses [address, address + length) every `strideBytes`, default a page. */
  touch(
    space: AddressSpaceHandle,
    address: number,
    length: number,
    kind: 'r' | 'w' = 'w',
    strideBytes: number = PAGE_BYTES,
  ): Promise<Errno> {
    return this.#errno('touch', space.handle, address, length, kind === 'w', strideBytes);
  }

  access(space: AddressSpaceHandle, address: number, kind: 'r' | 'w' = 'r'): Promise<Errno> {
    return this.#errno('access', space.handle, address, kind === 'w');
  }

  /** A page fault; where nothing is mapped, one page is mapped first. */
  fault(space: AddressSpaceHandle, address: number, kind: 'r' | 'w' = 'r'): Promise<Errno> {
    return this.#errno('fault', space.handle, address, kind === 'w');
  }

  /** The entry that a lockless walk finds, 0 for none. */
  walk(space: AddressSpaceHandle, address: number): Promise<number> {
    return this.call('walk', space.handle, address);
  }

  /** A frame with a reference, 0 when the slow path would be needed; give it back with `gupPut`. */
  gupFast(space: AddressSpaceHandle, address: number, kind: 'r' | 'w' = 'r'): Promise<number> {
    return this.call('gupFast', space.handle, address, kind === 'w');
  }

  async gupPut(frame: number): Promise<void> {
    await this.call('gupPut', frame);
  }

  /** Gives `space` a userfaultfd; `features` are Linux's bits: 32 MISSING_SHMEM, 128 SIGBUS, 8192 WP_UNPOPULATED. */
  uffdApi(space: AddressSpaceHandle, features = 0): Promise<Errno> {
    return this.#errno('uffdApi', space.handle, features);
  }

  uffdClose(space: AddressSpaceHandle): Promise<Errno> {
    return this.#errno('uffdClose', space.handle);
  }

  /** UFFDIO_REGISTER: has the userfaultfd told of faults on missing pages, of writes to protected ones, or of both. */
  uffdRegister(
    space: AddressSpaceHandle,
    address: number,
    length: number,
    watch: { missing?: boolean; wp?: boolean },
  ): Promise<Errno> {
    const mode = (watch.missing ? UFFD_REGISTER_MISSING : 0) | (watch.wp ? UFFD_REGISTER_WP : 0);
    return this.#errno('uffdRegister', space.handle, address, length, mode);
  }

  uffdUnregister(space: AddressSpaceHandle, address: number, length: number): Promise<Errno> {
    return this.#errno('uffdUnregister', space.handle, address, length);
  }

  /** UFFDIO_COPY; `mode` is Linux's: 1 DONTWAKE, 2 WP. */
  uffdCopy(space: AddressSpaceHandle, address: number, length: number, mode = 0): Promise<Errno> {
    return this.#errno('uffdCopy', space.handle, address, length, mode);
  }

  /** UFFDIO_ZEROPAGE; `mode`: 1 DONTWAKE. */
  uffdZeropage(
    space: AddressSpaceHandle,
    address: number,
    length: number,
    mode = 0,
  ): Promise<Errno> {
    return this.#errno('uffdZeropage', space.handle, address, length, mode);
  }

  /** UFFDIO_MOVE of pages from `source` to `address`; `mode`: 1 DONTWAKE, 2 ALLOW_SRC_HOLES. */
  uffdMove(
    space: AddressSpaceHandle,
    address: number,
    source: number,
    length: number,
    mode = 0,
  ): Promise<Errno> {
    return this.#errno('uffdMove', space.handle, address, source, length, mode);
  }

  /** UFFDIO_WRITEPROTECT; `mode`: 1 WP (without it the protection is taken off), 2 DONTWAKE. */
  uffdWriteprotect(
    space: AddressSpaceHandle,
    address: number,
    length: number,
    mode: number = UFFD_WRITEPROTECT_WP,
  ): Promise<Errno> {
    return this.#errno('uffdWriteprotect', space.handle, address, length, mode);
  }

  /** UFFDIO_WAKE. */
  uffdWake(space: AddressSpaceHandle, address: number, length: number): Promise<Errno> {
    return this.#errno('uffdWake', space.handle, address, length);
  }

  /** Answers the faults that wait for a monitor, as a program's handler thread does; gives how many. */
  uffdServe(space: AddressSpaceHandle): Promise<number> {
    return this.call('uffdServe', space.handle);
  }

  /** Calls `name`, exported by the module at `url`, in the CPU's thread: `(cpu: WorkloadCpu, argument) => result`. */
  callModule(url: string | URL, name: string, argument?: unknown): Promise<unknown> {
    return this.#link.call((remote) => remote.callModule(String(url), name, argument));
  }
}
