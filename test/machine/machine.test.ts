import { afterEach, describe, expect, it } from 'vitest';
import {
  boot,
  CpuDiedError,
  OptionError,
  type Machine,
  type MachineOptions,
  type RunOptions,
} from '../../src/index.ts';
import { workerThreads } from './threads.ts';

const GIB = 2 ** 30;
const MIB2 = 2 ** 21;
const K4 = 4096;

const machines: Machine[] = [];
async function start(options: MachineOptions = {}): Promise<Machine> {
  const machine = await boot({ cpus: 2, frames: 65_536, tables: 8192, ...options });
  machines.push(machine);
  return machine;
}
afterEach(async () => {
  for (const machine of machines.splice(0)) await machine.shutdown();
});

describe.each(['wasm', 'js'] as const)('a machine, %s', (execution) => {
  it('maps, touches, zaps and unmaps', async () => {
    const machine = await start({ execution });
    const space = await machine.createAddressSpace();
    const cpu = machine.cpu(0);
    expect(await cpu.mmap(space, GIB, 4 * MIB2)).toBeNull();
    expect(await cpu.mmap(space, GIB + MIB2, K4)).toBe('EEXIST');
    expect(await cpu.touch(space, GIB, 4 * MIB2)).toBeNull();
    expect(space.statistics()).toMatchObject({
      pteTables: 4,
      pmdTables: 1,
      pudTables: 1,
      vmpteKb: 24,
      anonPages: 2048,
      vmas: 1,
    });
    expect(await machine.cpu(1).access(space, GIB, 'w')).toBeNull();
    expect((await machine.cpu(1).walk(space, GIB)) & 1).toBe(1);
    expect(await cpu.madvise(space, GIB, 4 * MIB2, 'dontneed')).toBeNull();
    expect(space.vmpteKb).toBe(8);
    expect(space.anonPages).toBe(0);
    expect(await cpu.munmap(space, GIB, 4 * MIB2)).toBeNull();
    expect(space.vmpteKb).toBe(0);
    expect(await cpu.touch(space, GIB, K4)).toBe('EFAULT');
    expect(await machine.audit()).toMatchObject({ ok: true, addressSpaces: 1, tables: 1 });
    await machine.destroyAddressSpace(space);
    expect(await machine.audit()).toMatchObject({ ok: true, addressSpaces: 0, tables: 0 });
    expect(machine.violations()).toEqual([]);
  });

  it('keeps empty tables under protocol none', async () => {
    const machine = await start({ execution, protocol: 'none' });
    const space = await machine.createAddressSpace();
    await machine.cpu(0).mmap(space, GIB, 4 * MIB2);
    await machine.cpu(0).touch(space, GIB, 4 * MIB2, 'w', MIB2);
    await machine.cpu(1).madvise(space, GIB, 4 * MIB2, 'dontneed');
    expect(space.statistics()).toMatchObject({ pteTables: 4, anonPages: 0 });
    expect(await machine.audit()).toMatchObject({ ok: true });
  });
});

describe('operations', () => {
  it('moves, protects, pages out and pins', async () => {
    const machine = await start();
    const space = await machine.createAddressSpace();
    const cpu = machine.cpu(1);
    await cpu.mmap(space, GIB, MIB2);
    await cpu.touch(space, GIB, MIB2);
    const entry = await cpu.walk(space, GIB);
    expect(await cpu.mremap(space, GIB, MIB2, 2 * GIB)).toBeNull();
    expect(await cpu.walk(space, GIB)).toBe(0);
    expect((await cpu.walk(space, 2 * GIB)) >>> 8).toBe(entry >>> 8);
    expect(await cpu.mprotect(space, 2 * GIB, K4, 'r')).toBeNull();
    expect(await cpu.access(space, 2 * GIB, 'w')).toBe('EFAULT');
    expect(await cpu.access(space, 2 * GIB, 'r')).toBeNull();
    const frame = await cpu.gupFast(space, 2 * GIB + K4, 'w');
    expect(frame).toBeGreaterThan(0);
    expect(await cpu.madvise(space, 2 * GIB, MIB2, 'pageout')).toBeNull();
    expect(space.anonPages).toBeLessThan(512);
    await cpu.gupPut(frame);
    expect(await cpu.touch(space, 2 * GIB + K4, MIB2 - K4)).toBeNull();
    expect(space.anonPages).toBe(511);
    expect(await machine.audit()).toMatchObject({ ok: true });
  });

  it('maps files and shared memory', async () => {
    const machine = await start();
    const [one, other] = [await machine.createAddressSpace(), await machine.createAddressSpace()];
    const file = await machine.createFile(16);
    for (const space of [one, other])
      expect(
        await machine.cpu(0).mmap(space, GIB, MIB2, { file, shared: true, filePage: 8 }),
      ).toBeNull();
    expect(await machine.cpu(0).touch(one, GIB, 8 * K4)).toBeNull();
    expect(await machine.cpu(1).touch(other, GIB, 8 * K4, 'r')).toBeNull();
    const frames = [await machine.cpu(0).walk(one, GIB), await machine.cpu(0).walk(other, GIB)].map(
      (entry) => entry >>> 8,
    );
    expect(frames[0]).toBe(frames[1]);
    expect(await machine.cpu(0).touch(one, GIB + 8 * K4, K4)).toBe('EFAULT');
    expect(one.anonPages).toBe(0);
    expect(await machine.audit()).toMatchObject({ ok: true });
  });

  it('refuses CPUs and files that cannot be', async () => {
    const machine = await start();
    expect(() => machine.cpu(2)).toThrow(OptionError);
    await expect(machine.createFile(0)).rejects.toThrow(OptionError);
  });

  it('says when address spaces run out', async () => {
    const machine = await start({ addressSpaces: 2 });
    await machine.createAddressSpace();
    await machine.createAddressSpace();
    await expect(machine.createAddressSpace()).rejects.toThrow(/of 2 \(option addressSpaces\)/);
  });
});

