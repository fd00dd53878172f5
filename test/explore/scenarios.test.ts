/**
 * Every scenario of ours explored to its end: the expected verdict, and exactly as many executions as there are classes of
 * interleavings. The numbers change with the kernel; the table is the one place to update them. And each scenario has teeth: a
 * kernel that is wrong where the scenario looks is found out.
 */

import { describe, expect, test } from 'vitest';
import type { Patch } from '../../src/explore/link/coroutine.ts';
import { AWAIT_DIFFERS } from '../../src/kernel/abi.ts';
import { exploreDpor } from '../../src/explore/strategies/dpor.ts';
import {
  openScenario,
  readAbout,
  scenarioNames,
  type ScenarioRequest,
} from '../../src/explore/scenario.ts';

/** Executions, blocked ones. */
const COUNTS: Readonly<Record<string, readonly [executions: number, blocked: number]>> = {
  collapseFault: [1899, 52],
  collapseGup: [22, 1],
  collapseWalk: [97, 0],
  countHalves: [8400, 0],
  countInstallFails: [162, 1],
  countInstallZap: [2556, 0],
  countMoveEntries: [1488, 80],
  countPageout: [4032, 0],
  countPutCollapse: [204, 0],
  countPutFault: [103, 2],
  countPutMove: [71, 0],
  countPutMoveUpper: [96, 0],
  countPutMunmap: [159, 2],
  countPutPut: [34, 0],
  countPutSplit: [115, 0],
  countReuse: [20, 0],
  countSemiRcu: [23, 0],
  counters: [34650, 0],
  cowBoth: [214, 0],
  epoch: [6, 0],
  faultFault: [504, 0],
  faultMunmap: [636, 0],
  faultNoMemory: [2016, 208],
  faultSwap: [120, 0],
  flushFlush: [286, 404],
  folioFault: [2288, 0],
  folioGatherFull: [2588, 0],
  folioHalves: [888, 0],
  folioIsolate: [13, 0],
  folioQueueTwice: [5400, 0],
  folioSplitFault: [1581, 0],
  folioSplitPin: [10171, 0],
  folioSplitQueued: [154, 0],
  folioSplitZap: [2939, 0],
  folioTwoPasses: [112, 0],
  folioZapPin: [473, 0],
  forkFault: [4, 0],
  forkPin: [42, 0],
  gatherNest: [4518, 0],
  hugeCowExit: [1181, 0],
  hugeFaultFault: [250, 0],
  hugeForkPin: [101, 0],
  hugeForkSplit: [823, 0],
  hugeForkWrite: [4, 0],
  hugeSplitAccess: [171, 2],
  hugeZapGup: [43, 0],
  hugeZeroWrite: [206, 9],
  interrupts: [608, 214],
  khugepagedEnter: [6, 0],
  khugepagedExit: [653, 0],
  khugepagedFault: [1991, 54],
  khugepagedZap: [2768, 0],
  lockAdaptive: [2856, 0],
  lockDeath: [7, 0],
  lockMcs: [4224, 112],
  lockTas: [384, 0],
  lockTicket: [684, 0],
  migrateFault: [504, 0],
  migrateHuge: [484, 0],
  migrateLarge: [6109, 0],
  migratePin: [293, 9],
  migrateZap: [1566, 8],
  mmapLock: [12494, 49],
  mmapWriteFault: [313, 0],
  mmapWriteLocker: [208, 0],
  mmapWriteMunmap: [1307, 0],
  mremapAccess: [2, 1],
  mremapFails: [117, 12],
  mremapFault: [143, 0],
  mremapRmap: [3892, 225],
  mremapWalk: [9, 0],
  mremapZap: [201, 0],
  munmapNoMemory: [24, 0],
  munmapSpeculation: [1248, 1],
  munmapWalk: [12, 0],
  pageoutFault: [88, 0],
  pageoutPin: [140, 27],
  pinOrFault: [565, 0],
  protectFault: [51, 0],
  protectWrite: [39, 2],
  ptRwsemAccess: [16, 1],
  ptRwsemFault: [146, 0],
  ptRwsemFork: [9589, 0],
  ptRwsemGup: [77, 0],
  ptRwsemMremap: [3519, 0],
  ptRwsemMunmap: [9015, 0],
  rcuAdopted: [13170, 819],
  rcuBarrier: [15656, 5],
  rcuCallbacks: [20015, 921],
  rcuExpedited: [2019, 219],
  rcuOffline: [827, 75],
  rcuUpdaters: [8660, 0],
  retractReclaim: [178, 0],
  retractRefill: [259, 0],
  retractZap: [1451, 0],
  rmapZap: [120, 0],
  scanExit: [30, 1],
  scanFault: [5867, 0],
  scanMove: [1434, 0],
  scanMunmap: [1132, 0],
  scanWalk: [9, 0],
  scanZap: [2408, 0],
  speculativeCopy: [1021, 0],
  speculativeFaults: [22, 0],
  speculativeMunmap: [261, 0],
  speculativeProtect: [115, 0],
  speculativeZap: [227, 0],
  spinlock: [12, 0],
  truncateFault: [3124, 0],
  uffdMarkerZap: [5940, 0],
  uffdMissing: [141, 0],
  uffdMonitored: [45, 9],
  uffdMoveHole: [934, 0],
  uffdMoveHuge: [15, 5],
  uffdMoveLarge: [26552, 0],
  uffdMoveMove: [208, 0],
  uffdMovePin: [15, 5],
  uffdMoveZap: [5120, 0],
  uffdProtectHuge: [7560, 80],
  uffdProtectWrite: [2, 1],
  uffdUnregister: [170, 0],
  upperFault: [600, 0],
  upperMunmap: [257, 0],
  upperWalk: [6, 0],
  vmaLock: [1136, 44],
  zapAccess: [15, 0],
  zapDirty: [4017, 0],
  zapFault: [905, 0],
  zapGup: [24, 0],
  zapGupSemiRcu: [98, 0],
  zapIdle: [125, 1],
  zapMunmap: [404, 0],
  zapNoMemory: [60, 0],
  zapRefill: [1404, 0],
  zapSpeculation: [102, 1],
  zapTwiceUse: [590, 0],
  zapWalk: [15, 0],
  zapZap: [3646, 0],
};

