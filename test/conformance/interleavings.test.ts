/**
 * Interleavings on real threads, fixed by shared words: one CPU is held at a place (guest.ts) while another comes to
 * the step that matters, which shows in the word that it waits for. Nothing sleeps; every wait is bounded.
 */
import { describe, expect, it } from 'vitest';
import {
  COUNTER_PTE_MAP_RETRIES,
  COUNTER_RECLAIM_ABORTED,
  COUNTER_TABLES_FREED_SINGLY,
  COUNTER_TABLES_RECLAIMED_FAST,
  COUNTER_TABLES_RECLAIMED_SLOW,
  PAGE_BYTES,
  PMD_PAGES,
  PT_DETACHED,
  PT_FREE,
  PUD_PAGES,
  TABLE_BYTES,
  VM_READ,
  VM_WRITE,
} from '../../src/kernel/abi.ts';
import * as layout from '../../src/kernel/abi.ts';
import { DIST } from '../../src/machine/kernel.ts';
import { boot } from '../../src/boot/boot.ts';
import type { AddressSpace, Machine } from '../../src/machine/machine.ts';
import { EXECUTIONS, type MachineOptions } from '../../src/machine/options.ts';
import { INSIDE, LEAVE, type Stay } from './guest.ts';

const GUEST = new URL('test/conformance/guest.js', DIST);
/** Longest that a CPU may take to come where it is to be, milliseconds. */
const COME_MS = 10_000;
const MIB2 = PMD_PAGES * PAGE_BYTES;
const VPN = 4 * PUD_PAGES + 8 * PMD_PAGES;
const A = VPN * PAGE_BYTES;

type Place =
  | 'stayMapped'
  | 'stayPteLocked'
  | 'stayPmdLocked'
  | 'stayVmaLocked'
  | 'stayMmapWriteLocked'
  | 'stayBetweenWrites';

/** Waits until `holds`; the event loop turns meanwhile. */
async function until(what: string, holds: () => boolean): Promise<void> {
  const endMs = performance.now() + COME_MS;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`${what}: not within ${COME_MS} ms`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Lets a call run on; should the test end before it does, that is no further error. */
function started<T>(call: Promise<T>): Promise<T> {
  call.catch(() => {});
  return call;
}

/** A CPU held at a place. */
interface Held {
  /** Lets it go on, and gives what its function gave. */
  leave(): Promise<unknown>;
}

/** Address of entry `index`, modulo the entries of a table, of a table. */
const entryAddress = (table: number, index: number): number =>
  layout.tableAddress(table) + (index & (PMD_PAGES - 1)) * 4;

/** A machine with one 2 MiB mapping at A, its first page written by CPU 0, and helpers to look at it. */
class Scene {
  readonly machine: Machine;
  readonly space: AddressSpace;
  readonly table: number;
  readonly pmd: number;

  constructor(machine: Machine, space: AddressSpace) {
    this.machine = machine;
    this.space = space;
    this.pmd = this.#findPmd();
    this.table = this.at(this.pmd) >>> 8;
  }

  at(address: number): number {
    return Atomics.load(this.machine.words, address >>> 2);
  }

  #findPmd(): number {
    const pgd = entryAddress(this.at(this.space.handle + layout.MM_PGD), VPN >>> 27);
    const pud = entryAddress(this.at(pgd) >>> 8, VPN >>> 18);
    return entryAddress(this.at(pud) >>> 8, VPN >>> 9);
  }

  get ptdesc(): number {
    return this.at(layout.H_PTDESCS) + (this.table << layout.PTDESC_SHIFT);
  }

  /** Address of the lock of the PMD table. */
  get pmdLock(): number {
    const table = Math.floor((this.pmd - layout.TABLES) / TABLE_BYTES);
    return this.at(layout.H_PTDESCS) + (table << layout.PTDESC_SHIFT) + layout.PT_LOCK;
  }

  get tableState(): number {
    return this.at(this.ptdesc + layout.PT_STATE) & 0xff;
  }

  counter(code: number): number {
    let sum = 0;
    for (let cpu = 0; cpu < this.machine.cpus; cpu++)
      sum += this.at(layout.cpuArea(cpu) + layout.C_COUNTERS + code * 4);
    return sum;
  }

  /** Holds CPU `cpu` at a place; settles when it is there. */
  async hold(cpu: number, place: Place, given: Record<string, unknown> = {}): Promise<Held> {
    const control = new SharedArrayBuffer(8);
    const words = new Int32Array(control);
    const argument = {
      mm: this.space.handle,
      vpn: VPN,
      control,
      ...given,
    } satisfies Stay & Record<string, unknown>;
    const done = started(this.machine.cpu(cpu).callModule(GUEST, place, argument));
    await until(`CPU ${cpu} in ${place}`, () => Atomics.load(words, INSIDE) === 1);
    return {
      leave: () => {
        Atomics.store(words, LEAVE, 1);
        Atomics.notify(words, LEAVE);
        return done;
      },
    };
  }

  /** Settles when CPU `cpu` waits for the word at `address`. */
  async waits(cpu: number, address: number): Promise<void> {
    const waitingFor = layout.cpuArea(cpu) + layout.C_WAITING_FOR;
    await until(
      `CPU ${cpu} waiting for 0x${address.toString(16)}`,
      () => this.at(waitingFor) === address,
    );
  }

  async waitsForAnything(cpu: number): Promise<void> {
    const waitingFor = layout.cpuArea(cpu) + layout.C_WAITING_FOR;
    await until(`CPU ${cpu} waiting`, () => this.at(waitingFor) !== 0);
  }

  /** madvise(MADV_DONTNEED) of the whole mapping. */
  zap(cpu = 0): Promise<string | null> {
    return started(this.machine.cpu(cpu).madvise(this.space, A, MIB2, 'dontneed'));
  }

  async passQuiescentStates(cpu = 0): Promise<void> {
    await this.machine.cpu(cpu).callModule(GUEST, 'passQuiescentStates');
  }

  get oracles(): string[] {
    return this.machine.violations().map((one) => one.oracle);
  }

  /** No violation, and all balances. */
  async fine(): Promise<void> {
    expect(this.machine.violations().map((one) => one.message)).toEqual([]);
    expect((await this.machine.audit()).findings).toEqual([]);
    expect(this.machine.violations()).toEqual([]);
  }
}

