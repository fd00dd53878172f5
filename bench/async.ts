/**
 * What asynchronous reclaim frees, holds back and frees for nothing, over its delay: replays of a recorded program on
 * one CPU, whose daemons run by the recording's time, so that every figure but the duration is the same in each run.
 *
 *     node dist/bench/async.js RECORDING.perf.gz
 */
import { runReplay } from '../src/cli/replayRun.ts';
import { stopper } from '../src/cli/interrupt.ts';
import type { MachineOptions } from '../src/machine/options.ts';
import { formatCount } from '../src/report/format.ts';
import { table } from '../src/report/table.ts';
import { loadTrace } from '../src/trace/load.ts';
import { replaySizes } from '../src/trace/sizes.ts';

/** Spans remembered to count tables that were freed for nothing, and the longest time that counts, ms. */
const WASTE = { wasteSlots: 65_536, wasteMs: 100 } as const;

const RUNS: readonly (readonly [name: string, options: MachineOptions])[] = [
  ['none', { protocol: 'none' }],
  ['sync', { protocol: 'sync' }],
  ...[0, 1, 10, 100].map(
    (asyncDelayMs) => [`async, ${asyncDelayMs} ms`, { protocol: 'async', asyncDelayMs }] as const,
  ),
  ['async, 10 ms, eager', { protocol: 'async', asyncDelayMs: 10, asyncEager: true }],
];

const file = process.argv[2];
if (file === undefined) throw new Error('usage: node dist/bench/async.js RECORDING.perf.gz');
const trace = loadTrace(file, { cpus: 1 });
const sizes = replaySizes(trace);
const rows: string[][] = [];
for (const [name, options] of RUNS) {
  using stop = stopper(undefined);
  const machine: MachineOptions = {
    tables: Math.max(65_536, sizes.tables + 4096),
    frames: Math.max(1_048_576, sizes.frames + 4096),
    vmas: Math.max(65_536, sizes.vmas + 4096),
    inodes: Math.min(65_535, sizes.inodes + 16),
    swapPages: 0,
    cpus: 1,
    check: 'off',
    daemonCpu: false,
    ...WASTE,
    ...options,
  };
  const { result, statistics } = await runReplay(trace, machine, stop);
  const { counters, candidates } = statistics;
  const freed = ['tablesReclaimedFast', 'tablesReclaimedSlow', 'tablesReclaimedAsync'];
  const mean = result.vmpteKbs.reduce((sum, kb) => sum + kb, 0) / result.operations;
  rows.push([
    name,
    formatCount(result.vmptePeakKb),
    formatCount(mean),
    formatCount(result.vmpteKb),
    formatCount(freed.reduce((sum, counter) => sum + (counters[counter] ?? 0), 0)),
    formatCount(counters['tablesWasted'] ?? 0),
    formatCount(candidates.heldBackPeakKb),
  ]);
}
const right = 'right' as const;
const columns = ['VmPTE peak kB', 'mean', 'end', 'tables freed', 'for nothing', 'held back kB'];
console.log(
  table([{ title: 'protocol' }, ...columns.map((title) => ({ title, align: right }))], rows).join(
    '\n',
  ),
);
