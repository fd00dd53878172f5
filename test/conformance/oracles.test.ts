/**
 * The oracles have teeth: each is provoked by spoiling a word on purpose, once in the kernel, and where it watches
 * there, in the audit. A machine that sees nothing here would see nothing in a stress either.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import {
  entryMake,
  HOST_STALLED,
  LC_PAGE_TABLE,
  LC_PMD,
  LC_PTE,
  LC_TABLES,
  LEVEL_PTE,
  MADV_DONTNEED,
  MADV_PAGEOUT,
  PGD_PAGES,
  PMD_PAGES,
  PT_DETACHED,
  PTE_WRITE,
  PUD_PAGES,
  RCU_TEST,
  RSS_ANON,
} from '../../src/kernel/abi.ts';
import * as layout from '../../src/kernel/abi.ts';
import { EXECUTIONS, LOCK_KINDS } from '../../src/machine/options.ts';
import type { OracleName } from '../../src/machine/oracles.ts';
import { Ended, FILE, MachineHere, SHARED } from './machineHere.ts';

/** A kind of non-present entries that there is not: whoever meets one leaves it. */
const ENTRY_UNKNOWN = 14;

const A = 4 * PUD_PAGES + 8 * PMD_PAGES;
const B = 6 * PUD_PAGES + 32 * PMD_PAGES;

/** Words that nothing else uses: locks and RCU heads of these tests. */
const SCRATCH = layout.G_TABLES_HELD + 64;

/** The oracle that a spoiled machine must name, and how it is spoiled. */
type Provocation = [what: string, oracle: OracleName, provoke: (m: MachineHere) => void];

/** Two touched pages at A and their PTE table. */
function touched(m: MachineHere): { table: number; entry: number } {
  m.mmap(A, PMD_PAGES);
  m.fill(A, 2);
  const table = m.table(A);
  return { table, entry: layout.tableAddress(table) };
}

/** A table that was detached and waits for its grace period. */
function detached(m: MachineHere): number {
  const { table } = touched(m);
  m.madvise(A, PMD_PAGES, MADV_DONTNEED);
  expect(m.at(m.ptdesc(table) + layout.PT_STATE) & 0xff).toBe(PT_DETACHED);
  return table;
}

/** A free table on the global list, once in use. */
function freed(m: MachineHere): number {
  const { table } = touched(m);
  m.munmap(A, PMD_PAGES);
  m.settle();
  return table;
}

/** Takes a lock as CPU 1, which is left running, and comes back to CPU 0. */
function lockOnOther(m: MachineHere, lock: number, lockClass: number): void {
  m.kernel.setThisCpu(1);
  m.kernel.rcuIdleExit();
  m.kernel.spinLock!(lock, lockClass);
  m.kernel.setThisCpu(0);
}

/** Runs `wait`, which cannot end, until the stall limit ends the CPU. */
function stall(m: MachineHere, wait: () => void): void {
  m.put(layout.H_STALL_NS, 1e6);
  m.hurry(2e5);
  let ended: unknown = null;
  try {
    wait();
  } catch (error) {
    ended = error;
  }
  expect(ended).toBeInstanceOf(Ended);
  expect((ended as Ended).reason).toBe(HOST_STALLED);
}