/** Scenarios that take longer than a few seconds of one core; explored by `ptlab explore` in CI, figures in bench/README.md. */
const SLOW: Readonly<Record<string, string>> = {
  exitRmap: '24791 executions and 0 blocked',
  forkMigrate: '339105 executions and 0 blocked',
  hugeCowBoth: '70726 executions and 0 blocked',
  ptRwsemTwice: '25968 executions and 0 blocked',
  rcuIdle: '279184 executions and 8291 blocked',
  rcuQueues: '52105 executions and 7 blocked',
  scanMoveInto: '6353 executions and 0 blocked',
  scanScan: '8049 executions and 0 blocked',
  scanUffdMove: '36113 executions and 0 blocked',
  swapIn: '138464 executions and 304 blocked',
  zapBroken: '45592 executions and 0 blocked',
  zapFaultWalk: '8664 executions and 1628 blocked',
  zeroRead: '6577 executions and 3 blocked',
  zeroWrite: '156805 executions and 3228 blocked',
};

const LIMITS = { commuting: true, maxMs: 120_000 };

test('every scenario is in exactly one of the two tables', () => {
  expect([...Object.keys(COUNTS), ...Object.keys(SLOW)].toSorted()).toEqual(scenarioNames());
});

describe('explored to the end', () => {
  test.each(Object.entries(COUNTS))('%s', (scenario, counts) => {
    const { verdict, complete, statistics } = exploreDpor(openScenario({ scenario }).make, LIMITS);
    const { expected } = readAbout(scenario);
    const unexpected = verdict.kind === 'violation' && expected !== 'violation';
    expect(unexpected ? verdict.error.message : verdict.kind).toBe(expected);
    expect([scenario, complete, statistics.executions, statistics.blocked]).toEqual([
      scenario,
      verdict.kind === 'passes',
      ...counts,
    ]);
  });
});

const patch = (module: string, find: string, replace = ''): Patch => ({ module, find, replace });

const NO_SECOND_LOOK = patch(
  'gupFast',
  'if (load(pmd) !== upper || load(pte) !== entry)',
  'if (false)',
);
const NO_WAIT_FOR_READERS = patch('vmaLock', 'waitForReaders(vma, VMA_WRITER + 1);');
const EARLY = patch(
  'rcuGracePeriod',
  'return numberAfter(load(G_RCU_GP_SEQ));',
  'return load(G_RCU_GP_SEQ);',
);

