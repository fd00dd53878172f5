/**
 * The models of known size, explored by ptlab and by Spin in one session: `node dist/bench/explore/models.js [--rounds
 * N] [--json]`.
 *
 * Each round runs every model once, ptlab in a process of its own and then Spin's compiled verifier, so that neither
 * profits from what came before. Printed are medians over the rounds: the time of the search alone for both (ptlab's
 * own clock, Spin's own clock), and the peak resident memory of ptlab's process.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { openScenario } from '../../src/explore/scenario.ts';
import { exploreDpor } from '../../src/explore/strategies/dpor.ts';
import { exploreParallel } from '../../src/explore/parallel/exploreParallel.ts';
import { ExplorePool } from '../../src/explore/parallel/pool.ts';
import type { SearchResult } from '../../src/explore/verdict.ts';
import { formatCount } from '../../src/report/format.ts';
import { quantile } from '../interleave.ts';

const run = promisify(execFile);

interface Model {
  name: string;
  scenario: 'counters' | 'epoch';
  constants: Readonly<Record<string, number>>;
  /** Executions and blocked ones that Nidhugg's optimal reduction needs, where it is known. */
  optimal: string;
  /** Spin's model and its definitions; null where there is no counterpart. */
  spin: { file: string; defines: readonly string[] } | null;
}

const counters = (name: string, pattern: number, optimal: string): Model => ({
  name,
  scenario: 'counters',
  constants: { PATTERN: pattern },
  optimal,
  spin: { file: 'counters.pml', defines: [`-DCOUNTERS=${pattern + 1}`] },
});

const epoch = (readers: number, updaters: number, optimal: string): Model => ({
  name: `${readers}R+${updaters}U`,
  scenario: 'epoch',
  constants: { READERS: readers, UPDATERS: updaters },
  optimal,
  spin: { file: 'epoch.pml', defines: [`-DREADERS=${readers}`, `-DUPDATERS=${updaters}`] },
});

/** The models, by their names in the table. */
export const MODELS: readonly Model[] = [
  counters('a1', 0, '34,650'),
  {
    ...counters('a1, results unused', 0, '1'),
    constants: { PATTERN: 0, USED: 0 },
    spin: null,
  },
  counters('a2', 1, '3,606'),
  counters('a3', 2, '1'),
  epoch(1, 1, '6 + 2'),
  epoch(2, 1, '36 + 18'),
  epoch(1, 2, '92 + 80'),
  epoch(2, 2, '2,088 + 2,378'),
  epoch(3, 2, '47,044 + 61,462'),
];

/** Without a counterpart, for the split search. */
const LARGER: readonly Model[] = [epoch(4, 2, '')];

interface Measured {
  executions: number;
  blocked: number;
  /** The first search of a process, and one after three others in it. */
  durationMs: number;
  warmMs: number;
  peakMb: number;
}

/** Searches before the one that counts as warm. */
const WARMING = 3;

/** Explores a model in this process. */
async function measure(
  model: Model,
  explore: () => SearchResult | Promise<SearchResult>,
): Promise<Measured> {
  const results: SearchResult[] = [];
  for (let round = 0; round <= WARMING; round++) results.push(await explore());
  for (const { verdict, complete } of results)
    if (verdict.kind !== 'passes' || !complete) throw new Error(`${model.name}: ${verdict.kind}`);
  const [first, last] = [results[0]!.statistics, results.at(-1)!.statistics];
  return {
    executions: first.executions,
    blocked: first.blocked,
    durationMs: first.durationMs,
    warmMs: last.durationMs,
    peakMb: process.resourceUsage().maxRSS / 1024,
  };
}

/** By the search in one thread. */
function measureAlone(model: Model): Promise<Measured> {
  const { make } = openScenario({ scenario: model.scenario, constants: model.constants });
  return measure(model, () => exploreDpor(make, { commuting: true }));
}