describe('runs', () => {
  it.each<[MachineOptions, string]>([
    [{ addressSpaces: 1 }, 'addressSpaces'],
    [{ vmas: 16 }, 'vmas'],
    [{ tables: 32 }, 'tables'],
  ])('of a mix need a machine that is large enough: %j', async (options, name) => {
    const machine = await start(options);
    await expect(machine.run('all', { operations: 1 })).rejects.toThrow(`option ${name}`);
    expect(await machine.audit()).toMatchObject({ ok: true });
  });

  it.each(['fault-heavy', 'zap-heavy', 'map-heavy', 'walkers', 'gup-only', 'all'])(
    'mix %s: no violation, everything given back',
    async (mix) => {
      const machine = await start({ cpus: 3, seed: 7 });
      const report = await machine.run(mix, { operations: 2000 });
      expect(report.violations).toEqual([]);
      expect(report.audit).toMatchObject({ findings: [] });
      expect(report).toMatchObject({ ended: 'count', operations: 6000 });
      expect(report.statistics.counters['ops']).toBe(6000);
      expect(await machine.audit()).toMatchObject({ ok: true, addressSpaces: 0, mappedPages: 0 });
    },
  );

  it.each<[string, MachineOptions]>([
    ['failures and storms', { inject: { table: 20, frame: 50, batch: 2, delay: 50, storm: 50 } }],
    ['more CPUs than cores', { cpus: 8 }],
    ['a stalled reader', { inject: { stalledReaders: 1 } }],
    ['early ends of zaps', { inject: { resched: 3 }, batchEntries: 4, batchCount: 1 }],
    ['mmap-lock, none, js', { fault: 'mmap-lock', protocol: 'none', execution: 'js' }],
    ['fast checks', { check: 'fast' }],
    ['no checks', { check: 'off' }],
    ['ticket locks', { lock: 'ticket' }],
    ['mcs locks', { lock: 'mcs' }],
    ['tas locks, measured', { lock: 'tas', lockStat: true, eventsPerCpu: 64 }],
  ])('%s: no violation', async (_, options) => {
    const machine = await start(options);
    const report = await machine.run('all', { operations: 500 });
    expect(report.violations).toEqual([]);
    expect(report.audit).toMatchObject({ findings: [] });
    expect(report.ended).toBe('count');
  });

  it('runs for a time, reports progress, and can be interrupted', async () => {
    const machine = await start();
    let calls = 0;
    const abort = new AbortController();
    const report = await machine.run('walkers', {
      durationMs: 60_000,
      progressMs: 1,
      signal: abort.signal,
      onProgress: (statistics) => {
        expect(statistics.cpus).toHaveLength(2);
        if (++calls === 3) abort.abort();
      },
    });
    expect(calls).toBeGreaterThanOrEqual(3);
    expect(report.ended).toBe('interrupted');
    expect((await machine.run('walkers', { durationMs: 1 })).ended).toBe('time');
  });

  it("runs a user's module in the caller's address space", async () => {
    const machine = await start();
    const space = await machine.createAddressSpace();
    const url = new URL('fixtures/touches.js', import.meta.url);
    const report = await machine.run(url, { operations: 200, spaces: [space] });
    expect(report).toMatchObject({ operations: 400, violations: [] });
    expect(space.anonPages).toBeGreaterThan(100);
  });

  it('does the same operations for the same seed, on one CPU', async () => {
    const counters: unknown[] = [];
    for (const execution of ['wasm', 'js', 'wasm'] as const) {
      const machine = await start({ cpus: 1, execution, check: 'fast' });
      const report = await machine.run('all', { operations: 2000, seed: 11 });
      const { interruptsHandled: _, ...rest } = report.statistics.counters;
      counters.push(rest);
    }
    expect(counters[1]).toEqual(counters[0]);
    expect(counters[2]).toEqual(counters[0]);
  });

  it.each([
    ['sideways', {}, 'workload'],
    ['all', { operations: 0 }, 'operations'],
    ['all', { durationMs: -1 }, 'durationMs'],
    ['all', { seconds: 1 }, 'seconds'],
  ])('refuses %s %j', async (workload, options, name) => {
    const machine = await start();
    await expect(machine.run(workload, options as RunOptions)).rejects.toThrow(`option ${name}`);
    expect((await machine.run('all', { operations: 10 })).operations).toBe(20);
  });
});

