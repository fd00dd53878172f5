/** Where operations stand is told by the source: its path and line, which a reader can open. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { FileNames } from '../../src/explore/failure/fileNames.ts';
import { linkCoroutines, linkKernel } from '../../src/explore/link/coroutine.ts';
import { onlyPath, patchedPaths } from '../../src/explore/link/modules.ts';
import type { Site } from '../../src/explore/operation.ts';
import { openScenario } from '../../src/explore/scenario.ts';

const folder = mkdtempSync(join(tmpdir(), 'ptlab-sites-'));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

/** The line of our sources at which a site is. */
function lineAt({ file, line }: Site): string {
  const path = new URL(`../../src/${file}`, import.meta.url);
  return readFileSync(path, 'utf8').split('\n')[line - 1] ?? '';
}

const calls = ({ operation }: Site): RegExp =>
  operation === 'awaitWord' ? /\bawait(Word|Either)\(/ : new RegExp(`\\b${operation}\\(`);

describe('our own sources', () => {
  const choices = { batch: 1, interrupt: 1 };
  test.each([
    ['the kernel', linkKernel().sites, 'kernel/tables/pteMap.ts'],
    ['bare words', openScenario({ scenario: 'epoch' }).sites, 'explore/scenarios/rcu/epoch.ts'],
    [
      'choices',
      openScenario({ scenario: 'zapWalk', choices }).sites,
      'explore/portable/choices.ts',
    ],
    ['a set-up', openScenario({ scenario: 'zapWalk' }).sites, 'explore/portable/smallSpace.ts'],
  ])('%s: every operation is called on its line', (_, sites, among) => {
    expect(sites.map(({ file }) => file)).toContain(among);
    for (const site of sites) expect(lineAt(site), JSON.stringify(site)).toMatch(calls(site));
  });

  test('lines of a patched module are those of its source', () => {
    const patch = {
      module: 'pteMap',
      find: 'export function pteOffsetMap(',
      replace: '\n\n\nexport function pteOffsetMap(',
    };
    const { sites } = linkKernel({ patch });
    expect(sites).toEqual(linkKernel({ constants: {} }).sites);
  });

  test('an operation in a patch is told where the patch begins', () => {
    const text = readFileSync(
      new URL('../../src/kernel/lock/kinds/tas.ts', import.meta.url),
      'utf8',
    );
    const find = 'store(lock + LOCK_WORD, 0);';
    const begins = text.slice(0, text.indexOf(find)).split('\n').length;
    const patch = { module: 'tas', find, replace: `\n\nstore(lock, 1);\n${find}` };
    const { sites } = linkKernel({ patch });
    const own = sites.filter(
      ({ file, line }) => file === 'kernel/lock/kinds/tas.ts' && line === begins,
    );
    expect(own.map(({ operation }) => operation)).toEqual(['store', 'store']);
  });
});

describe('a user’s own', () => {
  const about = `export const about = { summary: 's', source: 's', expected: 'passes', memoryBytes: 64 };`;
  const words = `import { store } from 'ptlab/scenario';\nexport function put() {\n  store(4, 1);\n}\n`;
  const text = `import { put } from '../lib/words.ts';\n${about}\nexport const cpus = [put];\n`;

  test('is told by its path as given, and what it imports from there', () => {
    write('lib/words.ts', words);
    const path = write(
      'mine/one.ts',
      `${text}import { load } from 'ptlab/scenario';\nfunction f() { load(8); }\n`,
    );
    const given = relative(process.cwd(), path);
    const files = (scenario: string) => openScenario({ scenario }).sites.map(({ file }) => file);
    expect(files(path)).toEqual([join(folder, 'lib/words.ts'), path]);
    expect(files(given)).toEqual([relative(process.cwd(), join(folder, 'lib/words.ts')), given]);
  });
});

describe('the module of a patch', () => {
  const PATHS = ['/k/walk.js', '/k/tables/entry.js', '/k/reclaim/entry.js', '/k/retable/entry.js'];
  const found = (module: string): string => {
    const patch = { module, find: '', replace: '' };
    return onlyPath(patchedPaths(PATHS, patch), patch);
  };

  test('is found by its name in whatever folder, or with folders before it', () => {
    expect(found('walk')).toBe('/k/walk.js');
    expect(found('tables/entry')).toBe('/k/tables/entry.js');
  });

  test.each([
    ['alk', 'patch: the program has no module alk'],
    ['table/entry', 'patch: the program has no module table/entry'],
    [
      'entry',
      `patch: module entry: ${PATHS.slice(1).join(', ')}; allowed: one, named with folders before it`,
    ],
  ])('refused: %s', (module, message) => {
    expect(() => found(module)).toThrow(message);
  });

  test('is the kernel’s when a scenario has the same name', () => {
    const own = write(
      'tas.js',
      `export const cpus = [];\nexport const words = 'store(lock + LOCK_WORD, 0);';`,
    );
    const patch = { module: 'tas', find: 'store(lock + LOCK_WORD, 0);', replace: '' };
    const entries = [own, 'kernel/index.js'];
    const releases = (source: string): number => source.split('lock + LOCK_WORD, 0)').length;
    const { source } = linkCoroutines(entries, { patch });
    expect(source).toContain(`words = '${patch.find}'`);
    expect(releases(source)).toBe(releases(linkCoroutines(entries).source) - 1);
  });

  test('brings no module into the program', () => {
    write('far.js', 'export const far = 1;');
    const own = write('near.js', 'export const near = 1;');
    const patch = {
      module: 'near',
      find: 'export',
      replace: "import { far } from './far.js'; export",
    };
    expect(() => linkCoroutines([own], { patch })).toThrow(
      `patch of near: the program has no module ${join(folder, 'far.js')}`,
    );
  });
});

test('files in a drawing have their base names, and as much before them as tells them apart', () => {
  const names = new FileNames([
    'kernel/tables/walk.ts',
    'kernel/other/walk.ts',
    'kernel/zap/zap.ts',
    'mine.ts',
  ]);
  const place = (file: string): string => names.place({ file, line: 7 });
  expect(place('kernel/zap/zap.ts')).toBe('zap.ts:7');
  expect(place('kernel/tables/walk.ts')).toBe('tables/walk.ts:7');
  expect(place('kernel/other/walk.ts')).toBe('other/walk.ts:7');
  expect(place('mine.ts')).toBe('mine.ts:7');
  expect(names.shortened()).toEqual([
    'kernel/other/walk.ts',
    'kernel/tables/walk.ts',
    'kernel/zap/zap.ts',
  ]);
});
