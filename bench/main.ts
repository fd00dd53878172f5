/** `npm run bench`: ptlab beside C, in one session, rounds interleaved. bench/README.md explains the figures. */
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { openGuest } from './guest.ts';
import { beyond, lost, TRIES } from './gate.ts';
import { type Rounds, interleave } from './interleave.ts';
import type { OpenSuite, Setting, Suite } from './measurement.ts';
import { buildPeers } from './peers.ts';
import { suites } from './suite/index.ts';
import { formatSuite } from './table.ts';

const help = `npm run bench -- [options] [SUITE...]

Suites: ${suites.map(({ name }) => name).join(', ')} (all by default).

  --quick           5 rounds of 30 ms, smaller sizes
  --rounds N        rounds of each measurement, 1 to 1000 (15)
  --round-ms N      milliseconds a round, 1 to 10000 (100)
  --node PATH       also measure under this Node binary; may be given more than once
  --no-peers        without the C peers
  --gate            fail (1) when a ratio is over its goal by more than a quarter in three tries
  --json            one JSON document on stdout instead of tables
  --quiet           no progress on stderr
  --help            this text
`;

class UsageError extends Error {}

function integer(
  option: string,
  text: string | undefined,
  otherwise: number,
  most: number,
): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!(Number.isInteger(value) && value >= 1 && value <= most))
    throw new UsageError(`--${option} '${text}' is not a whole number from 1 to ${most}`);
  return value;
}

function readArguments(args: string[]) {
  const options = {
    quick: { type: 'boolean' },
    rounds: { type: 'string' },
    'round-ms': { type: 'string' },
    node: { type: 'string', multiple: true },
    'no-peers': { type: 'boolean' },
    gate: { type: 'boolean' },
    json: { type: 'boolean' },
    quiet: { type: 'boolean' },
    help: { type: 'boolean' },
  } as const;
  let parsed;
  try {
    parsed = parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = parsed;
  const quick = values.quick === true;
  for (const name of positionals) {
    if (!suites.some((suite) => suite.name === name))
      throw new UsageError(
        `no suite '${name}'; there are: ${suites.map((suite) => suite.name).join(', ')}`,
      );
  }
  return {
    quick,
    rounds: integer('rounds', values.rounds, quick ? 5 : 15, 1000),
    roundMs: integer('round-ms', values['round-ms'], quick ? 30 : 100, 10_000),
    nodes: values.node ?? [],
    peers: values['no-peers'] !== true,
    gate: values.gate === true,
    json: values.json === true,
    quiet: values.quiet === true,
    help: values.help === true,
    chosen: suites.filter(({ name }) => positionals.length === 0 || positionals.includes(name)),
  };
}

interface Result extends Rounds {
  notes: string[];
}

async function measure(
  suite: Suite,
  setting: Setting,
  nodes: string[],
  rounds: number,
  signal: AbortSignal,
): Promise<Result> {
  const open: OpenSuite[] = [];
  try {
    open.push(await suite.open(setting));
    if (suite.guests) {
      for (const node of nodes) open.push(await openGuest(suite.name, node, setting));
    }
    const measurements = open.flatMap((one) => one.measurements);
    if (measurements.length === 0) throw new Error('nothing to measure here');
    const result = await interleave(measurements, rounds, signal);
    return { ...result, notes: open.flatMap((one) => one.notes?.() ?? []) };
  } finally {
    for (const one of open) await one[Symbol.asyncDispose]();
  }
}

async function main(args: string[]): Promise<number> {
  const { chosen, help: wantsHelp, json, quiet, nodes, rounds, ...rest } = readArguments(args);
  if (wantsHelp) {
    process.stdout.write(help);
    return 0;
  }
  const note = (text: string) => {
    if (!quiet) process.stderr.write(`${text}\n`);
  };
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort(new Error('interrupted')));

  const peers = rest.peers ? buildPeers() : null;
  const setting = { peers, roundMs: rest.roundMs, quick: rest.quick };
  const machine = {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    system: `${process.platform} ${release()}`,
    node: process.version,
    compiler: peers?.compiler ?? null,
  };
  for (const sentence of peers?.missing ?? []) note(`missing: ${sentence}`);
  if (!json)
    process.stdout.write(
      `${machine.cpu}, ${machine.cores} CPUs, ${machine.system}, Node ${machine.node}, ` +
        `${machine.compiler ?? 'no C compiler'}\n${rounds} rounds of ${setting.roundMs} ms each\n`,
    );

  const results: ({ name: string; title: string } & Result)[] = [];
  let exitCode = 0;
  for (const suite of chosen) {
    note(`${suite.name} ...`);
    try {
      const tries: Result[] = [];
      do {
        const result = await measure(suite, setting, nodes, rounds, interrupted.signal);
        tries.push(result);
        results.push({ name: suite.name, title: suite.title, ...result });
        const lines = [formatSuite(suite.title, result), ...result.notes.map((one) => `  ${one}`)];
        if (!json) process.stdout.write(`\n${lines.join('\n')}\n`);
      } while (rest.gate && tries.length < TRIES && beyond(tries.at(-1)!.ratios).length > 0);
      const beyondAll = lost(tries.map(({ ratios }) => ratios));
      if (rest.gate && beyondAll.length > 0) {
        process.stderr.write(
          `the gate is closed:\n${beyondAll.map((one) => `  ${one}\n`).join('')}`,
        );
        exitCode = 1;
      }
    } catch (error) {
      if (interrupted.signal.aborted) {
        note(`interrupted in '${suite.name}', whose rounds are dropped`);
        exitCode = 130;
        break;
      }
      note(`${suite.name}: ${error instanceof Error ? error.message : String(error)}`);
      exitCode = 3;
    }
  }
  if (json) {
    const missing = peers?.missing ?? [];
    const { roundMs, quick } = setting;
    const document = { machine, quick, rounds, roundMs, missing, suites: results };
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  }
  return exitCode;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 3;
}
