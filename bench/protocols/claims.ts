/**
 * What the series that ptlab grew from claimed, and what ptlab shows, in one run: kB of page tables that are left, what
 * a reference count costs a fault, what a batched zap gains, and what speculative faults gain beside a writer of
 * mmap_lock.
 *
 *     node dist/bench/protocols/claims.js [--samples N] [--sample-ms N] [--cpus 1,2,4] [--gib N] [--json]
 */
import { parseArgs } from 'node:util';
import { reproducer } from '../../src/cli/reproducer.ts';
import { runReplay } from '../../src/cli/replayRun.ts';
import { stopper } from '../../src/cli/interrupt.ts';
import { measureInTurn, median, medianDeviation, type Samples } from '../../src/measure/measure.ts';
import { FAULT_PATHS, type MachineOptions, ZAP_MODES } from '../../src/machine/options.ts';
import { formatCount, formatShare } from '../../src/report/format.ts';
import { table } from '../../src/report/table.ts';
import { interleave, type Rounds } from '../interleave.ts';
import { folio } from '../suite/folio.ts';
import { ROWS } from './rows.ts';

const { values } = parseArgs({
  options: {
    samples: { type: 'string', default: '9' },
    'sample-ms': { type: 'string', default: '500' },
    cpus: { type: 'string', default: '1,2,4' },
    gib: { type: 'string', default: '50' },
    json: { type: 'boolean', default: false },
  },
});
const samples = Number(values.samples);
const sampleMs = Number(values['sample-ms']);
const cpuCounts = values.cpus.split(',').map(Number);
const gib = Number(values.gib);

const RIGHT = 'right' as const;
const columns = (titles: readonly string[]) =>
  titles.map((title, at) => ({ title, ...(at > 0 && { align: RIGHT }) }));
const note = (text: string): boolean => process.stderr.write(`${text} ...\n`);

/** VmPTE in kB at the peak and at the end of the reproducer, one pass on one CPU, by protocol. */
async function tablesLeft(): Promise<Record<string, { peakKb: number; endKb: number }>> {
  const left: Record<string, { peakKb: number; endKb: number }> = {};
  const list = reproducer(gib);
  for (const { name, machine } of ROWS) {
    using stop = stopper(undefined);
    const options = { ...machine, cpus: 1, check: 'off', daemonCpu: false } as const;
    const { result } = await runReplay(list, options, stop);
    left[name] = { peakKb: result.vmptePeakKb, endKb: result.vmpteKb };
  }
  return left;
}

/** Several machines under one workload, sample by sample in turn. Throws when one of them saw a violation. */
async function inTurn(
  workload: string,
  machines: readonly MachineOptions[],
): Promise<readonly Samples[]> {
  const measured = await measureInTurn(
    machines.map((machine) => ({
      workload,
      machine: { ...machine, check: 'off' as const },
      samples,
      sampleMs,
      warmupMs: 300,
    })),
  );
  for (const { violations, audit } of measured)
    if (violations.length > 0 || audit?.ok === false)
      throw new Error(`${workload}: ${violations[0]?.message ?? 'the audit found something'}`);
  return measured;
}

/**
 * How much more `one` did than `yardstick` in samples taken side by side: the median of the quotients less 1, and their
 * median deviation.
 */
interface Gain {
  gain: number;
  mad: number;
}
function gainOf(one: Samples, yardstick: Samples): Gain {
  const quotients = one.samples.map(
    ({ iterationsPerSecond }, at) =>
      iterationsPerSecond / yardstick.samples[at]!.iterationsPerSecond,
  );
  return { gain: median(quotients) - 1, mad: medianDeviation(quotients) };
}

/** Faults per second of page_fault1_threads against protocol none, by protocol and CPUs. */
async function costOfCount(): Promise<Record<string, Record<number, Gain>>> {
  const costs: Record<string, Record<number, Gain>> = {};
  for (const cpus of cpuCounts) {
    note(`page_fault1_threads, ${cpus} CPUs`);
    const measured = await inTurn(
      'page_fault1_threads',
      ROWS.map(({ machine }) => ({ ...machine, cpus })),
    );
    for (const [at, { name }] of ROWS.entries())
      if (at > 0) (costs[name] ??= {})[cpus] = gainOf(measured[at]!, measured[0]!);
  }
  return costs;
}

