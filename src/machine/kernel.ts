import { readFile } from 'node:fs/promises';
import type { SharedMemory } from './memory.ts';
import type { CheckLevel, Execution } from './otherOptions.ts';

const fromDist = import.meta.url.includes('/dist/src/machine/');
/** Folder of the built kernels and workers, ending in a slash. */
export const DIST = new URL(fromDist ? '../../' : '../../dist/', import.meta.url);

/** What the kernel asks of its host. */
export interface Host {
  clockNs(): number;
  end(reason: number, detail: number): void;
}

/**
 * The kernel's exports. Results of the WebAssembly build are signed: `>>> 0` where bit 31 of one can be set (addresses, entries).
 */
export type Kernel = typeof import('../kernel/index.ts');

/**
 * Loads the kernel for `memory` into this thread. A JavaScript kernel serves one memory for each thread; it is loaded from `folder` (a URL,
 * ending in a slash) when given.
 */
export async function loadKernel(
  execution: Execution,
  check: CheckLevel,
  memory: SharedMemory,
  host: Host,
  folder: string | null = null,
): Promise<Kernel> {
  if (execution === 'js') {
    const modules = folder ?? new URL(`kernel/${check}/`, DIST).href;
    const word = await import(new URL('word/word.js', modules).href);
    word.attachMemory(memory.buffer, host);
    return (await import(new URL('index.js', modules).href)) as Kernel;
  }
  const bytes = await readFile(new URL(`kernel/${check}.wasm`, DIST));
  const { instance } = await WebAssembly.instantiate(bytes, {
    env: { memory },
    host: { clockNs: () => host.clockNs() | 0, end: host.end },
  });
  return instance.exports as unknown as Kernel;
}
