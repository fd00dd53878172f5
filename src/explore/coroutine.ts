/**
 * Makes generators of compiled modules: the coroutine execution of the kernel, and of scenarios written like it.
 *
 * The modules reachable from some entry files are put into one function scope. Every function that can reach a word operation
 * becomes a generator, calls to such functions become `yield*`, and each word operation becomes a `yield`: it writes its
 * operands into the slots and yields a small integer (operation.ts), before anything has happened to the word. Everything else
 * stays as it is, so there is no second copy of any protocol.
 *
 * On the way, constants can be given other values and one patch (a mutant) can be applied to a module's text. Word operations
 * are allowed in function declarations at the top of a module only; functions that become generators may be called, or named
 * outside of functions (in a list of CPUs, say), and not otherwise passed around.
 */

import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { parse } from 'acorn';
import type {
  AnyNode,
  CallExpression,
  FunctionDeclaration,
  Identifier,
  ImportDeclaration,
  Pattern,
  Program as ProgramNode,
} from 'acorn';
import { fullAncestor } from 'acorn-walk';
import { MagicString } from 'magic-string';
import {
  ADD,
  AND,
  AWAIT,
  AWAIT_EITHER,
  CHOOSE,
  COMPARE_EXCHANGE,
  EXCHANGE,
  FLAG_UNUSED,
  KIND_SPAN,
  LOAD,
  OR,
  STORE,
  SUB,
  TAKE,
  type Site,
} from './operation.ts';

const fromDist = import.meta.url.includes('/dist/src/explore/');
/** Folder of the compiled modules, dist/src. */
export const COMPILED = fileURLToPath(
  new URL(fromDist ? '../' : '../../dist/src/', import.meta.url),
);

/** A one-place change of a module: a mutant. */
export interface Patch {
  /** Module, by its file's name without the ending, such as `ptReclaim`. */
  module: string;
  /** Text to be replaced, which occurs once; white space is compared loosely. */
  find: string;
  replace: string;
}

export interface LinkOptions {
  /** New values of constants declared at the top of a module. */
  constants?: Readonly<Record<string, number>>;
  patch?: Patch;
  /** Awaits are disturbed by interrupts, as the kernel's are. Default: when the kernel's irq module is part of the program. */
  interrupts?: boolean;
  /** Injected trouble becomes choices of the explorer (choices.ts). Default: false. */
  choices?: boolean;
  /** Module (a path, or one relative to dist/src) whose call statements ask the host whether to be carried out (`keeps`). */
  droppable?: string;
}

/** Linked modules, not yet instantiated. */
export interface LinkedProgram {
  /** JavaScript of a function that takes the host (CoroutineHost) and returns the entry modules' exports. */
  source: string;
  /** Sites by number; a yielded code is `site * KIND_SPAN + kind`. */
  sites: readonly Site[];
  /** Statements that can be left out, when `droppable` was asked for. */
  statements: readonly Statement[];
}

/** A statement that only calls something, in a function of the droppable module. */
export interface Statement {
  function: string;
  /** Line in the module's JavaScript, from 1. */
  line: number;
  text: string;
}

/** What linked modules ask of whoever runs them. */
export interface CoroutineHost {
  /** Where operands are written before each yield. */
  slots: Uint32Array;
  peek(address: number): number;
  poke(address: number, value: number): void;
  fillWords(address: number, count: number, value: number): void;
  /** Ends the CPU by throwing. */
  endCpu(reason: number, detail: number): void;
  /** Ends the CPU by throwing unless the condition holds. */
  expect(holds: boolean, what: string): void;
  /** An event of the kernel (EVENT_ codes of report.ts, with two words). */
  event(kind: number, a: number, b: number): void;
  /** Whether the current CPU carries out statement number `statement` of `LinkedProgram.statements`. */
  keeps(statement: number): boolean;
}

