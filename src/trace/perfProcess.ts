import { ENOMEM, MADV_DONTNEED, PAGE_BYTES } from '../kernel/abi.ts';
import {
  ADVICE_NUMBERS,
  CALL_BRK,
  CALL_FAULT,
  CALL_MADVISE,
  CALL_MMAP,
  CALL_MPROTECT,
  CALL_MREMAP,
  CALL_MUNMAP,
  FIELD_CALL,
  FILE_RADIX,
  MAP_POPULATE,
  MAP_REPLACE,
  MAP_SHARED,
  MREMAP_NOT_FIXED,
  OP_FIELDS,
  OperationWriter,
} from './operation.ts';
import { CALLS, EVENT_ENTER, EVENT_LEAVE } from './perfLine.ts';
import type { PerfScanner } from './perfLine.ts';
import { createThread, noneLeftOut } from './perfThread.ts';
import type { Fork, LeftOut, ThreadState, UntilExec } from './perfThread.ts';

/*
 * What one process of a recording did to its address space, collected event by event.
 *
 * Calls are paired by thread: enter brings the arguments, exit the place and whether it worked. A call
 * takes its place in the list where others can first have seen it: mappings made (mmap, mremap, brk) at
 * their exit, since nobody knows the address before; mappings removed or changed (munmap, madvise,
 * mprotect) at their enter, since the range may be another's before the exit is printed.
 */

const LOWEST_MAPPED = 65536;
const USER_END = 2 ** 47;
const KERNEL_RUN_LIMIT = 64;
const DROPPED = -1;

const MMAP = 0;
const MUNMAP = 1;
const MADVISE = 2;
const MREMAP = 3;
const BRK = 4;
const MPROTECT = 5;

const LINUX_MAP_SHARED = 1;
const LINUX_MAP_TYPE = 3;
const LINUX_MAP_ANONYMOUS = 0x20;
const LINUX_MAP_LOCKED = 0x2000;
const LINUX_MAP_POPULATE = 0x8000;
const LINUX_MAP_NONBLOCK = 0x10000;
const LINUX_MREMAP_FIXED = 2;
const LINUX_MADV_DONTNEED_LOCKED = 24;
const PROTECTION_MASK = 7;

const ADVICE = new Set(Object.values(ADVICE_NUMBERS));

export class PerfProcess {
  readonly pid: number;
  readonly writer = new OperationWriter(1024);
  events = 0;
  /** Events since the last exec, or since the start where there was none. */
  eventsOfImage = 0;
  execs = 0;
  /** The last exec, or the first event where there was none. */
  startS: number;
  endS: number;
  exited = false;
  /** Whether a fork in the recording made it. */
  readonly forked: boolean;
  /** Of a forked one that called exec. */
  untilExec: UntilExec | null = null;
  /** Since the last exec. */
  forks: Fork[] = [];
  threads: ThreadState[] = [];
  leftOut: LeftOut = noneLeftOut();

  #byTid = new Map<number, ThreadState>();
  #current: ThreadState | undefined;
  #break = -1;
  #files = new Map<number, number>();

  constructor(pid: number, timeS: number, forked = false) {
    this.pid = pid;
    this.forked = forked;
    this.startS = timeS;
    this.endS = timeS;
  }

  thread(scan: PerfScanner): ThreadState {
    const current = this.#current;
    if (current !== undefined && current.tid === scan.tid) return current;
    let thread = this.#byTid.get(scan.tid);
    if (thread === undefined) {
      thread = createThread(scan.tid);
      this.#byTid.set(scan.tid, thread);
    }
    this.#current = thread;
    return thread;
  }

  userFault(thread: ThreadState, scan: PerfScanner): void {
    if (thread.kernelRun.length > 0) thread.kernelRun = [];
    this.#fault(thread, scan.address, scan.errorCode, scan);
  }

  kernelFault(thread: ThreadState, scan: PerfScanner): void {
    const run = thread.kernelRun;
    if (scan.errorCode & 2) {
      run.push(scan.address, scan.timeS, scan.commStart, scan.commEnd);
      if (run.length > 4 * KERNEL_RUN_LIMIT) run.splice(0, 4);
    } else run.length = 0;
    this.#fault(thread, scan.address, scan.errorCode, scan);
  }

