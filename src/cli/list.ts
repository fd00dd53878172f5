/** `ptlab list`: what there is to choose from, one line each. */
import { readFileSync } from 'node:fs';
import { table } from '../report/table.ts';
import { defineCommand } from './command.ts';
import { SUMMARIES } from './summaries.ts';
import { EXIT_RIGHT } from './exit.ts';
import { checkChoice } from './options.ts';

/** One of what there is to choose from. */
export interface Entry {
  name: string;
  summary: string;
}

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
] as const;

export type Kind = (typeof KINDS)[number];

/** What catalogue.ts found when the build asked it. */
function builtCatalogue(): Record<Kind, Entry[]> {
  const text = readFileSync(new URL('catalogue.json', import.meta.url), 'utf8');
  return JSON.parse(text) as Record<Kind, Entry[]>;
}

export const list = defineCommand(
  {
    name: 'list',
    summary: SUMMARIES.list,
    usage: 'ptlab list [KIND] [--json]',
    positionals: { name: 'KIND', min: 0, max: 1 },
    options: { json: { kind: 'flag', help: 'print one JSON document' } },
    notes: [`KIND is one of ${KINDS.join(', ')}; without it everything is listed.`],
  },
  async (values, [kind]) => {
    if (kind !== undefined) checkChoice('list', 'KIND', kind, KINDS);
    const all = builtCatalogue();
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
