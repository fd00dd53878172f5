/**
 * The floors of the house: a folder imports only from those below it, and no files import one another in a circle,
 * types included.
 *
 * `boot` joins machines with what they run, the workloads that have names and the kernels of mutants, so it stands
 * above `experiment` and `explore`; `measure` boots machines, so it stands above `boot`, and reports are made of its
 * samples.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  circles,
  importsAmong,
  importsOf,
  leaving,
  missing,
  pastDoors,
  upward,
  type Floors,
} from './imports.ts';

/** What lies in `src`. */
const FLOORS: Floors = [
  'kernel',
  'foundry',
  'machine',
  'trace',
  'experiment',
  'explore',
  'boot',
  'measure',
  'report',
  ['cli', 'index.ts'],
];

/** Rooms of the kernel. */
const ROOMS: Floors = [
  'word',
  'observe',
  'cpu',
  'lock',
  'alloc',
  'rcu',
  'sleep',
  'space',
  'tables',
  'watch',
  'huge',
  'protocols',
  'zap',
  'rmap',
  'vma',
  'fault',
  'uffd',
  'access',
  'calls',
  'daemons',
];

/** The kernel's doors: what memory and numbers mean, and the calls. */
const DOORS = ['abi.ts', 'index.ts'];

/** Who goes past them: code that is linked with the kernel, and the check of plug-ins' types. */
const PASSES = ['src/explore/portable/', 'src/explore/scenarios/', 'src/foundry/catalogue.ts'];

const ROOT = new URL('../../', import.meta.url);

