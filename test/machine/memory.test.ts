import { LOCK_CODES } from '../../src/machine/lockKinds.ts';
import { describe, expect, it } from 'vitest';
import * as layout from '../../src/kernel/abi.ts';
import { createMemory, layOut, MAGIC, seedFor } from '../../src/machine/memory.ts';
import { resolveOptions } from '../../src/machine/options.ts';

describe('memory', () => {
  it('lays regions out one behind the other, without overlap', () => {
    const options = resolveOptions({ cpus: 2, eventsPerCpu: 1024 });
    const r = layOut(options);
    const tablesEnd = layout.TABLES + options.tables * 2048;
    const sizes: [number, number][] = [
      [tablesEnd, 0],
      [r.ptdescs, options.tables * 64],
      [r.folios, options.frames * 32],
      [r.vmas, options.vmas * 128],
      [r.anonVmas, options.anonVmas * 64],
      [r.chains, options.anonVmaChains * 32],
      [r.mms, options.addressSpaces * 4096],
      [r.inodes, options.inodes * 128],
      [r.cache, options.cacheBuckets * 32],
      [r.swap, options.swapPages * 8],
      [r.rings, options.eventsPerCpu * options.cpus * 16],
      [r.end, 0],
    ];
    for (let i = 1; i < sizes.length; i++)
      expect(sizes[i]![0]).toBeGreaterThanOrEqual(sizes[i - 1]![0] + sizes[i - 1]![1]);
  });

  it('has room for 1 TiB touched per 2 MiB', () => {
    expect(layOut(resolveOptions({ tables: 530_000 })).end).toBeLessThan(2 ** 32);
  });

  it('writes the configuration', () => {
    const options = resolveOptions({ cpus: 2, free: 'semi-rcu', protocol: 'none', lock: 'mcs' });
    const memory = createMemory(options);
    const words = new Uint32Array(memory.buffer);
    const at = (address: number): number => words[address >>> 2]!;
    expect(memory.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(at(layout.H_MAGIC)).toBe(MAGIC);
    expect(at(layout.H_CPUS)).toBe(2);
    expect(at(layout.H_PROTOCOL)).toBe(0);
    expect(at(layout.H_FREE_MODE)).toBe(1);
    expect(at(layout.H_LOCK_KIND)).toBe(LOCK_CODES.mcs);
    expect(at(layout.cpuArea(1) + layout.C_ID)).toBe(1);
    expect(at(layout.H_END)).toBeLessThanOrEqual(memory.buffer.byteLength);
  });

  it('seeds the CPUs differently, never with 0', () => {
    const seeds = new Set<number>();
    for (let seed = 0; seed < 100; seed++)
      for (let cpu = 0; cpu < 32; cpu++) seeds.add(seedFor(seed, cpu));
    expect(seeds.size).toBeGreaterThan(3190);
    expect(seeds.has(0)).toBe(false);
  });
});
