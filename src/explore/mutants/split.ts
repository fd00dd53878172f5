/**
 * Mutants of the splitting of large folios: migration entries, the freeze, the deferred-split queue, the folios that it
 * makes.
 */

import type { Mutant } from './mutant.ts';

const STRESS = { mix: 'folio', machine: { zap: 'folio', mthp: 'always' } } as const;

export const SPLIT_MUTANTS: readonly Mutant[] = [
  {
    name: 'split-freeze-ignored',
    summary: 'a split goes on although somebody else has a reference on the folio',
    why: 'a pin that came before the migration entries is of the folio, and would be of a page, or of nothing, afterwards',
    patch: {
      module: 'splitFolio',
      find: `if (!freeze(head)) {
        removeMigrationPtes(head, head);
        return false;
    }`,
      replace: 'freeze(head);',
    },
    scenarios: ['folioSplitPin'],
    findings: ['accounting', 'plain race', 'frame-use-after-free', 'expectation'],
    quick: { strategy: 'urw', executions: 100 },
    stress: STRESS,
  },
  {
    name: 'split-still-mapped',
    summary: 'a split freezes the folio with its entries in place',
    why: 'GUP-fast, zaps and faults use the entries, and count on a folio that is being taken apart',
    patch: {
      module: 'splitFolio',
      find: `tryToMigrate(head);
    if (!freeze(head)) {`,
      replace: `const all = folioMapCount(head) + 1;
    deferredLock();
    const frozen = compareExchange(folioOf(head) + F_REF, all, 0) === all;
    if (frozen) deferredForget(head);
    deferredUnlock();
    if (!frozen) {`,
    },
    scenarios: ['folioSplitZap', 'folioSplitPin'],
    findings: ['accounting', 'frame-use-after-free', 'expectation'],
    quick: { strategy: 'dpor', executions: 10 },
    stress: STRESS,
  },
  {
    name: 'split-leaves-it-queued',
    summary: 'a folio that is split stays on the deferred-split queue',
    why: 'its first page is a folio of one page, which the next pass takes for one of several; freed, it is in a list',
    patch: { module: 'splitFolio', find: 'if (frozen) deferredForget(head);', replace: '' },
    scenarios: ['folioSplitQueued'],
    findings: ['frame-use-after-free', 'endless', 'accounting', 'expectation'],
    quick: { strategy: 'dpor', executions: 10 },
    stress: STRESS,
  },
  {
    name: 'split-freezes-unlocked',
    summary: 'a split freezes its folio, and takes it off the queue, without the lock of the queue',
    why: 'a pass takes references from the list alone, and both change the list',
    patch: {
      module: 'splitFolio',
      find: `deferredLock();
    const frozen = compareExchange(folioOf(head) + F_REF, 1, 0) === 1;
    if (frozen)
        deferredForget(head);
    deferredUnlock();`,
      replace: `const frozen = compareExchange(folioOf(head) + F_REF, 1, 0) === 1;
    if (frozen)
        deferredForget(head);`,
    },
    scenarios: ['folioSplitQueued'],
    findings: ['plain race', 'frame-use-after-free', 'accounting', 'expectation'],
    quick: { strategy: 'dpor', executions: 100 },
    stress: STRESS,
  },
  {
    name: 'old-head-kept',
    summary: 'who takes a reference by a tail does not look again which folio the page is in',
    why: 'the folio was split in between: the reference is on what was its head, and nothing keeps the page',
    patch: { module: 'frame', find: 'if (now === head) return true;', replace: 'return true;' },
    scenarios: ['folioSplitPin'],
    findings: ['frame-use-after-free', 'expectation', 'accounting'],
    quick: { strategy: 'urw', executions: 1000 },
    stress: STRESS,
  },
  {
    name: 'split-pages-stay-locked',
    summary: 'the pages that a split makes stay locked',
    why: 'a fault that met a migration entry waits for the lock of a page that nobody else knows to be locked',
    patch: { module: 'splitFolio', find: 'folioUnlockNew(head + i);', replace: '' },
    scenarios: ['folioSplitFault'],
    findings: ['lock-order', 'unmet', 'deadlock'],
    quick: { strategy: 'dpor', executions: 10 },
    stress: STRESS,
  },
  {
    name: 'split-pages-put-first',
    summary: 'a split drops its references on the pages before their entries are back',
    why: 'that is the only one there is until then: the page is free, and somebody else’s, when it is mapped',
    patch: {
      module: 'splitFolio',
      find: `for (let i = 0; i < pages; i += 1)
        removeMigrationPtes(head + i, head + i);
    for (let i = 1; i < pages; i += 1) {
        folioUnlockNew(head + i);
        folioPut(head + i);
    }`,
      replace: `for (let i = 1; i < pages; i += 1) {
        folioUnlockNew(head + i);
        folioPut(head + i);
    }
    for (let i = 0; i < pages; i += 1)
        removeMigrationPtes(head + i, head + i);`,
    },
    scenarios: ['folioSplitFault', 'folioSplitZap'],
    findings: ['lock-order', 'frame-use-after-free', 'accounting'],
    quick: { strategy: 'dpor', executions: 10 },
    stress: STRESS,
  },
];
