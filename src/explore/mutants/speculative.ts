/** Mutants of speculative page faults: each leaves out one of the looks that a commit takes. */

import type { Mutant } from './mutant.ts';

export const SPECULATIVE_MUTANTS: readonly Mutant[] = [
  {
    name: 'speculative-without-pmd-check',
    summary: 'a speculative fault commits without looking at the PMD after it got the PTE lock',
    race: 6,
    why: 'reclaim happens under mmap_lock for read, which the sequence number does not see, and the entry is none in both tables',
    patch: {
      module: 'speculative',
      find: 'if (!same || load(pmd) !== mappedPmd())',
      replace: 'if (!same)',
    },
    scenarios: ['speculativeZap'],
    controls: ['speculativeMunmap', 'speculativeProtect'],
    findings: ['lost-entry', 'nonempty-table-freed', 'accounting'],
    quick: { strategy: 'random', executions: 200 },
    stress: { mix: 'zap-heavy', machine: { fault: 'speculative' } },
  },
  {
    name: 'speculative-one-sequence-check',
    summary: 'a speculative fault looks at the sequence only before it takes the PTE lock',
    why: 'mprotect or munmap may come in between and be through with the entries when the fault gets the lock',
    patch: {
      module: 'speculative',
      find: 'const same = sequenceHolds(mm, seq);',
      replace: 'const same = true;',
    },
    scenarios: ['speculativeProtect', 'speculativeMunmap'],
    controls: ['speculativeZap'],
    findings: ['stale-translation', 'expectation', 'lost-entry', 'accounting'],
    quick: { strategy: 'dpor', executions: 200 },
    stress: { mix: 'map-heavy', machine: { fault: 'speculative' } },
  },
  {
    name: 'speculative-entry-not-compared',
    summary: 'a speculative copy replaces whatever its entry has become',
    why: 'between the two locks a zap may have taken the page away, or another fault have brought one',
    patch: {
      module: 'speculative',
      find: 'if (load(pte) === entry) return pte;',
      replace: 'return pte;',
    },
    scenarios: ['speculativeFaults'],
    findings: ['accounting', 'expectation'],
    quick: { strategy: 'random', executions: 400 },
    stress: { mix: 'fault-heavy', machine: { fault: 'speculative' } },
  },
];
