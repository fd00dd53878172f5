/**
 * Finds the modules of a program, what each top-level name in them stands for, and which functions can reach a word
 * operation.
 */

import { basename, dirname } from 'node:path';
import { makeModule, type Module, type Target } from './module.ts';
import { onlyPath, patchedPaths } from './modules.ts';
import { fileName, importedName } from './positions.ts';
import { LinkError, type LinkOptions, type Patch } from './program.ts';
import { isFunction, referencesOf } from './references.ts';
import { readModule } from './source.ts';
import {
  KERNEL_FOLDER,
  OPAQUE,
  OPERATIONS,
  PRIMITIVES,
  PRIMITIVES_MODULE,
  REPLACED,
  RESERVED,
  SCENARIO_API,
  WORDS_API,
} from './wordOperations.ts';

/** A declaration, as a key. */
export const keyOf = (target: Target): string => `${target.path}\0${target.name}`;

/** The modules of a program, and what each name in them means. */
export class Linker {
  readonly options: LinkOptions;
  readonly modules = new Map<string, Module>();
  /** In the order in which they are evaluated. */
  readonly order: Module[] = [];
  readonly generators = new Set<string>();
  readonly names = new Map<string, string>();
  readonly #instead: ReadonlyMap<string, string>;

  constructor(options: LinkOptions) {
    this.options = options;
    this.#instead = new Map(options.words === true ? [[SCENARIO_API, WORDS_API]] : []);
  }

  /** Loads a module, whose file is told as `file`, and those that it imports. Throws LinkError. */
  load(path: string, file = fileName(path, this.options.told)): void {
    if (this.#isBuiltIn(path) || this.modules.has(path)) return;
    const names = { path, file, name: this.nameModule(path) };
    const module = makeModule(names, readModule(path), this.#instead);
    this.modules.set(path, module);
    for (const imported of module.imports) this.load(imported, importedName(module, imported));
    this.order.push(module);
  }

  #isBuiltIn(path: string): boolean {
    return OPAQUE.has(path);
  }

  /**
   * Applies a patch to the module that it names: the kernel's when it has one of that name. What it calls must be part
   * of the program. Throws LinkError.
   */
  patch(patch: Patch): void {
    const paths = [...this.modules.keys()];
    const kernel = paths.filter((path) => path.startsWith(KERNEL_FOLDER));
    const inKernel = patchedPaths(kernel, patch);
    const path = onlyPath(inKernel.length > 0 ? inKernel : patchedPaths(paths, patch), patch);
    const old = this.modules.get(path)!;
    const module = makeModule(old, readModule(path, patch), this.#instead);
    for (const imported of module.imports)
      if (!this.#isBuiltIn(imported) && !this.modules.has(imported))
        throw new LinkError(`patch of ${patch.module}: the program has no module ${imported}`);
    this.modules.set(path, module);
    this.order[this.order.indexOf(old)] = module;
  }

  /** A module's name: its file's, with the folder before it when an earlier module has that name already. */
  nameModule(path: string): string {
    const names = new Set([...this.modules.values()].map(({ name }) => name));
    let name = basename(path).replace(/\.[jt]s$/, '');
    for (let folder = dirname(path); names.has(name); folder = dirname(folder))
      name = `${basename(folder)}_${name}`;
    return name;
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
      throw new LinkError(
        `${module.path}: ${binding.path} exports no ${binding.name}${this.options.words === true ? '; a scenario with memoryBytes has no machine' : ''}`,
      );
    for (const { path, names, by } of REPLACED)
      if (found.path === path && names.includes(found.name) && this.modules.has(by))
        return module.path === by ? found : { path: by, name: found.name };
    return found;
  }

  isOperation(target: Target): boolean {
    return OPAQUE.has(target.path) && Object.hasOwn(OPERATIONS, target.name);
  }

  /** Finds the functions that can reach a word operation. */
  findGenerators(): void {
    const callers = new Map<string, Set<string>>();
    const ready: string[] = [];
    for (const module of this.order) {
      for (const { target, ancestors } of referencesOf(module, this)) {
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
            taken.get(name) === 1 ? name : `${name}$${module.name.replace(/\W/g, '_')}`,
          );
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