async function play(
  options: MachineOptions,
  script: (scene: Scene) => Promise<void>,
): Promise<void> {
  await using machine = await boot({ cpus: 3, tables: 1024, frames: 8192, vmas: 512, ...options });
  const space = await machine.createAddressSpace();
  const cpu = machine.cpu(0);
  expect(await cpu.mmap(space, A, MIB2)).toBe(null);
  expect(await cpu.access(space, A, 'w')).toBe(null);
  await script(new Scene(machine, space));
}

/**
 * A reader is inside the table that CPU 0 reclaims. `check` looks when the zap is over, or, if it is to wait for a
 * reader with interrupts off (`blocked`), when it waits. Then the reader leaves.
 */
async function readerInside(
  scene: Scene,
  { interruptsOff = false, blocked = false },
  check: () => void,
): Promise<void> {
  const reader = await scene.hold(1, 'stayMapped', { interruptsOff });
  const zap = scene.zap();
  if (blocked) {
    await scene.waits(0, layout.cpuArea(1) + layout.C_IPI_ACK);
  } else {
    expect(await zap).toBe(null);
    await scene.passQuiescentStates();
  }
  expect(scene.at(scene.pmd)).toBe(0);
  check();
  await reader.leave();
  expect(await zap).toBe(null);
}

describe.each(EXECUTIONS.map((execution) => [execution]))('%s', (execution) => {
  it.each([
    ['rcu', 0],
    ['rcu', 1],
    ['semi-rcu', 0],
  ] as const)(
    'a table is not freed under a reader: free %s, one in %i batch pages fails',
    async (free, batch) => {
      await play({ execution, free, inject: { batch } }, async (scene) => {
        await readerInside(scene, {}, () => expect(scene.tableState).toBe(PT_DETACHED));
        expect(scene.counter(COUNTER_TABLES_RECLAIMED_FAST)).toBe(1);
        expect(scene.counter(COUNTER_TABLES_FREED_SINGLY)).toBe(batch);
        await scene.passQuiescentStates();
        expect(scene.tableState).toBe(PT_FREE);
        await scene.fine();
      });
    },
  );

  it('semi-rcu without a batch page frees it under a reader that answers interrupts', async () => {
    await play({ execution, free: 'semi-rcu', inject: { batch: 1 } }, async (scene) => {
      await readerInside(scene, {}, () => {
        expect(scene.tableState).toBe(PT_FREE);
        expect(scene.oracles).toEqual([]);
      });
      expect(scene.oracles).toEqual(['table-use-after-free']);
      expect(scene.machine.violations()[0]!.cpu).toBe(1);
    });
  });

  it('semi-rcu without a batch page waits for a reader with interrupts off', async () => {
    await play({ execution, free: 'semi-rcu', inject: { batch: 1 } }, async (scene) => {
      await readerInside(scene, { interruptsOff: true, blocked: true }, () =>
        expect(scene.tableState).toBe(PT_DETACHED),
      );
      expect(scene.counter(COUNTER_TABLES_FREED_SINGLY)).toBe(1);
      expect(scene.tableState).toBe(PT_FREE);
      await scene.fine();
    });
  });

  it.each([[false], [true]])(
    'immediate frees it under any reader, interrupts off: %s',
    async (interruptsOff) => {
      await play({ execution, free: 'immediate' }, async (scene) => {
        await readerInside(scene, { interruptsOff }, () => expect(scene.tableState).toBe(PT_FREE));
        expect(scene.oracles).toEqual(['table-use-after-free']);
      });
    },
  );

  it('the fast path does not wait for the PMD lock; a refilled table stays', async () => {
    await play({ execution }, async (scene) => {
      const holder = await scene.hold(1, 'stayPmdLocked');
      const zap = scene.zap();
      await scene.waits(0, scene.pmdLock);
      expect(scene.at(layout.tableAddress(scene.table))).toBe(0);
      expect(await scene.machine.cpu(2).access(scene.space, A + 5 * PAGE_BYTES, 'w')).toBe(null);
      await holder.leave();
      expect(await zap).toBe(null);
      expect(scene.counter(COUNTER_RECLAIM_ABORTED)).toBe(1);
      expect(scene.counter(COUNTER_TABLES_RECLAIMED_SLOW)).toBe(0);
      expect(scene.at(scene.pmd) >>> 8).toBe(scene.table);
      expect(scene.space.anonPages).toBe(1);
      await scene.fine();
    });
  });

  it('the slow path takes a table that stayed empty', async () => {
    await play({ execution }, async (scene) => {
      const holder = await scene.hold(1, 'stayPmdLocked');
      const zap = scene.zap();
      await scene.waits(0, scene.pmdLock);
      await holder.leave();
      expect(await zap).toBe(null);
      expect(scene.counter(COUNTER_TABLES_RECLAIMED_SLOW)).toBe(1);
      expect(scene.space.vmpteKb).toBe(8);
      await scene.fine();
    });
  });

  it.each([['mmap-lock'], ['vma-lock']] as const)(
    'a fault that waits for the lock of a table that goes takes another table: fault %s',
    async (fault) => {
      await play({ execution, fault }, async (scene) => {
        const cpu = scene.machine.cpu(0);
        expect(await cpu.madvise(scene.space, A, PAGE_BYTES, 'dontneed')).toBe(null);
        const holder = await scene.hold(2, 'stayPteLocked', { reclaim: true });
        const faulting = started(scene.machine.cpu(1).access(scene.space, A, 'w'));
        await scene.waits(1, scene.ptdesc + layout.PT_LOCK);
        await holder.leave();
        expect(await faulting).toBe(null);
        expect(scene.at(scene.pmd)).not.toBe(0);
        expect(scene.at(scene.pmd) >>> 8).not.toBe(scene.table);
        expect(scene.counter(COUNTER_PTE_MAP_RETRIES)).toBe(1);
        expect(scene.space.anonPages).toBe(1);
        await scene.fine();
      });
    },
  );

  it.each<[string, (scene: Scene) => Promise<void>]>([
    [
      'a page that is not there',
      async ({ machine, space }) => {
        await machine.cpu(0).madvise(space, A, PAGE_BYTES, 'dontneed');
      },
    ],
    [
      'the zero page',
      async ({ machine, space }) => {
        await machine.cpu(0).madvise(space, A, PAGE_BYTES, 'dontneed');
        await machine.cpu(0).access(space, A, 'r');
      },
    ],
    [
      'a page in swap',
      async ({ machine, space }) => {
        await machine.cpu(0).madvise(space, A, PAGE_BYTES, 'pageout');
      },
    ],
    [
      'a page of a private file',
      async ({ machine, space }) => {
        const file = await machine.createFile(PMD_PAGES);
        await machine.cpu(0).mmap(space, A, MIB2, { file, replace: true });
        await machine.cpu(0).access(space, A, 'r');
      },
    ],
    [
      'a page of a private file that is not there',
      async ({ machine, space }) => {
        const file = await machine.createFile(PMD_PAGES);
        await machine.cpu(0).mmap(space, A, MIB2, { file, replace: true });
        await machine.cpu(0).access(space, A + PAGE_BYTES, 'r');
      },
    ],
    [
      'a page of a shared file',
      async ({ machine, space }) => {
        const file = await machine.createFile(PMD_PAGES);
        await machine.cpu(0).mmap(space, A, MIB2, { file, shared: true, replace: true });
        await machine.cpu(0).access(space, A + PAGE_BYTES, 'r');
      },
    ],
  ])('two CPUs write at once: %s', async (_, prepare) => {
    await play({ execution }, async (first) => {
      await prepare(first);
      const scene = new Scene(first.machine, first.space);
      const lock = scene.ptdesc + layout.PT_LOCK;
      const holder = await scene.hold(2, 'stayPteLocked');
      const writes = [0, 1].map((cpu) =>
        started(scene.machine.cpu(cpu).access(scene.space, A, 'w')),
      );
      // Of a file's page one of them has the folio lock; the other then waits for that.
      await until('CPU 0 or 1 waiting for the PTE lock', () =>
        [0, 1].some((cpu) => scene.at(layout.cpuArea(cpu) + layout.C_WAITING_FOR) === lock),
      );
      for (const cpu of [0, 1]) await scene.waitsForAnything(cpu);
      await holder.leave();
      expect(await Promise.all(writes)).toEqual([null, null]);
      const { anonPages } = scene.space;
      expect(await scene.machine.cpu(2).access(scene.space, A, 'w')).toBe(null);
      expect(scene.space.anonPages).toBe(anonPages);
      await scene.fine();
    });
  });

  it('munmap waits for a CPU that has the page cached to answer', async () => {
    await play({ execution }, async (scene) => {
      const user = await scene.hold(1, 'stayBetweenWrites', { interruptsOff: true });
      const munmap = started(scene.machine.cpu(0).munmap(scene.space, A, MIB2));
      await scene.waits(0, layout.cpuArea(1) + layout.C_IPI_ACK);
      expect(await user.leave()).toEqual([0, 14]);
      expect(await munmap).toBe(null);
      await scene.fine();
    });
  });

  it('a zapped page that another CPU has cached is faulted in anew', async () => {
    await play({ execution }, async (scene) => {
      const user = await scene.hold(1, 'stayBetweenWrites');
      expect(await scene.zap()).toBe(null);
      expect(scene.space.anonPages).toBe(0);
      expect(await user.leave()).toEqual([0, 0]);
      expect(scene.space.anonPages).toBe(1);
      await scene.fine();
    });
  });

  it('mprotect and munmap wait for a reader of the VMA lock', async () => {
    await play({ execution, fault: 'vma-lock' }, async (scene) => {
      const vma = scene.at(layout.H_VMA_BASE) + (1 << layout.VMA_SHIFT);
      const faulting = await scene.hold(1, 'stayVmaLocked');
      const mprotect = started(scene.machine.cpu(0).mprotect(scene.space, A, MIB2, 'r'));
      await scene.waits(0, vma + layout.VMA_REF);
      expect(scene.at(vma + layout.VMA_FLAGS)).toBe(VM_READ | VM_WRITE);
      expect(await faulting.leave()).toBe(true);
      expect(await mprotect).toBe(null);
      const reader = await scene.hold(1, 'stayVmaLocked');
      const munmap = started(scene.machine.cpu(0).munmap(scene.space, A, MIB2));
      await scene.waits(0, vma + layout.VMA_REF);
      expect(scene.space.anonPages).toBe(1);
      expect(await reader.leave()).toBe(true);
      expect(await munmap).toBe(null);
      expect(scene.space.anonPages).toBe(0);
      await scene.fine();
    });
  });

  it('a fault on the VMA lock does not wait for mmap_lock; one on mmap_lock does', async () => {
    await play({ execution, fault: 'vma-lock' }, async (scene) => {
      const writer = await scene.hold(1, 'stayMmapWriteLocked');
      expect(await scene.machine.cpu(2).access(scene.space, A + PAGE_BYTES, 'w')).toBe(null);
      await writer.leave();
      await scene.fine();
    });
    await play({ execution, fault: 'mmap-lock' }, async (scene) => {
      const writer = await scene.hold(1, 'stayMmapWriteLocked');
      const faulting = started(scene.machine.cpu(2).access(scene.space, A + PAGE_BYTES, 'w'));
      await scene.waits(2, layout.cpuArea(2) + layout.C_RWSEM_WAIT);
      expect(scene.space.anonPages).toBe(1);
      await writer.leave();
      expect(await faulting).toBe(null);
      await scene.fine();
    });
  });

  it('munmap lets faults elsewhere go on while it zaps', async () => {
    await play({ execution, fault: 'mmap-lock' }, async (scene) => {
      const elsewhere = A + 64 * MIB2;
      expect(await scene.machine.cpu(2).mmap(scene.space, elsewhere, MIB2)).toBe(null);
      const holder = await scene.hold(1, 'stayPteLocked', { withoutMmapLock: true });
      const munmap = started(scene.machine.cpu(0).munmap(scene.space, A, MIB2));
      await scene.waits(0, scene.ptdesc + layout.PT_LOCK);
      expect(await scene.machine.cpu(2).access(scene.space, elsewhere, 'w')).toBe(null);
      expect(await scene.machine.cpu(2).access(scene.space, A + PAGE_BYTES, 'w')).toBe('EFAULT');
      await holder.leave();
      expect(await munmap).toBe(null);
      await scene.fine();
    });
  });
});
