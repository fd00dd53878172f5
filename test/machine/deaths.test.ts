import { afterEach, describe, expect, it } from 'vitest';
import {
  boot,
  CpuDiedError,
  LOCK_KINDS,
  type Cpu,
  type Machine,
  type MachineOptions,
} from '../../src/index.ts';

const GIB = 2 ** 30;
const MIB2 = 2 ** 21;
const K4 = 4096;

const machines: Machine[] = [];
afterEach(async () => {
  for (const machine of machines.splice(0)) await machine.shutdown();
});

type Operation = (cpu: Cpu, space: { handle: number }) => Promise<unknown>;

/** CPU 1 does `operation` on a VMA of 2 MiB with a page in it, and dies at the first spinlock that it takes there. */
async function die(options: MachineOptions, operation: Operation): Promise<CpuDiedError> {
  const death = { cpu: 1, kind: 'exit' as const, after: 0 };
  const machine = await boot({
    cpus: 2,
    tables: 1024,
    frames: 8192,
    ...options,
    inject: { death },
  });
  machines.push(machine);
  const space = await machine.createAddressSpace();
  await machine.cpu(0).mmap(space, GIB, MIB2);
  await machine.cpu(0).touch(space, GIB, K4);
  const error = await operation(machine.cpu(1), space).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(CpuDiedError);
  return error as CpuDiedError;
}

const classes = (error: CpuDiedError): string[] => error.locks.map((lock) => lock.lockClass);

describe.each(['fast', 'full'] as const)('a dead CPU, check %s', (check) => {
  it.each<[string, string[], MachineOptions, Operation]>([
    ['mmap', ['mmapWrite', 'vmas'], {}, (cpu, space) => cpu.mmap(space, 2 * GIB, MIB2)],
    [
      'mprotect',
      ['mmapWrite', 'vmaWrite', 'pte'],
      {},
      (cpu, space) => cpu.mprotect(space, GIB, MIB2, 'r'),
    ],
    ['access', ['vmaRead', 'pte'], {}, (cpu, space) => cpu.access(space, GIB + K4, 'r')],
    [
      'access',
      ['mmapRead', 'pte'],
      { fault: 'mmap-lock' },
      (cpu, space) => cpu.access(space, GIB + K4, 'r'),
    ],
  ])('in %s held %j', async (operation, held, options, body) => {
    const error = await die({ check, ...options }, body);
    expect(error.operation).toBe(operation);
    expect(classes(error)).toEqual(held);
  });

  it.each(LOCK_KINDS)('names a page-table lock of kind %s', async (lock) => {
    const error = await die({ check, lock }, (cpu, space) =>
      cpu.madvise(space, GIB, K4, 'dontneed'),
    );
    expect(error.message).toMatch(
      /^CPU 1 died in madvise: its thread exited with code \d+; holding VMA lock \(read\) of VMA \d+, PTE lock of table \d+$/,
    );
  });
});
