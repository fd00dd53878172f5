/** Mutants of the reverse mapping: unmapping and migration through it, fork, copy-on-write, truncation, the end of an address space. */

import type { Mutant } from './mutant.ts';

/*
 * Looks that others make redundant, and which are therefore no mutants: migration's look for pins in entries (the count of references before the move sees them,
 * too); truncation's unmapping under the folio lock (the second zap takes what it would miss).
 */
export const RMAP_MUTANTS: readonly Mutant[] = [
  {
    name: 'fork-parent-writable',
    summary: 'fork write-protects a shared page in the child only',
    why: 'what the parent writes from then on the child reads',
    patch: {
      module: 'fork',
      find: 'copy = (and(from, ~PTE_WRITE >>> 0) & ~PTE_WRITE) >>> 0;',
      replace: 'copy = (entry & ~PTE_WRITE) >>> 0;',
    },
    scenarios: ['forkFault'],
    findings: ['accounting', 'expectation'],
    quick: { strategy: 'dpor', executions: 10 },
    stress: { mix: 'fork' },
  },
  {
    name: 'fork-without-flush',
    summary: 'fork does not flush the translations of the parent',
    why: 'another CPU of the parent goes on writing to a page that the child reads',
    patch: { module: 'fork', find: 'flushTlbRange(mm, 0, TASK_END, 0);', replace: '' },
    scenarios: ['forkFault'],
    findings: ['stale-translation', 'expectation'],
    quick: { strategy: 'dpor', executions: 10 },
    stress: { mix: 'fork' },
  },
  {
    name: 'fork-pins-unseen',
    summary: 'GUP-fast does not look whether fork came in between',
    why: 'fork looks for pins before GUP-fast has pinned, and GUP-fast at an entry that fork has not come to: the page is shared and pinned',
    patch: {
      module: 'gupFast',
      find: 'if (mustUnshare(entry) || load(mm + MM_WRITE_PROTECT_SEQ) !== seq) {',
      replace: 'if (mustUnshare(entry)) {',
    },
    scenarios: ['forkPin'],
    findings: ['expectation', 'accounting'],
    quick: { strategy: 'dpor', executions: 400 },
    stress: { mix: 'fork' },
  },
  {
    name: 'fork-shares-pinned',
    summary: 'fork shares a page that is pinned',
    why: 'the next write of the parent copies the page away from whoever pinned it',
    patch: { module: 'fork', find: 'pageExclusive(page) && maybePinned(page)', replace: 'false' },
    scenarios: ['forkPin'],
    findings: ['expectation'],
    quick: { strategy: 'dpor', executions: 400 },
    stress: { mix: 'fork' },
  },
  {
    name: 'migrate-restores-blindly',
    summary:
      'the end of a migration maps the page wherever it was, whether the migration entry is still there or not',
    why: 'a zap took the entry meanwhile',
    patch: {
      module: 'rmapEntries',
      find: 'if (entryMigrating(entry) && entryNumber(entry) === old + i) {',
      replace: 'if (entry === 0 || (entryMigrating(entry) && entryNumber(entry) === old + i)) {',
    },
    scenarios: ['migrateZap'],
    findings: ['expectation', 'accounting', 'lost-entry'],
    quick: { strategy: 'dpor', executions: 400 },
    stress: { mix: 'fork' },
  },
  {
    name: 'cow-reuse-unchecked',
    summary:
      'a write fault uses a shared page again without looking whether it is the only one that has it',
    why: 'the other side of the fork reads, or writes, the same page',
    patch: {
      module: 'faultWrite',
      find: 'if (folioLarge(page) || load(folio + F_REF) !== 1)\n        return false;',
      replace: '',
    },
    scenarios: ['cowBoth'],
    findings: ['accounting', 'expectation'],
    quick: { strategy: 'dpor', executions: 10 },
    stress: { mix: 'fork' },
  },
];
