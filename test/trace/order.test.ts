import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import * as op from '../../src/trace/operation.ts';
import type { Operation, OperationList } from '../../src/trace/operation.ts';
import { orderOperations } from '../../src/trace/order.ts';
import type { OperationOrder } from '../../src/trace/order.ts';

const BUCKET = 2 ** 21;

function waits(order: OperationOrder, index: number): string[] {
  const out: string[] = [];
  for (let k = order.depStart[index]!; k < order.depStart[index + 1]!; k++) {
    out.push(`${order.depCpu[k]}:${order.depSeq[k]}`);
  }
  return out.toSorted();
}

function allWaits(list: OperationList, conflicts = true): string[][] {
  const order = orderOperations(list, { conflicts });
  return Array.from({ length: list.count }, (_, index) => waits(order, index));
}

const at = (bucket: number, buckets = 1): { address: number; length: number } => ({
  address: bucket * BUCKET,
  length: buckets * BUCKET,
});

describe('waits', () => {
  test('faults wait for the mapping, the unmapping waits for the faults', () => {
    const list = op.operationList([
      { call: op.CALL_MMAP, cpu: 0, ...at(10, 4) },
      { call: op.CALL_FAULT, cpu: 1, ...at(10) },
      { call: op.CALL_FAULT, cpu: 2, ...at(13) },
      { call: op.CALL_FAULT, cpu: 1, ...at(14) },
      { call: op.CALL_MUNMAP, cpu: 0, ...at(10, 4) },
      { call: op.CALL_FAULT, cpu: 2, ...at(14) },
    ]);
    expect(allWaits(list)).toEqual([[], ['0:1'], ['0:1'], [], ['1:1', '2:1'], []]);
  });

  test('faults and touches never wait for each other', () => {
    const list = op.operationList([
      { call: op.CALL_TOUCH, cpu: 0, ...at(0, 100) },
      { call: op.CALL_FAULT, cpu: 1, ...at(10) },
      { call: op.CALL_TOUCH, cpu: 2, ...at(5, 10) },
    ]);
    expect(allWaits(list)).toEqual([[], [], []]);
  });

  test('the same 2 MiB conflicts though the pages differ, the next 2 MiB does not', () => {
    const page = { length: 4096 };
    const list = op.operationList([
      { call: op.CALL_MADVISE, cpu: 0, address: 5 * BUCKET, ...page },
      { call: op.CALL_MADVISE, cpu: 1, address: 6 * BUCKET - 4096, ...page },
      { call: op.CALL_MADVISE, cpu: 2, address: 6 * BUCKET, ...page },
    ]);
    expect(allWaits(list)).toEqual([[], ['0:1'], []]);
  });

  test('what an earlier wait implies is not waited for again', () => {
    const list = op.operationList([
      { call: op.CALL_MMAP, cpu: 0, ...at(1) },
      { call: op.CALL_MPROTECT, cpu: 1, ...at(1) },
      { call: op.CALL_MPROTECT, cpu: 2, ...at(1) },
      { call: op.CALL_FAULT, cpu: 2, ...at(1) },
      { call: op.CALL_MUNMAP, cpu: 0, ...at(1) },
    ]);
    expect(allWaits(list)).toEqual([[], ['0:1'], ['1:1'], [], ['2:2']]);
  });

  test('mremap conflicts in both places, brk between old and new break', () => {
    const list = op.operationList([
      { call: op.CALL_FAULT, cpu: 0, ...at(3) },
      { call: op.CALL_FAULT, cpu: 1, ...at(9) },
      { call: op.CALL_MREMAP, cpu: 2, ...at(3), arg2: 9 * BUCKET, arg3: BUCKET },
      { call: op.CALL_BRK, cpu: 0, address: 20 * BUCKET },
      { call: op.CALL_FAULT, cpu: 1, ...at(25) },
      { call: op.CALL_BRK, cpu: 0, address: 30 * BUCKET },
    ]);
    expect(allWaits(list)).toEqual([[], [], ['0:1', '1:1'], [], [], ['1:2']]);
  });

  test('a barrier waits for all, and all for it; with conflicts off nothing else does', () => {
    const list = op.operationList([
      { call: op.CALL_MMAP, cpu: 0, ...at(1) },
      { call: op.CALL_MMAP, cpu: 1, ...at(1) },
      { call: op.CALL_BARRIER, cpu: 0 },
      { call: op.CALL_FAULT, cpu: 1, ...at(1) },
      { call: op.CALL_MUNMAP, cpu: 2, ...at(1) },
    ]);
    expect(allWaits(list, false)).toEqual([[], [], ['1:1'], ['0:2'], ['0:2']]);
    expect(allWaits(list)).toEqual([[], ['0:1'], ['1:1'], ['0:2'], ['1:2']]);
  });

  test('a process waits for its fork, its exit for it; with conflicts on both wait for all', () => {
    const list = op.operationList([
      { call: op.CALL_TOUCH, cpu: 1, ...at(1) },
      { call: op.CALL_FORK, cpu: 0, arg2: 1 },
      { call: op.CALL_TOUCH, cpu: 1, ...at(5), process: 1 },
      { call: op.CALL_TOUCH, cpu: 2, ...at(6), process: 1 },
      { call: op.CALL_TOUCH, cpu: 2, ...at(6) },
      { call: op.CALL_EXIT, cpu: 0, process: 1 },
      { call: op.CALL_TOUCH, cpu: 1, ...at(7) },
    ]);
    expect(list.processes).toBe(2);
    expect(allWaits(list, false)).toEqual([[], [], ['0:1'], ['0:1'], [], ['1:2', '2:1'], []]);
    const kept = [[], ['1:1'], ['0:1'], ['0:1'], [], ['1:2', '2:2'], ['0:2']];
    expect(allWaits(list)).toEqual(kept);
  });

  test('addresses beyond the address space and huge lengths are one last bucket', () => {
    const list = op.operationList([
      { call: op.CALL_MMAP, cpu: 0, address: 2 ** 44, length: 2 ** 52 },
      { call: op.CALL_MUNMAP, cpu: 1, address: 0, length: 2 ** 52 },
      { call: op.CALL_FAULT, cpu: 0, address: 2 ** 43 },
    ]);
    expect(allWaits(list)).toEqual([[], ['0:1'], ['1:1']]);
  });

  test('cpus run their operations in the order of the list', () => {
    const list = op.operationList([
      { call: op.CALL_FAULT, cpu: 2 },
      { call: op.CALL_FAULT, cpu: 0 },
      { call: op.CALL_FAULT, cpu: 2 },
    ]);
    const order = orderOperations(list);
    expect([...order.cpuStart]).toEqual([0, 1, 1, 3]);
    expect([...order.cpuOps]).toEqual([1, 0, 2]);
    expect(order.depSeq.buffer).toBeInstanceOf(SharedArrayBuffer);
  });
});