/** A linked program's exports: generator functions where they can reach a word operation, plain ones elsewhere. */
export type CoroutineExports = Record<string, unknown>;

/** Modules or options that cannot be linked; the message says where and why. */
export class LinkError extends Error {
  override readonly name = 'LinkError';
}

const WORD_MODULE = join(COMPILED, 'kernel/word.js');
const PRIMITIVES_MODULE = join(COMPILED, 'explore/primitives.js');
const AWAIT_MODULE = join(COMPILED, 'explore/awaitInterrupted.js');
const CHOICES_MODULE = join(COMPILED, 'explore/choices.js');

/** Functions that the explorer has another version of, once that version's module is part of the program. */
const REPLACED: readonly { path: string; names: readonly string[]; by: string }[] = [
  { path: WORD_MODULE, names: ['awaitWord'], by: AWAIT_MODULE },
  {
    path: join(COMPILED, 'kernel/inject.js'),
    names: ['injectFailure', 'injectNth', 'injectDeath', 'syncPoint'],
    by: CHOICES_MODULE,
  },
  { path: join(COMPILED, 'kernel/irq.js'), names: ['pollInterrupts'], by: CHOICES_MODULE },
];
const REPORT_MODULE = join(COMPILED, 'kernel/report.js');

/** How each word operation is written: its kind, and the operands in order. */
const OPERATIONS: Readonly<Record<string, { kind: number; helper: string; operands: number }>> = {
  load: { kind: LOAD, helper: '$1', operands: 1 },
  store: { kind: STORE, helper: '$2', operands: 2 },
  exchange: { kind: EXCHANGE, helper: '$2', operands: 2 },
  compareExchange: { kind: COMPARE_EXCHANGE, helper: '$3', operands: 3 },
  add: { kind: ADD, helper: '$2', operands: 2 },
  sub: { kind: SUB, helper: '$2', operands: 2 },
  or: { kind: OR, helper: '$2', operands: 2 },
  and: { kind: AND, helper: '$2', operands: 2 },
  awaitWord: { kind: AWAIT, helper: '$4', operands: 4 },
  awaitEither: { kind: AWAIT_EITHER, helper: '$6', operands: 6 },
  takeWord: { kind: TAKE, helper: '$2', operands: 2 },
  choose: { kind: CHOOSE, helper: '$c', operands: 1 },
};

const PLAIN_OPERATIONS = new Set(['peek', 'poke', 'fillWords', 'endCpu', 'notify', 'clockNs']);

const PROLOGUE = `
const $slots = $host.slots;
const peek = $host.peek, poke = $host.poke, fillWords = $host.fillWords, endCpu = $host.endCpu;
const notify = () => 0, clockNs = () => 0;
const $1 = (code, address) => { $slots[0] = address; return code; };
const $2 = (code, address, value) => { $slots[0] = address; $slots[1] = value; return code; };
const $3 = (code, address, expected, value) => {
  $slots[0] = address; $slots[2] = expected; $slots[1] = value; return code;
};
const $4 = (code, address, mask, condition, operand) => {
  $slots[0] = address; $slots[3] = mask; $slots[2] = condition; $slots[1] = operand; return code;
};
const $6 = (code, address, mask, condition, operand, address2, value2) => {
  $slots[0] = address; $slots[3] = mask; $slots[2] = condition; $slots[1] = operand;
  $slots[4] = address2; $slots[5] = value2; return code;
};
const $c = (code, count) => { $slots[0] = 0; $slots[1] = count; return code; };
`;
const RESERVED = ['peek', 'poke', 'fillWords', 'endCpu', 'notify', 'clockNs'];

/** What the primitives module has to offer: it is not read. */
const PRIMITIVES = new Set(['expect', 'takeWord', 'choose', 'awaitEither']);

type Binding =
  | { type: 'own' }
  | { type: 'import'; path: string; name: string }
  | { type: 'namespace'; path: string };

