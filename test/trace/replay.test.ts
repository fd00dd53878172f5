import { MADV_DONTNEED, PAGE_BYTES } from '../../src/kernel/abi.ts';
import { describe, expect, it } from 'vitest';
import { boot } from '../../src/boot/boot.ts';
import {
  CALL_BARRIER,
  CALL_FAULT,
  CALL_MADVISE,
  CALL_MMAP,
  CALL_MPROTECT,
  CALL_MREMAP,
  CALL_MUNMAP,
  CALL_TOUCH,
  MAP_REPLACE,
  operationList,
} from '../../src/trace/operation.ts';
import type { Operation, OperationList } from '../../src/trace/operation.ts';
import { eachLine, replay } from '../../src/trace/replay.ts';
import type { ReplayResult } from '../../src/trace/replay.ts';
import { NOT_RUN } from '../../src/trace/replayCpu.ts';
import { parseScript } from '../../src/trace/script.ts';
import { replaySizes } from '../../src/trace/sizes.ts';

const MIB = 2 ** 20;
const CPUS = 4;

const SPAN = 2 * MIB;
const CALLS = [
  CALL_TOUCH,
  CALL_TOUCH,
  CALL_MADVISE,
  CALL_MUNMAP,
  CALL_MMAP,
  CALL_MPROTECT,
  CALL_FAULT,
  CALL_MREMAP,
];

type Item = Partial<Operation> & { call: number };

/**
 * Operations of several CPUs that meet in 32 MiB all the time, the same for the same seed. Mappings begin and end at 2
 * MiB: whether two of them merge would otherwise depend on faults elsewhere in them, and with it what DONTNEED finds
 * whole.
 */
function meeting(seed: number, count: number): Item[] {
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const items: Item[] = [
    { call: CALL_MMAP, address: 0, length: 32 * MIB, arg2: 3 },
    // Keeps the upper tables, whoever makes and empties the others first.
    { call: CALL_MMAP, address: 512 * MIB, length: PAGE_BYTES, arg2: 3 },
    { call: CALL_TOUCH, address: 512 * MIB, length: PAGE_BYTES, arg2: 1, arg3: PAGE_BYTES },
    { call: CALL_BARRIER },
  ];
  while (items.length < count) {
    if (items.length % 100 === 0) items.push({ call: CALL_BARRIER, cpu: random(CPUS) });
    const cpu = random(CPUS);
    const page = random(32 * 256) * PAGE_BYTES;
    const pages = Math.min(32 * MIB - page, (1 + random(1024)) * PAGE_BYTES);
    const address = random(15) * SPAN;
    const length = (1 + random(2)) * SPAN;
    const call = CALLS[random(CALLS.length)]!;
    const small = { call, cpu, address: page, length: pages };
    const whole = { call, cpu, address, length };
    if (call === CALL_TOUCH) items.push({ ...small, arg2: random(2), arg3: PAGE_BYTES });
    else if (call === CALL_FAULT) items.push({ ...small, length: 0, arg2: 1 });
    else if (call === CALL_MADVISE) items.push({ ...small, arg2: MADV_DONTNEED });
    else if (call === CALL_MMAP) items.push({ ...whole, arg2: 3, arg3: MAP_REPLACE });
    else if (call === CALL_MPROTECT) items.push({ ...whole, arg2: [1, 3][random(2)]! });
    else if (call === CALL_MREMAP) items.push({ ...whole, arg2: random(15) * SPAN, arg3: length });
    else items.push(whole);
  }
  return items;
}

/** The same operations, all on CPU 0. */
function onOneCpu(items: readonly Item[]): OperationList {
  return operationList(items.map((item) => ({ ...item, cpu: 0 })));
}

async function run(list: OperationList, cpus: number): Promise<ReplayResult> {
  await using machine = await boot({ cpus, check: 'full', swapPages: 0 });
  const result = await replay(machine, list);
  expect(machine.violations()).toEqual([]);
  expect((await machine.audit()).findings).toEqual([]);
  return result;
}

