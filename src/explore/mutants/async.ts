/** Mutants of asynchronous reclaim: of the scan, the names of candidates, the zero page, and upper tables. */

import type { Mutant } from './mutant.ts';

const STRESS = { mix: 'all', machine: { protocol: 'async' } } as const;

export const ASYNC_MUTANTS: readonly Mutant[] = [
  {
    name: 'scan-beside-munmap',
    summary: 'the scan on mmap_lock does not look whether a mapping overlaps the span',
    why: 'munmap frees tables with mmap_lock held for reading: only a VMA that is still there keeps them',
    patch: {
      module: 'asyncReclaim',
      find: 'if (findVmaIntersection(mm, first, spanEnd(first, PMD_PAGES, TASK_END)) !== 0) return SPAN_ON_MMAP_LOCK;',
      replace: 'return SPAN_ON_MMAP_LOCK;',
    },
    scenarios: ['scanMunmap'],
    findings: ['accounting', 'bad-upper-entry', 'table-use-after-free', 'lock-order'],
    quick: { strategy: 'dpor', executions: 2000 },
    stress: STRESS,
  },
  {
    name: 'exit-does-not-wait',
    summary: 'the end of an address space does not wait for a daemon that is in it',
    why: 'the daemon works on tables and locks of an address space that is freed, and may be another by then',
    patch: {
      module: 'mmPin',
      find: 'awaitNamed(mm + MM_PINS, PINS, AWAIT_EQUALS, 0, 0);',
      replace: '',
    },
    scenarios: ['scanExit'],
    findings: [
      'accounting',
      'bad-upper-entry',
      'table-use-after-free',
      'nonempty-table-freed',
      'plain race',
      'lock-order',
    ],
    quick: { strategy: 'dpor', executions: 500 },
    stress: STRESS,
  },
  {
    name: 'moved-candidate-lost',
    summary: 'mremap does not note a candidate again that it has moved',
    why: 'the name in the queue is that of the old place, and the flag keeps others from noting the table',
    patch: {
      module: 'async',
      find: 'tableMoved(table);',
      replace: '',
    },
    scenarios: ['scanMove'],
    findings: ['unmet', 'expectation'],
    quick: { strategy: 'dpor', executions: 1000 },
    stress: STRESS,
  },
  {
    name: 'flag-taken-after-scan',
    summary: 'the scan of an upper table takes the flag away after it has looked',
    why: 'who clears the last entry in between finds the flag, or sets it for nothing: nobody comes back',
    patch: {
      module: 'asyncUpper',
      find: 'const index = firstEntry(table);',
      replace: 'const index = firstEntry(table); candidateBegin(table);',
    },
    scenarios: ['upperMunmap'],
    findings: ['unmet', 'expectation'],
    quick: { strategy: 'dpor', executions: 1000 },
    stress: STRESS,
  },
  {
    name: 'candidate-flag-stays',
    summary: 'the scan leaves the flag of a candidate as it is',
    why: 'a table that is kept and empties later is not noted again',
    patch: {
      module: 'candidates',
      find: 'return (and(ptdescOf(table) + PT_WATCH, ~WATCH_NOTED >>> 0) & WATCH_NOTED) !== 0;',
      replace: 'return (load(ptdescOf(table) + PT_WATCH) & WATCH_NOTED) !== 0;',
    },
    scenarios: ['scanZap'],
    findings: ['unmet', 'expectation'],
    quick: { strategy: 'dpor', executions: 1000 },
    stress: STRESS,
  },
  {
    name: 'two-passes',
    summary: 'a pass over the candidates begins while another one is under way',
    why: 'a ring has one consumer; both take the same candidate, and skip the next',
    patch: {
      module: 'asyncReclaim',
      find: 'if (compareExchange(G_SCAN_OWNER, 0, cpuId() + 1) !== 0) return 0;',
      replace: '',
    },
    scenarios: ['scanScan'],
    findings: ['plain race', 'accounting', 'unmet', 'expectation'],
    quick: { strategy: 'dpor', executions: 500 },
    stress: STRESS,
  },
  {
    name: 'zero-page-flushed-late',
    summary: 'entries of the zero page are dropped and flushed with the table, after the locks',
    why: 'a fault installs a page there meanwhile, and a CPU still reads zeroes',
    patch: {
      module: 'asyncReclaim',
      find: 'flushTlbRange(mm, first, first + PMD_PAGES, false);',
      replace: '',
    },
    scenarios: ['zeroWrite'],
    findings: ['unmet', 'expectation'],
    quick: { strategy: 'dpor', executions: 200 },
    stress: STRESS,
  },
  {
    name: 'upper-without-vma-locks',
    summary: 'an upper table is freed under mmap_lock for write alone',
    why: 'a fault on the VMA lock came by its PMD entry without mmap_lock and allocates a table there',
    patch: {
      module: 'asyncUpper',
      find: 'vmaStartWrite(vma);',
      replace: '',
    },
    scenarios: ['upperFault'],
    findings: [
      'nonempty-table-freed',
      'lost-entry',
      'table-use-after-free',
      'accounting',
      'unmet',
      'expectation',
      'bad-upper-entry',
    ],
    quick: { strategy: 'dpor', executions: 1000 },
    stress: STRESS,
  },
  {
    name: 'upper-not-scanned-again',
    summary: 'an upper table that was empty before the locks were taken is not looked at again',
    why: 'a fault has allocated a table in it between the look and the locks',
    patch: {
      module: 'asyncUpper',
      find: 'if (table === 0 || firstEntry(table) !== TABLE_ENTRIES) return 0;',
      replace: 'if (table === 0) return 0;',
    },
    scenarios: ['upperFault'],
    findings: ['nonempty-table-freed', 'accounting', 'lost-entry', 'unmet', 'expectation'],
    quick: { strategy: 'dpor', executions: 1000 },
    stress: STRESS,
  },
  {
    name: 'scan-on-a-neighbour',
    summary:
      'the scan takes the lock of whatever VMA the span begins with, whether it covers the span or not',
    why: 'mremap locks the VMAs that it moves, not their neighbours, and counts on the table of its destination to stay',
    patch: {
      module: 'asyncReclaim',
      find: `if (load(vma + VMA_END) - first >= PMD_PAGES)
                return vma;
            vmaReadUnlock(vma);`,
      replace: 'return vma;',
    },
    scenarios: ['scanMoveInto'],
    findings: ['lost-entry', 'nonempty-table-freed', 'accounting', 'lock-order', 'expectation'],
    quick: { strategy: 'urw', executions: 100 },
    stress: STRESS,
  },
];