const IN_KERNEL: Provocation[] = [
  [
    'a free table was written to: seen when it is allocated',
    'table-use-after-free',
    (m) => {
      m.put(layout.tableAddress(freed(m)) + 12, 0x1234);
      m.mmap(A, 64 * PMD_PAGES);
      for (let span = 0; span < 64; span++) m.write(A + span * PMD_PAGES);
    },
  ],
  [
    'the generation of a mapped table changes',
    'table-use-after-free',
    (m) => {
      const { table } = touched(m);
      const pte = m.kernel.pteOffsetMap!(m.kernel.pmdFind!(m.mm, A), A);
      m.put(m.ptdesc(table) + layout.PT_GEN, m.at(m.ptdesc(table) + layout.PT_GEN) + 2);
      m.kernel.pteUnmap!(pte);
    },
  ],
  [
    'a walker reads poison',
    'table-use-after-free',
    (m) => {
      const { entry } = touched(m);
      m.put(entry + 20, 0x5a5a5a5a);
      m.entry(A + 5);
    },
  ],
  [
    'the MMU reads poison',
    'table-use-after-free',
    (m) => {
      const { entry } = touched(m);
      m.put(entry + 20, 0x5a5a5a5a);
      m.kernel.hardwareWalk!(m.mm, A + 5, 0);
    },
  ],
  [
    'GUP-fast reads poison',
    'table-use-after-free',
    (m) => {
      const { entry } = touched(m);
      m.put(entry + 20, 0x5a5a5a5a);
      m.calls.gupFast(m.mm, A + 5, 0);
    },
  ],
  [
    'an entry in a table that is freed',
    'nonempty-table-freed',
    (m) => {
      m.put(layout.tableAddress(detached(m)) + 4 * 511, entryMake(600, 1));
      m.kernel.rcuBarrier();
    },
  ],
  [
    'a frame is freed, its translation is not flushed',
    'stale-translation',
    (m) => {
      const { entry } = touched(m);
      const frame = m.frame(A);
      m.put(entry, 0);
      m.put(m.folio(frame) + layout.F_MAP, 0);
      m.kernel.folioPut!(frame);
      m.write(A);
    },
  ],
  [
    'a table is freed, its cached upper entry is not flushed',
    'stale-translation',
    (m) => {
      const { table } = touched(m);
      m.put(m.ptdesc(table) + layout.PT_GEN, m.at(m.ptdesc(table) + layout.PT_GEN) + 2);
      m.kernel.hardwareWalk!(m.mm, A + 5, 0);
    },
  ],
  [
    'a PMD entry names a free table',
    'bad-upper-entry',
    (m) => {
      const free = freed(m);
      m.mmap(A, PMD_PAGES);
      m.write(A);
      const pmd = m.kernel.pmdFind!(m.mm, A) >>> 0;
      const inUse = m.at(pmd);
      expect(inUse >>> 8).not.toBe(free);
      m.put(pmd, entryMake(free, inUse & 0xff));
      m.entry(A);
      m.put(pmd, inUse);
    },
  ],
  [
    'an entry is written into a detached table',
    'lost-entry',
    (m) => {
      const { table } = touched(m);
      m.put(m.ptdesc(table) + layout.PT_STATE, (LEVEL_PTE << 8) | PT_DETACHED);
      m.write(A + 9);
    },
  ],
  [
    'mremap overwrites an entry',
    'lost-entry',
    (m) => {
      const { entry } = touched(m);
      m.mmap(B, 8);
      m.fill(B, 8);
      m.put(entry + 4 * 100, entryMake(1, ENTRY_UNKNOWN));
      m.move(B, 8, A + 100);
    },
  ],
  [
    'a frame is freed twice',
    'frame-use-after-free',
    (m) => {
      const frame = m.kernel.frameAlloc!(0, 0);
      m.kernel.folioPut!(frame);
      m.kernel.folioPut!(frame);
    },
  ],
  [
    'a mapped frame is freed',
    'frame-use-after-free',
    (m) => {
      touched(m);
      m.kernel.folioPut!(m.frame(A));
    },
  ],
  [
    'the MMU meets an entry of a free frame',
    'frame-use-after-free',
    (m) => {
      const { entry } = touched(m);
      const frame = m.kernel.frameAlloc!(0, 0);
      m.kernel.folioPut!(frame);
      m.put(entry + 20, entryMake(frame, m.at(entry) & 0xff));
      m.read(A + 5);
    },
  ],
  [
    'a free frame gets a reference',
    'frame-use-after-free',
    (m) => {
      const frame = m.kernel.frameAlloc!(0, 0);
      m.kernel.folioPut!(frame);
      m.put(m.folio(frame) + layout.F_REF, 1);
      m.kernel.frameAlloc!(0, 0);
    },
  ],
  [
    'a pinned frame is somebody else’s by now',
    'frame-use-after-free',
    (m) => {
      touched(m);
      const frame = m.calls.gupFast(m.mm, A, 1);
      const generation = m.kernel.frameGeneration(frame);
      m.put(m.folio(frame) + layout.F_GEN, generation + 2);
      m.kernel.gupCheck(frame, generation);
    },
  ],
  [
    'a table is freed twice',
    'accounting',
    (m) => {
      const table = m.kernel.tableAlloc!(LEVEL_PTE, m.mm, 0, 0);
      m.kernel.tableFree!(table);
      m.kernel.tableFree!(table);
    },
  ],
  [
    'two entries name one swap slot',
    'accounting',
    (m) => {
      const { entry } = touched(m);
      m.madvise(A, 2, MADV_PAGEOUT);
      m.put(entry, m.at(entry + 4));
      m.madvise(A, 2, MADV_DONTNEED);
    },
  ],
  [
    'an inode loses a reference',
    'accounting',
    (m) => {
      const inode = m.kernel.inodeCreate(4, FILE) >>> 0;
      m.mmap(A, 4, { inode });
      m.kernel.inodePut(inode);
      m.kernel.inodePut(inode);
      m.munmap(A, 4);
    },
  ],
  [
    'a callback is invoked while a reader from before is inside',
    'grace-period',
    (m) => {
      m.kernel.setThisCpu(1);
      m.kernel.rcuIdleExit();
      m.kernel.rcuReadLock!();
      m.kernel.setThisCpu(0);
      m.kernel.callRcu!(SCRATCH, RCU_TEST);
      m.kernel.rcuQuiescentState();
      expect(m.violations()).toEqual([]);
      m.put(layout.cpuArea(1) + layout.C_RCU_QS, m.at(layout.G_RCU_GP_SEQ));
      for (let i = 0; i < 3; i++) m.kernel.rcuQuiescentState();
    },
  ],
  [
    'synchronizeRcu returns too early',
    'grace-period',
    (m) => {
      m.kernel.setThisCpu(1);
      m.kernel.rcuIdleExit();
      m.kernel.rcuReadLock!();
      m.kernel.setThisCpu(0);
      m.put(layout.cpuArea(1) + layout.C_RCU_QS, 0);
      m.kernel.synchronizeRcu();
    },
  ],
  [
    'a quiescent state inside a section',
    'grace-period',
    (m) => {
      m.kernel.rcuReadLock!();
      m.kernel.rcuQuiescentState();
    },
  ],
  [
    'a quiescent state with a spinlock held',
    'grace-period',
    (m) => {
      m.kernel.spinLock!(SCRATCH, LC_PTE);
      m.kernel.rcuQuiescentState();
    },
  ],
  [
    'a section on an idle CPU',
    'grace-period',
    (m) => {
      m.kernel.rcuIdleEnter();
      m.kernel.rcuReadLock!();
    },
  ],
  [
    'waiting for mmap_lock inside a section',
    'grace-period',
    (m) => {
      m.kernel.rcuReadLock!();
      m.kernel.mmapReadLock!(m.mm);
    },
  ],
  [
    'a PMD lock taken under a PTE lock',
    'lock-order',
    (m) => {
      m.kernel.spinLock!(SCRATCH, LC_PTE);
      m.kernel.spinLock!(SCRATCH + 64, LC_PMD);
    },
  ],
  [
    'page_table_lock taken under an allocator’s lock',
    'lock-order',
    (m) => {
      m.kernel.spinLock!(SCRATCH, LC_TABLES);
      m.kernel.spinLock!(SCRATCH + 64, LC_PAGE_TABLE);
    },
  ],
  [
    'mmap_lock taken under a PTE lock',
    'lock-order',
    (m) => {
      m.kernel.spinLock!(SCRATCH, LC_PTE);
      m.kernel.mmapReadLock!(m.mm);
    },
  ],
  [
    'a lock released by another CPU',
    'lock-order',
    (m) => {
      lockOnOther(m, SCRATCH, LC_PTE);
      m.kernel.spinUnlock!(SCRATCH, LC_PTE);
    },
  ],
  [
    'mmap_lock released by who does not hold it',
    'lock-order',
    (m) => {
      m.kernel.mmapReadUnlock!(m.mm);
    },
  ],
  [
    'a write lock released by who reads',
    'lock-order',
    (m) => {
      m.kernel.mmapReadLock!(m.mm);
      m.kernel.mmapWriteUnlock!(m.mm);
    },
  ],
  [
    'an interrupt awaited with interrupts disabled',
    'lock-order',
    (m) => {
      m.kernel.irqDisable!();
      m.kernel.waitInterrupt!(1, 0);
    },
  ],
  [
    'a lock that is never released',
    'no-progress',
    (m) => {
      lockOnOther(m, SCRATCH, LC_PTE);
      stall(m, () => m.kernel.spinLock!(SCRATCH, LC_PTE));
    },
  ],
  [
    'a reader that never leaves',
    'no-progress',
    (m) => {
      m.kernel.setThisCpu(1);
      m.kernel.rcuIdleExit();
      m.kernel.rcuReadLock!();
      m.kernel.setThisCpu(0);
      stall(m, () => m.kernel.synchronizeRcu());
    },
  ],
  [
    'a CPU that never answers an interrupt',
    'no-progress',
    (m) => {
      m.kernel.setThisCpu(1);
      m.kernel.rcuIdleExit();
      m.kernel.setThisCpu(0);
      stall(m, () => m.kernel.interruptAll!(1));
    },
  ],
];

