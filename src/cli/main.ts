#!/usr/bin/env node
/** `ptlab <command> [options]`: finds the command, runs it, turns its outcome into an exit code. */
import { readFileSync } from 'node:fs';
import { ScheduleFileError } from '../explore/failure/scheduleFile.ts';
import { LinkError } from '../explore/link/program.ts';
import { CheckpointError } from '../explore/parallel/checkpoint.ts';
import { DepartureError } from '../explore/replay.ts';
import { ScenarioError } from '../explore/scenario.ts';
import { ScheduleError } from '../explore/scheduleText.ts';
import { OptionError } from '../machine/options.ts';
import { TraceError } from '../trace/traceError.ts';
import type { Command } from './command.ts';
import { contend } from './contend.ts';
import { demo } from './demo.ts';
import { explore } from './explore.ts';
import { errorLine, EXIT_FAILED, EXIT_RIGHT, EXIT_USAGE, UsageError } from './exit.ts';
import { list } from './list.ts';
import { helpText, parseCommand, quoted, suggestion } from './options.ts';
import { replay } from './replay.ts';
import { stress } from './stress.ts';

const COMMANDS: readonly Command[] = [stress, replay, explore, contend, list, demo];
const NAMES = COMMANDS.map((command) => command.spec.name);

function overview(): string {
  const width = Math.max(...NAMES.map((name) => name.length));
  const lines = COMMANDS.map(({ spec }) => `  ${spec.name.padEnd(width)}  ${spec.summary}`);
  return [
    'usage: ptlab <command> [options]',
    '',
    'A laboratory for page-table concurrency: page tables in shared memory, worker threads as CPUs.',
    '',
    ...lines,
    '',
    'ptlab <command> --help tells the options of one; ptlab --version the version.',
    'Exit codes: 0 right, 1 a violation, 2 bad usage or input, 3 the run failed, 130 interrupted.',
    '',
  ].join('\n');
}

function version(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

async function run(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined) {
    throw new UsageError(`ptlab: no command; allowed: ${NAMES.join(', ')} (ptlab --help)`);
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    const about = COMMANDS.find((command) => command.spec.name === rest[0]);
    process.stdout.write(about === undefined ? overview() : helpText(about.spec));
    return EXIT_RIGHT;
  }
  if (name === '--version' || name === '-V') {
    process.stdout.write(`${version()}\n`);
    return EXIT_RIGHT;
  }
  const command = COMMANDS.find((one) => one.spec.name === name);
  if (command === undefined) {
    const close = suggestion(name, NAMES);
    const hint = close === null ? '' : `did you mean ${close}? `;
    throw new UsageError(
      `ptlab: unknown command ${quoted(name)}; ${hint}allowed: ${NAMES.join(', ')}`,
    );
  }
  const parsed = parseCommand(command.spec, rest);
  if (parsed.help) {
    process.stdout.write(helpText(command.spec));
    return EXIT_RIGHT;
  }
  return command.run(parsed.values, parsed.positionals);
}

/** What a command line or an input that cannot be used throws. */
const USAGE_ERRORS = [
  UsageError,
  OptionError,
  TraceError,
  ScenarioError,
  ScheduleError,
  LinkError,
  DepartureError,
  CheckpointError,
  ScheduleFileError,
];

function exitCodeOf(error: unknown): number {
  return USAGE_ERRORS.some((kind) => error instanceof kind) ? EXIT_USAGE : EXIT_FAILED;
}

/** Reader gone (`ptlab ... | head`): nothing more can be said. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? (process.exitCode ?? EXIT_RIGHT) : EXIT_FAILED);
});

/** Says in one line what went wrong, and turns it into an exit code. */
function fail(error: unknown): number {
  const code = exitCodeOf(error);
  const line = errorLine(error);
  const named = error instanceof UsageError || error instanceof TraceError;
  process.stderr.write(named ? `${line}\n` : `ptlab: ${line}\n`);
  if (process.env['PTLAB_DEBUG'] && error instanceof Error)
    process.stderr.write(`${error.stack}\n`);
  return code;
}

process.on('uncaughtException', (error) => process.exit(fail(error)));

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  process.exitCode = fail(error);
}
