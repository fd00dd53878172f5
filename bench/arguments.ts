/**
 * Counts the atomic writes of the kernel that say with what they pair, or why they need no pair (CONTRIBUTING, rule 7),
 * and those that do not yet:
 *
 *     npm run arguments
 *
 * An argument is a comment that says "pairs with", "publishes" or "published by", or "no pair". It stands at the end of
 * the write's line; above the write, for that one and the writes of the lines that follow at once; or in the comment of
 * the function, for all of its writes.
 */
import { pathToFileURL } from 'node:url';
import { filesBelow, readTree } from './documents/tree.ts';

/** Writes of word.ts, whose own files make no argument. */
const WRITE = /(?<![\w.])(?:store|exchange|compareExchange|add|sub|or|and)\(/g;
const ARGUMENT = /\bpairs? with\b|\bpublish(?:es|ed (?:by|with|before))\b|\bno pair\b/i;
const WORDS = /\/word(?:\.wasm)?\.ts$/;

export interface Counted {
  writes: number;
  /** Lines, from 1, of the writes without an argument. */
  without: number[];
}

/** The lines' comments, from their first character on, and what is no comment. */
function split(text: string): { code: string[]; comments: string[] } {
  const code: string[] = [];
  const comments: string[] = [];
  let inside = false;
  for (const line of text.split('\n')) {
    const start = inside ? 0 : line.search(/\/\*|\/\//);
    inside = inside ? !line.includes('*/') : /\/\*(?!.*\*\/)/.test(line);
    code.push(start < 0 ? line : line.slice(0, start));
    comments.push(start < 0 ? '' : line.slice(start));
  }
  return { code, comments };
}

/** The atomic writes of a kernel file, and which of them say nothing. */
export function countArguments(text: string): Counted {
  const { code, comments } = split(text);
  const blank = (line: number): boolean => code[line]!.trim() === '';
  /** The comment that ends right above `line`. */
  const above = (line: number): string => {
    let first = line;
    while (first > 0 && blank(first - 1) && comments[first - 1] !== '') first--;
    return comments
      .slice(first, line)
      .map((comment) => comment.replace(/^\s*(?:\/\*\*|\*|\/\/) ?/, '').trim())
      .join(' ');
  };
  let ofFunction = '';
  let argued = false;
  let writes = 0;
  const without: number[] = [];
  for (const [line, text] of code.entries()) {
    if (/^(?:export )?(?:function|const|let)\b/.test(text)) ofFunction = above(line);
    if (text.trim() === '') continue;
    const here = /^import\b|^(?:export )?function\b/.test(text)
      ? 0
      : [...text.matchAll(WRITE)].length;
    const says = ARGUMENT.test(`${above(line)} ${comments[line]}`);
    argued = says || (argued && here > 0 && above(line) === '');
    writes += here;
    if (here > 0 && !argued && !ARGUMENT.test(ofFunction))
      without.push(...Array.from({ length: here }, () => line + 1));
  }
  return { writes, without };
}

/** The kernel's files that write words atomically. */
export function countKernel(): ReadonlyMap<string, Counted> {
  const files = filesBelow('src/kernel').filter(
    (path) => path.endsWith('.ts') && !WORDS.test(path),
  );
  const counted = files.map((path) => [path, countArguments(readTree(path))] as const);
  return new Map(counted.filter(([, { writes }]) => writes > 0));
}

/** One line a file, most missing first, and the sum. */
export function argumentsTable(files: ReadonlyMap<string, Counted>): string {
  const rows = [...files].toSorted(([, a], [, b]) => b.without.length - a.without.length);
  const line = (name: string, writes: number, without: number): string =>
    `${name.padEnd(48)}${String(writes).padStart(6)}${String(without).padStart(9)}`;
  const sum = (of: (counted: Counted) => number): number =>
    rows.reduce((total, [, counted]) => total + of(counted), 0);
  return [
    `${''.padEnd(48)}writes  without`,
    ...rows.map(([path, { writes, without }]) => line(path, writes, without.length)),
    line(
      'all',
      sum(({ writes }) => writes),
      sum(({ without }) => without.length),
    ),
  ].join('\n');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  console.log(argumentsTable(countKernel()));
