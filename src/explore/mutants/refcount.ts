/** Mutants of `pte-refcount`: counts of PTE tables, and who frees a table at zero. */

import type { Mutant } from './mutant.ts';

export const REFCOUNT_MUTANTS: readonly Mutant[] = [
  {
    name: 'count-from-zero',
    summary: 'a visitor counts itself into a table whose count is zero',
    race: 8,
    why: 'zero is final: whoever made it so is about to unlink the table, and does not look again',
    patch: { module: 'pteRefcount', find: 'while (seen !== 0) {', replace: 'while (true) {' },
    scenarios: ['countPutFault'],
    findings: ['nonempty-table-freed', 'lost-entry', 'accounting', 'table-use-after-free'],
    quick: { strategy: 'dpor', executions: 200 },
    stress: { mix: 'walkers', machine: { protocol: 'pte-refcount' } },
  },
  {
    name: 'no-second-look',
    summary: 'who made a count zero takes the table although it has come back with entries',
    why: 'zero is final only while a table is linked: a deposited one is filled and linked again by a split',
    patch: {
      module: 'pteRefcount',
      find: 'const dead = linked && load(desc + PT_COUNT) === 0;',
      replace: 'const dead = linked;',
    },
    scenarios: ['countPutSplit'],
    controls: ['countPutFault', 'countPutPut', 'countPutMove', 'countPutMunmap'],
    findings: ['nonempty-table-freed', 'lost-entry', 'accounting', 'expectation'],
    quick: { strategy: 'dpor', executions: 200 },
    stress: { mix: 'all', machine: { protocol: 'pte-refcount' } },
  },
  {
    name: 'way-back-read-once',
    summary: 'who frees a table does not look at its way back again under the PMD lock',
    why: "mremap may have moved the table between the look and the lock, which is then another PMD table's",
    patch: {
      module: 'pteRefcount',
      find: 'while (load(desc + PT_UPPER) !== upper) {',
      replace: 'while (false) {',
    },
    scenarios: ['countPutMove'],
    findings: ['accounting', 'expectation'],
    quick: { strategy: 'dpor', executions: 200 },
    stress: { mix: 'map-heavy', machine: { protocol: 'pte-refcount' } },
  },
  {
    name: 'way-back-not-moved',
    summary: 'mremap leaves the way back of a table that it moves at the old place',
    why: 'who drops the last count finds the old PMD entry, and the table stays linked at the new one for ever',
    patch: { module: 'moveTables', find: 'store(descriptor + PT_UPPER, newPmd);', replace: '' },
    scenarios: ['countPutMove'],
    findings: ['accounting', 'expectation'],
    quick: { strategy: 'dpor', executions: 200 },
    stress: { mix: 'map-heavy', machine: { protocol: 'pte-refcount' } },
  },
  {
    name: 'unlinked-twice',
    summary:
      'who makes a count zero clears the PMD entry without looking whether it names the table',
    why: 'munmap does not ask for the count: it may have taken the table first',
    patch: {
      module: 'pteRefcount',
      find: 'const linked = entryNamesTable(value) && entryNumber(value) === table;',
      replace: 'const linked = true;',
    },
    scenarios: ['countPutMunmap'],
    findings: ['accounting', 'table-use-after-free', 'nonempty-table-freed'],
    quick: { strategy: 'dpor', executions: 200 },
    stress: { mix: 'map-heavy', machine: { protocol: 'pte-refcount' } },
  },
  {
    name: 'unmap-without-pmd-lock',
    summary: 'munmap clears a PMD entry without the PMD lock, as it may where nobody counts',
    why: 'a reader that ends its visit holds no lock that keeps munmap away: both take the table',
    patch: {
      module: 'pteRefcount',
      find: 'return level === LEVEL_PTE;',
      replace: 'return false;',
    },
    scenarios: ['countPutMunmap'],
    findings: ['accounting', 'plain race', 'table-use-after-free'],
    quick: { strategy: 'dpor', executions: 200 },
    stress: { mix: 'map-heavy', machine: { protocol: 'pte-refcount' } },
  },
  {
    name: 'cleared-after-the-lock',
    summary: 'who makes a count zero clears the PMD entry when it has dropped the PMD lock',
    why: "mremap or munmap may come in between: the entry is another table's by then, or the table is elsewhere",
    patch: {
      module: 'pteRefcount',
      find: `if (dead) {
            // Pairs with the waiters in pteOffsetMapRwNolock, and with the loads of lockless walkers.
            store(upper, 0);
            tableDetach(table);
        }
        // mremap changes it under this lock, and moves a table that it finds linked only.
        const first = load(desc + PT_FIRST);
        pmdUnlock(upper);`,
      replace: `const first = load(desc + PT_FIRST);
        pmdUnlock(upper);
        if (dead) {
            store(upper, 0);
            tableDetach(table);
        }`,
    },
    scenarios: ['countPutMove', 'countPutMunmap'],
    findings: ['bad-upper-entry', 'accounting', 'plain race', 'expectation', 'stale-translation'],
    quick: { strategy: 'dpor', executions: 300 },
    stress: { mix: 'map-heavy', machine: { protocol: 'pte-refcount' } },
  },
  {
    name: 'upper-moved-unlocked',
    summary: 'mremap moves a whole PMD table without the lock of that table',
    why: 'a table freed meanwhile would be flushed where it was, and stay cached where it has been moved',
    patch: {
      module: 'moveTables',
      find: `pmdLock(first);
        for (let index = 0; index < TABLE_ENTRIES; index += 1) {
            const pmd = load(first + (index << 2));
            if (entryNamesTable(pmd)) {
                store(ptdescOf(entryNumber(pmd)) + PT_FIRST, new_ + index * PMD_PAGES);
                upperMoved(entryNumber(pmd));
            }
        }
        pmdUnlock(first);`,
      replace: `for (let index = 0; index < TABLE_ENTRIES; index += 1) {
            const pmd = load(first + (index << 2));
            if (entryNamesTable(pmd)) {
                store(ptdescOf(entryNumber(pmd)) + PT_FIRST, new_ + index * PMD_PAGES);
                upperMoved(entryNumber(pmd));
            }
        }`,
    },
    scenarios: ['countPutMoveUpper'],
    findings: ['plain race', 'stale-translation', 'lock-order'],
    quick: { strategy: 'dpor', executions: 300 },
    stress: { mix: 'map-heavy', machine: { protocol: 'pte-refcount' } },
  },
  {
    name: 'installer-keeps-its-count',
    summary: 'a walk that installs a table keeps its count of it',
    why: 'the count never becomes zero: a table that is empty stays until munmap',
    patch: {
      module: 'pteRefcount',
      find: 'drop(table, 1);',
      replace: '',
    },
    scenarios: ['countMoveEntries'],
    findings: ['accounting'],
    quick: { strategy: 'dpor', executions: 10 },
    stress: { mix: 'map-heavy', machine: { protocol: 'pte-refcount' } },
  },
  {
    name: 'put-under-pte-lock',
    summary: 'a visit ends before its PTE lock is dropped',
    why: 'the last one takes the PMD lock, which comes first in the order, and frees a table whose lock it holds',
    patch: {
      module: 'pteMap',
      find: `spinUnlock(pteLockOf(pte), LC_PTE);
        pteUnmap(pte);`,
      replace: `pteUnmap(pte);
        spinUnlock(pteLockOf(pte), LC_PTE);`,
    },
    scenarios: ['countHalves'],
    findings: ['lock-order'],
    quick: { strategy: 'dpor', executions: 10 },
    stress: { mix: 'zap-heavy', machine: { protocol: 'pte-refcount' } },
  },
  {
    name: 'put-without-flush',
    summary: 'a table that a put frees outside of any gather is not flushed',
    why: 'only a flush stops a hardware walker that has cached the PMD entry',
    patch: {
      module: 'gather',
      find: 'flushTlbRange(mm, first, tableEnd(first, PMD_PAGES), true);',
      replace: '',
    },
    scenarios: ['countPageout'],
    findings: ['stale-translation'],
    quick: { strategy: 'dpor', executions: 50 },
    stress: { mix: 'fault-heavy', machine: { protocol: 'pte-refcount' } },
  },
  {
    name: 'put-frees-at-once',
    summary: 'a table that a put frees outside of any gather is free at once',
    race: 1,
    why: 'a reader has read the PMD entry and not counted itself yet: the table may be another by then',
    patch: {
      module: 'gather',
      find: 'else freeTableByRcu(table);',
      replace: 'else tableFree(table);',
    },
    scenarios: ['countReuse'],
    findings: ['table-use-after-free', 'bad-upper-entry', 'accounting'],
    quick: { strategy: 'dpor', executions: 300 },
    stress: { mix: 'walkers', machine: { protocol: 'pte-refcount' } },
  },
];
