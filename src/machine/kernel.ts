/**
 * Loading the kernel. `prepareKernel` makes, once for a machine, what every thread of it needs (code with the run's
 * constants written into it); `loadKernel` makes the thread's own instance.
 */

import { readFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { javaScriptKernel } from '../foundry/javascript.ts';
import { wantLevel } from '../foundry/want.ts';
import { wasmFiles, type WasmNotes } from '../foundry/wasm.ts';
import { bindRun, runValues } from '../foundry/wasmRun.ts';
import type { SharedMemory } from './memory.ts';
import type { CheckLevel, Execution } from './otherOptions.ts';

const fromDist = import.meta.url.includes('/dist/src/machine/');
/** Folder of the built kernels and workers, ending in a slash. */
export const DIST = new URL(fromDist ? '../../' : '../../dist/', import.meta.url);
/** Folder of the built kernels. */
const KERNELS = fileURLToPath(new URL('kernel/', DIST));

/** What the kernel asks of its host. */
export interface Host {
  clockNs(): number;
  end(reason: number, detail: number): void;
}

/**
 * The kernel's exports. Who calls converts: results of the WebAssembly build are signed, so `>>> 0` where bit 31 of one
 * can be set (addresses, entries), and what is `boolean` is 0 or 1 there, so `Boolean()` where it is compared or kept.
 * Arguments need nothing: WebAssembly takes `true` for 1, and numbers modulo 2^32.
 */
export type Kernel = typeof import('../kernel/index.ts');

/** The kernel of a machine, before it is anybody's: can be sent to threads. */
export type KernelCode =
  | { execution: 'js'; /** URL of the modules' folder, ending in a slash. */ folder: string }
  | {
      execution: 'wasm';
      module: WebAssembly.Module;
      /** The run's constants by name, as they are written into the module. */
      run: Readonly<Record<string, number>>;
    };

/** Compiled modules by level and constants: machines of one kind share them. */
const compiled = new Map<string, Promise<WebAssembly.Module>>();
/** More than a matrix of every axis at one level has. */
const COMPILED_MAX = 64;

async function wasmCode(check: CheckLevel, words: Uint32Array): Promise<KernelCode> {
  await wantLevel(fileURLToPath(new URL('..', DIST)), KERNELS, check);
  const files = wasmFiles(KERNELS, check);
  const notes = JSON.parse(await readFile(files.notes, 'utf8')) as WasmNotes;
  const run = runValues(notes.run, words);
  const key = `${check} ${notes.digest} ${JSON.stringify(run)}`;
  let module = compiled.get(key);
  if (module === undefined) {
    if (compiled.size >= COMPILED_MAX) compiled.delete(compiled.keys().next().value!);
    module = readFile(files.code).then((bytes) =>
      WebAssembly.compile(bindRun(bytes, notes.run, run)),
    );
    compiled.set(key, module);
  }
  return { execution: 'wasm', module: await module, run };
}

/**
 * The kernel at level `check` for the machine in `memory`, whose header has its options already. A WebAssembly kernel
 * has them as constants: it serves machines whose header says the same. `folder`: URL of a JavaScript kernel other than
 * the built one.
 */
export async function prepareKernel(
  execution: Execution,
  check: CheckLevel,
  memory: SharedMemory,
  folder: string | null = null,
): Promise<KernelCode> {
  if (execution === 'wasm') return wasmCode(check, new Uint32Array(memory.buffer));
  if (folder !== null) return { execution, folder };
  const made = javaScriptKernel(fileURLToPath(new URL('src/kernel', DIST)), KERNELS, check);
  return { execution, folder: `${pathToFileURL(made).href}/` };
}

/** Loads a kernel for `memory` into this thread. A JavaScript kernel serves one memory for each thread. */
export async function loadKernel(
  code: KernelCode,
  memory: SharedMemory,
  host: Host,
): Promise<Kernel> {
  if (code.execution === 'js') {
    const word = await import(new URL('word/word.js', code.folder).href);
    word.attachMemory(memory.buffer, host);
    return (await import(new URL('index.js', code.folder).href)) as Kernel;
  }
  const { exports } = await WebAssembly.instantiate(code.module, {
    env: { memory },
    host: { clockNs: () => host.clockNs() | 0, end: host.end },
    run: code.run,
  });
  return exports as unknown as Kernel;
}
