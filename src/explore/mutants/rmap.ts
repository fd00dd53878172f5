/**
 * Mutants of the reverse mapping: unmapping and migration through it, fork, copy-on-write, truncation, the end of an
 * address space.
 */

import type { Mutant } from './mutant.ts';

/*
 * Looks that others make redundant, and which are therefore no mutants: migration's look for pins in entries (the count
 * of references before the move sees them, too); truncation's unmapping under the folio lock (the second zap takes what
 * it would miss). `exit-hides-late` shows where tables are freed at once: the grace period of others covers a walk of
 * the rmap, too, as no CPU reports a quiescent state in the middle of one.
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
    patch: { module: 'fork', find: 'flushTlbRange(mm, 0, TASK_END, false);', replace: '' },
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
    name: 'fork-huge-parent-writable',
    summary: 'fork write-protects a shared huge page in the child only',
    why: 'what the parent writes from then on the child reads',
    patch: {
      module: 'hugeFork',
      find: 'const entry = and(fromPmd, ~PTE_WRITE >>> 0);',
      replace: 'const entry = load(fromPmd);',
    },
    scenarios: ['hugeForkWrite'],
    findings: ['accounting', 'expectation'],
    quick: { strategy: 'dpor', executions: 10 },
    stress: { mix: 'fork' },
  },
  {
    name: 'fork-huge-pins-unseen',
    summary: 'GUP-fast of a huge page does not look whether fork came in between',
    why: 'fork looks for pins before GUP-fast has pinned, and GUP-fast at an entry that fork has not come to: the huge page is shared and pinned',
    patch: {
      module: 'gupFast',
      find: 'if (mustUnshare(upper) || load(mm + MM_WRITE_PROTECT_SEQ) !== seq) {',
      replace: 'if (mustUnshare(upper)) {',
    },
    scenarios: ['hugeForkPin'],
    findings: ['expectation', 'accounting'],
    quick: { strategy: 'dpor', executions: 400 },
    stress: { mix: 'fork' },
  },
  {
    name: 'fork-huge-shares-pinned',
    summary: 'fork shares a huge page of which a page is pinned',
    why: 'the next write of the parent splits it, and copies the page away from whoever pinned it',
    patch: {
      module: 'hugeFork',
      find: 'pageExclusive(head) && maybePinned(head)',
      replace: 'false',
    },
    scenarios: ['hugeForkPin'],
    findings: ['expectation'],
    quick: { strategy: 'dpor', executions: 400 },
    stress: { mix: 'fork' },
  },
  {
    name: 'fork-huge-unlocked-look',
    summary: 'fork takes a PMD for huge that it has seen huge before it had its lock',
    why: 'a walk of the rmap has split it meanwhile: the child takes a table for a folio',
    patch: { module: 'hugeFork', find: 'entryHuge(load(fromPmd)) &&', replace: '' },
    scenarios: ['hugeForkSplit'],
    findings: ['accounting', 'expectation', 'bad-upper-entry', 'frame-use-after-free'],
    quick: { strategy: 'dpor', executions: 400 },
    stress: { mix: 'fork' },
  },
  {
    name: 'split-forgets-exclusive',
    summary: 'a split of a huge page leaves its pages as exclusive as they were',
    why: 'fork took that from the first page only: the others can be written to on both sides',
    patch: { module: 'hugePmd', find: 'shareExclusive(frame);', replace: '' },
    scenarios: ['hugeCowBoth'],
    findings: ['accounting', 'expectation'],
    quick: { strategy: 'dpor', executions: 400 },
    stress: { mix: 'fork' },
  },
  {
    name: 'isolated-after-unlock',
    summary: 'the reference on a page of a huge PMD is taken after the PMD lock was dropped',
    why: 'a zap has split the PMD, or freed the page, by then',
    patch: {
      module: 'migrate',
      find: 'frame = isolateMapped(hugePart(load(pmd), vpn & (PMD_PAGES - 1))); pmdUnlock(pmd);',
      replace: 'pmdUnlock(pmd); frame = isolateMapped(hugePart(load(pmd), vpn & (PMD_PAGES - 1)));',
    },
    scenarios: ['migrateHuge'],
    findings: ['expectation', 'accounting', 'frame-use-after-free', 'plain race'],
    quick: { strategy: 'dpor', executions: 400 },
    stress: { mix: 'fork', machine: { thp: 'always' } },
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
      find: 'if (load(folio + F_REF) !== 1)\n        return false;',
      replace: '',
    },
    scenarios: ['cowBoth', 'hugeCowExit'],
    findings: ['accounting', 'expectation'],
    quick: { strategy: 'dpor', executions: 10 },
    stress: { mix: 'fork' },
  },
  {
    name: 'fork-child-first',
    summary: 'fork puts the VMAs of the child before those of the parent in the lists of the rmap',
    why: 'the walk that ends a migration has passed the child when fork copies the migration entry',
    patch: {
      module: 'anonVma',
      find: `const before = after === 0 ? peek(anon + AV_LAST) : after;
    const behind = before === 0 ? 0 : peek(before + AVC_NEXT);`,
      replace: `const before = after === 0 ? peek(anon + AV_LAST) : 0;
    const behind = before === 0 ? peek(anon + AV_FIRST) : 0;`,
    },
    scenarios: ['forkMigrate'],
    findings: ['accounting', 'expectation'],
    quick: { strategy: 'urw', executions: 100 },
    stress: { mix: 'fork' },
  },
  {
    name: 'fork-migration-writable',
    summary: 'fork copies a migration entry and leaves that of the parent writable and exclusive',
    why: 'the migration ends with an entry that lets the parent write to what the child reads',
    patch: { module: 'fork', find: 'if (cow && shared !== entry) {', replace: 'if (false) {' },
    scenarios: ['forkMigrate'],
    findings: ['accounting', 'expectation'],
    quick: { strategy: 'pct', executions: 200 },
    stress: { mix: 'fork' },
  },
  {
    name: 'exit-hides-late',
    summary:
      'the end of an address space takes its VMAs out of the rmap when their tables are gone',
    why: 'a walk of the rmap has nothing but the VMA in its list to keep the tables that it walks',
    patch: {
      module: 'munmap',
      find: `hideVmas(head);
    reshapeBegin(mm);
    freePgtables(g, mm, head, floor, ceiling);
    reshapeEnd(mm);`,
      replace: `reshapeBegin(mm);
    freePgtables(g, mm, head, floor, ceiling);
    reshapeEnd(mm);
    hideVmas(head);`,
    },
    scenarios: ['exitRmap'],
    machine: { free: 'immediate' },
    findings: ['table-use-after-free', 'bad-upper-entry', 'plain race', 'accounting'],
    quick: { strategy: 'pct', executions: 200 },
    stress: { mix: 'fork' },
  },
  {
    name: 'tables-moved-beside-rmap',
    summary: 'mremap moves a whole table without the locks of the rmap',
    why: 'a walk that has the table’s lock goes on in it, and flushes the place where the page was; a hardware walker uses the new one at once',
    patch: {
      module: 'moveTables',
      find: 'const locked = whole || needRmapLocks;',
      replace: 'const locked = needRmapLocks;',
    },
    scenarios: ['mremapRmap'],
    choices: { speculation: 1, vpn: 5 },
    findings: ['stale-translation', 'frame-use-after-free', 'expectation'],
    quick: { strategy: 'dpor', executions: 2100 },
    stress: { mix: 'all' },
  },
  {
    name: 'truncate-once',
    summary: 'truncation does not zap again once the cache is empty',
    why: 'a private copy of a page beyond the end is mapped after the first zap, and is in no cache',
    patch: {
      module: 'truncate',
      find: `filemapTruncate(inode, pages);
        unmapMappingRange(inode, pages);`,
      replace: 'filemapTruncate(inode, pages);',
    },
    scenarios: ['truncateFault'],
    findings: ['expectation'],
    quick: { strategy: 'pct', executions: 300 },
    stress: { mix: 'all' },
  },
  {
    name: 'fault-size-unchecked',
    summary: 'a fault of a file’s page does not look at the size again once it has the folio lock',
    why: 'the page may be beyond the end by now, and truncation be done when the fault brings it into the cache',
    patch: {
      module: 'faultFile',
      find: 'if (there && !beyond) return frame;',
      replace: 'if (there) return frame;',
    },
    scenarios: ['truncateFault'],
    findings: ['accounting', 'expectation'],
    quick: { strategy: 'pct', executions: 100 },
    stress: { mix: 'all' },
  },
];