/** What the audit must say of a spoiled word: its oracle, and a part of its message. */
const IN_AUDIT: [what: string, finding: RegExp, spoil: (m: MachineHere) => void][] = [
  [
    'number of tables',
    /^accounting: address space \d+: tables is 4, expected 5/,
    (m) => m.put(m.mm + layout.MM_TABLES, 4),
  ],
  [
    'number of PMD tables',
    /^accounting: address space \d+: number of PMD tables/,
    (m) => m.put(m.mm + layout.MM_TABLES_BY_LEVEL + 4, 0),
  ],
  [
    'resident pages',
    /^accounting: address space \d+: anon/,
    (m) => m.put(m.mm + layout.MM_RSS + RSS_ANON, 7),
  ],
  [
    'number of VMAs',
    /^accounting: address space \d+: VMAs/,
    (m) => m.put(m.mm + layout.MM_MAP_COUNT, 9),
  ],
  [
    'map count',
    /^accounting: frame \d+: map count is 2, expected 1/,
    (m) => m.put(m.folio(m.frame(A)) + layout.F_MAP, 2),
  ],
  [
    'references',
    /^accounting: frame \d+: references is 3, expected 1/,
    (m) => m.put(m.folio(m.frame(A)) + layout.F_REF, 3),
  ],
  [
    'an entry outside of every VMA',
    /^accounting: .* lies in no VMA/,
    (m) => m.put(layout.tableAddress(m.table(A)) + 4 * 300, m.entry(A)),
  ],
  [
    'an entry of a free frame',
    /^frame-use-after-free: /,
    (m) => {
      const frame = m.kernel.frameAlloc!(0, 0);
      m.kernel.folioPut!(frame);
      m.put(layout.tableAddress(m.table(A)) + 8, entryMake(frame, m.entry(A) & 0xff));
    },
  ],
  [
    'a writable entry in a read-only VMA',
    /^stale-translation: /,
    (m) => {
      m.mprotect(A, 64, 1);
      m.put(layout.tableAddress(m.table(A)), m.entry(A) | 2);
    },
  ],
  [
    'an upper entry that names no table',
    /^bad-upper-entry: .* no such table/,
    (m) =>
      m.put(
        m.kernel.pmdFind!(m.mm, B) >>> 0,
        entryMake(1000, m.at(m.kernel.pmdFind!(m.mm, A)) & 0xff),
      ),
  ],
  [
    'two upper entries that name one table',
    /^bad-upper-entry: .* a second time/,
    (m) => m.put((m.kernel.pmdFind!(m.mm, A) >>> 0) + 4, m.at(m.kernel.pmdFind!(m.mm, A) >>> 0)),
  ],
  [
    'a table that nothing names',
    /^accounting: table \d+ is neither free nor reachable/,
    (m) => m.kernel.tableAlloc!(LEVEL_PTE, m.mm, 0, 0),
  ],
  [
    'a free table that is written to',
    /^table-use-after-free: free table \d+/,
    (m) => {
      m.munmap(B, 1);
      m.settle();
      m.put(layout.tableAddress(m.at(layout.G_TABLE_FREE)) + 40, 1);
    },
  ],
  [
    'a swap slot that nobody names',
    /^accounting: swap slot 1: references is 1, expected 0/,
    (m) => {
      m.madvise(A, 1, MADV_PAGEOUT);
      m.put(layout.tableAddress(m.table(A)), 0);
    },
  ],
  [
    'a lock that is held',
    /^lock-order: lock of PTE table/,
    (m) => m.put(m.ptdesc(m.table(A)) + layout.PT_LOCK, 2),
  ],
  [
    'a VMA with a reader left',
    /^accounting: .* its readers and attachment is 2, expected 1/,
    (m) => {
      const vma = m.at(m.mm + layout.MM_VMA_HEAD);
      m.put(vma + layout.VMA_REF, 2);
    },
  ],
  [
    'a table whose descriptor names another place',
    /^accounting: PTE table .* first page in its descriptor/,
    (m) => m.put(m.ptdesc(m.table(A)) + layout.PT_FIRST, 0),
  ],
  [
    'an inode with a reference too many',
    /^accounting: inode 0: 3 references/,
    (m) => m.put(m.at(layout.H_INODE_BASE) + layout.INODE_REF, 3),
  ],
  [
    'a cached page that is not counted',
    /^accounting: inode 0: cached pages is 0, expected 1/,
    (m) => m.put(m.at(layout.H_INODE_BASE) + layout.INODE_NR_CACHED, 0),
  ],
  [
    'a translation whose page has another frame by now',
    /^stale-translation: CPU 0 has .* cached for page/,
    (m) => m.put(layout.tableAddress(m.table(A)) + 4, m.entry(A + 1) + 0x100),
  ],
  [
    'a translation with rights that its page has no more',
    /^stale-translation: CPU 0 has .* cached for page/,
    (m) => m.put(layout.tableAddress(m.table(A)) + 4, m.entry(A + 1) & ~PTE_WRITE),
  ],
  [
    'an upper entry that is cached and gone',
    /^stale-translation: CPU 0 has upper entry .* cached for page/,
    (m) => m.put(m.kernel.pmdFind!(m.mm, A) >>> 0, 0),
  ],
  [
    'a table held back that is not there',
    /^accounting: tables held back is 1/,
    (m) => m.put(layout.G_TABLES_HELD, 1),
  ],
];

