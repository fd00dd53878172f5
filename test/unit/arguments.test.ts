/**
 * The kernel's atomic writes say with what they pair, or why they need no pair; those that do not yet become fewer
 * (`npm run arguments`).
 */
import { describe, expect, it } from 'vitest';
import { argumentsTable, countArguments, countKernel } from '../../bench/arguments.ts';

/** Writes that say nothing. Lower it with every argument that is written; it is never raised. */
const WITHOUT = 222;

describe('the arguments of atomic writes', () => {
  const files = countKernel();

  it('are missing no more often than they were', () => {
    const without = [...files.values()].reduce((sum, counted) => sum + counted.without.length, 0);
    expect(without, argumentsTable(files)).toBeLessThanOrEqual(WITHOUT);
  });

  it('are looked for where there are writes', () => {
    expect(files.get('src/kernel/alloc/frame.ts')).toEqual({ writes: 12, without: [] });
    expect(files.has('src/kernel/word/word.ts')).toBe(false);
  });
});

describe('an argument', () => {
  it.each([
    ['at the end of the line', 'function f(): void {\n  store(a, 1); // pairs with g\n}'],
    [
      'above the statement',
      'function f(): void {\n  // Publishes what a names.\n  store(a, 1);\n}',
    ],
    [
      'above the first of several',
      'function f(): void {\n  // No pair.\n  store(a, 1);\n  or(b, 2);\n}',
    ],
    [
      'of the function',
      '/** Does it. Pairs with g. */\nexport function f(): void {\n  store(a, 1);\n}',
    ],
    [
      'in several lines',
      '/**\n * Does it. No\n * pair.\n */\nfunction f(): void {\n  add(a, 1);\n}',
    ],
  ])('may stand %s', (_, text) => {
    expect(countArguments(text).without).toEqual([]);
  });

  it.each([
    ['is none', 'function f(): void {\n  store(a, 1); // step 2\n}', [2]],
    [
      'is of something between',
      'function f(): void {\n  // No pair.\n  store(a, 1);\n  g();\n  sub(b, 2);\n}',
      [5],
    ],
    [
      'is of the function before',
      '/** Pairs with f. */\nfunction g(): void {}\nfunction f(): void {\n  and(a, 1);\n}',
      [4],
    ],
    ['is of another of two', 'function f(): void {\n  store(a, or(b, 1));\n}', [2, 2]],
  ])('is missing when it %s', (_, text, lines) => {
    expect(countArguments(text).without).toEqual(lines);
  });

  it('is not asked for where a function is declared or imported', () => {
    expect(
      countArguments("import { store } from 'x';\nexport function add(a: u32): void {}").writes,
    ).toBe(0);
  });
});
