import { afterEach, describe, expect, it } from 'vitest';
import { boot, CpuDiedError, type Machine, type MachineOptions } from '../../src/index.ts';
import * as layout from '../../src/kernel/abi.ts';
import { EVENT_CALLBACKS } from '../../src/kernel/abi.ts';
import { readEvents } from '../../src/machine/events.ts';

const GIB = 2 ** 30;
const MIB2 = 2 ** 21;

const machines: Machine[] = [];
async function start(options: MachineOptions): Promise<Machine> {
  const machine = await boot({ cpus: 2, tables: 1024, frames: 8192, ...options });
  machines.push(machine);
  return machine;
}
afterEach(async () => {
  for (const machine of machines.splice(0)) await machine.shutdown();
});

describe('events', () => {
  it('tell what each CPU did, in its order', async () => {
    const machine = await start({ eventsPerCpu: 256 });
    const space = await machine.createAddressSpace();
    await machine.cpu(0).mmap(space, GIB, MIB2);
    await machine.cpu(0).touch(space, GIB, MIB2, 'w', MIB2);
    await machine.cpu(1).madvise(space, GIB, MIB2, 'dontneed');
    const events = machine.events();
    const texts = (cpu: number): string =>
      events
        .filter((event) => event.cpu === cpu && event.event !== 'interrupt')
        .map((event) => event.text)
        .join('\n');
    expect(texts(0)).toMatch(
      /begins mmap\(address space 0, page 0x40000\)[^]*ends mmap[^]*begins touch[^]*allocates PUD table[^]*allocates PMD table[^]*allocates PTE table \d+ at page 0x40000\nends touch/,
    );
    expect(texts(1)).toMatch(
      /begins madvise[^]*detaches PTE table (\d+) at page 0x40000[^]*flushes TLBs of pages 0x40000 to 0x40200[^]*ends madvise/,
    );
    expect(events.at(-1)!.timeUs).toBe(0);
    expect(events.map((event) => event.timeUs)).toEqual(
      events.map((event) => event.timeUs).toSorted((one, other) => one - other),
    );
  });

  it('are none without rings, and no more than rings hold', async () => {
    const without = await start({});
    await without.run('walkers', { operations: 20 });
    expect(without.events()).toEqual([]);
    const machine = await start({ eventsPerCpu: 16 });
    const report = await machine.run('walkers', { operations: 100 });
    expect(report.events).toEqual([]);
    for (const cpu of [0, 1])
      expect(machine.events().filter((event) => event.cpu === cpu)).toHaveLength(16);
  });

  it('have times relative to the first violation', async () => {
    const machine = await start({ eventsPerCpu: 64 });
    const module = `data:text/javascript,
      export function provoke(cpu) { cpu.calls.kernel.violation(7, 1, 2, 3); }`;
    await machine.cpu(1).callModule(module, 'provoke');
    await machine.cpu(1).callModule(module, 'provoke');
    const violations = machine.events().filter((event) => event.event === 'violation');
    expect(violations.map((event) => [event.cpu, event.text])).toEqual([
      [1, 'VIOLATION accounting: 0x1'],
      [1, 'VIOLATION accounting: 0x1'],
    ]);
    const [first, second] = violations.map((event) => event.timeUs);
    expect(Math.abs(first!)).toBeLessThan(second!);
  });

  it('of a death end with what the dead CPU did last, and are in the report', async () => {
    const death = { cpu: 1, kind: 'exit' as const, after: 500 };
    const machine = await start({
      tables: 8192,
      frames: 65_536,
      eventsPerCpu: 64,
      inject: { death },
    });
    const run = machine.run('all', { durationMs: 60_000 });
    const error = (await run.catch((caught: unknown) => caught)) as CpuDiedError;
    expect(error).toBeInstanceOf(CpuDiedError);
    const { events } = error.report!;
    expect(machine.events()).toEqual(events);
    const own = events.filter((event) => event.cpu === 1);
    expect(own).toHaveLength(64);
    expect(own.at(-1)!.timeUs).toBe(0);
  });
});

/** CPU, first word and time of each event. */
const seen = (words: Uint32Array, origin?: Parameters<typeof readEvents>[1]): number[][] =>
  readEvents(words, origin).map((event) => [event.cpu, event.values[0], event.timeUs]);

describe('readEvents', () => {
  const RINGS = 0x20000;

  /** A memory with two rings of four, filled with events of the given clocks. */
  function rings(...clocks: number[][]): Uint32Array {
    const words = new Uint32Array(0x30000 / 4);
    const put = (address: number, value: number): void => {
      words[address >>> 2] = value;
    };
    put(layout.H_CPUS, clocks.length);
    put(layout.H_RING_EVENTS, 4);
    put(layout.H_RING_BASE, RINGS);
    clocks.forEach((ring, cpu) => {
      put(layout.cpuArea(cpu) + layout.C_RING_NEXT, ring.length);
      ring.forEach((clockNs, number) => {
        const at = RINGS + (cpu * 4 + (number % 4)) * 16;
        put(at, clockNs);
        put(at + 4, EVENT_CALLBACKS);
        put(at + 8, number);
      });
    });
    return words;
  }
  it('merges by the clock, across its wrap', () => {
    const words = rings([0xffff_f000, 0xffff_ff00, 100], [0xffff_fe00, 50]);
    expect(seen(words).map(([cpu, number]) => [cpu, number])).toEqual([
      [0, 0],
      [1, 0],
      [0, 1],
      [1, 1],
      [0, 2],
    ]);
    expect(seen(words).map(([, , timeUs]) => timeUs)).toEqual([-4.196, -0.612, -0.356, -0.05, 0]);
  });

  it('keeps the order of one CPU at equal times, the newest of a full ring, and takes other origins', () => {
    const words = rings([1, 2, 3000, 3000, 3000, 3000], [2500]);
    const order = [
      [1, 0, -0.5],
      [0, 2, 0],
      [0, 3, 0],
      [0, 4, 0],
      [0, 5, 0],
    ];
    expect(seen(words)).toEqual(order);
    expect(seen(words, { lastOfCpu: 1 })[0]).toEqual([1, 0, 0]);
    expect(seen(words, { clockNs: 2000 })[0]).toEqual([1, 0, 0.5]);
  });
});
