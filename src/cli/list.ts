/** `ptlab list`: what there is to choose from, one line each. */
import { MUTANTS } from '../explore/mutants/index.ts';
import { readAbout, scenarioNames } from '../explore/scenario.ts';
import { STRATEGIES } from '../explore/searchSettings.ts';
import { PROTOCOL_LIST } from '../machine/protocols.ts';
import { REFUSALS } from '../machine/refusals.ts';
import { ORACLE_NAMES } from '../machine/oracles.ts';
import { table } from '../report/table.ts';
import { AXIS_OPTIONS } from './axes.ts';
import { defineCommand } from './command.ts';
import { EXIT_RIGHT } from './exit.ts';
import { INJECTIONS } from './inject.ts';
import { checkChoice } from './options.ts';
import { MIXES } from '../experiment/mixNames.ts';
import { WORKLOADS } from '../experiment/workloads/index.ts';

interface Entry {
  name: string;
  summary: string;
}

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

function entries(names: readonly string[], summaries: Readonly<Record<string, string>>): Entry[] {
  return names.map((name) => ({ name, summary: summaries[name] ?? '' }));
}

function axis(name: keyof typeof AXIS_OPTIONS): Entry[] {
  return entries(AXIS_OPTIONS[name].allowed, SUMMARIES[name] ?? {});
}

/** Everything that can be listed, by the name that `ptlab list NAME` takes. */
function catalogue(): Record<string, Entry[]> {
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

const KINDS = [
  'protocols',
  'free',
  'fault',
  'zap',
  'emptiness',
  'thp',
  'locks',
  'executions',
  'mixes',
  'workloads',
  'injections',
  'refusals',
  'oracles',
  'scenarios',
  'strategies',
  'mutants',
];

export const list = defineCommand(
  {
    name: 'list',
    summary:
      'show protocols, the other axes, workloads, injections, oracles, scenarios and mutants',
    usage: 'ptlab list [KIND] [--json]',
    positionals: { name: 'KIND', min: 0, max: 1 },
    options: { json: { kind: 'flag', help: 'print one JSON document' } },
    notes: [`KIND is one of ${KINDS.join(', ')}; without it everything is listed.`],
  },
  async (values, [kind]) => {
    if (kind !== undefined) checkChoice('list', 'KIND', kind, KINDS);
    const all = catalogue();
    const shown = Object.entries(all).filter(([name]) => kind === undefined || name === kind);
    if (values.json) {
      process.stdout.write(`${JSON.stringify(Object.fromEntries(shown), null, 2)}\n`);
      return EXIT_RIGHT;
    }
    const lines: string[] = [];
    for (const [name, rows] of shown) {
      if (lines.length > 0) lines.push('');
      lines.push(name);
      const columns = [{ title: '' }, { title: '' }];
      lines.push(
        ...table(
          columns,
          rows.map((row) => [row.name, row.summary]),
          '  ',
        ),
      );
    }
    process.stdout.write(`${lines.join('\n')}\n`);
    return EXIT_RIGHT;
  },
);
