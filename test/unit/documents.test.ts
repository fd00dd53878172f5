/** README.md, CONTRIBUTING.md and bench/README.md say what is so: what programs make of them is made again here. */
import { basename, dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  blocksOf,
  kernelOf,
  lasting,
  withBodies,
  withFigures,
} from '../../bench/documents/blocks.ts';
import { figures } from '../../bench/documents/figures.ts';
import { makeBody } from '../../bench/documents/makers.ts';
import { DOCUMENTS, filesBelow, readTree } from '../../bench/documents/tree.ts';
import { loadCommand } from '../../src/cli/commands.ts';
import { isCommand } from '../../src/cli/summaries.ts';

const WIDTH = 120;
const REMEDY = 'run npm run docs';
const BLOCKS = DOCUMENTS.flatMap((document) =>
  blocksOf(readTree(document)).map((block) => ({ document, ...block })),
);
const MADE = BLOCKS.filter(({ kind }) => kind === 'made');
const MEASURED = BLOCKS.filter(({ kind }) => kind === 'measured');
const FILES = filesBelow();
const NAMES = new Set(FILES.map((path) => basename(path)));

/** A document without its blocks' bodies and fenced code. */
async function prose(document: string): Promise<string> {
  const text = await withBodies(readTree(document), async () => '');
  return text.replaceAll(/^```.*?^```$/gms, '');
}

describe('blocks', () => {
  it.each(MADE)('$document: $command', async ({ command, body }) => {
    expect(lasting(await makeBody(command)), REMEDY).toBe(lasting(body));
  });

  it.each(MEASURED)('$document: $command is signed', ({ body }) => {
    expect(kernelOf(body)).not.toBeNull();
  });

  it('each begin has its end', () => {
    for (const document of DOCUMENTS) {
      const text = readTree(document);
      const ends = text.match(/^<!-- end -->$/gm) ?? [];
      const begins = text.match(/^<!-- (?:made|measured) by: /gm) ?? [];
      const found = blocksOf(text).length;
      expect([document, begins.length, ends.length]).toEqual([document, found, found]);
    }
  });
});

describe.each(DOCUMENTS)('%s', (document) => {
  const text = readTree(document);

  it('has the figures of today', () => {
    expect(text, REMEDY).toBe(withFigures(text, figures()));
  });

  it('names files that there are', async () => {
    const spans = (await prose(document)).matchAll(/`([\w./-]+\.(?:ts|mjs|c|md|pml))`/g);
    const missing = Array.from(spans, ([, path]) => path!).filter((path) => {
      if (path.startsWith('./')) return false;
      const here = normalize(join(dirname(document), path));
      return path.includes('/') ? !FILES.includes(path) && !FILES.includes(here) : !NAMES.has(path);
    });
    expect(missing).toEqual([]);
  });

  it('names commands and options that there are', async () => {
    const wrong: string[] = [];
    for (const [, name, rest] of (await prose(document)).matchAll(/\bptlab ([a-z]+)([^`\n]*)/g)) {
      if (!isCommand(name)) continue;
      const { options } = (await loadCommand(name)).spec;
      for (const [, option] of rest!.matchAll(/ --([a-z][a-z-]*)/g))
        if (option !== 'help' && !Object.hasOwn(options, option!))
          wrong.push(`${name} --${option}`);
    }
    expect(wrong).toEqual([]);
  });

  it(`has prose of at most ${WIDTH} columns`, async () => {
    const long = (await prose(document))
      .split('\n')
      .filter((line) => line.length > WIDTH && !/^(?:\||<!-- )/.test(line));
    expect(long).toEqual([]);
  });
});

/** Executions of races that `ptlab explore` went on with for longer than tests can. */
const LONG = ['443616', '539899', '2542147'];

it('bench/README.md tells the races by the numbers that their test pins', () => {
  const pinned = readTree(FILES.find((path) => basename(path) === 'races.test.ts')!);
  const [table] = /^\| race \(scenario\).*?(?=\n\n)/ms.exec(readTree('bench/README.md'))!;
  const numbers = table.match(/\b[\d,]{2,}\b/g)!.map((number) => number.replaceAll(',', ''));
  expect(numbers.length).toBeGreaterThan(50);
  const digits = pinned.replaceAll(/(?<=\d)[_,](?=\d{3})/g, '');
  const unknown = numbers.filter((number) => !new RegExp(`\\b${number}\\b`).test(digits));
  expect([...new Set(unknown)].toSorted()).toEqual(LONG.toSorted());
});

describe('what is made', () => {
  const text =
    'a 3<!-- things -->, three<!-- things -->\n\n<!-- made by: x -->\n\nold\n\n<!-- end -->\n';

  it('stands between its marks', async () => {
    expect(blocksOf(text)).toEqual([{ kind: 'made', command: 'x', body: 'old' }]);
    expect(await withBodies(text, async () => 'new $1')).toBe(text.replace('old', 'new $$1'));
    expect(await withBodies(text, async () => null)).toBe(text);
  });

  it('is a figure in digits or words, by a name that is known', () => {
    const after = withFigures(text, { things: '4' });
    expect(after).toBe(text.replace('3', '4').replace('three', 'four'));
    expect(() => withFigures(text, {})).toThrow('figure "things"; allowed: ');
  });

  it('is compared without durations and rates', () => {
    expect(lasting('15 executions, 1.9 s: 1.31 M operations')).toBe(
      '15 executions, #: # operations',
    );
  });
});
