/**
 * Writes modules as coroutines: generators, `yield*` and `yield` in the places that the linker found, constants
 * replaced.
 */

import { resolve } from 'node:path';
import type { AnyNode, CallExpression, FunctionDeclaration } from 'acorn';
import { fullAncestor } from 'acorn-walk';
import { MagicString } from 'magic-string';
import { COMPILED } from './compiled.ts';
import { FLAG_UNUSED, KIND_SPAN, type Site } from '../operation.ts';
import { keyOf, type Linker } from './linker.ts';
import type { Module, Reference, Target } from './module.ts';
import { LinkError, type Statement } from './program.ts';
import { isFunction, referencesOf } from './references.ts';
import { placeOf, positionOf } from './positions.ts';
import {
  AWAIT_MODULE,
  OPERATIONS,
  PLAIN_OPERATIONS,
  PRIMITIVES_MODULE,
  REPORT_MODULE,
  WORD_MODULE,
} from './wordOperations.ts';

/** Functions of a scenario that run alone, before and after its CPUs. */
const NEVER_DROPPED = new Set(['setUp', 'finish']);

export class Writer {
  readonly linker: Linker;
  readonly sites: Site[] = [];
  /** Calls of AWAIT_MODULE's functions, which have the operations of its callers. */
  readonly calls: Site[] = [];
  readonly statements: Statement[] = [];
  readonly unusedConstants: Set<string>;
  readonly #droppable: string | null;

  constructor(linker: Linker) {
    this.linker = linker;
    const { constants, droppable } = linker.options;
    this.#droppable = droppable === undefined ? null : resolve(COMPILED, droppable);
    this.unusedConstants = new Set(Object.keys(constants ?? {}));
  }

