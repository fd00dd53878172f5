/** Mutants of pages: pins, paging out, swap, counts. */

import type { Mutant } from './mutant.ts';

export const PAGE_MUTANTS: readonly Mutant[] = [
  {
    name: 'gup-get-unconditional',
    summary: 'GUP-fast takes a reference on a frame whose count may be zero',
    why: 'the frame may be free: whoever brought the count to zero owns it alone',
    patch: {
      module: 'gupFast',
      find: `if (!folioTryGet(frame)) return 0;
        pinFolio(frame);
        if (load(pmd) !== upper || load(pte) !== entry)`,
      replace: `folioGet(frame);
        pinFolio(frame);
        if (load(pmd) !== upper || load(pte) !== entry)`,
    },
    scenarios: ['zapGup'],
    findings: ['frame-use-after-free'],
    quick: { strategy: 'dpor', executions: 100 },
    stress: { mix: 'gup-only' },
  },
  {
    name: 'gup-entry-unchecked',
    summary: 'GUP-fast does not look at the entry again once it has its reference',
    why: 'a mutator that cleared the entry and then found no references has given the page up',
    patch: {
      module: 'gupFast',
      find: 'if (load(pmd) !== upper || load(pte) !== entry) {',
      replace: 'if (load(pmd) !== upper) {',
    },
    scenarios: ['pageoutPin'],
    findings: ['expectation'],
    quick: { strategy: 'dpor', executions: 100 },
    stress: { mix: 'all' },
  },
  {
    name: 'pageout-before-clear',
    summary: 'paging out counts references before it clears the entry',
    why: 'a GUP-fast in between takes its reference and still finds the entry',
    patch: {
      module: 'rmapEntries',
      find: `const cleared = clearPte(pte);
        flushTlbRange(mm, vpn, vpn + 1, false);
        const next = anon ? replacement(page, cleared, slot) : uffdLeftBehind(vma, cleared);`,
      replace: `const seen = load(pte);
        const early = anon ? replacement(page, seen, slot) : 0;
        const cleared = clearPte(pte);
        flushTlbRange(mm, vpn, vpn + 1, false);
        const next = anon ? (early === seen ? cleared : early) : uffdLeftBehind(vma, cleared);`,
    },
    scenarios: ['pageoutPin'],
    findings: ['expectation'],
    quick: { strategy: 'dpor', executions: 100 },
    stress: { mix: 'all' },
  },
  {
    name: 'swap-in-unchecked',
    summary: 'a swap-in does not look again whether the swap entry is still there',
    why: 'two faults of one page bring it in twice, and free its slot twice',
    patch: {
      module: 'fault',
      find: `if (load(pte) !== entry) {
        pteUnmapUnlock(pte);
        folioPut(frame);
        return 0;
    }
    const flags = load(vma + VMA_FLAGS);
    mapAnonFrame`,
      replace: 'const flags = load(vma + VMA_FLAGS); mapAnonFrame',
    },
    scenarios: ['faultSwap'],
    findings: ['accounting'],
    quick: { strategy: 'random', executions: 100 },
    stress: { mix: 'all' },
  },
  {
    name: 'table-count-plain',
    summary:
      'a detached table is taken off the count of its address space by a single compare-and-exchange',
    why: 'an attempt that another CPU’s count comes between fails, and nobody tries again',
    patch: {
      module: 'offsets',
      find: 'sub(mm + MM_TABLES, 1);',
      replace: `const seen = load(mm + MM_TABLES);
        compareExchange(mm + MM_TABLES, seen, (seen - 1) >>> 0);`,
    },
    scenarios: ['zapFault'],
    findings: ['accounting'],
    quick: { strategy: 'dpor', executions: 100 },
    stress: { mix: 'zap-heavy' },
  },
];
