/**
 * Names for the words of a program of bare words: those of the scenario's top-level constants that occur in addresses.
 * Which do is read off the scenario's text: a constant in the first argument of a word operation, or in what a variable
 * in there begins with.
 */

import type { AnyNode, Expression, SpreadElement } from 'acorn';
import { full, simple } from 'acorn-walk';
import { scenarioPath } from '../about.ts';
import { compileCoroutines, type CoroutineHost } from '../link/coroutine.ts';
import { readModule } from '../link/source.ts';
import type { Scenario } from '../scenario.ts';

const OPERATIONS = new Set(
  'load store exchange compareExchange add sub or and awaitWord takeWord peek poke'.split(' '),
);

function identifiers(node: Expression | SpreadElement): string[] {
  const found: string[] = [];
  simple(node, { Identifier: ({ name }) => void found.push(name) });
  return found;
}

/**
 * Names that occur in addresses, those inside of nested loads left out: their addresses are looked at by themselves.
 */
function namesInAddresses(tree: AnyNode): Set<string> {
  const names = new Set<string>();
  const variables = new Map<string, string[]>();
  full(tree, (raw) => {
    const node = raw as AnyNode;
    if (node.type === 'VariableDeclarator' && node.id.type === 'Identifier' && node.init)
      variables.set(node.id.name, identifiers(node.init));
    if (node.type !== 'CallExpression' || node.callee.type !== 'Identifier') return;
    if (!OPERATIONS.has(node.callee.name) || node.arguments.length === 0) return;
    for (const name of identifiers(node.arguments[0]!)) names.add(name);
  });
  return new Set([...names].flatMap((name) => [name, ...(variables.get(name) ?? [])]));
}

/** Addresses (in bytes) and their names, ascending. */
export function bareNames(scenario: Scenario): (readonly [number, string])[] {
  const path = scenarioPath(scenario.request.scenario);
  const { tree } = readModule(path);
  const names = namesInAddresses(tree);
  const begin = scenario.source.indexOf(`// ---- ${scenario.name}\n`);
  if (begin < 0) return [];
  const end = scenario.source.indexOf('\n// ---- ', begin);
  const section = scenario.source.slice(begin, end < 0 ? undefined : end);
  const constants = new Map<string, string>();
  for (const [, name] of section.matchAll(/^const ([\w$]+)\b/gm)) {
    const short = name!.replace(/\$.*$/, '');
    if (names.has(short)) constants.set(short, name!);
  }
  const list = [...constants].map(([short, name]) => `${short}: ${name}`).join(', ');
  const at = scenario.source.lastIndexOf('return {');
  const source = `${scenario.source.slice(0, at)}return { ${list} };\n})\n`;
  const host = { slots: new Uint32Array(8) } as unknown as CoroutineHost;
  const values = compileCoroutines({ source, sites: [], statements: [] })(host);
  const bytes = scenario.about.memoryBytes ?? 0;
  return Object.entries(values)
    .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
    .filter(([, value]) => value % 4 === 0 && value >= 0 && value < bytes)
    .map(([name, value]) => [value, name] as const)
    .toSorted(([a], [b]) => a - b);
}
