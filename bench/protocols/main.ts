/**
 * The reclaim protocols side by side, in one run: what they do to faults, lockless walks and cycles of touching and
 * MADV_DONTNEED, at 1, 2 and 4 CPUs, and what tables cost under each. Samples of all protocols are interleaved.
 *
 *     node dist/bench/protocols/main.js [--samples N] [--sample-ms N] [--cpus 1,2,4] [--json]
 */
import { parseArgs } from 'node:util';
import { measureInTurn, median, type Samples } from '../../src/measure/measure.ts';
import { formatCount, formatShare, formatSi } from '../../src/report/format.ts';
import { table } from '../../src/report/table.ts';
import { ROWS } from './rows.ts';

const { values } = parseArgs({
  options: {
    samples: { type: 'string', default: '5' },
    'sample-ms': { type: 'string', default: '1000' },
    cpus: { type: 'string', default: '1,2,4' },
    json: { type: 'boolean', default: false },
  },
});
const samples = Number(values.samples);
const sampleMs = Number(values['sample-ms']);
const cpuCounts = values.cpus.split(',').map(Number);
const protocols = ROWS.map(({ name }) => name);

/** What is measured, by the column's name. */
const WORKLOADS = {
  'faults/s': 'page_fault1_threads',
  'walks/s': new URL('walks.js', import.meta.url).href,
  'cycles/s': 'reproducer',
} as const;
type Column = keyof typeof WORKLOADS;
const COLUMNS = Object.keys(WORKLOADS) as Column[];

/** Samples by protocol, for one column and number of CPUs. */
type Measured = Record<string, Samples>;

async function measure(column: Column, cpus: number): Promise<Measured> {
  const list = ROWS.map(({ machine }) => ({
    workload: WORKLOADS[column],
    machine: { ...machine, cpus, check: 'off' as const },
    samples,
    sampleMs,
    warmupMs: 300,
  }));
  const measured = await measureInTurn(list);
  for (const { violations, audit, options } of measured)
    if (violations.length > 0 || audit?.ok === false)
      throw new Error(
        `${options.protocol}, ${column}, ${cpus} CPUs: ${violations[0]?.message ?? 'the audit found something'}`,
      );
  return Object.fromEntries(measured.map((one, at) => [protocols[at]!, one]));
}

const medianOf = (one: Samples, of: (sample: Samples['samples'][number]) => number): number =>
  median(one.samples.map(of));
const rate = (one: Samples): string =>
  `${formatSi(one.perSecond)} ±${formatShare(one.perSecond === 0 ? 0 : one.perSecondMad / one.perSecond)}`;

const results: { column: Column; cpus: number; measured: Measured }[] = [];
for (const column of COLUMNS)
  for (const cpus of cpuCounts) {
    process.stderr.write(`${column}, ${cpus} CPUs\n`);
    results.push({ column, cpus, measured: await measure(column, cpus) });
  }

if (values.json) {
  process.stdout.write(
    `${JSON.stringify(
      results.map(({ column, cpus, measured }) => ({
        column,
        cpus,
        protocols: Object.fromEntries(
          Object.entries(measured).map(([name, one]) => [
            name,
            { perSecond: one.perSecond, perSecondMad: one.perSecondMad, samples: one.samples },
          ]),
        ),
      })),
    )}\n`,
  );
} else {
  const right = 'right' as const;
  const lines = table(
    [
      { title: 'protocol' },
      ...results.map(({ column, cpus }) => ({
        title: `${column}, ${cpus} CPU${cpus > 1 ? 's' : ''}`,
        align: right,
      })),
    ],
    protocols.map((protocol) => [
      protocol,
      ...results.map(({ measured }) => rate(measured[protocol]!)),
    ]),
  );
  const memory = results.filter(({ column }) => column === 'cycles/s');
  const costs = table(
    [
      'protocol',
      'CPUs',
      'tables at peak, kB',
      'tables at the end, kB',
      'lock wait',
      'grace periods/s',
    ].map((title, at) => ({
      title,
      ...(at > 0 && { align: right }),
    })),
    memory.flatMap(({ cpus, measured }) =>
      protocols.map((protocol) => {
        const one = measured[protocol]!;
        return [
          protocol,
          String(cpus),
          formatCount(medianOf(one, (sample) => sample.vmptePeakKb)),
          formatCount(medianOf(one, (sample) => sample.vmpteKb)),
          formatShare(medianOf(one, (sample) => sample.lockWaitShare)),
          formatCount(
            medianOf(
              one,
              (sample) => ((sample.counters['gracePeriods'] ?? 0) / sample.durationMs) * 1000,
            ),
          ),
        ];
      }),
    ),
  );
  process.stdout.write(
    [...lines, '', 'cycles of touching and MADV_DONTNEED:', ...costs, ''].join('\n'),
  );
}
