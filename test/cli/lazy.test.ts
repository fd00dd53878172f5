/**
 * Commands are loaded when they are wanted, and errors of modules that are not loaded still end with their exit code.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { catalogue } from '../../src/cli/catalogue.ts';
import { loadCommand } from '../../src/cli/commands.ts';
import { COMMAND_NAMES, SUMMARIES } from '../../src/cli/summaries.ts';
import {
  EXIT_FAILED,
  EXIT_USAGE,
  exitCodeOf,
  USAGE_ERRORS,
  UsageError,
} from '../../src/cli/exit.ts';
import { ScheduleFileError } from '../../src/explore/failure/scheduleFile.ts';
import { LinkError } from '../../src/explore/link/program.ts';
import { CheckpointError } from '../../src/explore/parallel/checkpoint.ts';
import { DepartureError } from '../../src/explore/replay.ts';
import { ScenarioError } from '../../src/explore/scenario.ts';
import { ScheduleError } from '../../src/explore/scheduleText.ts';
import { OptionError } from '../../src/machine/options.ts';
import { TraceError } from '../../src/trace/traceError.ts';
import { ptlab } from './cli.ts';

const CLI = new URL('../../src/cli/', import.meta.url);

/** Modules of the project that `url` loads before anything runs, itself among them. */
function loadedWith(url: URL, found = new Set<string>()): Set<string> {
  if (found.has(url.href)) return found;
  found.add(url.href);
  const text = readFileSync(url, 'utf8');
  const imports = /^(?:import|export) (?!type )[^;]*? from '(\.[^']+)';$|^import '(\.[^']+)';$/gms;
  for (const [, from, bare] of text.matchAll(imports))
    loadedWith(new URL(from ?? bare!, url), found);
  return found;
}

function names(file: string): string[] {
  const root = fileURLToPath(new URL('../', CLI));
  return [...loadedWith(new URL(file, CLI))]
    .map((href) => fileURLToPath(href).slice(root.length))
    .toSorted();
}

it('main.ts and list.ts load a few small modules', () => {
  const shared = ['cli/exit.ts', 'cli/options.ts', 'cli/summaries.ts'];
  expect(names('main.ts')).toEqual([...shared, 'cli/commands.ts', 'cli/main.ts'].toSorted());
  expect(names('list.ts')).toEqual(
    [...shared, 'cli/command.ts', 'cli/list.ts', 'report/table.ts'].toSorted(),
  );
});

it.each(COMMAND_NAMES)('%s has the name and the line that it is found by', async (name) => {
  const { spec } = await loadCommand(name);
  expect([spec.name, spec.summary]).toEqual([name, SUMMARIES[name]]);
});

it('lists what the build found', async () => {
  const { stdout } = await ptlab('list', '--json');
  expect(JSON.parse(stdout)).toEqual(JSON.parse(JSON.stringify(catalogue())));
});

it('knows every error of usage or input by its name', () => {
  const errors = [
    new UsageError(''),
    new OptionError('', '', ''),
    new TraceError('', null, '', ''),
    new ScenarioError(''),
    new ScheduleError(''),
    new LinkError(''),
    new DepartureError(0, ''),
    new CheckpointError(''),
    new ScheduleFileError(''),
  ];
  expect(errors.map(({ name }) => name)).toEqual(USAGE_ERRORS);
  expect(errors.map(exitCodeOf)).toEqual(errors.map(() => EXIT_USAGE));
  expect(exitCodeOf(new Error('other'))).toBe(EXIT_FAILED);
});