/**
 * By the search that is split into parts, on so many threads: at first with workers of its own, which start, then with
 * workers that run.
 */
async function measureSplit(model: Model, threads: number): Promise<Measured> {
  const request = { scenario: model.scenario, constants: model.constants };
  const options = { commuting: true, workers: threads };
  if (threads === 1) return measure(model, () => exploreParallel(request, options));
  let first = true;
  await using pool = new ExplorePool(threads - 1);
  return await measure(model, () => {
    if (!first) return exploreParallel(request, { ...options, pool });
    first = false;
    return exploreParallel(request, options);
  });
}

/** Models big enough to be worth splitting, explored by one worker and by two. */
const SPLIT = ['3R+2U', '4R+2U'];

async function measureApart(model: Model, workers: number | null): Promise<Measured> {
  const self = fileURLToPath(import.meta.url);
  const split = workers === null ? [] : ['--workers', String(workers)];
  const { stdout } = await run(process.execPath, [self, '--one', model.name, ...split]);
  return JSON.parse(stdout) as Measured;
}

interface SpinMeasured {
  states: number;
  durationMs: number;
}

/** Spin's verifiers, compiled, by model; null when Spin or a compiler is missing. */
function buildSpin(folder: string): Map<string, string> | null {
  if (spawnSync('spin', ['-V']).error !== undefined) return null;
  const built = new Map<string, string>();
  const peers = fileURLToPath(new URL('../../../bench/peers/', import.meta.url));
  for (const { name, spin } of MODELS) {
    if (spin === null) continue;
    const own = mkdtempSync(join(folder, 'model-'));
    execFileSync('spin', [...spin.defines, '-a', join(peers, spin.file)], { cwd: own });
    execFileSync('cc', ['-O2', '-DSAFETY', '-w', '-o', 'pan', 'pan.c'], { cwd: own });
    built.set(name, join(own, 'pan'));
  }
  return built;
}

async function measureSpin(pan: string): Promise<SpinMeasured> {
  const startMs = performance.now();
  const { stdout } = await run(pan, ['-m100000'], { maxBuffer: 1 << 24 });
  const durationMs = performance.now() - startMs;
  const states = /^\s*([\d.e+]+) states, stored/m.exec(stdout);
  const errors = /errors: (\d+)/.exec(stdout);
  if (states === null || errors?.[1] !== '0') throw new Error(`${pan}: ${stdout.slice(0, 400)}`);
  const own = /pan: elapsed time ([\d.e+-]+) seconds/.exec(stdout);
  return {
    states: Math.round(Number(states[1])),
    durationMs: own === null ? durationMs : Number(own[1]) * 1000,
  };
}

const median = (values: readonly number[]): number =>
  quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );

interface Row {
  name: string;
  optimal: string;
  executions: number;
  blocked: number;
  durationMs: number;
  warmMs: number;
  perSecond: number;
  peakMb: number;
  spinStates: number | null;
  spinMs: number | null;
}