describe('replay', () => {
  it.each([1, 2, 3])('gives on four CPUs what it gives on one, seed %i', async (seed) => {
    const items = meeting(seed, 3000);
    const one = await run(onOneCpu(items), 1);
    const four = await run(operationList(items), CPUS);
    expect(one.finished).toBe(items.length);
    expect([...four.errnos]).toEqual([...one.errnos]);
    // In between, whichever of two touches comes first has made the table.
    const states = (result: ReplayResult): [number, number][] =>
      items.flatMap((item, op) =>
        item.call === CALL_BARRIER ? [[result.vmpteKbs[op]!, result.anonPagesAfter[op]!]] : [],
      );
    expect(states(four)).toEqual(states(one));
    expect(states(one).length).toBeGreaterThan(20);
    expect(Object.keys(one.errors).length).toBeGreaterThan(0);
    expect(one.vmptePeakKb).toBeGreaterThan(20);
  });

  it('stops after the operations under way when its signal is raised', async () => {
    const list = operationList([
      { call: CALL_MMAP, address: 0, length: 2 ** 40, arg2: 3 },
      ...Array.from({ length: 1000 }, () => ({
        call: CALL_TOUCH,
        address: 0,
        length: 2 ** 40,
        arg2: 0,
        arg3: 2 * MIB,
      })),
    ]);
    const stop = new AbortController();
    await using machine = await boot({ cpus: 1, tables: replaySizes(list).tables });
    const result = await replay(machine, list, {
      signal: stop.signal,
      onProgress: ({ finished }) => {
        if (finished > 0) stop.abort();
      },
    });
    expect(result.finished).toBeGreaterThan(0);
    expect(result.finished).toBeLessThan(list.count);
    expect(result.errnos[result.finished]).toBe(NOT_RUN);
    expect(result.failure).toBeNull();
  });

  it('reports what was done when a CPU dies', async () => {
    const list = onOneCpu(meeting(4, 2000));
    await using machine = await boot({
      cpus: 1,
      inject: { death: { cpu: 0, kind: 'exception', after: 2000 } },
    });
    const result = await replay(machine, list);
    expect(result.failure?.message).toMatch(/CPU 0 died/);
    expect(result.finished).toBeGreaterThan(0);
    expect(result.finished).toBeLessThan(list.count);
  });

  it('refuses a list with more CPUs than the machine', async () => {
    await using machine = await boot({ cpus: 1 });
    const list = operationList([{ call: CALL_MUNMAP, cpu: 2, length: PAGE_BYTES }]);
    await expect(replay(machine, list)).rejects.toThrow('list names 3 CPUs; allowed: at most 1');
  });

  it('writes an operation as one line of JSON', async () => {
    const list = operationList([
      { call: CALL_TOUCH, length: PAGE_BYTES, arg2: 1, arg3: PAGE_BYTES, timeS: 1.5 },
    ]);
    const result = await run(list, 1);
    expect(eachLine(list, result, 0, 7, false)).toBe(
      '{"op":7,"call":"touch","errno":"EFAULT","vmpteKb":0,"anonPages":0}',
    );
    expect(eachLine(list, result, 0, 7, true)).toContain(',"t":1.5}');
  });
});

describe('several processes', () => {
  it('do not lose a page from swap because one of those that share it gives it up', async () => {
    await using machine = await boot({ cpus: 1, swapPages: 16, thp: 'never' });
    const list = parseScript(
      'mmap 1G 8K\ntouch 1G 8K\nmadvise 1G 8K pageout\ntouch 1G 8K r\nfork\n@1 madvise 1G 8K free\nexit\n' +
        '@1 madvise 1G 8K pageout\n@1 touch 1G 8K r\n',
      'swap.mm',
    );
    const result = await replay(machine, list);
    expect([...result.anonPagesAfter]).toEqual([0, 2, 0, 2, 4, 4, 2, 0, 2]);
    expect(machine.violations()).toEqual([]);
  });

  it("that one list forked are its caller's when the address space is", async () => {
    await using machine = await boot({ cpus: 1 });
    const space = await machine.createAddressSpace();
    const list = parseScript('mmap 1G 8K\ntouch 1G 8K\nfork\nfork\n@1 exit\n', 'space.mm');
    const { forked } = await replay(machine, list, { space });
    expect(forked.map(({ anonPages }) => anonPages)).toEqual([2]);
    for (const one of [...forked, space]) await machine.destroyAddressSpace(one);
    expect((await machine.audit()).findings).toEqual([]);
  });
});

describe('replaySizes', () => {
  it('counts tables by what is touched, frames by touches, files once', () => {
    const sizes = replaySizes(
      operationList([
        { call: CALL_MMAP, address: 0, length: 2 ** 40, arg2: 3 },
        { call: CALL_TOUCH, address: 0, length: 2 ** 40, arg2: 1, arg3: 2 * MIB },
        { call: CALL_TOUCH, address: 0, length: 4 * MIB, arg2: 1, arg3: PAGE_BYTES },
        { call: CALL_MMAP, address: 0, length: PAGE_BYTES, arg2: 1, arg4: 3 },
        { call: CALL_MMAP, address: PAGE_BYTES, length: PAGE_BYTES, arg2: 1, arg4: 3 + 65_536 },
        { call: CALL_MMAP, address: 0, length: PAGE_BYTES, arg2: 1, arg3: 1 },
      ]),
    );
    expect(sizes.tables).toBeGreaterThanOrEqual(524_288 + 1024 + 2);
    expect(sizes.tables).toBeLessThan(524_288 + 32_768);
    expect(sizes.frames).toBe(524_288 + 1024);
    expect(sizes.inodes).toBe(2);
  });
});

it.each([
  ['sync', 90, 1],
  ['sync', 110, 0],
  ['async', 90, 0],
] as const)(
  'under %s a table that comes back %i operations later, a millisecond each, was freed for nothing %i times',
  async (protocol, operations, wasted) => {
    const lines = ['mmap 1G 4M', 'touch 1G 4K w', 'madvise 1G 2M dontneed'];
    for (let i = 0; i < operations; i++) lines.push('touch 1026M 4K w');
    lines.push('touch 1G 4K w');
    const options = {
      cpus: 1,
      protocol,
      wasteSlots: 64,
      wasteMs: 100,
      asyncDelayMs: 1000,
    } as const;
    await using machine = await boot({ ...options, daemonCpu: false });
    const space = await machine.createAddressSpace();
    const result = await replay(machine, parseScript(lines.join('\n'), 'wasted.mm'), { space });
    expect(result.failure).toBeNull();
    expect(machine.statistics().counters['tablesWasted']).toBe(wasted);
  },
);
