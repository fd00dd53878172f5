/**
 * Uses of a module's top-level names, found by the scoping rules of JavaScript.
 */

import type { AnyNode, Identifier } from 'acorn';
import { fullAncestor } from 'acorn-walk';
import { patternNames, type Module, type Reference, type Target } from './module.ts';
import { placeOf } from './positions.ts';
import { LinkError } from './program.ts';

type AnyFunction = Extract<
  AnyNode,
  { type: 'FunctionDeclaration' | 'FunctionExpression' | 'ArrowFunctionExpression' }
>;

export const isFunction = (node: AnyNode): node is AnyFunction =>
  node.type === 'FunctionDeclaration' ||
  node.type === 'FunctionExpression' ||
  node.type === 'ArrowFunctionExpression';

/** Names that a scope itself declares. */
function declaredIn(scope: AnyNode): Set<string> {
  const names = new Set<string>();
  if (isFunction(scope)) {
    for (const parameter of scope.params) patternNames(parameter, names);
    if (scope.type === 'FunctionExpression' && scope.id) names.add(scope.id.name);
  } else if (scope.type === 'CatchClause') {
    if (scope.param) patternNames(scope.param, names);
  } else {
    const inner: readonly (AnyNode | null | undefined)[] =
      scope.type === 'BlockStatement'
        ? scope.body
        : scope.type === 'ForStatement'
          ? [scope.init]
          : scope.type === 'ForOfStatement' || scope.type === 'ForInStatement'
            ? [scope.left]
            : scope.type === 'SwitchStatement'
              ? scope.cases.flatMap(({ consequent }) => consequent)
              : [];
    for (const node of inner) {
      if (node?.type === 'VariableDeclaration')
        for (const each of node.declarations) patternNames(each.id, names);
      else if (node?.type === 'FunctionDeclaration' || node?.type === 'ClassDeclaration')
        if (node.id) names.add(node.id.name);
    }
  }
  return names;
}

/** Names that need no declaration, beside those of the global object. */
const LANGUAGE: ReadonlySet<string> = new Set(['arguments', 'import', 'meta', 'new', 'target']);

/** Whether an identifier is a property's or an import's name rather than a use. */
function isOnlyName(node: AnyNode, parent: AnyNode): boolean {
  if (parent.type === 'ImportSpecifier' || parent.type === 'ExportSpecifier') return true;
  if (parent.type === 'MemberExpression') return parent.property === node && !parent.computed;
  if (parent.type === 'Property')
    return parent.key === node && !parent.computed && !parent.shorthand;
  if (parent.type === 'MethodDefinition' || parent.type === 'PropertyDefinition')
    return parent.key === node && !parent.computed;
  if (parent.type === 'LabeledStatement') return parent.label === node;
  return parent.type === 'BreakStatement' || parent.type === 'ContinueStatement';
}

/** What the linker knows about names: see Linker. */
interface Resolver {
  resolve(module: Module, name: string): Target | null;
  imported(module: Module, binding: Target): Target;
}

/** A use of a top-level name; of a namespace with the `member` that is used, null: the namespace as a value. */
interface Use {
  node: AnyNode;
  name: string;
  member?: string | null;
  ancestors: AnyNode[];
}

/** Uses by syntax tree: the same in every program that has the module. */
const known = new WeakMap<AnyNode, Use[]>();

function usesOf(module: Module): Use[] {
  const before = known.get(module.tree);
  if (before !== undefined) return before;
  const uses: Use[] = [];
  const scopes = new Map<AnyNode, Set<string>>();
  const namesOf = (scope: AnyNode): Set<string> => {
    const found = scopes.get(scope) ?? declaredIn(scope);
    scopes.set(scope, found);
    return found;
  };
  fullAncestor(module.tree, (raw, _state, rawAncestors) => {
    const node = raw as AnyNode;
    if (node.type !== 'Identifier') return;
    const ancestors = rawAncestors as AnyNode[];
    const parent = ancestors.at(-2);
    if (parent === undefined || isOnlyName(node, parent)) return;
    const { name } = node;
    for (const around of ancestors) if (around !== node && namesOf(around).has(name)) return;
    const binding = module.bindings.get(name);
    if (binding === undefined) {
      if (name in globalThis || LANGUAGE.has(name)) return;
      throw new LinkError(
        `${placeOf(module, node)}: ${name}: neither declared in this module nor imported by it`,
      );
    }
    if (binding.type !== 'namespace') uses.push({ node, name, ancestors: [...ancestors] });
    else if (parent.type === 'ImportNamespaceSpecifier') return;
    else if (parent.type !== 'MemberExpression' || parent.object !== node || parent.computed)
      uses.push({ node, name, member: null, ancestors: [...ancestors] });
    else if (parent.property.type === 'Identifier')
      uses.push({
        node: parent,
        name,
        member: parent.property.name,
        ancestors: ancestors.slice(0, -1),
      });
  });
  known.set(module.tree, uses);
  return uses;
}

/**
 * Uses of top-level names, of this module and of others, in the module; also notes its uses of namespaces as values.
 * Throws LinkError at a name that nothing declares: linked, it might be another module's, whose function would then be
 * called and not run.
 */
export function referencesOf(module: Module, names: Resolver): Reference[] {
  if (module.references !== null) return module.references;
  const references: Reference[] = [];
  for (const { node, name, member, ancestors } of usesOf(module)) {
    const binding = module.bindings.get(name)!;
    if (binding.type !== 'namespace') {
      const target = names.resolve(module, name);
      if (target !== null) references.push({ node, target, ancestors });
    } else if (typeof member === 'string') {
      const target = names.imported(module, { path: binding.path, name: member });
      references.push({ node, target, ancestors });
    } else module.namespaces.push({ node: node as Identifier, path: binding.path });
  }
  module.references = references;
  return references;
}