interface Module {
  path: string;
  name: string;
  text: string;
  tree: ProgramNode;
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

interface Reference {
  /** The name, or `namespace.name`. */
  node: AnyNode;
  target: Target;
  /** Outermost first; the last is the node itself. */
  ancestors: AnyNode[];
}

/** A top-level name of some module: `path` and `name` are those of the declaration. */
interface Target {
  path: string;
  name: string;
}

/** Functions of a scenario that run alone, before and after its CPUs. */
const NEVER_DROPPED = new Set(['setUp', 'finish']);

const keyOf = (target: Target): string => `${target.path}\0${target.name}`;

function patternNames(pattern: Pattern, into: Set<string>): void {
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

type AnyFunction = Extract<
  AnyNode,
  { type: 'FunctionDeclaration' | 'FunctionExpression' | 'ArrowFunctionExpression' }
>;

const isFunction = (node: AnyNode): node is AnyFunction =>
  node.type === 'FunctionDeclaration' ||
  node.type === 'FunctionExpression' ||
  node.type === 'ArrowFunctionExpression';

function findLoosely(module: string, text: string, patch: Patch): string {
  const words = patch.find.trim().split(/\s+/);
  const pattern = words
    .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
    .join(String.raw`\s+`);
  const found = [...text.matchAll(new RegExp(pattern, 'g'))];
  if (found.length !== 1)
    throw new LinkError(
      `patch of ${module}: "${patch.find}" occurs ${found.length} times; it must occur once`,
    );
  const at = found[0]!.index;
  return text.slice(0, at) + patch.replace + text.slice(at + found[0]![0].length);
}

class Linker {
  readonly options: LinkOptions;
  readonly modules = new Map<string, Module>();
  /** In the order in which they are evaluated. */
  readonly order: Module[] = [];
  readonly sites: Site[] = [];
  readonly statements: Statement[] = [];
  readonly generators = new Set<string>();
  readonly names = new Map<string, string>();
  readonly unusedConstants: Set<string>;
  readonly droppable: string | null;
  patched = false;

  constructor(options: LinkOptions) {
    this.options = options;
    this.droppable = options.droppable === undefined ? null : resolve(COMPILED, options.droppable);
    this.unusedConstants = new Set(Object.keys(options.constants ?? {}));
  }

  load(path: string): void {
    if (this.modules.has(path) || path === WORD_MODULE || path === PRIMITIVES_MODULE) return;
    if (!existsSync(path)) throw new LinkError(`${path}: no such module; run the build first`);
    const name = this.nameModule(path);
    let text = readFileSync(path, 'utf8');
    const { patch } = this.options;
    if (patch !== undefined && patch.module === name) {
      text = findLoosely(name, text, patch);
      this.patched = true;
    }
    const tree = parse(text, { ecmaVersion: 2023, sourceType: 'module', locations: true });
    const module: Module = {
      path,
      name,
      text,
      tree,
      bindings: new Map(),
      functions: new Map(),
      exports: new Map(),
      starExports: [],
      imports: [],
      builtins: [],
      references: null,
      namespaces: [],
    };
    this.modules.set(path, module);
    this.collect(module);
    for (const imported of module.imports) this.load(imported);
    this.order.push(module);
  }

  /** A module's name: its file's, with the folder before it when an earlier module has that name already. */
  nameModule(path: string): string {
    const names = new Set([...this.modules.values()].map(({ name }) => name));
    let name = basename(path, '.js');
    for (let folder = dirname(path); names.has(name); folder = dirname(folder))
      name = `${basename(folder)}_${name}`;
    return name;
  }

  collect(module: Module): void {
    const { bindings, exports, functions } = module;
    const follow = (specifier: unknown): string => {
      const source = String(specifier);
      if (!source.startsWith('.'))
        throw new LinkError(
          `${module.path}: import of '${source}': only relative imports can be explored`,
        );
      const path = resolve(dirname(module.path), source);
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
          this.collectBuiltin(module, source, node);
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

  collectBuiltin(module: Module, source: string, node: ImportDeclaration): void {
    for (const each of node.specifiers) {
      if (each.type !== 'ImportSpecifier' || each.imported.type !== 'Identifier')
        throw new LinkError(`${module.path}: import names one by one: ${source}`);
      module.bindings.set(each.local.name, { type: 'own' });
      module.builtins.push(
        `const ${each.local.name} = process.getBuiltinModule('${source}').${each.imported.name};\n`,
      );
    }
  }

  /** Follows an export of a module to its declaration. */
  exported(path: string, name: string): Target | null {
    const module = this.modules.get(path);
    if (module === undefined) return { path, name };
    const target = module.exports.get(name);
    if (target !== undefined)
      return target.path === path
        ? this.resolve(module, target.name)
        : this.exported(target.path, target.name);
    for (const star of module.starExports) {
      const found = this.exported(star, name);
      if (found !== null && (found.path !== PRIMITIVES_MODULE || PRIMITIVES.has(name)))
        return found;
    }
    return null;
  }

  /** The declaration that a top-level name of a module stands for; null: not a top-level name. */
  resolve(module: Module, name: string): Target | null {
    const binding = module.bindings.get(name);
    if (binding === undefined || binding.type === 'namespace') return null;
    if (binding.type === 'own') return { path: module.path, name };
    return this.imported(module, binding);
  }

  imported(module: Module, binding: Target): Target {
    const found = this.exported(binding.path, binding.name);
    if (found === null)
      throw new LinkError(`${module.path}: ${binding.path} exports no ${binding.name}`);
    for (const { path, names, by } of REPLACED)
      if (found.path === path && names.includes(found.name) && this.modules.has(by))
        return module.path === by ? found : { path: by, name: found.name };
    return found;
  }

  references(module: Module): Reference[] {
    if (module.references !== null) return module.references;
    const references: Reference[] = [];
    const scopes = new Map<AnyNode, Set<string>>();
    const namesOf = (scope: AnyNode): Set<string> => {
      let names = scopes.get(scope);
      if (names !== undefined) return names;
      names = new Set();
      scopes.set(scope, names);
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
                : [];
        for (const node of inner) {
          if (node?.type === 'VariableDeclaration')
            for (const each of node.declarations) patternNames(each.id, names);
          else if (node?.type === 'FunctionDeclaration' || node?.type === 'ClassDeclaration')
            if (node.id) names.add(node.id.name);
        }
      }
      return names;
    };
    fullAncestor(module.tree, (raw, _state, rawAncestors) => {
      const node = raw as AnyNode;
      if (node.type !== 'Identifier') return;
      const ancestors = rawAncestors as AnyNode[];
      const parent = ancestors.at(-2);
      if (parent === undefined) return;
      if (parent.type === 'ImportSpecifier' || parent.type === 'ExportSpecifier') return;
      if (parent.type === 'MemberExpression' && parent.property === node && !parent.computed)
        return;
      if (
        parent.type === 'Property' &&
        parent.key === node &&
        !parent.computed &&
        !parent.shorthand
      )
        return;
      if (parent.type === 'MethodDefinition' || parent.type === 'PropertyDefinition')
        if (parent.key === node && !parent.computed) return;
      const binding = module.bindings.get(node.name);
      if (binding === undefined) return;
      for (const around of ancestors) if (around !== node && namesOf(around).has(node.name)) return;
      if (binding.type === 'namespace') {
        if (parent.type === 'ImportNamespaceSpecifier') return;
        if (parent.type !== 'MemberExpression' || parent.object !== node || parent.computed)
          module.namespaces.push({ node, path: binding.path });
        else if (parent.property.type === 'Identifier') {
          const target = this.imported(module, { path: binding.path, name: parent.property.name });
          references.push({ node: parent, target, ancestors: ancestors.slice(0, -1) });
        }
        return;
      }
      const target = this.resolve(module, node.name);
      if (target !== null) references.push({ node, target, ancestors: [...ancestors] });
    });
    module.references = references;
    return references;
  }

  isOperation(target: Target): boolean {
    return (
      (target.path === WORD_MODULE || target.path === PRIMITIVES_MODULE) &&
      Object.hasOwn(OPERATIONS, target.name)
    );
  }

  /** Finds the functions that can reach a word operation. */
  findGenerators(): void {
    const callers = new Map<string, Set<string>>();
    const ready: string[] = [];
    for (const module of this.order) {
      for (const { target, ancestors } of this.references(module)) {
        const around = ancestors.find(isFunction);
        if (around?.type !== 'FunctionDeclaration' || !around.id) continue;
        const caller = keyOf({ path: module.path, name: around.id.name });
        if (this.isOperation(target)) ready.push(caller);
        else {
          const key = keyOf(target);
          const known = callers.get(key) ?? new Set();
          callers.set(key, known.add(caller));
        }
      }
    }
    while (ready.length > 0) {
      const next = ready.pop()!;
      if (this.generators.has(next)) continue;
      this.generators.add(next);
      ready.push(...(callers.get(next) ?? []));
    }
  }

  /** Gives every top-level declaration a name that no other has. */
  nameAll(): void {
    const taken = new Map<string, number>();
    for (const name of RESERVED) taken.set(name, 1);
    for (const module of this.order)
      for (const [name, { type }] of module.bindings)
        if (type === 'own') taken.set(name, (taken.get(name) ?? 0) + 1);
    for (const module of this.order)
      for (const [name, { type }] of module.bindings)
        if (type === 'own')
          this.names.set(
            keyOf({ path: module.path, name }),
            taken.get(name) === 1 ? name : `${name}$${module.name}`,
          );
  }

  place(module: Module, node: AnyNode): string {
    return `${module.name}.js:${node.loc?.start.line ?? 0}`;
  }

  write(module: Module): string {
    const out = new MagicString(module.text);
    for (const name of module.functions.keys()) {
      if (!this.generators.has(keyOf({ path: module.path, name }))) continue;
      const node = module.functions.get(name)!;
      out.appendLeft(node.start + 'function'.length, '*');
    }
    this.replaceConstants(module, out);
    if (module.path === this.droppable) this.makeDroppable(module, out);
    for (const reference of this.references(module)) this.writeReference(module, out, reference);
    for (const { node, path } of module.namespaces)
      out.update(node.start, node.end, `({ ${this.exportsOf(path, true).join(', ')} })`);
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
    const operation = this.isOperation(target);
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
    if (operation || this.generators.has(key)) {
      if (!declaration && around.length > 0) {
        if (!called)
          throw new LinkError(`${this.place(module, node)}: ${text} must be called, not passed on`);
        if (around.length > 1 || around[0]!.type !== 'FunctionDeclaration')
          throw new LinkError(
            `${this.place(module, node)}: ${text} is called in an inner function; only functions at the top of a module may`,
          );
      } else if (called || (operation && !declaration))
        throw new LinkError(`${this.place(module, node)}: ${text} outside of a function`);
    }
    if (operation && called) this.writeOperation(module, out, parent, target.name, ancestors);
    else {
      if (parent.type === 'Property' && parent.shorthand) {
        if (name !== text) out.appendLeft(node.end, `: ${name}`);
      } else if (name !== text) out.update(node.start, node.end, name);
      if (called && this.generators.has(key)) {
        out.prependRight(parent.start, '(yield* ');
        out.appendLeft(parent.end, ')');
      }
    }
  }

  nameOf(module: Module, node: AnyNode, target: Target): string {
    const name = this.names.get(keyOf(target));
    if (name !== undefined) return name;
    if (target.path === WORD_MODULE && PLAIN_OPERATIONS.has(target.name)) return target.name;
    if (target.path === PRIMITIVES_MODULE && target.name === 'expect') return '$host.expect';
    throw new LinkError(`${this.place(module, node)}: ${target.name} cannot be explored`);
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
      throw new LinkError(`${this.place(module, call)}: ${name} takes ${operands} values`);
    const around = ancestors.find(isFunction) as FunctionDeclaration;
    const unused = ancestors.at(-3)?.type === 'ExpressionStatement' ? FLAG_UNUSED : 0;
    const code = this.sites.length * KIND_SPAN + kind + unused;
    this.sites.push({
      module: module.name,
      line: call.loc?.start.line ?? 0,
      function: around.id.name,
      operation: name === 'awaitEither' ? 'awaitWord' : name,
    });
    const last = call.arguments[operands - 1]!;
    out.update(call.callee.start, call.callee.end, `(yield ${helper}`);
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
          line: node.loc?.start.line ?? 0,
          text: module.text.slice(node.start, node.end),
        });
      });
    }
  }

  replaceConstants(module: Module, out: MagicString): void {
    const { constants } = this.options;
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

  /** Exports of a module as properties; `plain` leaves generators out. */
  exportsOf(path: string, plain = false): string[] {
    const module = this.modules.get(path)!;
    const names = [...module.exports.keys()];
    for (const star of module.starExports)
      names.push(...(this.modules.get(star)?.exports.keys() ?? []));
    return names.flatMap((name) => {
      const target = this.exported(path, name);
      const own = target === null ? undefined : this.names.get(keyOf(target));
      if (target === null || own === undefined) return [];
      return plain && this.generators.has(keyOf(target)) ? [] : [`${name}: ${own}`];
    });
  }
}

