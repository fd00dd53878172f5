import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  COMPILED,
  LinkError,
  compileCoroutines,
  linkCoroutines,
  linkKernel,
  type CoroutineHost,
} from '../../src/explore/link/coroutine.ts';
import { ADD, FLAG_UNUSED, KIND_SPAN, LOAD, SLOTS, STORE } from '../../src/explore/operation.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ptlab-coroutine-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function module(name: string, text: string): string {
  const path = join(folder, `${name}.js`);
  writeFileSync(path, text);
  return path;
}

function host(slots = new Uint32Array(SLOTS)): CoroutineHost {
  return {
    slots,
    peek: (address) => address,
    poke: () => {},
    fillWords: () => {},
    endCpu: () => {
      throw new Error('ended');
    },
    expect: () => {},
    event: () => {},
    keeps: () => true,
  };
}

const relative = (path: string): string => `./${path.slice(folder.length + 1)}`;

function word(): string {
  return '../'.repeat(folder.split('/').length) + join(COMPILED, 'kernel/word/word.js').slice(1);
}

const bump = (a: number, unused = FLAG_UNUSED) => [
  `bump ${ADD | unused} ${a} 11`,
  `bump ${ADD} ${a} 2`,
  expect.stringMatching(`bump ${LOAD} ${a}`),
];

test('operations become yields, their callers generators, and the rest stays plain', () => {
  const inner = module(
    'inner',
    `import { load, store, add } from '${word()}';
     const LIMIT = 3;
     function helper(x) { return x + LIMIT; }
     export function bump(a) { add(a, helper(1)); return add(a, 2) + load(a); }
     export function plain(x) { const add = (y) => y; return add(helper(x)); }
     export function nested(a) { store(a, bump(bump(a))); return 7; }`,
  );
  const outer = module(
    'outer',
    `import { bump as rise, nested } from '${relative(inner)}';
     export { plain } from '${relative(inner)}';
     function helper(x) { return rise(x) + nested(x); }
     export const all = [helper, rise];
     export function run(a) { return helper(a) * 2; }`,
  );
  const linked = linkCoroutines([outer], { constants: { LIMIT: 10 } });
  const slots = new Uint32Array(SLOTS);
  const exports = compileCoroutines(linked)(host(slots)) as {
    run: (a: number) => Generator<number, number, number>;
    plain: (x: number) => number;
    all: unknown[];
  };
  expect(exports.plain(1)).toBe(11);
  expect(exports.all).toHaveLength(2);
  const seen: string[] = [];
  const running = exports.run(64);
  let step = running.next(0);
  while (step.done !== true) {
    const site = linked.sites[Math.floor(step.value / KIND_SPAN)]!;
    seen.push(`${site.function} ${step.value % KIND_SPAN} ${slots[0]} ${slots[1]}`);
    step = running.next(5);
  }
  expect(seen).toEqual([
    ...bump(64),
    ...bump(64),
    ...bump(10),
    `nested ${STORE | FLAG_UNUSED} 64 10`,
  ]);
  expect(step.value).toBe((10 + 7) * 2);
});

test('instances are independent', () => {
  const path = module(
    'state',
    `let state = 0; export function next() { state += 1; return state; }`,
  );
  const make = compileCoroutines(linkCoroutines([path]));
  const one = make(host()) as { next: () => number };
  const two = make(host()) as { next: () => number };
  expect([one.next(), one.next(), two.next()]).toEqual([1, 2, 1]);
});

test('a patch replaces its text once, whatever the white space', () => {
  const path = module('patched', `export function answer() {\n    return 6 *\n 7;\n}`);
  const patch = { module: 'patched', find: 'return 6 * 7;', replace: 'return 41;' };
  const { answer } = compileCoroutines(linkCoroutines([path], { patch }))(host()) as {
    answer: () => number;
  };
  expect(answer()).toBe(41);
  for (const wrong of [
    { ...patch, find: 'return 8;' },
    { ...patch, find: '7', module: 'other' },
  ])
    expect(() => linkCoroutines([path], { patch: wrong })).toThrow(LinkError);
});

test.each([
  ['an operation passed on', 'export function f() { return [1].map(load); }', /must be called/],
  ['an operation in an inner function', 'export function f() { return () => load(0); }', /inner/],
  [
    'a caller passed on',
    'function g() { load(0); } export function f(h) { h(g); }',
    /must be called/,
  ],
  ['an operation at the top', 'export const x = load(0);', /outside of a function/],
])('refused: %s', (name, text, message) => {
  const path = module(name.replaceAll(' ', '_'), `import { load } from '${word()}';\n${text}`);
  expect(() => linkCoroutines([path])).toThrow(message);
});

test('refused: a name that the module does not import, though another one has a function of that name', () => {
  module('elsewhere', `import { load } from '${word()}';\nexport function far() { load(0); }`);
  const text = `import './elsewhere.js';\nexport function f() {\n  return 1;\n}`;
  const path = module('unimported', text);
  const patch = { module: 'unimported', find: 'return 1;', replace: 'far(); return 1;' };
  expect(() => linkCoroutines([path])).not.toThrow();
  expect(() => linkCoroutines([path], { patch })).toThrow(
    new LinkError(`${path}:3: far: neither declared in this module nor imported by it`),
  );
});

test('names that nothing need import: locals of every kind, labels, properties, the language’s own', () => {
  const path = module(
    'names',
    `export function f(a, { b, c: [d = 1] }, ...e) {
      around: for (const g of e) for (let h = 0; h < g; h++) { if (h > Math.max(a, b, d)) break around; }
      switch (a) { case 0: const i = 1; return i; default: }
      try { JSON.parse(''); } catch (j) { return { far: j.far, b, ['b']: new.target, e: arguments.length }; }
      class K { far = 1; near() { return K; } }
      return (function l(m) { return m === 0 ? K : l(m - 1); })(2);
    }`,
  );
  expect(() => linkCoroutines([path])).not.toThrow();
});

test('refused: a constant that does not exist, a module that is missing, a package', () => {
  const path = module('fine', 'export const A = 1;');
  expect(() => linkCoroutines([path], { constants: { B: 1 } })).toThrow(/none is called B/);
  expect(() => linkCoroutines([join(folder, 'none.js')])).toThrow(/no such module/);
  const bare = module('bare', "import { x } from 'x'; export const y = x;");
  expect(() => linkCoroutines([bare])).toThrow(/relative/);
});

test('the kernel: built and linked anew are the same; small tables are a constant away', () => {
  const built = linkKernel();
  const anew = linkCoroutines(['kernel/index.js']);
  expect(built.source).toBe(anew.source);
  expect(built.sites).toEqual(anew.sites);
  const small = linkKernel({ constants: { TABLE_BITS: 1, LOCK_SPINS: 0 } });
  expect(small.source).toContain('const TABLE_BITS = 1;');
  const kernel = compileCoroutines(small)(host());
  expect(kernel['doMadvise']).toBeTypeOf('function');
  expect(String(kernel['doMadvise'])).toMatch(/^function\s?\*/);
  expect(String(kernel['setThisCpu'])).toMatch(/^function setThisCpu/);
});
