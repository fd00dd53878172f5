/**
 * What a scenario says of itself: `export const about = {...}`, a literal, read without running the module; and where
 * our own scenarios are: explore/scenarios/FOLDER/NAME.ts, found by name in whatever folder.
 */

import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Expression, Program as ProgramNode } from 'acorn';
import { COMPILED } from './link/compiled.ts';
import { modulesUnder } from './link/modules.ts';
import { readModule } from './link/source.ts';
import { EXPECTATIONS, type ScenarioAbout } from './scenarioTypes.ts';
import { KERNELS, SMALL } from './smallMachines.ts';

/** A scenario that cannot be read; the message says what is missing and what is allowed. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';
}

const FOLDER = join(COMPILED, 'explore/scenarios');

let known: ReadonlyMap<string, string> | null = null;

/** Scenarios under a folder: their files by their names. Throws ScenarioError when two have one name. */
export function scenariosUnder(folder: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [name, paths] of modulesUnder(folder)) {
    if (paths.length > 1)
      throw new ScenarioError(
        `scenario ${name}: ${paths.map((path) => relative(folder, path)).join(', ')}; allowed: one of each name`,
      );
    found.set(name, paths[0]!);
  }
  return found;
}

function ownScenarios(): ReadonlyMap<string, string> {
  known ??= scenariosUnder(FOLDER);
  return known;
}

/** Names of our own scenarios. */
export function scenarioNames(): string[] {
  return [...ownScenarios().keys()].toSorted();
}

/** The module of a scenario: one of ours by its name, or a path. Throws ScenarioError. */
export function scenarioPath(scenario: string): string {
  const own = ownScenarios().get(scenario);
  if (own !== undefined) return own;
  const path = resolve(scenario);
  if (!existsSync(path))
    throw new ScenarioError(
      `scenario ${scenario}: neither a file nor one of ${scenarioNames().join(', ')}`,
    );
  return path;
}

function exportedValue(tree: ProgramNode, name: string): Expression | null {
  for (const node of tree.body) {
    if (node.type !== 'ExportNamedDeclaration') continue;
    if (node.declaration?.type !== 'VariableDeclaration') continue;
    for (const { id, init } of node.declaration.declarations)
      if (id.type === 'Identifier' && id.name === name && init) return init;
  }
  return null;
}

function literal(node: Expression, where: string): unknown {
  const value = (key: string, inner: unknown): unknown =>
    literal(inner as Expression, `${where}.${key}`);
  if (node.type === 'Literal') return node.value;
  if (node.type === 'UnaryExpression' && node.operator === '-')
    return -(literal(node.argument, where) as number);
  if (node.type === 'ObjectExpression')
    return Object.fromEntries(
      node.properties.map((property) => {
        if (property.type !== 'Property' || property.computed)
          throw new ScenarioError(`${where}: only plain properties`);
        const { key } = property;
        const name =
          key.type === 'Identifier' ? key.name : String(literal(key as Expression, where));
        return [name, value(name, property.value)];
      }),
    );
  if (node.type === 'ArrayExpression')
    return node.elements.map((element, at) => value(String(at), element));
  if (node.type === 'BinaryExpression' && node.operator === '+')
    return `${String(value('', node.left))}${String(value('', node.right))}`;
  throw new ScenarioError(`${where}: must be a literal, as it is read without running the module`);
}

/** A scenario's `about`, without linking it. Throws ScenarioError. */
export function readAbout(scenario: string): ScenarioAbout {
  const path = scenarioPath(scenario);
  const node = exportedValue(readModule(path).tree, 'about');
  if (node === null) throw new ScenarioError(`${path}: exports no const about`);
  const about = literal(node, `${path}: about`) as Partial<ScenarioAbout>;
  for (const key of ['summary', 'source', 'expected'] as const)
    if (typeof about[key] !== 'string')
      throw new ScenarioError(`${path}: about.${key} must be a text`);
  if (!EXPECTATIONS.includes(about.expected!))
    throw new ScenarioError(
      `${path}: about.expected: "${about.expected}"; allowed: ${EXPECTATIONS.join(', ')}`,
    );
  if (about.kernel !== undefined) {
    if (!Object.hasOwn(KERNELS, about.kernel))
      throw new ScenarioError(
        `${path}: about.kernel: "${about.kernel}"; allowed: ${Object.keys(KERNELS).join(', ')}`,
      );
    if (about.memoryBytes !== undefined)
      throw new ScenarioError(
        `${path}: about.kernel: "${about.kernel}"; allowed: none with memoryBytes, whose programs have no kernel`,
      );
  }
  return about as ScenarioAbout;
}

/** Values of the constants of a scenario's kernel, its own included; of a program of bare words only its own. */
export function constantsOf({
  constants,
  kernel,
  memoryBytes,
}: ScenarioAbout): Record<string, number> {
  return {
    ...(memoryBytes === undefined && SMALL),
    ...(kernel !== undefined && KERNELS[kernel]),
    ...constants,
  };
}
