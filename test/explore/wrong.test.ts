/** Each scenario has teeth: a kernel that is wrong where the scenario looks is found out. */

import { describe, expect, test } from 'vitest';
import type { Patch } from '../../src/explore/link/coroutine.ts';
import { AWAIT_DIFFERS } from '../../src/kernel/abi.ts';
import { exploreDpor } from '../../src/explore/strategies/dpor.ts';
import { openScenario, type ScenarioRequest } from '../../src/explore/scenario.ts';

const LIMITS = { commuting: true, maxMs: 120_000 };

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
        'offsets',
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
    { scenario: 'pinOrFault', patch: patch('folio', 'while (seen !== 0)', 'while (true)') },
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
    { scenario: 'zapAccess', patch: patch('flush', 'waitInterrupt(target,', 'load(') },
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
      patch: patch('moveTables', 'flushTlbRange(mm, old, old + PMD_PAGES, true);'),
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
        'rcu',
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
