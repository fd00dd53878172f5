/** Mutants of large folios: faults, zaps of runs, the deferred-split queue. */

import type { Mutant } from './mutant.ts';

/** A machine with folios of all sizes, zapped by runs. */
const FOLIOS = { zap: 'folio', mthp: 'always' } as const;

export const FOLIO_MUTANTS: readonly Mutant[] = [
  {
    name: 'folio-rmap-whole-run',
    summary: 'a zap counts the whole run off although the gather was full in the middle of it',
    why: 'the entries behind are still there, and are counted off a second time when their turn comes',
    patch: {
      module: 'zapFolio',
      find: 'rmapRemovePtes(frame, done);',
      replace: 'rmapRemovePtes(frame, run);',
    },
    scenarios: ['folioGatherFull'],
    findings: ['accounting'],
    quick: { strategy: 'random', executions: 20 },
    stress: { mix: 'folio', machine: { ...FOLIOS, inject: { batch: 2 } } },
  },
  {
    name: 'folio-advance-whole-run',
    summary: 'a zap goes on behind the run although the gather was full in the middle of it',
    why: 'the entries that were not taken out stay, in a table that counts as emptied',
    patch: {
      module: 'zapFolio',
      find: 'return full ? done | RUN_FULL : done;',
      replace: 'return full ? run | RUN_FULL : run;',
    },
    scenarios: ['folioGatherFull'],
    findings: ['accounting', 'expectation', 'nonempty-table-freed'],
    quick: { strategy: 'random', executions: 20 },
    stress: { mix: 'folio', machine: { ...FOLIOS, inject: { batch: 2 } } },
  },
  {
    name: 'folio-freed-before-rmap',
    summary: 'a gather that is full frees its pages before it says so',
    why: 'the zap has yet to count the run off: the last reference must not go before',
    patch: {
      module: 'gather',
      find: 'count(COUNTER_GATHER_FULL);\n    return true;',
      replace: 'gatherFlush(gather);\n    return true;',
    },
    scenarios: ['folioGatherFull'],
    constants: { GATHER_BUNDLE: 3 },
    findings: ['frame-use-after-free', 'accounting', 'stale-translation'],
    quick: { strategy: 'random', executions: 50 },
    stress: { mix: 'folio', machine: { ...FOLIOS, inject: { batch: 2 } } },
  },
  {
    name: 'folio-range-unchecked',
    summary: 'a fault that installs a large folio looks at the first entry of its range only',
    why: 'the range was seen none without the lock: another fault may have installed a page in it since',
    patch: {
      module: 'fault',
      find: 'order === 0 ? load(pte) !== orig : !pteRangeNone(pte, 1 << order)',
      replace: 'load(pte) !== orig',
    },
    scenarios: ['folioFault'],
    findings: ['accounting'],
    quick: { strategy: 'dpor', executions: 200 },
    stress: { mix: 'folio', machine: FOLIOS },
  },
  {
    name: 'deferred-queued-twice',
    summary: 'a partially mapped folio is queued to be split without a look whether it is queued',
    why: 'the look at its flag was without the lock: another CPU may have queued it since',
    patch: {
      module: 'deferredSplit',
      find: 'if (load(folio + LARGE_DEFERRED) === NOT_QUEUED) append(head);',
      replace: 'append(head);',
    },
    scenarios: ['folioQueueTwice'],
    findings: ['accounting', 'expectation'],
    quick: { strategy: 'dpor', executions: 1000 },
    stress: { mix: 'folio', machine: { ...FOLIOS, zap: 'page' } },
  },
  {
    name: 'deferred-freed-queued',
    summary: 'a folio is freed while it is on the deferred-split queue',
    why: 'the queue holds no reference: whoever frees the folio takes it off',
    patch: { module: 'frame', find: 'if (order > 1) unqueueDeferredSplit(frame);', replace: '' },
    scenarios: ['folioHalves'],
    findings: ['accounting', 'frame-use-after-free', 'expectation'],
    quick: { strategy: 'random', executions: 20 },
    stress: { mix: 'folio', machine: { ...FOLIOS, zap: 'page' } },
  },
  {
    name: 'deferred-isolate-dead',
    summary: 'a pass over the deferred-split queue isolates a folio whose references are gone',
    why: 'the folio is being freed: a reference taken now keeps nothing alive',
    patch: {
      module: 'deferredSplit',
      find: 'if (tryGetHead(head)) {',
      replace: 'if (tryGetHead(head) || true) {',
    },
    scenarios: ['folioIsolate'],
    findings: ['frame-use-after-free', 'accounting'],
    quick: { strategy: 'dpor', executions: 100 },
    stress: { mix: 'folio', machine: FOLIOS },
  },
];
