import { MADV_DONTNEED } from '../../src/kernel/abi.ts';
import { describe, expect, test } from 'vitest';

import * as op from '../../src/trace/operation.ts';
import { importPerf } from '../../src/trace/perf.ts';
import type { PerfOptions, PerfTrace } from '../../src/trace/perf.ts';
import { TraceError } from '../../src/trace/traceError.ts';

/** A recording written line by line; each event comes a microsecond after the one before. */
class Recording {
  #lines: string[] = [];
  #us = 0;

  line(text: string): this {
    this.#lines.push(text);
    return this;
  }

  at(us: number): this {
    this.#us = us;
    return this;
  }

  event(tid: number, event: string, payload: string, pid = 100, comm = 'prog'): this {
    const time = `1.${String(this.#us++).padStart(6, '0')}`;
    return this.line(`${comm} ${pid}/${tid} [000] ${time}: ${event}: ${payload}`);
  }

  exec(tid = 100, pid = 100, comm = 'prog'): this {
    const payload = `filename=./${comm} pid=${pid} old_pid=${pid}`;
    return this.event(tid, 'sched:sched_process_exec', payload, pid, comm);
  }

  fault(tid: number, address: number, code = 6, kind = 'user', pid = 100, comm = 'prog'): this {
    const payload = `address=0x${address.toString(16)} ip=0x401000 error_code=0x${code.toString(16)}`;
    return this.event(tid, `exceptions:page_fault_${kind}`, payload, pid, comm);
  }

  enter(tid: number, call: string, fields: Record<string, number>): this {
    const payload = Object.entries(fields).map(([name, value]) => `${name}: ${hex(value)}`);
    return this.event(tid, `syscalls:sys_enter_${call}`, payload.join(', '));
  }

  leave(tid: number, call: string, result: number | string = 0): this {
    const text = typeof result === 'string' ? result : hex(result);
    return this.event(tid, `syscalls:sys_exit_${call}`, text);
  }

  import(options?: PerfOptions): PerfTrace {
    return importPerf(Buffer.from(`${this.#lines.join('\n')}\n`, 'utf8'), 'r.perf', options);
  }

