/**
 * A recorded program that forks: its children replayed in address spaces that fork made, held against what the kernel
 * said of each process while it was recorded. The second child ends with an exec, the others exit.
 */
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { boot } from '../../src/boot/boot.ts';
import { loadTrace } from '../../src/trace/load.ts';
import {
  CALL_EXIT,
  CALL_FAULT,
  CALL_FORK,
  operationList,
  OP_FIELDS,
  readOperation,
} from '../../src/trace/operation.ts';
import { importPerf } from '../../src/trace/perf.ts';
import type { PerfTrace } from '../../src/trace/perf.ts';
import { replay } from '../../src/trace/replay.ts';
import type { ReplayResult } from '../../src/trace/replay.ts';
import { SPACE_WORDS } from '../../src/trace/replayCpu.ts';
import { compareVmpte, loadVmpte } from '../../src/trace/vmpte.ts';

const CHILDREN = 3;

function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/forks/${name}`, import.meta.url));
}

function load(cpus: number): PerfTrace {
  const trace = loadTrace(fixture('forker.perf.gz'), { children: true, cpus });
  if (trace.kind !== 'recording') throw new Error('forker.perf.gz is taken for a script');
  return trace;
}

/** What process `process` had over time. */
function seriesOf(trace: PerfTrace, result: ReplayResult, process: number) {
  const timesS: number[] = [];
  const vmpteKb: number[] = [];
  for (let op = 0; op < trace.count; op++) {
    const tables = result.spaces[(op * result.processes + process) * SPACE_WORDS]!;
    timesS.push(readOperation(trace.operations, op).timeS);
    vmpteKb.push(Math.max(0, tables) * 4);
  }
  return { timesS, vmpteKb };
}

describe('a program with three children', async () => {
  const machine = await boot({ cpus: 1 + CHILDREN, swapPages: 0 });
  afterAll(() => machine.shutdown());

  test.each([1, 4])('agrees with the kernel, process by process, on %i CPUs', async (cpus) => {
    const trace = load(cpus);
    expect([trace.processes, trace.cpus]).toEqual([1 + CHILDREN, cpus]);
    const result = await replay(machine, trace);
    expect([result.failure, result.finished, result.errors]).toEqual([null, trace.count, {}]);
    for (let process = 0; process <= CHILDREN; process++) {
      const file = process === 0 ? 'forker.vmpte' : `forker-${process}.vmpte`;
      const { samples } = loadVmpte(fixture(file));
      const { compared, agreeing } = compareVmpte(seriesOf(trace, result, process), samples, {
        startS: trace.startS,
        endS: trace.endS,
      });
      expect(compared).toBeGreaterThan(15);
      expect([process, compared - agreeing]).toEqual([process, 0]);
    }
    expect(machine.violations()).toEqual([]);
    expect((await machine.audit()).findings).toEqual([]);
  });

  test('has its children left out unless they are asked for', () => {
    const trace = loadTrace(fixture('forker.perf.gz'));
    if (trace.kind !== 'recording') throw new Error('forker.perf.gz is taken for a script');
    expect(trace.processes).toBe(1);
    expect(trace.notes.join()).toContain('events are of other processes');
    expect(trace.operations.length).toBe(trace.count * OP_FIELDS);
  });

  test('what operations change is the same on one CPU and on several', async () => {
    const fault = (page: number, process: number, cpu: number) => ({
      call: CALL_FAULT,
      address: page * 2 ** 21,
      arg2: 1,
      process,
      cpu,
    });
    const items = [
      fault(1, 0, 0),
      fault(600, 0, 0),
      { call: CALL_FORK, arg2: 1 },
      fault(1, 1, 1),
      fault(2, 1, 1),
      fault(3, 0, 0),
      { call: CALL_FORK, arg2: 2, process: 1, cpu: 1 },
      { call: CALL_EXIT, process: 1, cpu: 1 },
      fault(900, 2, 2),
      { call: CALL_EXIT, process: 0 },
      fault(2, 2, 2),
    ];
    const one = await replay(machine, operationList(items.map((item) => ({ ...item, cpu: 0 }))));
    const three = await replay(machine, operationList(items));
    expect(one.processes).toBe(3);
    expect([...three.spaces].filter((_, at) => three.spaces[at & ~1]! >= 0)).toEqual(
      [...one.spaces].filter((_, at) => one.spaces[at & ~1]! >= 0),
    );
    expect([...three.vmpteKbs]).toEqual([...one.vmpteKbs]);
    expect([...three.anonPagesAfter]).toEqual([...one.anonPagesAfter]);
  });
});

describe('the list of a family', () => {
  const line = (pid: number, us: number, event: string, payload: string, tid = pid): string =>
    `prog ${pid}/${tid} [000] 1.${String(us).padStart(6, '0')}: ${event}: ${payload}`;
  const fault = (pid: number, us: number, page: number, tid = pid): string => {
    const address = (page * 2 ** 12 + 2 ** 30).toString(16);
    const payload = `address=0x${address} ip=0x401000 error_code=0x6`;
    return line(pid, us, 'exceptions:page_fault_user', payload, tid);
  };
  const fork = (pid: number, us: number, child: number): string =>
    line(
      pid,
      us,
      'sched:sched_process_fork',
      `comm=prog pid=${pid} child_comm=prog child_pid=${child}`,
    );
  const exec = (pid: number, us: number): string =>
    line(pid, us, 'sched:sched_process_exec', `filename=./prog pid=${pid} old_pid=${pid}`);
  const exit = (pid: number, us: number): string =>
    line(pid, us, 'sched:sched_process_exit', `comm=prog pid=${pid} prio=120 group_dead=true`);
  const read = (lines: string[], children = true, pid?: number): PerfTrace =>
    importPerf(Buffer.from(`${lines.join('\n')}\n`), 'family.perf', {
      children,
      ...(pid === undefined ? {} : { pid }),
    });
  const text = (trace: PerfTrace): string[] =>
    Array.from({ length: trace.count }, (_, index) => {
      const { call, process, cpu, address, arg2 } = readOperation(trace.operations, index);
      if (call === CALL_FORK) return `${cpu}: @${process} fork ${arg2}`;
      if (call === CALL_EXIT) return `${cpu}: @${process} exit`;
      return `${cpu}: @${process} ${(address % 2 ** 30) / 4096}`;
    });
  const lines = [
    exec(10, 1),
    fault(10, 2, 1),
    fork(10, 3, 11),
    fault(10, 4, 2, 11),
    fork(10, 5, 20),
    fault(20, 6, 3),
    fork(20, 7, 30),
    fault(10, 8, 4),
    fault(30, 9, 5),
    exec(20, 10),
    fault(20, 11, 6),
    exit(30, 12),
    fault(10, 13, 7),
    exit(10, 14),
  ];

  test('has forks of processes, not of threads, and ends children at their exec or exit', () => {
    const trace = read(lines, true, 10);
    expect(text(trace)).toEqual([
      '0: @0 1',
      '1: @0 2',
      '0: @0 fork 1',
      '2: @1 3',
      '2: @1 fork 2',
      '0: @0 4',
      '3: @2 5',
      '2: @1 exit',
      '3: @2 exit',
      '0: @0 7',
    ]);
    expect(trace.threads.map(({ tid }) => tid)).toEqual([10, 11, 20, 30]);
    expect(trace.notes).toContain('2 children are replayed as well');
    expect(trace.foreignEvents).toBe(1);
  });

  test('is that of the process alone without children', () => {
    expect(text(read(lines, false, 10))).toEqual(['0: @0 1', '1: @0 2', '0: @0 4', '0: @0 7']);
  });
});
