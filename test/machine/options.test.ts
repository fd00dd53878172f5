import { describe, expect, it } from 'vitest';
import { boot, OptionError, resolveOptions, type MachineOptions } from '../../src/index.ts';

describe('options', () => {
  it('fills in defaults', () => {
    const options = resolveOptions({ cpus: 3, inject: { batch: 1 } });
    expect(options).toMatchObject({
      cpus: 3,
      protocol: 'sync',
      free: 'rcu',
      fault: 'vma-lock',
      lock: 'adaptive',
      execution: 'wasm',
      check: 'full',
      tables: 65_536,
      frames: 1_048_576,
      zeroPage: true,
    });
    expect(options.inject).toMatchObject({ batch: 1, table: 0, death: null });
  });

  it('takes the limits of khugepaged as an object and as a text', () => {
    const limits = {
      pagesToScan: 512,
      scanSleepMs: 0,
      maxPtesNone: 511,
      maxPtesSwap: 64,
      maxPtesShared: 9,
    };
    const given = { pagesToScan: 512, scanSleepMs: 0, maxPtesShared: 9 };
    expect(resolveOptions({ khugepaged: given }).khugepaged).toEqual(limits);
    const text = 'pagesToScan=512,scanSleepMs=0,maxPtesShared=9';
    expect(resolveOptions({ khugepaged: text }).khugepaged).toEqual(limits);
  });

  it('treats undefined as not given', () => {
    const options = { cpus: undefined } as unknown as MachineOptions;
    expect(resolveOptions(options).cpus).toBeGreaterThan(0);
  });

  it.each([
    [{ cpus: 0 }, 'cpus', '0', '1 to 32'],
    [{ cpus: 33 }, 'cpus', '33', '1 to 32'],
    [{ cpus: 1.5 }, 'cpus', '1.5', 'whole number'],
    [{ cpus: NaN }, 'cpus', 'NaN', 'whole number'],
    [{ cpus: '2' }, 'cpus', '"2"', 'whole number'],
    [{ protocol: 'later' }, 'protocol', '"later"', 'none, sync, '],
    [{ free: 'later' }, 'free', '"later"', 'rcu, semi-rcu, immediate'],
    [{ fault: null }, 'fault', 'null', 'mmap-lock, vma-lock'],
    [{ lock: 'queue' }, 'lock', '"queue"', 'adaptive, mcs, tas, ticket'],
    [{ execution: 'native' }, 'execution', '"native"', 'wasm, js'],
    [{ check: true }, 'check', 'true', 'off, fast, full'],
    [{ seed: -1 }, 'seed', '-1', '0 to 4294967295'],
    [{ lockStat: 1 }, 'lockStat', '1', 'true, false'],
    [{ zeroPage: 0 }, 'zeroPage', '0', 'true, false'],
    [{ cacheBuckets: 3 }, 'cacheBuckets', '3', 'power of two'],
    [{ eventsPerCpu: 100 }, 'eventsPerCpu', '100', 'power of two'],
    [{ stallMs: 5000 }, 'stallMs', '5000', '1 to 4000'],
    [{ inject: 3 }, 'inject', '3', 'an object'],
    [{ inject: { tables: 1 } }, 'inject.tables', 'given', 'stalledReaders'],
    [{ inject: { delay: -1 } }, 'inject.delay', '-1', '0 to'],
    [{ cpus: 2, inject: { stalledReaders: 3 } }, 'inject.stalledReaders', '3', '0 to 2'],
    [
      { cpus: 2, inject: { death: { cpu: 2, kind: 'exit', after: 1 } } },
      'inject.death.cpu',
      '2',
      '0 to 1',
    ],
    [
      { inject: { death: { cpu: 0, kind: 'kill', after: 1 } } },
      'inject.death.kind',
      '"kill"',
      'exit, exception, memory',
    ],
    [{ khugepaged: 3 }, 'khugepaged', '3', 'maxPtesNone=0 to 511'],
    [{ khugepaged: { pages: 1 } }, 'khugepaged', '"pages"', 'pagesToScan=1 to'],
    [{ khugepaged: 'maxPtesSwap=512' }, 'khugepaged.maxPtesSwap', '512', '0 to 511'],
    [{ khugepaged: 'pagesToScan' }, 'khugepaged', '"pagesToScan"', 'pagesToScan=1 to'],
    [{ cores: 2 }, 'cores', 'given', 'cpus'],
    [[], 'options', 'a list', 'an object'],
  ])('refuses %j', (options, name, value, allowed) => {
    const attempt = (): unknown => resolveOptions(options as MachineOptions);
    expect(attempt).toThrow(OptionError);
    expect(attempt).toThrow(name);
    expect(attempt).toThrow(value);
    expect(attempt).toThrow(allowed);
  });

  it('refuses sizes that 4 GiB do not hold, and says what would fit', async () => {
    const attempt = boot({ tables: 4_000_000 });
    await expect(attempt).rejects.toThrow(OptionError);
    await expect(attempt).rejects.toThrow(/option tables: 4000000 is not allowed; .*at most \d+/);
  });
});
