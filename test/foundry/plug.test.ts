/**
 * Every build of the kernel has every plug-in's hooks; a build that has not would run `none` whatever a run asks for.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { plugIns, pluggedHooks, SOCKETS, type Socket } from '../../src/foundry/plug.ts';
import * as sources from '../../src/kernel/index.ts';
import { linkKernel } from '../../src/explore/link/coroutine.ts';
import { readAbout, openScenario } from '../../src/explore/scenario.ts';
import { loadKernel, prepareKernel } from '../../src/machine/kernel.ts';
import { createMemory } from '../../src/machine/memory.ts';
import { CHECK_LEVELS, EXECUTIONS, resolveOptions } from '../../src/machine/options.ts';

const KERNEL = fileURLToPath(new URL('../../src/kernel', import.meta.url));
const SRC = fileURLToPath(new URL('../../src', import.meta.url));
const PROTOCOLS = SOCKETS[0]!;

const withoutComments = (text: string): string =>
  text.replaceAll(/\/\*[^]*?\*\/|^\s*\/\/.*$|[;,] \/\/.*$/gm, '');

/** Hooks that the files of a folder of plug-ins export, counted without the foundry. */
function exported({ folder }: Socket): number {
  const files = readdirSync(join(KERNEL, folder), { withFileTypes: true }).map((entry) =>
    entry.isDirectory() ? `${entry.name}/${entry.name}.ts` : entry.name,
  );
  return files
    .map((file) => readFileSync(join(KERNEL, folder, file), 'utf8'))
    .reduce((sum, text) => sum + (text.match(/^export function /gm)?.length ?? 0), 0);
}

/** The value of a constant that a kernel exports: WebAssembly exports it as a global. */
const valueOf = (it: unknown): number =>
  typeof it === 'number' ? it : (it as { value: number }).value;

describe.each(SOCKETS)('every build sees every hook of $folder', (socket) => {
  const { counter } = socket;
  const pattern = new RegExp(String.raw`${counter}\s+= ${exported(socket)};`);

  test('there are hooks to see', () => expect(exported(socket)).toBeGreaterThan(10));

  test('the sources, as tests import them', () => {
    expect(sources).toHaveProperty(counter, exported(socket));
  });

  describe.each(EXECUTIONS)('%s', (execution) => {
    test.each(CHECK_LEVELS)('checks %s', async (check) => {
      const memory = createMemory(resolveOptions({ cpus: 1, execution, check, tables: 64 }));
      const host = { clockNs: () => 0, end: () => {} };
      const kernel = await loadKernel(await prepareKernel(execution, check, memory), memory, host);
      expect(valueOf(kernel[counter as keyof typeof kernel])).toBe(exported(socket));
    });
  });

  test.each([
    ['as the build made it', {}],
    ['with other constants', { constants: { SCAN_BATCH: 1 } }],
    ['with a mutant', { patch: { module: 'async', find: 'tableMoved(table);', replace: '' } }],
  ])('the coroutines %s', (_, options) => {
    const { source } = linkKernel(options);
    expect(source).toMatch(pattern);
  });

  test("a user's scenario", () => {
    const folder = mkdtempSync(join(tmpdir(), 'ptlab-plug-'));
    try {
      const scenario = join(folder, 'mine.ts');
      const ours = fileURLToPath(
        new URL('../../src/explore/portable/scenarioApi.ts', import.meta.url),
      );
      expect(readFileSync(ours, 'utf8')).toContain('export');
      writeFileSync(
        scenario,
        `import { newSpace, PMD_PAGES, zapAndReclaim } from 'ptlab/scenario';
export const about = { summary: 'one', source: 'here', expected: 'passes' };
let mm: u32 = 0;
export function setUp(): void { mm = newSpace(PMD_PAGES); }
function zap(): void { zapAndReclaim(mm, 0, PMD_PAGES); }
export const cpus = [zap];
`,
      );
      expect(readAbout(scenario).summary).toBe('one');
      const { source } = openScenario({ scenario });
      expect(source).toMatch(pattern);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('a plug-in that cannot be used', () => {
  let folder = '';
  const socket: Socket = { ...PROTOCOLS, hooks: 'hooks.ts', folder: 'kinds' };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'ptlab-plug-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const withKinds = (kinds: Readonly<Record<string, string>>): (() => void) => {
    const kernel = mkdtempSync(join(folder, 'kernel-'));
    mkdirSync(join(kernel, 'kinds'));
    writeFileSync(
      join(kernel, 'hooks.ts'),
      '/** Hooks. */\nexport const PLUGGED_PROTOCOL_HOOKS: u32 = 0;\n\n/** One. */\nexport function one(a: u32): u32 {\n  return a;\n}\n',
    );
    for (const [name, text] of Object.entries(kinds))
      writeFileSync(join(kernel, 'kinds', name), text);
    return () => {
      const text = readFileSync(join(kernel, 'hooks.ts'), 'utf8');
      pluggedHooks(text, socket, plugIns(kernel, socket));
    };
  };
  const ABOUT = "export const about = { name: 'a', summary: 'an a' };\n";

  test.each([
    [
      'has no about',
      { 'a.ts': 'export function one(a: u32): u32 { return 1; }' },
      'kinds/a.ts: export const about',
    ],
    [
      'exports what is no hook',
      { 'a.ts': `${ABOUT}export function two(): void {}` },
      'kinds/a.ts: two is no hook; of hooks.ts: one',
    ],
    ['has the name of another', { 'a.ts': ABOUT, 'b.ts': ABOUT }, 'two plug-ins have one name'],
    ['is no TypeScript', { 'a.ts': 'export const about = {' }, 'kinds/a.ts:1'],
    [
      'computes its about',
      { 'a.ts': "export const about = { name: 'a' + 'b' };" },
      'kinds/a.ts: about.name: a literal is wanted',
    ],
  ])('%s', (_, kinds, message) => {
    expect(withKinds(kinds)).toThrow(message);
  });

  test('nothing else in src/ names one, but scenarios, mutants, and what the build made', () => {
    // `none` is a word for other things, too.
    const names = plugIns(KERNEL, PROTOCOLS)
      .map(({ name }) => name)
      .filter((name) => name !== 'none');
    const quoted = new RegExp(`(['"\`])(${names.join('|')})\\1`);
    const own = /^(kernel\/protocols|explore\/(scenarios|mutants))\/|^foundry\/catalogue\.ts$/;
    const naming = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !own.test(file))
      .filter((file) => quoted.test(withoutComments(readFileSync(join(SRC, file), 'utf8'))));
    expect(naming).toEqual([]);
    expect(quoted.test(readFileSync(join(SRC, 'explore/mutants/refcount.ts'), 'utf8'))).toBe(true);
  });

  test('codes: the base is 0, the default 1, then by name', () => {
    const kinds = plugIns(KERNEL, PROTOCOLS);
    expect(kinds.slice(0, 2).map(({ name }) => name)).toEqual(['none', 'sync']);
    expect(kinds.map(({ code }) => code)).toEqual(kinds.map((_kind, i) => i));
  });
});
