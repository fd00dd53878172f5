/**
 * Comments of the sources are at most 120 columns wide, so that they can be read beside one another; prettier sees to
 * code alone.
 */
import { expect, it } from 'vitest';
import { filesBelow, readTree } from '../../bench/documents/tree.ts';

const WIDTH = 120;
/** Lines with a comment: one that is nothing else, or the end of one with code. */
const COMMENT = /^\s*(?:\/\/|\/?\*)|\s\/\/ |\s\/\*\*? /;

const wide = (text: string): number[] =>
  text
    .split('\n')
    .flatMap((line, at) => (line.length > WIDTH && COMMENT.test(line) ? [at + 1] : []));

it(`no comment is wider than ${WIDTH} columns`, () => {
  const paths = ['src', 'test', 'bench', 'workers'].flatMap((folder) => filesBelow(folder));
  const found = paths
    .filter((path) => /\.(?:cts|mjs|ts)$/.test(path))
    .flatMap((path) => wide(readTree(path)).map((line) => `${path}:${line}`));
  expect(found).toEqual([]);
});

it('is seen in every form, and not where it is none', () => {
  const long = 'x '.repeat(WIDTH / 2 + 1);
  for (const line of [
    `// ${long}`,
    ` * ${long}`,
    `/** ${long}*/`,
    `f(); // ${long}`,
    `f(); /* ${long}`,
  ])
    expect(wide(`f();\n${line}`), line).toEqual([2]);
  for (const line of [`'http://${long}'`, `'${long}'`, '// x', `a /${long}`])
    expect(wide(line), line).toEqual([]);
});