/** A slow reader on CPU 0, in a table that CPU 1 zaps; what was seen. */
async function readWhileZapping(options: MachineOptions): Promise<string[]> {
  const machine = await start(options);
  const space = await machine.createAddressSpace();
  await machine.cpu(1).mmap(space, GIB, MIB2);
  await machine.cpu(1).touch(space, GIB, K4);
  const flag = new SharedArrayBuffer(8);
  const words = new Int32Array(flag);
  const reader = machine
    .cpu(0)
    .callModule(new URL('fixtures/slowReader.js', import.meta.url), 'readSlowly', {
      mm: space.handle,
      vpn: GIB / K4,
      flag,
      looks: Infinity,
    });
  for (let zaps = 0; zaps < 3000 && machine.violations().length === 0; zaps++) {
    await machine.cpu(1).touch(space, GIB, K4);
    await machine.cpu(1).madvise(space, GIB, MIB2, 'dontneed');
  }
  Atomics.store(words, 1, 1);
  expect(await reader).toBe(0);
  return machine.violations().map((violation) => violation.oracle);
}

describe('oracles', () => {
  it('finds tables freed under a walker, without a grace period', async () => {
    expect(await readWhileZapping({ free: 'immediate' })).toContain('table-use-after-free');
  });

  it('finds tables freed by interrupt alone, when there is no batch page', async () => {
    const seen = await readWhileZapping({ free: 'semi-rcu', inject: { batch: 1 } });
    expect(seen).toContain('table-use-after-free');
  });

  it('is content with RCU', async () => {
    expect(await readWhileZapping({ inject: { batch: 1 } })).toEqual([]);
  });
});

describe('deaths', () => {
  it.each(['exit', 'exception', 'memory'] as const)('by %s in a critical section', async (kind) => {
    const machine = await start({ inject: { death: { cpu: 1, kind, after: 1000 } } });
    const error = await machine
      .run('all', { durationMs: 60_000 })
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(CpuDiedError);
    const { cpu, operation, locks, report, message } = error as CpuDiedError;
    expect(cpu).toBe(1);
    expect(locks.length).toBeGreaterThan(0);
    // Between operations a CPU takes no lock but those of RCU and of what callbacks free.
    if (operation === 'none')
      expect(['rcu', 'tables', 'vmas', 'frames']).toContain(locks.at(-1)!.lockClass);
    expect(message).toMatch(/^CPU 1 died in [a-z-]+: .*; holding .*lock/);
    expect(report).toMatchObject({ ended: 'death', workload: 'all' });
    expect(report!.statistics.cpus[1]!.counters['accesses']).toBeGreaterThan(0);
    await expect(machine.cpu(0).walk({ handle: 0 }, 0)).rejects.toThrow(CpuDiedError);
    await machine.shutdown();
  });

  it('by an exception of a module of the user', async () => {
    const machine = await start();
    const call = machine
      .cpu(0)
      .callModule(new URL('fixtures/slowReader.js', import.meta.url), 'fail');
    await expect(call).rejects.toThrow(/^CPU 0 died in none: TypeError: the workload is broken/);
  });

  it('rejects what other CPUs are doing', async () => {
    const machine = await start({ inject: { death: { cpu: 1, kind: 'exit', after: 0 } } });
    const flag = new SharedArrayBuffer(8);
    const space = await machine.createAddressSpace();
    await machine.cpu(0).mmap(space, GIB, MIB2);
    const other = machine
      .cpu(0)
      .callModule(new URL('fixtures/slowReader.js', import.meta.url), 'readSlowly', {
        mm: space.handle,
        vpn: GIB / K4,
        flag,
        looks: Infinity,
      });
    other.catch(() => {});
    await expect(machine.cpu(1).touch(space, GIB, K4)).rejects.toThrow(CpuDiedError);
    await expect(other).rejects.toThrow(CpuDiedError);
  });
});

describe('shutdown', () => {
  it('leaves no thread behind, also in the middle of a run, and can be called twice', async () => {
    const before = workerThreads();
    const machine = await start({ cpus: 4 });
    expect(workerThreads()).toBeGreaterThan(before);
    const run = machine.run('all', { durationMs: 60_000 });
    run.catch(() => {});
    await machine
      .cpu(0)
      .walk({ handle: 0 }, 0)
      .catch(() => {});
    await machine.shutdown();
    await machine.shutdown();
    await expect(run).rejects.toThrow('shut down');
    expect(workerThreads()).toBe(before);
    await expect(machine.createAddressSpace()).rejects.toThrow('shut down');
  });
});
