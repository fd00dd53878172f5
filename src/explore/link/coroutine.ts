/**
 * Makes generators of compiled modules: the coroutine execution of the kernel, and of scenarios written like it.
 *
 * The modules reachable from some entry files are put into one function scope. Every function that can reach a word
 * operation becomes a generator, calls to such functions become `yield*`, and each word operation becomes a `yield`: it
 * writes its operands into the slots and yields a small integer (operation.ts), before anything has happened to the
 * word. Everything else stays as it is, so there is no second copy of any protocol.
 *
 * On the way, constants can be given other values and one patch (a mutant) can be applied to a module's text. Word
 * operations are allowed in function declarations at the top of a module only; functions that become generators may be
 * called, or named outside of functions (in a list of CPUs, say), and not otherwise passed around.
 */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import vm from 'node:vm';
import { COMPILED } from './compiled.ts';
import { Linker } from './linker.ts';
import {
  LinkError,
  type CoroutineExports,
  type CoroutineHost,
  type LinkedProgram,
  type LinkOptions,
} from './program.ts';
import { AWAIT_MODULE, CHOICES_MODULE, PROLOGUE } from './wordOperations.ts';
import { Writer } from './writer.ts';

export { COMPILED } from './compiled.ts';
export * from './program.ts';

/**
 * Links compiled modules (paths of .js files under dist/src, or of a user's) into one program. Throws LinkError when a
 * module is missing or cannot be transformed, a constant or the patch's text is not found.
 */
export function linkCoroutines(
  entries: readonly string[],
  options: LinkOptions = {},
): LinkedProgram {
  const linker = new Linker(options);
  for (const entry of entries) linker.load(resolve(COMPILED, entry));
  const irq = linker.modules.has(join(COMPILED, 'kernel/cpu/irq.js'));
  if (options.interrupts ?? irq) linker.load(AWAIT_MODULE);
  if (options.choices === true) linker.load(CHOICES_MODULE);
  if (options.patch !== undefined) linker.patch(options.patch);
  linker.findGenerators();
  linker.nameAll();
  const writer = new Writer(linker);
  const bodies = linker.order.map((module) => writer.write(module));
  if (writer.unusedConstants.size > 0)
    throw new LinkError(`constants: none is called ${[...writer.unusedConstants].join(', ')}`);
  const exported = entries.flatMap((entry) => linker.exportsOf(resolve(COMPILED, entry)));
  const source = `(function ($host) {\n'use strict';${PROLOGUE}${bodies.join('')}return { ${exported.join(', ')} };\n})\n`;
  return { source, sites: [...writer.sites, ...writer.calls], statements: writer.statements };
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