/** Faults per second of all CPUs but one, which maps and unmaps, by fault path; and against mmap_lock. */
async function besideWriter(): Promise<
  Record<string, Record<number, Gain & { perSecond: number; lockWaitShare: number }>>
> {
  const workload = new URL('faultsBesideWriter.js', import.meta.url).href;
  const gains: Awaited<ReturnType<typeof besideWriter>> = {};
  for (const cpus of cpuCounts.filter((count) => count > 1)) {
    note(`faults beside a writer, ${cpus} CPUs`);
    const measured = await inTurn(
      workload,
      FAULT_PATHS.map((fault) => ({ cpus, fault })),
    );
    for (const [at, fault] of FAULT_PATHS.entries())
      (gains[fault] ??= {})[cpus] = {
        ...gainOf(measured[at]!, measured[0]!),
        perSecond: measured[at]!.perSecond,
        lockWaitShare: median(measured[at]!.samples.map((sample) => sample.lockWaitShare)),
      };
  }
  return gains;
}

/** The suite `folio`, and what it says of the deferred-split lock. */
async function batchedZap(): Promise<Rounds & { notes: string[] }> {
  note('munmap and MADV_DONTNEED of 1 GiB');
  await using suite = await folio.open({ peers: null, roundMs: sampleMs, quick: false });
  const rounds = await interleave(suite.measurements, samples, new AbortController().signal);
  return { ...rounds, notes: suite.notes?.() ?? [] };
}

note(`reproducer, ${gib} GiB`);
const left = await tablesLeft();
const costs = await costOfCount();
const zaps = await batchedZap();
const writer = await besideWriter();

const medianMs = ({ figures }: Rounds, name: string): string =>
  figures.find((figure) => figure.name === name)!.median.toFixed(1);
const signed = (share: number): string => `${share < 0 ? '-' : '+'}${formatShare(Math.abs(share))}`;
const withSpread = ({ gain, mad }: Gain): string => `${signed(gain)} ±${formatShare(mad)}`;

if (values.json) {
  process.stdout.write(`${JSON.stringify({ gib, left, costs, zaps, writer })}\n`);
} else {
  const blocks = [
    [
      `VmPTE of the reproducer, ${gib} GiB, kB (claimed: 102,640 without, 240 with sync, 248 with pte-refcount)`,
      ...table(
        columns(['protocol', 'peak', 'end']),
        Object.entries(left).map(([name, { peakKb, endKb }]) => [
          name,
          formatCount(peakKb),
          formatCount(endKb),
        ]),
      ),
    ],
    [
      'faults/s of page_fault1_threads against none (claimed for pte-refcount: -0.6 % at 1 thread, -1.2 % at 8)',
      ...table(
        columns(['protocol', ...cpuCounts.map((cpus) => `${cpus} CPUs`)]),
        Object.entries(costs).map(([name, byCpus]) => [
          name,
          ...cpuCounts.map((cpus) => withSpread(byCpus[cpus]!)),
        ]),
      ),
    ],
    [
      `time of a zap of 1 GiB by runs against page by page (claimed for munmap: 4 KiB -1 %, 64 KiB -37 %, 2 MiB -58 %)`,
      ...table(
        columns(['what', 'page by page, ms', 'by runs, ms', 'by runs']),
        zaps.ratios.map(({ of, to, median: quotient }) => {
          return [
            of.replace(`/${ZAP_MODES[1]}`, ''),
            medianMs(zaps, to),
            medianMs(zaps, of),
            signed(quotient - 1),
          ];
        }),
      ),
      ...zaps.notes,
    ],
    [
      'faults/s beside a CPU that maps and unmaps, and against mmap-lock (claimed for speculative: 3.7 times the ordinary path)',
      ...table(
        columns([
          'fault path',
          ...cpuCounts
            .filter((cpus) => cpus > 1)
            .flatMap((cpus) => [`${cpus} CPUs, faults/s`, 'against', 'lock wait']),
        ]),
        Object.entries(writer).map(([name, byCpus]) => [
          name,
          ...Object.values(byCpus).flatMap((one) => [
            formatCount(one.perSecond),
            withSpread(one),
            formatShare(one.lockWaitShare),
          ]),
        ]),
      ),
    ],
  ];
  process.stdout.write(`${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`);
}