const CPUS = 4;
const bucket = fc.nat({ max: 40 });
const buckets = fc.integer({ min: 0, max: 12 });
const anyOperation = fc
  .record({
    call: fc.constantFrom(
      op.CALL_FAULT,
      op.CALL_FAULT,
      op.CALL_FAULT,
      op.CALL_TOUCH,
      op.CALL_MMAP,
      op.CALL_MUNMAP,
      op.CALL_MADVISE,
      op.CALL_MREMAP,
      op.CALL_BRK,
      op.CALL_BARRIER,
    ),
    cpu: fc.nat({ max: CPUS - 1 }),
    from: bucket,
    inside: fc.nat({ max: 511 }),
    size: buckets,
    to: bucket,
    newSize: buckets,
  })
  .map(({ call, cpu, from, inside, size, to, newSize }) => ({
    call,
    cpu,
    address: from * BUCKET + inside * 4096,
    length: size * BUCKET,
    arg2: call === op.CALL_MREMAP ? to * BUCKET : 0,
    arg3: call === op.CALL_MREMAP ? newSize * BUCKET : 0,
  }));

/** Buckets that each operation of a list uses, found the simple way. */
function bucketsUsed(list: OperationList): Set<number>[] {
  let programBreak = -1;
  return Array.from({ length: list.count }, (_, index) => {
    const used = new Set<number>();
    const add = (start: number, length: number): void => {
      const last = Math.floor((start + Math.max(1, length) - 1) / BUCKET);
      for (let b = Math.floor(start / BUCKET); b <= last; b++) used.add(b);
    };
    const { call, address, length, arg2, arg3 } = op.readOperation(list.operations, index);
    if (call === op.CALL_BARRIER) return used;
    if (call === op.CALL_BRK) {
      const before = programBreak < 0 ? address : programBreak;
      add(Math.min(address, before), Math.abs(address - before) + 1);
      programBreak = address;
    } else add(address, call === op.CALL_FAULT ? 1 : length);
    if (call === op.CALL_MREMAP) add(arg2, arg3);
    return used;
  });
}

const SHARED = new Set<number>([op.CALL_FAULT, op.CALL_TOUCH]);