/**
 * Links compiled modules (paths of .js files under dist/src, or of a user's) into one program. Throws LinkError when a module is
 * missing or cannot be transformed, a constant or the patch's text is not found.
 */
export function linkCoroutines(
  entries: readonly string[],
  options: LinkOptions = {},
): LinkedProgram {
  const linker = new Linker(options);
  for (const entry of entries) linker.load(resolve(COMPILED, entry));
  const irq = linker.modules.has(join(COMPILED, 'kernel/irq.js'));
  if (options.interrupts ?? irq) linker.load(AWAIT_MODULE);
  if (options.choices === true) linker.load(CHOICES_MODULE);
  if (options.patch !== undefined && !linker.patched)
    throw new LinkError(`patch: the program has no module ${options.patch.module}`);
  linker.findGenerators();
  linker.nameAll();
  const bodies = linker.order.map((module) => linker.write(module));
  if (linker.unusedConstants.size > 0)
    throw new LinkError(`constants: none is called ${[...linker.unusedConstants].join(', ')}`);
  const exported = entries.flatMap((entry) => linker.exportsOf(resolve(COMPILED, entry)));
  const source = `(function ($host) {\n'use strict';${PROLOGUE}${bodies.join('')}return { ${exported.join(', ')} };\n})\n`;
  return { source, sites: linker.sites, statements: linker.statements };
}

/** Compiles a linked program; each call of the result is an instance of its own. */
export function compileCoroutines(
  program: LinkedProgram,
): (host: CoroutineHost) => CoroutineExports {
  return new vm.Script(program.source, { filename: 'ptlab-coroutines.js' }).runInThisContext();
}

/** The coroutine kernel as the build made it, or linked anew with other constants or a patch. */
export function linkKernel(options: Pick<LinkOptions, 'constants' | 'patch'> = {}): LinkedProgram {
  if (options.constants !== undefined || options.patch !== undefined)
    return linkCoroutines(['kernel/index.js'], options);
  const folder = join(COMPILED, '../kernel/coroutine');
  return {
    source: readFileSync(join(folder, 'kernel.js'), 'utf8'),
    sites: JSON.parse(readFileSync(join(folder, 'sites.json'), 'utf8')),
    statements: [],
  };
}
