/**
 * Mutants of huge pages: faults, zaps and splits of huge PMDs, collapse, retracted tables, and GUP-fast against them.
 */

import type { Mutant } from './mutant.ts';

export const HUGE_MUTANTS: readonly Mutant[] = [
  {
    name: 'gup-no-pmd-look',
    summary: 'GUP-fast does not look at the PMD again once it has its reference',
    race: 7,
    why: 'collapse has looked at the references before this one was taken, and the entry is cleared only afterwards: the page is copied away from under the pin',
    patch: {
      module: 'gupFast',
      find: 'if (load(pmd) !== upper || load(pte) !== entry)',
      replace: 'if (load(pte) !== entry)',
    },
    scenarios: ['collapseGup'],
    constants: { COLLAPSE_INTERRUPTS: 0 },
    findings: ['expectation', 'frame-use-after-free'],
    quick: { strategy: 'dpor', executions: 200 },
    stress: { mix: 'huge' },
  },
  {
    name: 'gup-no-huge-look',
    summary: 'GUP-fast does not look at a huge PMD again once it has its reference',
    why: 'the folio may have been freed and given out again between the first look and the reference',
    patch: { module: 'gupFast', find: 'if (load(pmd) !== upper) {', replace: 'if (false) {' },
    scenarios: ['hugeZapGup'],
    findings: ['expectation'],
    quick: { strategy: 'dpor', executions: 200 },
    stress: { mix: 'huge' },
  },
  {
    name: 'deposit-freed-at-once',
    summary:
      'the table deposited for a huge page is freed when that is zapped, without a grace period',
    why: 'a lockless walker may be in it since before collapse took it out of the tree',
    patch: {
      module: 'hugeDeposit',
      find: 'pteFreeTlb(gather, table, first);',
      replace: 'tableFree(table);',
    },
    scenarios: ['collapseWalk'],
    findings: ['table-use-after-free'],
    quick: { strategy: 'dpor', executions: 630 },
    stress: { mix: 'huge' },
  },
  {
    name: 'collapse-no-flush',
    summary: 'collapse clears the PMD and does not flush',
    why: 'a CPU goes on using the old pages by its TLB, or the table by its paging-structure cache',
    patch: {
      module: 'collapse',
      find: 'flushTlbRange(mm, first, first + PMD_PAGES, true);',
      replace: '',
    },
    scenarios: ['collapseFault'],
    findings: ['stale-translation', 'frame-use-after-free', 'expectation'],
    quick: { strategy: 'random', executions: 200 },
    stress: { mix: 'huge' },
  },
  {
    name: 'collapse-keeps-vma-lock',
    summary: 'collapse does not take the lock of the VMA for write',
    why: 'a fault under the VMA lock finds the PMD none while collapse has its table, and installs another',
    patch: { module: 'collapse', find: 'vmaStartWrite(vma);', replace: '' },
    scenarios: ['collapseFault', 'khugepagedFault'],
    findings: ['accounting', 'bad-upper-entry', 'lost-entry', 'stale-translation', 'expectation'],
    quick: { strategy: 'random', executions: 400 },
    stress: { mix: 'huge' },
  },
  {
    name: 'split-reads-marks-first',
    summary: 'a split takes the marks of the huge entry before it takes its rights away',
    why: 'the MMU of another CPU sets dirty in between, and the write is forgotten',
    patch: {
      module: 'hugePmd',
      find: 'const old = pmdInvalidate(mm, pmd, first);',
      replace: 'const old = load(pmd); pmdInvalidate(mm, pmd, first);',
    },
    scenarios: ['hugeSplitAccess'],
    findings: ['expectation', 'stale-translation'],
    quick: { strategy: 'random', executions: 400 },
    stress: { mix: 'huge' },
  },
  {
    name: 'huge-fault-without-recheck',
    summary:
      'a huge fault stores its entry without looking again, under the PMD lock, whether it is still none',
    why: 'two faults find the same entry none; the second overwrites the folio of the first',
    patch: {
      module: 'hugeFault',
      find: 'const won = load(pmd) === 0;',
      replace: 'const won = true;',
    },
    scenarios: ['hugeFaultFault'],
    findings: ['accounting'],
    quick: { strategy: 'urw', executions: 200 },
    stress: { mix: 'huge' },
  },
  {
    name: 'retract-stale-pmd',
    summary: 'retraction trusts the PMD value that it read before it had the PMD lock',
    race: 5,
    why: 'reclaim of empty tables takes no rmap lock: the table may be detached, or freed and another in its place',
    patch: {
      module: 'retract',
      find: `if (!entryNamesTable(load(pmd))) return 0;
        let table = 0;
        pmdLock(pmd);
        const pte = pteOffsetMapRwNolock(pmd, first);
        if (pte !== 0) {
            pteLockNested(pte);
            if (!mayHaveOwnEntries(vma)) {
            forgetMarkers(pte);
            table = takeTableOut(mm, pmd, first);
        }
            pteUnlock(pte);
            pteUnmap(pte);
        }
        pmdUnlock(pmd);`,
      replace: `const seen = load(pmd);
        if (!entryNamesTable(seen)) return 0;
        let table = 0;
        pmdLock(pmd);
        takeTableOut(mm, pmd, first);
        table = entryNumber(seen);
        pmdUnlock(pmd);`,
    },
    scenarios: ['retractReclaim'],
    findings: [
      'accounting',
      'table-use-after-free',
      'bad-upper-entry',
      'nonempty-table-freed',
      'expectation',
    ],
    quick: { strategy: 'dpor', executions: 440 },
    stress: { mix: 'huge' },
  },
];