async function compare(rounds: number): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ptlab-spin-'));
  try {
    const spin = buildSpin(folder);
    if (spin === null) process.stderr.write('no Spin: install Debian package spin to compare\n');
    const ours = new Map<string, Measured[]>(MODELS.map(({ name }) => [name, []]));
    const theirs = new Map<string, SpinMeasured[]>(MODELS.map(({ name }) => [name, []]));
    for (let round = 0; round < rounds; round++) {
      for (const model of MODELS) {
        ours.get(model.name)!.push(await measureApart(model, null));
        const pan = spin?.get(model.name);
        if (pan !== undefined) theirs.get(model.name)!.push(await measureSpin(pan));
      }
    }
    return MODELS.map(({ name, optimal }) => {
      const mine = ours.get(name)!;
      const other = theirs.get(name)!;
      const { executions, blocked } = mine[0]!;
      const durationMs = median(mine.map((one) => one.durationMs));
      const warmMs = median(mine.map((one) => one.warmMs));
      return {
        name,
        optimal,
        executions,
        blocked,
        durationMs,
        warmMs,
        perSecond: ((executions + blocked) / warmMs) * 1000,
        peakMb: Math.max(...mine.map((one) => one.peakMb)),
        spinStates: other[0]?.states ?? null,
        spinMs: other.length === 0 ? null : median(other.map((one) => one.durationMs)),
      };
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface SplitRow {
  name: string;
  executions: number;
  /** Milliseconds with one thread, and with two: the first search, and a warm one. */
  first: [one: number, two: number];
  warm: [one: number, two: number];
}

async function compareSplit(rounds: number): Promise<SplitRow[]> {
  const rows: SplitRow[] = [];
  for (const name of SPLIT) {
    const model = [...MODELS, ...LARGER].find((one) => one.name === name)!;
    const times: [Measured[], Measured[]] = [[], []];
    for (let round = 0; round < rounds; round++)
      for (const workers of [1, 2]) times[workers - 1]!.push(await measureApart(model, workers));
    const medians = (of: 'durationMs' | 'warmMs'): [number, number] => [
      median(times[0].map((one) => one[of])),
      median(times[1].map((one) => one[of])),
    ];
    const { executions } = times[0][0]!;
    rows.push({ name, executions, first: medians('durationMs'), warm: medians('warmMs') });
  }
  return rows;
}

function splitTable(rows: readonly SplitRow[]): string[] {
  const cells = ([one, two]: [number, number]): string =>
    `${formatCount(one)} | ${formatCount(two)} | ${(one / two).toFixed(2)}x`;
  return [
    '| model | executions | first, 1 thread, ms | 2 threads | faster | warm, 1 thread, ms | 2 threads | faster |',
    '|---|---|---|---|---|---|---|---|',
    ...rows.map(
      ({ name, executions, first, warm }) =>
        `| ${name} | ${formatCount(executions)} | ${cells(first)} | ${cells(warm)} |`,
    ),
  ];
}

/** The rows as a Markdown table. */
function tableOf(rows: readonly Row[]): string[] {
  const ms = (value: number | null): string =>
    value === null ? '' : value < 10 ? value.toFixed(1) : formatCount(value);
  return [
    '| model | executions + blocked | optimal (Nidhugg) | ms, first | ms, warm | executions/s, warm | peak MB | Spin: states | Spin: ms |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows.map((row) =>
      [
        '',
        row.name,
        `${formatCount(row.executions)} + ${formatCount(row.blocked)}`,
        row.optimal,
        ms(row.durationMs),
        ms(row.warmMs),
        row.executions < 1000 ? '' : `${formatCount(row.perSecond / 1000)} k`,
        formatCount(row.peakMb),
        row.spinStates === null ? '' : formatCount(row.spinStates),
        ms(row.spinMs),
        '',
      ]
        .join(' | ')
        .trim(),
    ),
  ];
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    one: { type: 'string' },
    workers: { type: 'string' },
    json: { type: 'boolean' },
  },
});
if (values.one !== undefined) {
  const all = [...MODELS, ...LARGER];
  const model = all.find(({ name }) => name === values.one);
  if (model === undefined)
    throw new Error(`model ${values.one}; allowed: ${all.map(({ name }) => name).join(', ')}`);
  const measured =
    values.workers === undefined
      ? await measureAlone(model)
      : await measureSplit(model, Number(values.workers));
  process.stdout.write(`${JSON.stringify(measured)}\n`);
} else {
  const rounds = Number(values.rounds ?? 5);
  const models = await compare(rounds);
  const split = await compareSplit(rounds);
  const lines =
    values.json === true
      ? [JSON.stringify({ models, split }, null, 2)]
      : [...tableOf(models), '', ...splitTable(split)];
  process.stdout.write(`${lines.join('\n')}\n`);
}