function conflicting(a: Operation, b: Operation, usedA: Set<number>, usedB: Set<number>): boolean {
  if (a.cpu === b.cpu || a.call === op.CALL_BARRIER || b.call === op.CALL_BARRIER) return true;
  if (SHARED.has(a.call) && SHARED.has(b.call)) return false;
  return [...usedA].some((one) => usedB.has(one));
}

/** Operations that `index` waits for. */
function waitedFor(order: OperationOrder, index: number): number[] {
  const out: number[] = [];
  for (let k = order.depStart[index]!; k < order.depStart[index + 1]!; k++) {
    out.push(order.cpuOps[order.cpuStart[order.depCpu[k]!]! + order.depSeq[k]! - 1]!);
  }
  return out;
}

/** The operation before `index` on the same CPU, or -1. */
function lastOwn(records: readonly Operation[], index: number): number {
  return records.findLastIndex((one, place) => place < index && one.cpu === records[index]!.cpu);
}

/** before[i] holds j if waits and each CPU's own order make j finish before i begins. */
function certain(list: OperationList, order: OperationOrder): Set<number>[] {
  const before: Set<number>[] = [];
  const lastOf = new Map<number, number>();
  for (let i = 0; i < list.count; i++) {
    const cpu = list.operations[i * op.OP_FIELDS + op.FIELD_CPU]!;
    const direct = lastOf.has(cpu) ? [lastOf.get(cpu)!] : [];
    direct.push(...waitedFor(order, i));
    const all = new Set(direct);
    for (const j of direct) {
      expect(j).toBeLessThan(i);
      for (const earlier of before[j]!) all.add(earlier);
    }
    before.push(all);
    lastOf.set(cpu, i);
  }
  return before;
}

const anyList = fc
  .array(anyOperation, { minLength: 1, maxLength: 80 })
  .map((items) => ({ ...op.operationList(items), cpus: CPUS }));

test('every pair that conflicts is ordered, and no wait is there without need', () => {
  fc.assert(
    fc.property(anyList, (list) => {
      const order = orderOperations(list);
      const before = certain(list, order);
      const used = bucketsUsed(list);
      const records = used.map((_, index) => op.readOperation(list.operations, index));
      const needed = records.map(() => new Set<number>());
      for (let i = 0; i < list.count; i++) {
        for (let j = 0; j < i; j++) {
          if (!conflicting(records[j]!, records[i]!, used[j]!, used[i]!)) continue;
          expect(before[i]!.has(j), `${j} before ${i}`).toBe(true);
          needed[i]!.add(j);
          for (const earlier of needed[j]!) needed[i]!.add(earlier);
        }
        expect(before[i]).toEqual(needed[i]);
        for (const j of waitedFor(order, i)) {
          const others = [...waitedFor(order, i), lastOwn(records, i)].filter((one) => one !== j);
          expect(others.some((one) => before[one]?.has(j))).toBe(false);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('any interleaving that honours the waits keeps the order in every 2 MiB', () => {
  fc.assert(
    fc.property(anyList, fc.infiniteStream(fc.nat({ max: CPUS - 1 })), (list, choices) => {
      const order = orderOperations(list);
      const used = bucketsUsed(list);
      const done = Array.from({ length: CPUS }, () => 0);
      const ran: number[] = [];
      const next = (cpu: number): number | undefined => {
        const place = order.cpuStart[cpu]! + done[cpu]!;
        if (place >= order.cpuStart[cpu + 1]!) return undefined;
        const index = order.cpuOps[place]!;
        for (let k = order.depStart[index]!; k < order.depStart[index + 1]!; k++) {
          if (done[order.depCpu[k]!]! < order.depSeq[k]!) return undefined;
        }
        return index;
      };
      while (ran.length < list.count) {
        const able = done.map((_, cpu) => cpu).filter((cpu) => next(cpu) !== undefined);
        expect(able.length).toBeGreaterThan(0);
        const choice: number = choices.next().value!;
        const cpu = able[choice % able.length]!;
        ran.push(next(cpu)!);
        done[cpu]!++;
      }
      const place = new Map(ran.map((index, when) => [index, when]));
      for (let i = 0; i < list.count; i++) {
        const a = op.readOperation(list.operations, i);
        for (let j = 0; j < i; j++) {
          const b = op.readOperation(list.operations, j);
          if (conflicting(b, a, used[j]!, used[i]!)) {
            expect(place.get(j)!).toBeLessThan(place.get(i)!);
          }
        }
      }
    }),
    { numRuns: 200 },
  );
});
