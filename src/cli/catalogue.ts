/**
 * What there is to choose from, of every kind, one line each: the build writes it down for `ptlab list`, which so loads
 * none of it.
 */
import { MUTANTS } from '../explore/mutants/index.ts';
import { readAbout, scenarioNames } from '../explore/scenario.ts';
import { STRATEGIES } from '../explore/searchSettings.ts';
import { MIXES } from '../experiment/mixNames.ts';
import { WORKLOADS } from '../experiment/workloads/index.ts';
import { ORACLE_NAMES } from '../machine/oracles.ts';
import { PROTOCOL_LIST } from '../machine/protocols.ts';
import { REFUSALS } from '../machine/refusals.ts';
import { AXIS_OPTIONS } from './axes.ts';
import { INJECTIONS } from './inject.ts';
import type { Entry, Kind } from './list.ts';

const SUMMARIES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  protocol: Object.fromEntries(
    Object.entries(PROTOCOL_LIST).map(([name, { summary }]) => [name, summary]),
  ),
  emptiness: {
    scan: 'reads the entries of a table up to the first that is not none',
    count: 'a count in the table’s descriptor, kept under its lock',
  },
  free: {
    rcu: 'a grace period before every table is freed, batch or single',
    'semi-rcu': 'batches by RCU, a single table after an interrupt to every CPU',
    immediate: 'at once; wrong on purpose',
  },
  fault: {
    'mmap-lock': 'faults take mmap_lock for read',
    'vma-lock': 'faults take the lock of the one VMA, found under RCU',
    speculative:
      'faults on anonymous memory take no lock but the PTE lock, and fall back to mmap_lock',
  },
  zap: {
    page: 'one page after the other',
    folio: 'neighbouring pages of one folio at once, as Linux since 6.9',
  },
  thp: {
    never: 'no huge pages but by MADV_COLLAPSE',
    madvise: 'huge pages where MADV_HUGEPAGE was given',
    always: 'huge pages wherever they fit',
  },
  lock: {
    adaptive: 'spins a while, then parks',
    tas: 'test-and-set',
    ticket: 'first come, first served; collapses with more CPUs than cores',
    mcs: 'a queue, each waiter spins on its own word; collapses with more CPUs than cores',
  },
  execution: {
    wasm: 'AssemblyScript build of the kernel',
    js: 'JavaScript build of the same files',
  },
};

const ORACLE_SUMMARIES: Readonly<Record<(typeof ORACLE_NAMES)[number], string>> = {
  'table-use-after-free': 'a walker or the software MMU used a freed table or its lock',
  'nonempty-table-freed': 'a freed table held an entry',
  'stale-translation':
    'a TLB or paging-structure-cache entry was used after the flush that had to remove it',
  'bad-upper-entry': 'an upper entry names a freed table, or garbage',
  'lost-entry': 'an entry was written into a detached table, or a mapped page disappeared',
  'frame-use-after-free': 'a freed data frame was read, written, mapped or freed again',
  accounting: 'tables, resident pages, map counts or references do not balance',
  'grace-period': 'a callback ran before every reader that was inside when it was queued had left',
  'lock-order': 'locks taken against the order, twice, or released by another CPU',
  'no-progress': 'deadlock, livelock, or a grace period that cannot end',
};

function entries(names: readonly string[], summaries: Readonly<Record<string, string>>): Entry[] {
  return names.map((name) => ({ name, summary: summaries[name] ?? '' }));
}

function axis(name: keyof typeof AXIS_OPTIONS): Entry[] {
  return entries(AXIS_OPTIONS[name].allowed, SUMMARIES[name] ?? {});
}

/** Everything that can be listed, by its kind. Reads the compiled scenarios. */
export function catalogue(): Record<Kind, Entry[]> {
  return {
    protocols: axis('protocol'),
    free: axis('free'),
    fault: axis('fault'),
    zap: axis('zap'),
    emptiness: axis('emptiness'),
    thp: axis('thp'),
    locks: axis('lock'),
    executions: axis('execution'),
    mixes: entries(Object.keys(MIXES), MIXES),
    workloads: WORKLOADS.map(({ name, summary }) => ({ name, summary })),
    injections: entries(Object.keys(INJECTIONS), INJECTIONS),
    refusals: REFUSALS.map(({ option, reason }) => ({ name: option, summary: reason })),
    oracles: ORACLE_NAMES.map((name) => ({ name, summary: ORACLE_SUMMARIES[name] })),
    scenarios: scenarioNames().map((name) => ({ name, summary: readAbout(name).summary })),
    strategies: entries(Object.keys(STRATEGIES), STRATEGIES),
    mutants: MUTANTS.map(({ name, summary }) => ({ name, summary })),
  };
}
