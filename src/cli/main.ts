#!/usr/bin/env node
/** `ptlab <command> [options]`: finds the command, runs it, turns its outcome into an exit code. */
import { readFileSync } from 'node:fs';
import { loadCommand } from './commands.ts';
import { COMMAND_NAMES, isCommand, SUMMARIES } from './summaries.ts';
import { errorLine, exitCodeOf, EXIT_FAILED, EXIT_RIGHT, UsageError } from './exit.ts';
import { helpText, parseCommand, quoted, suggestion } from './options.ts';

function overview(): string {
  const width = Math.max(...COMMAND_NAMES.map((name) => name.length));
  const lines = COMMAND_NAMES.map((name) => `  ${name.padEnd(width)}  ${SUMMARIES[name]}`);
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
    throw new UsageError(`ptlab: no command; allowed: ${COMMAND_NAMES.join(', ')} (ptlab --help)`);
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    const [about] = rest;
    process.stdout.write(isCommand(about) ? helpText((await loadCommand(about)).spec) : overview());
    return EXIT_RIGHT;
  }
  if (name === '--version' || name === '-V') {
    process.stdout.write(`${version()}\n`);
    return EXIT_RIGHT;
  }
  if (!isCommand(name)) {
    const close = suggestion(name, COMMAND_NAMES);
    const hint = close === null ? '' : `did you mean ${close}? `;
    throw new UsageError(
      `ptlab: unknown command ${quoted(name)}; ${hint}allowed: ${COMMAND_NAMES.join(', ')}`,
    );
  }
  const command = await loadCommand(name);
  const parsed = parseCommand(command.spec, rest);
  if (parsed.help) {
    process.stdout.write(helpText(command.spec));
    return EXIT_RIGHT;
  }
  return command.run(parsed.values, parsed.positionals);
}

/** Reader gone (`ptlab ... | head`): nothing more can be said. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? (process.exitCode ?? EXIT_RIGHT) : EXIT_FAILED);
});

/** Errors whose messages begin with who complains: a command, or a file and its line. */
const SELF_NAMED = new Set(['UsageError', 'TraceError']);

/** Says in one line what went wrong, and turns it into an exit code. */
function fail(error: unknown): number {
  const code = exitCodeOf(error);
  const line = errorLine(error);
  const named = error instanceof Error && SELF_NAMED.has(error.name);
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