  #fault(
    thread: ThreadState,
    address: number,
    errorCode: number,
    scan: PerfScanner,
    timeS = scan.timeS,
  ): void {
    if (!(address < 2 ** 63)) this.leftOut.kernelAddresses++;
    else if (address < LOWEST_MAPPED) this.leftOut.lowFaults++;
    else {
      checkUserAddress(address, scan);
      this.#push(thread, CALL_FAULT, address, 0, errorCode & 2 ? 1 : 0, 0, 0, timeS);
    }
  }

  #push(
    thread: ThreadState,
    call: number,
    address: number,
    length: number,
    arg2: number,
    arg3: number,
    arg4: number,
    timeS: number,
  ): number {
    if (thread.cpu < 0) {
      thread.cpu = this.threads.length;
      this.threads.push(thread);
    }
    return this.writer.push(call, thread.cpu, address, length, arg2, arg3, arg4, timeS);
  }

  #drop(record: number): void {
    if (record >= 0) this.writer.records[record * OP_FIELDS + FIELD_CALL] = DROPPED;
  }

  enter(thread: ThreadState, scan: PerfScanner): void {
    thread.kernelRun.length = 0;
    this.#abandon(thread);
    const call = scan.event - EVENT_ENTER;
    const args = thread.args;
    args.set(scan.args);
    thread.pending = call;
    const { timeS } = scan;
    if (call === MUNMAP) {
      thread.reserved = this.#push(thread, CALL_MUNMAP, args[0]!, args[1]!, 0, 0, 0, timeS);
    } else if (call === MPROTECT) {
      const protection = args[2]! & PROTECTION_MASK;
      thread.reserved = this.#push(
        thread,
        CALL_MPROTECT,
        args[0]!,
        args[1]!,
        protection,
        0,
        0,
        timeS,
      );
    } else if (call === MADVISE) {
      const advice = args[2] === LINUX_MADV_DONTNEED_LOCKED ? MADV_DONTNEED : args[2]!;
      if (ADVICE.has(advice)) {
        thread.reserved = this.#push(thread, CALL_MADVISE, args[0]!, args[1]!, advice, 0, 0, timeS);
      }
    }
  }

  leave(thread: ThreadState, scan: PerfScanner): void {
    thread.kernelRun.length = 0;
    const call = scan.event - EVENT_LEAVE;
    if (thread.pending !== call) {
      this.leftOut.unpairedCalls++;
      this.#abandon(thread);
      return;
    }
    const { reserved } = thread;
    thread.pending = -1;
    thread.reserved = -1;
    const { result } = scan;
    const placed = call === MMAP || call === MREMAP || call === BRK;
    if (call === MADVISE && reserved < 0) this.leftOut.otherAdvice++;
    else if (result < 0) {
      this.leftOut.failedCalls++;
      // With ENOMEM for a hole, madvise has still done its work on what is mapped around the hole.
      if (!(call === MADVISE && result === -ENOMEM)) this.#drop(reserved);
    } else if (placed) this.#placed(thread, scan);
  }

  #placed(thread: ThreadState, scan: PerfScanner): void {
    const { args } = thread;
    const { result, timeS } = scan;
    const call = scan.event - EVENT_LEAVE;
    checkUserAddress(result, scan);
    if (call !== BRK && result % PAGE_BYTES !== 0) {
      scan.fail(
        `${CALLS[call]} returned 0x${result.toString(16)}, the line may end early`,
        'an address of a page (a multiple of 4096) or an error number',
      );
    }
    if (call === MMAP) this.#mmap(thread, args, result, timeS);
    else if (call === MREMAP) {
      const notFixed = args[3]! & LINUX_MREMAP_FIXED ? 0 : MREMAP_NOT_FIXED;
      this.#push(thread, CALL_MREMAP, args[0]!, args[1]!, result, args[2]!, notFixed, timeS);
    } else if (result !== this.#break) {
      this.#push(thread, CALL_BRK, result, 0, 0, 0, 0, timeS);
      this.#break = result;
    }
  }

  #mmap(thread: ThreadState, args: Float64Array, address: number, timeS: number): void {
    const flags = args[3]!;
    const shared = (flags & LINUX_MAP_TYPE & LINUX_MAP_SHARED) !== 0;
    const populate =
      (flags & LINUX_MAP_LOCKED) !== 0 ||
      (flags & (LINUX_MAP_POPULATE | LINUX_MAP_NONBLOCK)) === LINUX_MAP_POPULATE;
    let file = 0;
    if (!(flags & LINUX_MAP_ANONYMOUS)) {
      const descriptor = args[4]!;
      let number = this.#files.get(descriptor);
      if (number === undefined) {
        number = (this.#files.size % (FILE_RADIX - 1)) + 1;
        this.#files.set(descriptor, number);
      }
      file = number + FILE_RADIX * Math.floor(args[5]! / PAGE_BYTES);
    }
    this.#push(
      thread,
      CALL_MMAP,
      address,
      args[1]!,
      args[2]! & PROTECTION_MASK,
      MAP_REPLACE | (shared ? MAP_SHARED : 0) | (populate ? MAP_POPULATE : 0),
      file,
      timeS,
    );
  }

  #abandon(thread: ThreadState): void {
    if (thread.pending < 0) return;
    this.leftOut.unpairedCalls++;
    this.#drop(thread.reserved);
    thread.pending = -1;
    thread.reserved = -1;
  }

  /**
   * A new image: everything so far is of the old one, but for the kernel's last writes, with which it
   * laid the new one out (its bss and stack) before it printed the exec event.
   */
  exec(thread: ThreadState, scan: PerfScanner): void {
    if (this.forked && this.execs === 0) this.#keepUntilExec(scan.timeS);
    const run = thread.kernelRun;
    thread.kernelRun = [];
    thread.pending = thread.reserved = thread.cpu = -1;
    this.writer.count = 0;
    this.threads = [];
    this.forks = [];
    this.leftOut = noneLeftOut();
    this.#byTid = new Map([[thread.tid, thread]]);
    this.#break = -1;
    this.#files = new Map();
    this.execs++;
    this.eventsOfImage = 0;
    this.startS = scan.timeS;
    for (let i = 0; i < run.length; i += 4) {
      if (scan.sameComm(run[i + 2]!, run[i + 3]!)) {
        if (this.writer.count === 0) this.startS = run[i + 1]!;
        this.#fault(thread, run[i]!, 2, scan, run[i + 1]!);
      }
    }
  }

  #keepUntilExec(timeS: number): void {
    this.finish();
    const { threads, forks, events } = this;
    const { count, records } = this.writer;
    const kept = threads.map((thread) => ({ ...thread }));
    this.untilExec = {
      records: records.slice(0, count * OP_FIELDS),
      count,
      threads: kept,
      forks,
      events,
      timeS,
    };
  }

  /** A thread has made another, or a process. */
  fork(thread: ThreadState, scan: PerfScanner): void {
    this.forks.push({ child: scan.childPid, thread, timeS: scan.timeS });
  }

  /** A thread is gone; with the last one (perf prints that as group_dead) the process. */
  exit(thread: ThreadState, scan: PerfScanner): void {
    thread.exited = true;
    if (scan.groupDead) this.exited = true;
  }

  /** Ends the list: calls still running and records dropped meanwhile are taken out of it. */
  finish(): void {
    for (const thread of this.#byTid.values()) this.#abandon(thread);
    const { records, count } = this.writer;
    let kept = 0;
    for (let record = 0; record < count; record++) {
      const at = record * OP_FIELDS;
      if (records[at] === DROPPED) continue;
      if (kept !== record) records.copyWithin(kept * OP_FIELDS, at, at + OP_FIELDS);
      kept++;
    }
    this.writer.count = kept;
  }
}

function checkUserAddress(address: number, scan: PerfScanner): void {
  if (address < USER_END) return;
  scan.fail(`address 0x${address.toString(16)} has more than 47 bits`, 'below 0x800000000000');
}