describe.each(EXECUTIONS.map((execution) => [execution]))('%s', (execution) => {
  let machine: MachineHere;
  beforeAll(async () => {
    machine = await MachineHere.make({ execution });
  });

  it.each(IN_KERNEL)('%s: %s', (_, oracle, provoke) => {
    provoke(machine.reset());
    expect(machine.violations().map((one) => one.oracle)).toContain(oracle);
  });

  it.each(IN_AUDIT)('audit: %s', (_, finding, spoil) => {
    machine.reset();
    machine.mmap(A, 64);
    machine.mmap(B, 1, { flags: SHARED });
    machine.mmap(9 * PGD_PAGES, 1, { prot: 0 });
    machine.fill(A, 2);
    machine.write(B);
    machine.balanced();
    spoil(machine);
    expect(machine.findings()).toContainEqual(expect.stringMatching(finding));
  });

  it.each(LOCK_KINDS.map((lock) => [lock]))(
    'a table that is freed with its lock held, %s',
    async (lock) => {
      const m = (await MachineHere.make({ execution, lock })).reset();
      const at = m.ptdesc(detached(m)) + layout.PT_LOCK;
      if (lock === 'adaptive' || lock === 'tas') m.put(at + layout.LOCK_WORD, 2);
      else m.put(at + layout.LOCK_OWNER, 2);
      m.kernel.rcuBarrier();
      expect(m.violations()[0]?.oracle).toBe('table-use-after-free');
    },
  );
});
