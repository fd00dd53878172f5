/**
 * Mutants of daemons: of khugepaged's list of address spaces, of what it trusts after it has dropped mmap_lock; of the
 * splitter's passes, and of who asks for a split.
 */

import type { Mutant } from './mutant.ts';

const STRESS = { mix: 'all', machine: { thp: 'always', daemonCpu: true } } as const;

export const KHUGEPAGED_MUTANTS: readonly Mutant[] = [
  {
    name: 'khugepaged-exit-takes-busy',
    summary: "the end of an address space takes its mm off khugepaged's list while a pass is in it",
    why: 'the mm is not held any more: the pass works in another address space, and leaves one that is in no list',
    patch: {
      module: 'khugepagedSlots',
      find: '&& peek(G_KHUGEPAGED_BUSY) !== mm',
      replace: '',
    },
    scenarios: ['khugepagedExit'],
    findings: ['accounting', 'expectation', 'table-use-after-free', 'lock-order', 'plain race'],
    quick: { strategy: 'dpor', executions: 1000 },
    stress: STRESS,
  },
  {
    name: 'khugepaged-keeps-ended',
    summary: 'a pass does not look whether the address space that it was in has ended',
    why: 'the end has left it to the pass to take the mm off the list: it stays, and is held for ever',
    patch: {
      module: 'khugepagedSlots',
      find: 'const ended = load(mm + MM_USERS) === 0;',
      replace: 'const ended = false;',
    },
    scenarios: ['khugepagedExit'],
    findings: ['expectation', 'accounting'],
    quick: { strategy: 'dpor', executions: 1000 },
    stress: STRESS,
  },
  {
    name: 'khugepaged-entered-twice',
    summary:
      'an address space is entered without another look, under the lock, whether it is already',
    why: 'two faults find that it is not: it is its own neighbour in the list, and held twice',
    patch: {
      module: 'khugepagedSlots',
      find: 'const first = load(mm + MM_KHUGEPAGED) === 0;',
      replace: 'const first = true;',
    },
    scenarios: ['khugepagedEnter'],
    findings: ['expectation', 'accounting', 'endless'],
    quick: { strategy: 'dpor', executions: 100 },
    stress: STRESS,
  },
  {
    name: 'collapse-trusts-first-look',
    summary: 'a collapse does not look at the entries again once nobody can change them any more',
    why: 'between the look that found the span worth it and the locks pages were zapped, paged out, pinned, or came',
    patch: {
      module: 'collapse',
      find: 'const result = lookAtAll(pte, by, 0, vma);',
      replace: 'const result = SCAN_SUCCEED;',
    },
    scenarios: ['khugepagedZap'],
    findings: ['expectation'],
    quick: { strategy: 'dpor', executions: 290 },
    stress: STRESS,
  },
  {
    name: 'deferred-pass-forgets',
    summary: 'a pass over the deferred-split queue does not put back what it could not split',
    why: 'the folio stays marked as taken off: nobody queues it again, and it is freed in that state',
    patch: { module: 'splitFolio', find: 'else deferredPutBack(head);', replace: '' },
    scenarios: ['folioTwoPasses'],
    findings: ['accounting', 'expectation'],
    quick: { strategy: 'dpor', executions: 100 },
    stress: { mix: 'folio', machine: { mthp: 'always', zap: 'folio', daemonCpu: true } },
  },
  {
    name: 'deferred-put-back-unlocked',
    summary: 'a pass puts a folio back to the deferred-split queue without its lock',
    why: 'another pass, or a zap that queues a folio, changes the list at the same time',
    patch: {
      module: 'deferredSplit',
      find: 'deferredLock(); append(head); deferredUnlock();',
      replace: 'append(head);',
    },
    scenarios: ['folioTwoPasses'],
    findings: ['plain race', 'accounting', 'expectation'],
    quick: { strategy: 'dpor', executions: 100 },
    stress: { mix: 'folio', machine: { mthp: 'always', zap: 'folio', daemonCpu: true } },
  },
  {
    name: 'split-reference-misplaced',
    summary:
      'a page that was split off its folio is taken to have the reference that the caller had on the folio',
    why: 'the reference is on the first page now: that is never freed, and the page is while it is worked on',
    patch: {
      module: 'migrate',
      find: 'folioPut(head); return isolatePage(mm, vpn);',
      replace: 'return frame;',
    },
    scenarios: ['migrateLarge'],
    findings: ['accounting', 'frame-use-after-free', 'expectation'],
    quick: { strategy: 'dpor', executions: 100 },
    stress: { mix: 'fork', machine: { mthp: 'always', zap: 'folio' } },
  },
];