function textsOf(folder: string): [string, string][] {
  return readdirSync(new URL(folder, ROOT), { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
    .filter((path) => /\.c?ts$/.test(path))
    .map((path) => [path, readFileSync(new URL(path, ROOT), 'utf8')]);
}

describe('the files of src and workers', () => {
  const files = new Map(['src', 'workers'].flatMap(textsOf));
  const imports = importsAmong(files);

  it('are all read, and what they import is there', () => {
    for (const name of FLOORS.flat())
      expect([...files.keys()].filter((path) => `${path}/`.startsWith(`src/${name}/`))).not.toEqual(
        [],
      );
    expect(missing(files)).toEqual([]);
  });

  it('of src import nothing outside it', () => {
    expect(leaving(imports, 'src')).toEqual([]);
  });

  it('import one another in no circle', () => {
    expect(circles(imports)).toEqual([]);
  });

  it('import only from floors below', () => {
    expect(upward(imports, 'src', FLOORS)).toEqual([]);
  });

  it('stand on the floors that CONTRIBUTING.md tells of', () => {
    const folders = FLOORS.map((names) => [names].flat()[0]);
    expect(readFileSync(new URL('CONTRIBUTING.md', ROOT), 'utf8')).toContain(
      `\n${folders.join(' < ')}\n`,
    );
  });

  it('come into the kernel by its doors', () => {
    const mayPass = (path: string): boolean => PASSES.some((pass) => path.startsWith(pass));
    expect(pastDoors(imports, 'src/kernel', DOORS, mayPass)).toEqual([]);
  });

  it('of the kernel import only from rooms below', () => {
    expect(upward(imports, 'src/kernel', ROOMS)).toEqual([]);
  });
});

describe('what is found', () => {
  const HOUSE = {
    'src/low/a.ts': 'export const a = 1;\n',
    'src/mid/b.ts': "import { a } from '../low/a.ts';\nimport type { C } from './c.ts';\n",
    'src/mid/c.ts': "export { a } from '../low/a.ts';\nexport interface C {}\n",
    'src/top/d.ts': "import {\n  b,\n  type B,\n} from '../mid/b.ts';\n",
    'src/index.ts': "export * from './top/d.ts';\n",
  };
  const floors: Floors = ['low', 'mid', ['top', 'side']];
  const among = (changes: Record<string, string> = {}): ReturnType<typeof importsAmong> =>
    importsAmong(new Map(Object.entries({ ...HOUSE, ...changes })));

  it('are imports of every form', () => {
    const text = [
      "import { a } from './a.ts';",
      "import type { B } from './b.ts';",
      'import {\n  c,\n  type C,\n} from "./c.ts";',
      "import * as d from '../d.ts';",
      "import './e.ts';",
      "export { f } from './f.ts';",
      "export type { G } from './g.ts';",
      "export * from './h.ts';",
      "const i = await import('./i.ts');",
      "type J = import('./j.ts').J;",
      "import { k } from 'node:fs';",
      "// import { l } from './l.ts';",
      "const m = 'from';\nconst n = './n.ts';",
      "import { a as again } from './a.ts';",
    ].join('\n');
    expect(importsOf('src/x/y.ts', text).toSorted()).toEqual(
      ['d.ts', ...['a', 'b', 'c', 'e', 'f', 'g', 'h', 'i', 'j'].map((name) => `x/${name}.ts`)]
        .map((path) => `src/${path}`)
        .toSorted(),
    );
  });

  it('is nothing in a house that is right', () => {
    expect(circles(among())).toEqual([]);
    expect(upward(among(), 'src', floors)).toEqual([]);
    expect(leaving(among(), 'src')).toEqual([]);
    expect(missing(new Map(Object.entries(HOUSE)))).toEqual([]);
  });

  it('is an import that has been turned round', () => {
    const turned = among({
      'src/low/a.ts': "import type { B } from '../mid/b.ts';\nexport const a = 1;\n",
      'src/mid/b.ts': "import type { C } from './c.ts';\n",
    });
    expect(upward(turned, 'src', floors)).toEqual([
      'src/low/a.ts imports src/mid/b.ts: low stands below mid, or beside it',
    ]);
    expect(circles(turned)).toEqual([
      'a circle: src/low/a.ts -> src/mid/b.ts -> src/mid/c.ts -> src/low/a.ts',
    ]);
  });

  it('is a circle within a folder, once for its files', () => {
    const round = among({ 'src/mid/c.ts': "type B = import('./b.ts').B;\n" });
    expect(upward(round, 'src', floors)).toEqual([]);
    expect(circles(round)).toEqual(['a circle: src/mid/b.ts -> src/mid/c.ts -> src/mid/b.ts']);
  });

  it('is an import from beside, and a folder on no floor', () => {
    expect(upward(among({ 'src/side/e.ts': "import '../top/d.ts';\n" }), 'src', floors)).toEqual([
      'src/side/e.ts imports src/top/d.ts: side stands below top, or beside it',
    ]);
    expect(upward(among({ 'src/loft/e.ts': "import '../top/d.ts';\n" }), 'src', floors)).toEqual([
      'src/loft is on no floor; floors: low, mid, top, side',
    ]);
  });

  it('is a room that imports a file above all rooms', () => {
    const room = among({ 'src/low/a.ts': "import '../index.ts';\n" });
    expect(upward(room, 'src', floors)).toEqual([
      'src/low/a.ts imports src/index.ts: low stands below index.ts, or beside it',
    ]);
  });

  it('is an import from outside, one of what is not there, and one past the doors', () => {
    const worker = among({ 'src/top/d.ts': "import type { W } from '../../workers/w.ts';\n" });
    expect(leaving(worker, 'src')).toEqual(['src/top/d.ts imports workers/w.ts, outside src']);
    expect(missing(new Map([['src/low/a.ts', "import './gone.ts';\n"]]))).toEqual([
      'src/low/a.ts imports src/low/gone.ts, which is not there',
    ]);
    expect(pastDoors(among(), 'src/mid', ['c.ts'])).toEqual([
      'src/top/d.ts imports src/mid/b.ts, past src/mid/c.ts',
    ]);
    expect(pastDoors(among(), 'src/mid', ['b.ts', 'c.ts'])).toEqual([]);
    expect(pastDoors(among(), 'src/mid', ['c.ts'], (path) => path.startsWith('src/top/'))).toEqual(
      [],
    );
  });
});