  write(module: Module): string {
    const out = new MagicString(module.text);
    const { plain } = this.linker.options;
    for (const name of plain === true ? [] : module.functions.keys()) {
      if (!this.linker.generators.has(keyOf({ path: module.path, name }))) continue;
      const node = module.functions.get(name)!;
      out.appendLeft(node.start + 'function'.length, '*');
    }
    this.replaceConstants(module, out);
    if (module.path === this.#droppable) this.makeDroppable(module, out);
    for (const reference of referencesOf(module, this.linker))
      this.writeReference(module, out, reference);
    for (const { node, path } of module.namespaces)
      out.update(node.start, node.end, `({ ${this.linker.exportsOf(path, true).join(', ')} })`);
    for (const node of module.tree.body) {
      if (
        node.type === 'ImportDeclaration' ||
        node.type === 'ExportAllDeclaration' ||
        (node.type === 'ExportNamedDeclaration' && !node.declaration)
      )
        out.remove(node.start, node.end);
      else if (node.type === 'ExportNamedDeclaration' && node.declaration)
        out.remove(node.start, node.declaration.start);
    }
    return `// ---- ${module.name}\n${module.builtins.join('')}${out.toString().replace(/^\/\/# sourceMappingURL.*$/m, '')}\n`;
  }

  writeReference(module: Module, out: MagicString, { node, target, ancestors }: Reference): void {
    const key = keyOf(target);
    const operation = this.linker.isOperation(target);
    const text = module.text.slice(node.start, node.end);
    const name = operation ? target.name : this.nameOf(module, node, target);
    const around = ancestors.filter(isFunction);
    const parent = ancestors.at(-2)!;
    const called = parent.type === 'CallExpression' && parent.callee === node;
    const declaration = parent.type === 'FunctionDeclaration' && parent.id === node;
    if (target.path === REPORT_MODULE && target.name === 'event' && called) {
      out.update(node.start, node.end, '$host.event');
      return;
    }
    if (operation || this.linker.generators.has(key)) {
      if (!declaration && around.length > 0) {
        if (!called)
          throw new LinkError(`${placeOf(module, node)}: ${text} must be called, not passed on`);
        if (around.length > 1 || around[0]!.type !== 'FunctionDeclaration')
          throw new LinkError(
            `${placeOf(module, node)}: ${text} is called in an inner function; only functions at the top of a module may`,
          );
      } else if (called || (operation && !declaration))
        throw new LinkError(`${placeOf(module, node)}: ${text} outside of a function`);
    }
    if (operation && called) this.writeOperation(module, out, parent, target.name, ancestors);
    else {
      if (parent.type === 'Property' && parent.shorthand) {
        if (name !== text) out.appendLeft(node.end, `: ${name}`);
      } else if (name !== text) out.update(node.start, node.end, name);
      if (called && target.path === AWAIT_MODULE && module.path !== AWAIT_MODULE)
        this.noteCall(module, node, target.name, around);
      if (called && this.linker.options.plain !== true && this.linker.generators.has(key)) {
        out.prependRight(parent.start, '(yield* ');
        out.appendLeft(parent.end, ')');
      }
    }
  }

  noteCall(module: Module, node: AnyNode, operation: string, around: AnyNode[]): void {
    const caller = around[0] as FunctionDeclaration | undefined;
    const site = { ...positionOf(module, node), module: module.name, operation };
    this.calls.push({ ...site, function: caller?.id?.name ?? '' });
  }

  nameOf(module: Module, node: AnyNode, target: Target): string {
    const name = this.linker.names.get(keyOf(target));
    if (name !== undefined) return name;
    if (target.path === WORD_MODULE && PLAIN_OPERATIONS.has(target.name)) return target.name;
    if (target.path === PRIMITIVES_MODULE && target.name === 'expect') return '$host.expect';
    throw new LinkError(`${placeOf(module, node)}: ${target.name} cannot be explored`);
  }

  writeOperation(
    module: Module,
    out: MagicString,
    call: CallExpression,
    name: string,
    ancestors: AnyNode[],
  ): void {
    const { kind, helper, operands } = OPERATIONS[name]!;
    if (call.arguments.length < operands)
      throw new LinkError(`${placeOf(module, call)}: ${name} takes ${operands} values`);
    const around = ancestors.find(isFunction) as FunctionDeclaration;
    const unused = ancestors.at(-3)?.type === 'ExpressionStatement' ? FLAG_UNUSED : 0;
    const code = this.sites.length * KIND_SPAN + kind + unused;
    this.sites.push({
      ...positionOf(module, call.callee),
      module: module.name,
      function: around.id.name,
      operation: name === 'awaitEither' ? 'awaitWord' : name,
    });
    const last = call.arguments[operands - 1]!;
    const step = this.linker.options.plain === true ? '$host.operate(' : '(yield ';
    out.update(call.callee.start, call.callee.end, `${step}${helper}`);
    out.appendLeft(call.arguments[0]!.start, `${code}, `);
    if (last.end < call.end - 1) out.remove(last.end, call.end - 1);
    out.appendLeft(call.end, ')');
  }

  /** Lets the host leave out statements that only call something, in the functions that CPUs run. */
  makeDroppable(module: Module, out: MagicString): void {
    for (const [name, declaration] of module.functions) {
      if (NEVER_DROPPED.has(name)) continue;
      fullAncestor(declaration, (raw) => {
        const node = raw as AnyNode;
        if (node.type !== 'ExpressionStatement' || node.expression.type !== 'CallExpression')
          return;
        out.appendLeft(node.start, `if ($host.keeps(${this.statements.length})) `);
        this.statements.push({
          function: name,
          line: positionOf(module, node).line,
          text: module.text.slice(node.start, node.end),
        });
      });
    }
  }

  replaceConstants(module: Module, out: MagicString): void {
    const { constants } = this.linker.options;
    if (constants === undefined) return;
    for (const statement of module.tree.body) {
      const node = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;
      if (node?.type !== 'VariableDeclaration' || node.kind !== 'const') continue;
      for (const { id, init } of node.declarations) {
        if (id.type !== 'Identifier' || !init || !Object.hasOwn(constants, id.name)) continue;
        out.update(init.start, init.end, String(constants[id.name]));
        this.unusedConstants.delete(id.name);
      }
    }
  }
}
