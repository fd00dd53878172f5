/**
 * A module as the linker sees it: the names that it declares, imports and exports.
 */

import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type {
  AnyNode,
  FunctionDeclaration,
  Identifier,
  ImportDeclaration,
  Pattern,
  Program as ProgramNode,
} from 'acorn';
import { LinkError } from './program.ts';
import type { Source } from './source.ts';
import { SCENARIO_API } from './wordOperations.ts';

type Binding =
  | { type: 'own' }
  | { type: 'import'; path: string; name: string }
  | { type: 'namespace'; path: string };

export interface Module {
  path: string;
  /** The path of its source as it is told (positions.ts). */
  file: string;
  name: string;
  text: string;
  tree: ProgramNode;
  source: Source;
  /** Names at the top of the module. */
  bindings: Map<string, Binding>;
  functions: Map<string, FunctionDeclaration>;
  exports: Map<string, { path: string; name: string }>;
  starExports: string[];
  imports: string[];
  /** Names taken from Node's own modules: a declaration each. */
  builtins: string[];
  /** Uses of top-level names of any module, once looked for. */
  references: Reference[] | null;
  /** Uses of namespaces as values. */
  namespaces: { node: Identifier; path: string }[];
}

export interface Reference {
  /** The name, or `namespace.name`. */
  node: AnyNode;
  target: Target;
  /** Outermost first; the last is the node itself. */
  ancestors: AnyNode[];
}

/** A top-level name of some module: `path` and `name` are those of the declaration. */
export interface Target {
  path: string;
  name: string;
}

/** Adds the names that a pattern binds. */
export function patternNames(pattern: Pattern, into: Set<string>): void {
  if (pattern.type === 'Identifier') into.add(pattern.name);
  else if (pattern.type === 'AssignmentPattern') patternNames(pattern.left, into);
  else if (pattern.type === 'RestElement') patternNames(pattern.argument, into);
  else if (pattern.type === 'ArrayPattern')
    for (const element of pattern.elements) {
      if (element !== null) patternNames(element, into);
    }
  else if (pattern.type === 'ObjectPattern')
    for (const property of pattern.properties)
      patternNames(property.type === 'RestElement' ? property.argument : property.value, into);
}

/** What scenarios outside of this project import from. */
const PACKAGE: Readonly<Record<string, string>> = {
  'ptlab/scenario': SCENARIO_API,
};

/** The file that an import of `from` means. Throws LinkError. */
function followed(from: string, specifier: string): string {
  const ours = PACKAGE[specifier];
  if (ours !== undefined) return ours;
  if (!specifier.startsWith('.'))
    throw new LinkError(
      `${from}: import of '${specifier}'; allowed: ${Object.keys(PACKAGE).join(', ')}, relative paths`,
    );
  const path = resolve(dirname(from), specifier);
  const source = path.replace(/\.js$/, '.ts');
  return !existsSync(path) && existsSync(source) ? source : path;
}

/** Notes the names that a module declares, imports and exports. Throws LinkError. */
function collect(module: Module, instead: ReadonlyMap<string, string>): void {
  const { bindings, exports, functions } = module;
  const follow = (specifier: unknown): string => {
    const given = followed(module.path, String(specifier));
    const path = instead.get(given) ?? given;
    if (!module.imports.includes(path)) module.imports.push(path);
    return path;
  };
  const declare = (node: AnyNode): string[] => {
    const found = new Set<string>();
    if (node.type === 'FunctionDeclaration' && node.id) {
      found.add(node.id.name);
      functions.set(node.id.name, node as FunctionDeclaration);
    } else if (node.type === 'ClassDeclaration' && node.id) found.add(node.id.name);
    else if (node.type === 'VariableDeclaration')
      for (const each of node.declarations) patternNames(each.id, found);
    for (const name of found) bindings.set(name, { type: 'own' });
    return [...found];
  };
  for (const node of module.tree.body) {
    if (node.type === 'ImportDeclaration') {
      const source = String(node.source.value);
      if (source.startsWith('node:')) {
        collectBuiltin(module, source, node);
        continue;
      }
      const path = follow(source);
      for (const each of node.specifiers) {
        if (each.type === 'ImportNamespaceSpecifier') {
          bindings.set(each.local.name, { type: 'namespace', path });
          continue;
        }
        if (each.type !== 'ImportSpecifier' || each.imported.type !== 'Identifier')
          throw new LinkError(
            `${module.path}: import names one by one: ${String(node.source.value)}`,
          );
        bindings.set(each.local.name, { type: 'import', path, name: each.imported.name });
      }
    } else if (node.type === 'ExportNamedDeclaration') {
      if (node.declaration)
        for (const name of declare(node.declaration))
          exports.set(name, { path: module.path, name });
      const from = node.source ? follow(node.source.value) : null;
      for (const { local, exported } of node.specifiers) {
        if (local.type !== 'Identifier' || exported.type !== 'Identifier') continue;
        exports.set(exported.name, { path: from ?? module.path, name: local.name });
      }
    } else if (node.type === 'ExportAllDeclaration')
      module.starExports.push(follow(node.source.value));
    else if (node.type === 'ExportDefaultDeclaration')
      throw new LinkError(`${module.path}: a default export cannot be linked; name it`);
    else declare(node);
  }
}

function collectBuiltin(module: Module, source: string, node: ImportDeclaration): void {
  for (const each of node.specifiers) {
    if (each.type !== 'ImportSpecifier' || each.imported.type !== 'Identifier')
      throw new LinkError(`${module.path}: import names one by one: ${source}`);
    module.bindings.set(each.local.name, { type: 'own' });
    module.builtins.push(
      `const ${each.local.name} = process.getBuiltinModule('${source}').${each.imported.name};\n`,
    );
  }
}

/** A module by its path, its names, and its source; `instead`: modules to take in place of others. Throws LinkError. */
export function makeModule(
  { path, file, name }: Pick<Module, 'path' | 'file' | 'name'>,
  source: Source,
  instead: ReadonlyMap<string, string>,
): Module {
  const { text, tree } = source;
  const module: Module = {
    path,
    file,
    name,
    text,
    tree,
    source,
    bindings: new Map(),
    functions: new Map(),
    exports: new Map(),
    starExports: [],
    imports: [],
    builtins: [],
    references: null,
    namespaces: [],
  };
  collect(module, instead);
  return module;
}