/** Ways to be wrong, and what is to be found. */
const WRONG: readonly [what: string, request: ScenarioRequest, found: RegExp][] = [
  [
    'the fast path although the lock was dropped',
    { scenario: 'zapRefill', patch: patch('zap', 'heldThroughout = false;') },
    /^audit|^lost-entry|^nonempty/,
  ],
  [
    'a slow path that does not scan',
    {
      scenario: 'zapRefill',
      patch: patch(
        'emptiness',
        'const empty = tableEmpty(tableAddress(entryNumber(load(pmd))));',
        'const empty = true;',
      ),
    },
    /^nonempty-table-freed/,
  ],
  [
    'a fast path that waits for the PMD lock',
    {
      scenario: 'zapBroken',
      patch: patch(
        'walk',
        'return spinTrylock(ptdescOfEntry(pmd) + PT_LOCK, LC_PMD);',
        'spinLock(ptdescOfEntry(pmd) + PT_LOCK, LC_PMD); return true;',
      ),
    },
    /^lock-order/,
  ],
  [
    'a locker that does not look at the PMD again',
    {
      scenario: 'zapFaultWalk',
      patch: patch('pteMap', 'settled = load(pmd) === mappedPmd();', 'settled = true;'),
    },
    /^lost-entry/,
  ],
  [
    'tables freed at once',
    { scenario: 'zapFaultWalk', machine: { free: 'immediate' } },
    /^table-use-after-free/,
  ],
  [
    'tables freed by interrupt under a walker that answers interrupts',
    { scenario: 'zapWalk', machine: { free: 'semi-rcu', inject: { batch: 1 } } },
    /^table-use-after-free/,
  ],
  [
    'a table freed without an interrupt under GUP-fast',
    { scenario: 'zapGupSemiRcu', patch: patch('gather', 'interruptAll(IPI_SYNC);') },
    /^table-use-after-free/,
  ],
  [
    'GUP-fast without its second look, against reuse',
    { scenario: 'zapGup', patch: NO_SECOND_LOOK },
    /that of page 1/,
  ],
  [
    'GUP-fast without its second look, against pageout',
    { scenario: 'pageoutPin', patch: NO_SECOND_LOOK },
    /^a pinned page stays mapped/,
  ],
  [
    'GUP takes a dead frame',
    { scenario: 'pinOrFault', patch: patch('frame', 'while (seen !== 0)', 'while (true)') },
    /^accounting|^frame-use-after-free/,
  ],
  [
    'a VMA that is taken away without its write lock',
    { scenario: 'zapMunmap', patch: patch('munmap', 'vmaStartWrite(vma);') },
    /^lock-order/,
  ],
  [
    'a VMA that is detached under a reader',
    {
      scenario: 'faultMunmap',
      patch: patch(
        'vmaLock',
        'if (sub(vma + VMA_REF, 1) === 1)\n        return;',
        'sub(vma + VMA_REF, 1); return;',
      ),
    },
    /^accounting/,
  ],
  [
    'a writer that does not wait for readers of the VMA',
    { scenario: 'mremapZap', patch: NO_WAIT_FOR_READERS },
    /^accounting/,
  ],
  [
    'the same, seen on the word that the lock covers',
    { scenario: 'vmaLock', patch: NO_WAIT_FOR_READERS },
    /^race on plain word/,
  ],
  [
    'a reader of a VMA lock without its second look',
    {
      scenario: 'vmaLock',
      patch: patch(
        'vmaLock',
        'if (load(vma + VMA_MM) !== mm || load(vma + VMA_LOCK_SEQ) === load(mm + MM_LOCK_SEQ))',
        'if (false)',
      ),
    },
    /^race on plain word/,
  ],
  [
    'a failed mremap that leaves pages behind',
    {
      scenario: 'mremapFails',
      patch: patch('mremap', 'movePageTables(mm, copy, source, new_, old, moved, true);'),
    },
    /^no page is lost/,
  ],
  [
    'a grace period that is one too early',
    { scenario: 'rcuUpdaters', patch: EARLY },
    /^grace-period/,
  ],
  ['the same for callbacks', { scenario: 'rcuCallbacks', patch: EARLY }, /^grace-period/],
  ['the same with an idle CPU', { scenario: 'rcuIdle', patch: EARLY }, /^grace-period/],
  [
    'the same, seen by a walker',
    { scenario: 'zapFaultWalk', patch: EARLY },
    /^table-use-after-free/,
  ],
  [
    'a gather that does not mind others',
    {
      scenario: 'gatherNest',
      patch: patch('gather', 'poke(gather + GATHER_FULL_MM, 1);', ';'),
    },
    /^the access after madvise faults/,
  ],
  [
    'a flush that does not wait',
    { scenario: 'zapAccess', patch: patch('tlb', 'waitInterrupt(target,', 'load(') },
    /^stale-translation/,
  ],
  [
    'a flush that leaves upper entries',
    { scenario: 'zapSpeculation', patch: patch('gather', 'poke(gather + GATHER_TABLES, 1);') },
    /stale-translation/,
  ],
  [
    'a table that is published over another',
    {
      scenario: 'faultNoMemory',
      patch: patch('walk', 'const won = load(entry) === 0;', 'const won = true;'),
    },
    /accounting/,
  ],
  [
    'a single table freed without a grace period',
    {
      scenario: 'zapNoMemory',
      patch: patch(
        'gather',
        'callRcu(ptdescOf(table) + PT_RCU, RCU_FREE_TABLE);',
        'tableFree(table);',
      ),
    },
    /^table-use-after-free/,
  ],
  [
    'a failing split that is overlooked',
    {
      scenario: 'munmapNoMemory',
      patch: patch(
        'munmap',
        'if (vmaSplit(first, start) === 0)\n            return ENOMEM;',
        'vmaSplit(first, start);',
      ),
    },
    /^the page before is still mapped/,
  ],
  [
    'a downgrade that lets a writer in',
    {
      scenario: 'mmapLock',
      patch: patch(
        'rwsem',
        'const before = sub(sem + RWSEM_STATE, ownWriter() - READER);',
        'const before = sub(sem + RWSEM_STATE, ownWriter()); add(sem + RWSEM_STATE, READER);',
      ),
    },
    /^no writer between/,
  ],
  [
    'a flush that leaves upper entries, against munmap',
    { scenario: 'munmapSpeculation', patch: patch('gather', 'poke(gather + GATHER_TABLES, 1);') },
    /^stale-translation/,
  ],
  [
    'a table that is moved and not flushed',
    {
      scenario: 'mremapAccess',
      patch: patch('moveTables', 'flushTlbRange(mm, old, old + PMD_PAGES, 1);'),
    },
    /^nothing is at the old address/,
  ],
  [
    'a pageout that does not count references',
    {
      scenario: 'pageoutPin',
      patch: patch(
        'rmapEntries',
        'if (load(folio + F_REF) > folioMapCount(folioHead(page)) + 1) return entry;',
      ),
    },
    /^a pinned page stays mapped/,
  ],
  [
    'a swap-in that does not look at the entry again',
    {
      scenario: 'swapIn',
      cpus: [0, 2],
      patch: patch('fault', 'if (load(pte) !== entry)', 'if (false)'),
    },
    /^accounting/,
  ],
  [
    'callbacks invoked although others have become the oldest',
    { scenario: 'rcuCallbacks', patch: patch('rcuList', '|| !gpEnded(gp)') },
    /^grace-period/,
  ],
  [
    'a mark of callbacks left that is taken back twice',
    {
      scenario: 'rcuOffline',
      patch: patch(
        'rcuList',
        'load(list + C_RCU_ORPHAN) !== 0 && exchange(list + C_RCU_ORPHAN, 0) !== 0',
        'load(list + C_RCU_ORPHAN) !== 0',
      ),
    },
    /^no idle CPU counts/,
  ],
  [
    'readers that go past a writer of mmap_lock',
    {
      scenario: 'mmapLock',
      patch: patch('rwsem', '(state & (QUEUED | WRITER)) === 0', '(state & QUEUED) === 0'),
    },
    /^race on plain word|^nobody writes/,
  ],
  [
    'rcuBarrier waits for a count that may have moved already',
    {
      scenario: 'rcuAdopted',
      patch: patch(
        'rcuList',
        'waitFor(list + C_RCU_INVOKING, AWAIT_EQUALS, 0, RCU_SPINS, list + C_RCU_INVOKE_WAITERS);',
        `waitFor(list + C_RCU_INVOKED, ${AWAIT_DIFFERS}, invoked, RCU_SPINS, list + C_RCU_INVOKE_WAITERS);`,
      ),
    },
    /^unmet/,
  ],
  [
    'a page fault that leaves a stale upper entry cached, over which the access faults again and again',
    {
      scenario: 'zapDirty',
      patch: patch('access', 'forgetTranslation(vpn); const error', 'const error'),
    },
    /^endless/,
  ],
];

describe('a kernel that is wrong is found out', () => {
  test.each(WRONG)('%s', (_, request, found) => {
    const { verdict } = exploreDpor(openScenario(request).make, LIMITS);
    expect(verdict.kind === 'violation' ? verdict.error.message : verdict.kind).toMatch(found);
  });
});