  failure(options?: PerfOptions): TraceError {
    try {
      this.import(options);
    } catch (error) {
      if (error instanceof TraceError) return error;
      throw error;
    }
    throw new Error('the recording was accepted');
  }
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

/** Calls with address and length, as a list that is easy to read and compare. */
function calls(trace: PerfTrace): string[] {
  return Array.from({ length: trace.count }, (_, index) => {
    const { call, cpu, address, length } = op.readOperation(trace.operations, index);
    return `${cpu} ${op.CALL_NAMES[call]} ${address.toString(16)} ${length.toString(16)}`;
  });
}

function cpusOf(trace: PerfTrace): number[] {
  return Array.from(
    { length: trace.count },
    (_, index) => op.readOperation(trace.operations, index).cpu,
  );
}

function gone(dead: boolean): string {
  return `comm=prog pid=100 prio=120 group_dead=${dead}`;
}

const ENOMEM = '0xfffffffffffffff4';
const mmap = { addr: 0, len: 0x2000, prot: 3, flags: 0x22, fd: 0xffffffff, off: 0 };

describe('calls', () => {
  test('mmap takes its place from the exit and stands there; prot, flags and file are kept', () => {
    const trace = new Recording()
      .exec()
      .enter(100, 'mmap', mmap)
      .fault(101, 0x10000000)
      .leave(100, 'mmap', 0x20000000)
      .enter(100, 'mmap', { ...mmap, len: 0x1234, prot: 5, flags: 0x8001, fd: 7, off: 0x3000 })
      .leave(100, 'mmap', 0x30000000)
      .import();
    expect(calls(trace)).toEqual([
      '0 fault 10000000 0',
      '1 mmap 20000000 2000',
      '1 mmap 30000000 1234',
    ]);
    const anonymous = op.readOperation(trace.operations, 1);
    expect([anonymous.arg2, anonymous.arg3, anonymous.arg4]).toEqual([3, op.MAP_REPLACE, 0]);
    const file = op.readOperation(trace.operations, 2);
    const flags = op.MAP_REPLACE | op.MAP_SHARED | op.MAP_POPULATE;
    expect([file.arg2, file.arg3, file.arg4]).toEqual([5, flags, 1 + 3 * op.FILE_RADIX]);
    expect(anonymous.timeS).toBe(1.000003);
  });

  test('munmap, madvise and mprotect stand at their enter', () => {
    const trace = new Recording()
      .exec()
      .enter(100, 'munmap', { addr: 0x20000000, len: 0x2000 })
      .enter(101, 'mmap', mmap)
      .leave(101, 'mmap', 0x20000000)
      .leave(100, 'munmap')
      .enter(100, 'madvise', { start: 0x20000000, len_in: 0x2000, behavior: 4 })
      .leave(100, 'madvise')
      .enter(100, 'mprotect', { start: 0x20000000, len: 0x1000, prot: 1 })
      .leave(100, 'mprotect')
      .import();
    expect(calls(trace)).toEqual([
      '0 munmap 20000000 2000',
      '1 mmap 20000000 2000',
      '0 madvise 20000000 2000',
      '0 mprotect 20000000 1000',
    ]);
    expect(op.readOperation(trace.operations, 2).arg2).toBe(MADV_DONTNEED);
    expect(op.readOperation(trace.operations, 3).arg2).toBe(op.PROT_READ);
  });

  test('mremap carries old and new range and whether the place was asked for', () => {
    const moved = { addr: 0x20000000, old_len: 0x1000, new_len: 0x3000, flags: 1, new_addr: 0 };
    const trace = new Recording()
      .exec()
      .enter(100, 'mremap', moved)
      .leave(100, 'mremap', 0x30000000)
      .enter(100, 'mremap', { ...moved, flags: 3, new_addr: 0x40000000 })
      .leave(100, 'mremap', 0x40000000)
      .import();
    const [free, fixed] = [0, 1].map((index) => op.readOperation(trace.operations, index));
    expect(free).toMatchObject({ call: op.CALL_MREMAP, address: 0x20000000, length: 0x1000 });
    expect(free).toMatchObject({ arg2: 0x30000000, arg3: 0x3000, arg4: op.MREMAP_NOT_FIXED });
    expect(fixed).toMatchObject({ arg2: 0x40000000, arg3: 0x3000, arg4: 0 });
  });

  test('brk appears when the break is first seen and when it moves', () => {
    const recording = new Recording().exec();
    for (const [asked, got] of [
      [0, 0x500000],
      [0, 0x500000],
      [0x521000, 0x521000],
      [0x900000, 0x521000],
      [0x510000, 0x510000],
    ]) {
      recording.enter(100, 'brk', { brk: asked! }).leave(100, 'brk', got!);
    }
    expect(calls(recording.import())).toEqual([
      '0 brk 500000 0',
      '0 brk 521000 0',
      '0 brk 510000 0',
    ]);
  });

  test('failed calls are left out, but for madvise that met a hole', () => {
    const trace = new Recording()
      .exec()
      .enter(100, 'mmap', mmap)
      .leave(100, 'mmap', ENOMEM)
      .enter(100, 'munmap', { addr: 0x20000001, len: 0x2000 })
      .leave(100, 'munmap', '-22')
      .enter(100, 'madvise', { start: 0x20000000, len_in: 0x2000, behavior: 4 })
      .leave(100, 'madvise', ENOMEM)
      .enter(100, 'madvise', { start: 0x20000000, len_in: 0x1000, behavior: 4 })
      .leave(100, 'madvise', '0xffffffffffffffea')
      .fault(100, 0x20000000)
      .import();
    expect(calls(trace)).toEqual(['0 madvise 20000000 2000', '0 fault 20000000 0']);
    expect(trace.notes).toEqual(['4 calls failed in the recording']);
  });

  test('faults keep their address; writes are told by the error code', () => {
    const trace = new Recording()
      .exec()
      .fault(100, 0x20000123, 0x6)
      .fault(100, 0x20001000, 0x14)
      .fault(100, 0x20002000, 0x4)
      .fault(100, 0x20003fff, 0x7, 'kernel')
      .import();
    const records = [0, 1, 2, 3].map((index) => op.readOperation(trace.operations, index));
    expect(records.map((record) => record.address)).toEqual([
      0x20000123, 0x20001000, 0x20002000, 0x20003fff,
    ]);
    expect(records.map((record) => record.arg2)).toEqual([1, 0, 0, 1]);
  });

  test('advice without a meaning for page tables is left out and told', () => {
    const trace = new Recording()
      .exec()
      .enter(100, 'madvise', { start: 0x20000000, len_in: 0x2000, behavior: 3 })
      .leave(100, 'madvise')
      .fault(100, 0x20000000)
      .import();
    expect(trace.count).toBe(1);
    expect(trace.notes).toEqual(['1 madvise call does not concern page tables and is left out']);
  });

  test('spaces as perf pads them, names with spaces and brackets, flags spelled out', () => {
    const trace = new Recording()
      .line(
        '      Web [1] x     100/100   [000]     1.000001: exceptions:page_fault_user:    address=0x20000000 ip=0x4 error_code=0x6',
      )
      .line(
        'Web 1/2 [003] y 100/100 [000] 1.000002: syscalls:sys_enter_mmap: addr: 0x00000000, len: 0x00001000, prot: 0x3 (READ|WRITE), flags: 0x22 (PRIVATE, ANONYMOUS), fd: 0xffffffffffffffff, off: 0x0',
      )
      .line('Web 100/100 [000] 1.000003000: syscalls:sys_exit_mmap:    0x30000000 ')
      .import();
    expect(calls(trace)).toEqual(['0 fault 20000000 0', '0 mmap 30000000 1000']);
    expect(trace.threads.map((thread) => thread.name)).toEqual(['Web']);
    expect(op.readOperation(trace.operations, 1).timeS).toBe(1.000003);
  });
});

describe('processes and threads', () => {
  test('threads become CPUs in the order of their first operation, fewer CPUs share', () => {
    const recording = new Recording().exec();
    for (const tid of [103, 100, 102, 103]) recording.fault(tid, 0x20000000);
    const all = recording.import();
    expect(all.cpus).toBe(3);
    expect(all.threads.map((thread) => thread.tid)).toEqual([103, 100, 102]);
    expect(cpusOf(all)).toEqual([0, 1, 2, 0]);
    const two = recording.import({ cpus: 2 });
    expect(two.cpus).toBe(2);
    expect(cpusOf(two)).toEqual([0, 1, 0, 0]);
    expect(recording.import({ cpus: 8 }).cpus).toBe(3);
  });

  test('exec starts anew, keeping what the kernel wrote to the new image', () => {
    const trace = new Recording()
      .exec(100, 100, 'sh')
      .fault(100, 0x10000000, 6, 'user', 100, 'sh')
      .enter(101, 'mmap', mmap)
      .leave(101, 'mmap', 0x11000000)
      .fault(100, 0x12000000, 6, 'kernel', 100, 'sh')
      .fault(100, 0x13000000, 0, 'kernel', 100, 'sh')
      .fault(100, 0x21000000, 2, 'kernel')
      .fault(100, 0x22000000, 2, 'kernel')
      .exec()
      .fault(100, 0x23000000)
      .import();
    expect(calls(trace).map((line) => line.split(' ')[2])).toEqual([
      '21000000',
      '22000000',
      '23000000',
    ]);
    expect(trace.threads).toEqual([{ tid: 100, name: 'prog', cpu: 0, exited: false }]);
    expect(trace.startS).toBe(1.000006);
    expect(trace.notes).toEqual([]);
  });

  test('what the old image wrote under another name is not kept', () => {
    const trace = new Recording()
      .exec(100, 100, 'sh')
      .fault(100, 0x12000000, 6, 'kernel', 100, 'sh')
      .fault(100, 0x21000000, 2, 'kernel')
      .exec()
      .import();
    expect(calls(trace)).toEqual(['0 fault 21000000 0']);
  });

  test('the process that called exec and did most after it is taken, or the one asked for', () => {
    const recording = new Recording()
      .exec(100, 100, 'sh')
      .fault(100, 0x10000000)
      .fault(300, 0x20000000, 6, 'user', 300, 'daemon')
      .fault(300, 0x20001000, 6, 'user', 300, 'daemon')
      .fault(300, 0x20002000, 6, 'user', 300, 'daemon')
      .exec(200, 200, 'child')
      .fault(200, 0x30000000, 6, 'user', 200)
      .fault(200, 0x30001000, 6, 'user', 200);
    const trace = recording.import();
    expect(trace.pid).toBe(200);
    expect(trace.count).toBe(2);
    expect(trace.foreignEvents).toBe(5);
    expect(trace.notes).toEqual(['5 events are of other processes than 200 and are left out']);
    const asked = recording.import({ pid: 100 });
    expect([asked.pid, asked.count, asked.foreignEvents]).toEqual([100, 1, 6]);
    expect(recording.failure({ pid: 9 }).message).toBe(
      'r.perf: no event of process 9; allowed: a pid of the recording',
    );
  });

  test('the end of the last thread ends the list', () => {
    const trace = new Recording()
      .exec()
      .fault(101, 0x10000000)
      .event(100, 'sched:sched_process_exit', gone(false))
      .fault(101, 0x10001000)
      .event(101, 'sched:sched_process_exit', gone(true))
      .fault(100, 0x10002000)
      .import();
    expect(trace.count).toBe(2);
    expect(trace.endS).toBe(1.000004);
    expect(trace.threads[0]!.exited).toBe(true);
  });
});

describe('incomplete recordings', () => {
  test('lost events are counted and told, calls cut by them left out', () => {
    const trace = new Recording()
      .exec()
      .enter(100, 'mmap', mmap)
      .line('prog 100/100 [000] 1.000002: PERF_RECORD_LOST lost 12')
      .fault(100, 0x20000000)
      .line('CPU:1 [LOST 30 EVENTS]')
      .leave(100, 'munmap')
      .enter(100, 'madvise', { start: 0x20000000, len_in: 0x2000, behavior: 4 })
      .line('PERF_RECORD_LOST lost: 3')
      .enter(100, 'munmap', { addr: 0x20000000, len: 0x2000 })
      .line('Processed 20 events and lost 5 chunks!')
      .line('Check IO/CPU overload!')
      .import();
    expect(trace.lostEvents).toBe(50);
    expect(calls(trace)).toEqual(['0 fault 20000000 0']);
    expect(trace.notes).toEqual([
      '50 events were lost by perf',
      '4 calls have only their beginning or their end in the recording and are left out',
    ]);
  });

  test('kernel addresses and low addresses are no memory of the program', () => {
    const trace = new Recording()
      .exec()
      .event(100, 'exceptions:page_fault_kernel', 'address=some_symbol+0x4 ip=x error_code=0x0')
      .event(100, 'exceptions:page_fault_user', 'address=0xffffffffff600000 ip=0x1 error_code=0x14')
      .fault(100, 0x10)
      .fault(100, 0x20000000)
      .import();
    expect(trace.count).toBe(1);
    expect(trace.notes).toEqual([
      '2 faults on kernel addresses are left out',
      '1 fault below 64 KiB is left out',
    ]);
  });

  test('events of two threads may be a little out of order, their times then stand still', () => {
    const trace = new Recording()
      .exec()
      .at(500)
      .fault(100, 0x20000000)
      .at(400)
      .fault(101, 0x20000000)
      .import();
    const times = [0, 1].map((index) => op.readOperation(trace.operations, index).timeS);
    expect(times).toEqual([1.0005, 1.0005]);
    expect(trace.notes).toEqual(['1 event was printed after a later one of another thread']);
  });
});

describe('folding', () => {
  const SLOT = 2 ** 39;

  test('slots keep the order of their addresses, and the tree below them its shape', () => {
    const trace = new Recording()
      .exec()
      .fault(100, 255 * SLOT + 0x7123)
      .fault(100, 170 * SLOT + 0x200000)
      .fault(100, 171 * SLOT + 5)
      .import();
    const addresses = [0, 1, 2].map((index) => op.readOperation(trace.operations, index).address);
    expect(addresses).toEqual([2 * SLOT + 0x7123, 0x200000, SLOT + 5].map((at) => at + 0x0));
  });

  test('a range over two slots stays one', () => {
    const trace = new Recording()
      .exec()
      .enter(100, 'mmap', { ...mmap, len: 2 * 2 ** 30 })
      .leave(100, 'mmap', 100 * SLOT - 2 ** 30)
      .fault(100, 9 * SLOT + 0x5000)
      .import();
    expect(calls(trace)).toEqual([
      `0 mmap ${(2 * SLOT - 2 ** 30).toString(16)} 80000000`,
      '0 fault 5000 0',
    ]);
  });

  test('a range that unmaps unused slots too loses them', () => {
    const trace = new Recording()
      .exec()
      .fault(100, 10 * SLOT)
      .fault(100, 12 * SLOT)
      .enter(100, 'munmap', { addr: 9 * SLOT, len: 4 * SLOT })
      .leave(100, 'munmap')
      .import();
    expect(calls(trace).slice(2)).toEqual([
      `0 munmap 0 ${SLOT.toString(16)}`,
      `0 munmap ${SLOT.toString(16)} ${SLOT.toString(16)}`,
    ]);
  });

  test('slots of a reservation that no fault uses are given up when there are too many', () => {
    const trace = new Recording()
      .exec()
      .enter(100, 'mmap', { ...mmap, len: 40 * SLOT, fd: 3, flags: 2 })
      .leave(100, 'mmap', 20 * SLOT)
      .fault(100, 21 * SLOT)
      .fault(100, 30 * SLOT + 0x1000)
      .import();
    expect(calls(trace)).toEqual([
      `0 mmap 0 ${SLOT.toString(16)}`,
      `0 mmap ${SLOT.toString(16)} ${SLOT.toString(16)}`,
      '0 fault 0 0',
      `0 fault ${(SLOT + 0x1000).toString(16)} 0`,
    ]);
    const pages = [0, 1].map((index) => op.readOperation(trace.operations, index).arg4);
    expect(pages).toEqual([1, 10].map((slots) => 1 + (slots * SLOT * op.FILE_RADIX) / 4096));
  });

  test('32 slots with faults are folded, 33 are too many', () => {
    const recording = new Recording().exec();
    for (let slot = 0; slot < 32; slot++) recording.fault(100, slot * 7 * SLOT + 0x10000);
    expect(recording.import().count).toBe(32);
    expect(recording.fault(100, 255 * SLOT).failure().message).toBe(
      'r.perf: the program uses 33 regions of 512 GiB; allowed: at most 32',
    );
  });
});

describe('errors name file and line, what was found, what is allowed', () => {
  const start = (): Recording => new Recording().exec().fault(100, 0x20000000);
  test.each<[string, Recording, number, RegExp]>([
    [
      'unknown event',
      start().event(100, 'syscalls:sys_enter_open', 'x: 0x0'),
      3,
      /unknown event "syscalls:sys_enter_open"; allowed: page_fault_user, /,
    ],
    ['a line of something else', start().line('Hello'), 3, /not a line of a recording: "Hello"/],
    ['a head cut short', start().line('prog 100/100 [000] 1.00'), 3, /not a line/],
    [
      'an event name cut short',
      start().line('prog 100/100 [000] 1.00001: syscalls:sys_ex'),
      3,
      /the line ends early|unknown event/,
    ],
    [
      'a fault cut short',
      start().event(100, 'exceptions:page_fault_user', 'address=0x7f0 ip=0x5'),
      3,
      /page fault is broken or ends early/,
    ],
    [
      'a fault without address',
      start().event(100, 'exceptions:page_fault_user', ''),
      3,
      /page fault is broken or ends early/,
    ],
    [
      'arguments cut short',
      start().event(100, 'syscalls:sys_enter_munmap', 'addr: 0x0000, le'),
      3,
      /call is broken or ends early: .*; allowed: "addr: 0x..., len: 0x..."/,
    ],
    [
      'arguments of another call',
      start().event(100, 'syscalls:sys_enter_brk', 'addr: 0x0000'),
      3,
      /call is broken or ends early: .*; allowed: "brk: 0x..."/,
    ],
    [
      'a result that is no number',
      start().enter(100, 'mmap', mmap).leave(100, 'mmap', 'yes'),
      4,
      /result is broken or ends early: "yes"/,
    ],
    [
      'a place that is no page',
      start().enter(100, 'mmap', mmap).leave(100, 'mmap', 0x7f01),
      4,
      /mmap returned 0x7f01/,
    ],
    [
      'an address of more than 47 bits',
      start().fault(100, 2 ** 48),
      3,
      /0x1000000000000 has more than 47 bits/,
    ],
    [
      'exec cut short',
      start().event(100, 'sched:sched_process_exec', 'filename=./a pi'),
      3,
      /sched_process_exec ends early/,
    ],
    [
      'time going back in a thread',
      start().at(0).fault(100, 0x20000000),
      3,
      /time goes back from 1\.000001 to 1\.000000; allowed: events in the order of their times/,
    ],
    [
      'time going far back between threads',
      start().at(5000).fault(100, 0x20000000).at(2000).fault(101, 0x20000000),
      4,
      /time goes back from 1\.005000 to 1\.002000/,
    ],
  ])('%s', (_, recording, line, message) => {
    const error = recording.failure();
    expect(error.line).toBe(line);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^r\.perf:\d+: [^\n]*; allowed: [^\n]+$/);
  });

  test('a recording without operations', () => {
    expect(new Recording().exec().failure().message).toMatch(/^r\.perf: no fault and no call of/);
    expect(new Recording().line('# comment').failure().message).toMatch(/^r\.perf: no event/);
  });
});
