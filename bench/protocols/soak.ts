/**
 * Every walker and mover at once under each reclaim protocol, with every oracle: mix `everything`, huge pages, large
 * folios taken out by runs, speculative faults, daemons on a CPU of their own. Afterwards all address spaces are gone:
 * what is left of tables, VMAs and mapped pages must be nothing.
 *
 *     node dist/bench/protocols/soak.js [--seconds N] [--cpus N] [--seed N] [--json]
 *
 * Exit code 1 when a run saw a violation, an audit found something, or anything was left.
 */
import { parseArgs } from 'node:util';
import { boot } from '../../src/boot/boot.ts';
import type { MachineOptions } from '../../src/machine/options.ts';
import { formatCount, formatSi } from '../../src/report/format.ts';
import { table } from '../../src/report/table.ts';
import { ROWS } from './rows.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    cpus: { type: 'string', default: '4' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
const durationMs = Number(values.seconds) * 1000;
const seed = Number(values.seed);
const MACHINE: MachineOptions = {
  cpus: Number(values.cpus),
  check: 'full',
  fault: 'speculative',
  zap: 'folio',
  thp: 'always',
  mthp: 'always',
  daemonCpu: true,
};

/** Columns made of counters: the sums of those named. */
const COUNTED: Readonly<Record<string, readonly string[]>> = {
  faults: ['faults'],
  speculative: ['speculativeCommits'],
  pins: ['gupFast', 'gupSlow'],
  'tables freed': ['tablesFreed'],
  'by the protocol': [
    'tablesReclaimedFast',
    'tablesReclaimedSlow',
    'tablesReclaimedAsync',
    'tablesReclaimedFound',
    'tablesFreedByCount',
    'upperTablesReclaimed',
  ],
  retracted: ['tablesRetracted'],
  collapses: ['collapsed'],
  'folios split': ['foliosSplit'],
  forks: ['forks'],
  migrations: ['migrations'],
  userfaults: ['userfaultsMissing', 'userfaultsWp'],
  moves: ['userfaultMoved'],
  'grace periods': ['gracePeriods'],
};

/** What is left after a run: tables, VMAs and mapped pages. */
interface Left {
  tables: number;
  vmas: number;
  mappedPages: number;
}
interface Result {
  name: string;
  operations: number;
  counters: Record<string, number>;
  left: Left;
  complaints: string[];
}

async function soak(name: string, options: MachineOptions): Promise<Result> {
  await using machine = await boot({ ...MACHINE, ...options });
  const report = await machine.run('everything', { durationMs, seed });
  const after = await machine.audit();
  const { counters } = machine.statistics();
  for (const counter of Object.values(COUNTED).flat())
    if (counters[counter] === undefined) throw new Error(`no counter ${counter}`);
  const { tables, vmas, mappedPages } = after;
  const complaints = [
    ...report.violations.map(({ message }) => message),
    ...(report.audit?.findings ?? []).map(({ message }) => message),
    ...after.findings.map(({ message }) => message),
    ...(report.ended === 'time' ? [] : [`ended by ${report.ended}`]),
    ...(tables + vmas + mappedPages === 0
      ? []
      : [`left: ${tables} tables, ${vmas} VMAs, ${mappedPages} mapped pages`]),
  ];
  return {
    name,
    operations: report.operations,
    counters,
    left: { tables, vmas, mappedPages },
    complaints,
  };
}

const results: Result[] = [];
for (const { name, machine } of ROWS) {
  process.stderr.write(`${name} ...\n`);
  results.push(await soak(name, machine));
}

if (values.json) {
  process.stdout.write(`${JSON.stringify(results)}\n`);
} else {
  const right = 'right' as const;
  const titles = ['operations', ...Object.keys(COUNTED), 'left'];
  const rows = results.map(({ name, operations, counters, left, complaints }) => [
    name,
    formatSi(operations),
    ...Object.values(COUNTED).map((names) =>
      formatCount(names.reduce((sum, counter) => sum + counters[counter]!, 0)),
    ),
    formatCount(left.tables + left.vmas + left.mappedPages),
    complaints[0] ?? 'no violation',
  ]);
  const columns = [
    { title: 'protocol' },
    ...titles.map((title) => ({ title, align: right })),
    { title: 'verdict' },
  ];
  process.stdout.write(`${table(columns, rows).join('\n')}\n`);
}
if (results.some(({ complaints }) => complaints.length > 0)) process.exitCode = 1;
