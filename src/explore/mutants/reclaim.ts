/**
 * Mutants of the reclaim of empty PTE tables, of how tables are freed, and of what maps and installs entries meanwhile.
 */

import type { Mutant } from './mutant.ts';

export const RECLAIM_MUTANTS: readonly Mutant[] = [
  {
    name: 'free-at-once',
    summary: 'a batch of tables is freed as soon as it is flushed, with no grace period',
    race: 1,
    why: 'a lockless walker read the PMD before it was cleared and is still in the table',
    patch: {
      module: 'gather',
      find: 'callRcu(ptdescOf(batch) + PT_RCU, RCU_FREE_BATCH)',
      replace: 'freeTableBatch(batch)',
    },
    scenarios: ['zapWalk', 'zapFaultWalk'],
    findings: ['table-use-after-free'],
    quick: { strategy: 'dpor', executions: 100 },
    stress: { mix: 'walkers' },
  },
  {
    name: 'free-after-interrupt',
    summary:
      'a single table is freed after an interrupt to every CPU (semi-RCU), without a grace period',
    race: 2,
    why: 'a pteOffsetMap reader has interrupts enabled, and acknowledges in the middle of its walk; GUP-fast has them disabled and is safe',
    patch: {
      module: 'gather',
      find: 'callRcu(ptdescOf(table) + PT_RCU, RCU_FREE_TABLE)',
      replace: '{ interruptAll(IPI_SYNC); tableFree(table); }',
    },
    scenarios: ['zapWalk', 'zapFaultWalk'],
    controls: ['zapGup'],
    choices: { batch: 1 },
    findings: ['table-use-after-free'],
    quick: { strategy: 'urw', executions: 100 },
    stress: { mix: 'walkers', machine: { inject: { batch: 2 } } },
  },
  {
    name: 'fast-path-after-break',
    summary: 'the fast path is taken although the zap had dropped the PTE lock on its way',
    race: 3,
    why: 'the lock held from the first entry to the last is the only proof that the table is empty: nobody scans it',
    patch: {
      module: 'zap',
      find: 'if (stop) { heldThroughout = false; count(COUNTER_ZAP_BREAKS); }',
      replace: 'heldThroughout = !stop; if (stop) count(COUNTER_ZAP_BREAKS);',
    },
    scenarios: ['zapRefill'],
    choices: { resched: 1 },
    constants: { GATHER_BUNDLE: 2 },
    findings: ['nonempty-table-freed', 'lost-entry', 'accounting'],
    quick: { strategy: 'random', executions: 100 },
    stress: { mix: 'zap-heavy', machine: { inject: { resched: 10 } } },
  },
  {
    name: 'blocking-pmd-lock',
    summary: 'the fast path waits for the PMD lock, holding the PTE lock, where it should only try',
    race: 10,
    why: 'the slow path holds the PMD lock and waits for the PTE lock: the order is PMD first',
    patch: {
      module: 'offsets',
      find: 'return spinTrylock(ptdescOfEntry(pmd) + PT_LOCK, LC_PMD);',
      replace: 'spinLock(ptdescOfEntry(pmd) + PT_LOCK, LC_PMD); return true;',
    },
    scenarios: ['zapBroken'],
    choices: { resched: 1 },
    constants: { CHECK: 1 },
    findings: ['deadlock'],
    quick: { strategy: 'pct', executions: 200 },
    stress: { mix: 'zap-heavy', machine: { check: 'fast', inject: { resched: 10 } } },
  },
  {
    name: 'no-empty-scan',
    summary: 'the slow path detaches a table without looking whether it is empty',
    why: 'between the zap and the slow path nothing is locked: a fault may have filled a slot',
    patch: {
      module: 'emptiness',
      find: 'const empty = tableEmpty(tableAddress(entryNumber(load(pmd))));',
      replace: 'const empty = true;',
    },
    scenarios: ['zapRefill', 'zapFault', 'mmapWriteFault'],
    choices: { resched: 1 },
    findings: ['nonempty-table-freed', 'lost-entry', 'accounting'],
    quick: { strategy: 'random', executions: 100 },
    stress: { mix: 'zap-heavy', machine: { inject: { resched: 10 } } },
  },
  {
    name: 'slow-path-unlocked',
    summary: 'the slow path scans and detaches a table without its PTE lock',
    why: 'a fault that has the lock and has found its entry none stores it into a table that is detached by then',
    patch: {
      module: 'emptiness',
      find: `pteLockNested(pte);
        // The PMD lock keeps the PMD at the value that was mapped.
        const empty = tableEmpty(tableAddress(entryNumber(load(pmd))));
        if (empty) table = detachLocked(pmd);
        pteUnlock(pte);`,
      replace: `const empty = tableEmpty(tableAddress(entryNumber(load(pmd))));
        if (empty) table = detachLocked(pmd);`,
    },
    scenarios: ['zapRefill', 'zapFault'],
    choices: { resched: 1 },
    findings: ['nonempty-table-freed', 'lost-entry', 'accounting'],
    quick: { strategy: 'dpor', executions: 200 },
    stress: { mix: 'zap-heavy', machine: { inject: { resched: 10 } } },
  },
  {
    name: 'fast-path-after-unlock',
    summary: 'the fast path detaches the table after the PTE lock has been dropped',
    why: 'the lock is what makes the entries seen none stay none until the PMD is cleared',
    patch: {
      module: 'zap',
      find: `if (eligible && heldThroughout) detached = zapEmptied(pmd);
        if (full) gatherFlushTlb(gather);
        pteUnmapUnlock(first);`,
      replace: `if (full) gatherFlushTlb(gather);
        pteUnmapUnlock(first);
        if (eligible && heldThroughout) detached = zapEmptied(pmd);`,
    },
    scenarios: ['zapFault'],
    findings: ['nonempty-table-freed', 'lost-entry', 'accounting'],
    quick: { strategy: 'random', executions: 100 },
    stress: { mix: 'zap-heavy' },
  },
  {
    name: 'no-pmd-recheck',
    summary: 'pteOffsetMapLock does not look at the PMD again once it has the lock',
    why: 'the table may have been detached between reading the PMD and taking the lock of the table it named',
    patch: {
      module: 'pteMap',
      find: 'settled = load(pmd) === mappedPmd();',
      replace: 'settled = true;',
    },
    scenarios: ['zapFault', 'zapFaultWalk'],
    controls: ['mmapWriteFault'],
    findings: ['lost-entry', 'nonempty-table-freed'],
    quick: { strategy: 'random', executions: 100 },
    stress: { mix: 'zap-heavy' },
  },
  {
    name: 'install-without-recheck',
    summary:
      'a new table is installed without looking again, under the lock, whether the entry is still none',
    why: 'two faults find the same entry none; the second overwrites the table of the first',
    patch: { module: 'walk', find: 'const won = load(entry) === 0;', replace: 'const won = true;' },
    scenarios: ['faultFault'],
    findings: ['accounting'],
    quick: { strategy: 'urw', executions: 100 },
    stress: { mix: 'fault-heavy' },
  },
  {
    name: 'fault-without-recheck',
    summary:
      'a fault stores its entry without looking again, under the PTE lock, whether it is still none',
    why: 'two faults of one page find it none; the second overwrites the page of the first',
    patch: {
      module: 'fault',
      find: `if (order === 0 ? load(pte) !== orig : !pteRangeNone(pte, 1 << order)) { pteUnmapUnlock(pte); if (frame !== 0) folioPut(frame); return 0; }
        if (told) {`,
      replace: 'if (told) {',
    },
    scenarios: ['faultFault'],
    findings: ['accounting'],
    quick: { strategy: 'urw', executions: 100 },
    stress: { mix: 'fault-heavy' },
  },
];
