/**
 * Uses of a module's top-level names, found by the scoping rules of JavaScript.
 */

import type { AnyNode } from 'acorn';
import { fullAncestor } from 'acorn-walk';
import { patternNames, type Module, type Reference, type Target } from './module.ts';
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

/**
 * Uses of top-level names, of this module and of others, in the module; also notes its uses of namespaces as values. Found once. Throws LinkError at a
 * name that nothing declares: linked, it might be another module's, whose function would then be called and not run.
 */
export function referencesOf(module: Module, names: Resolver): Reference[] {
  if (module.references !== null) return module.references;
  const references: Reference[] = [];
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
    for (const around of ancestors) if (around !== node && namesOf(around).has(node.name)) return;
    const binding = module.bindings.get(node.name);
    if (binding === undefined) {
      if (node.name in globalThis || LANGUAGE.has(node.name)) return;
      throw new LinkError(
        `${module.path}:${node.loc?.start.line ?? 0}: ${node.name}: neither declared in this module nor imported by it`,
      );
    }
    if (binding.type === 'namespace') {
      if (parent.type === 'ImportNamespaceSpecifier') return;
      if (parent.type !== 'MemberExpression' || parent.object !== node || parent.computed)
        module.namespaces.push({ node, path: binding.path });
      else if (parent.property.type === 'Identifier') {
        const target = names.imported(module, { path: binding.path, name: parent.property.name });
        references.push({ node: parent, target, ancestors: ancestors.slice(0, -1) });
      }
      return;
    }
    const target = names.resolve(module, node.name);
    if (target !== null) references.push({ node, target, ancestors: [...ancestors] });
  });
  module.references = references;
  return references;
}
