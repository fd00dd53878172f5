/**
 * The kernel as WebAssembly: one module for each check level, and beside it notes of where it reads the constants of a
 * run (wasmRun.ts). A level is compiled again only when a source has changed.
 */

import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkSource, wasmSources, type Level } from './sources.ts';
import { findSpots, runConstants, type RunNotes } from './wasmRun.ts';

const FLAGS =
  '--runtime stub --noExportMemory --enable threads --importMemory --sharedMemory --initialMemory 1 --maximumMemory 65536 --memoryBase 0 --use abort= -O3 --noAssert'.split(
    ' ',
  );

/** By a name that tsc does not follow: the compiler's declarations declare a `console` of their own for everybody. */
const ASC: string = 'assemblyscript/asc';

/** What of asc is used. */
interface Compiler {
  main(
    args: readonly string[],
    io: {
      readFile(path: string): string | null;
      writeFile(file: string, contents: string | Uint8Array): void;
      listFiles(): string[];
    },
  ): Promise<{ error: Error | null; stderr: { toString(): string } }>;
}

/** Bumped when the way of compiling changes: kernels of another are made again. */
const RECIPE = 1;

/** Files of a level: the module, and its notes. */
export function wasmFiles(out: string, level: Level): { code: string; notes: string } {
  return { code: join(out, `${level}.wasm`), notes: join(out, `${level}.json`) };
}

/** What stands in a level's notes. */
export interface WasmNotes {
  digest: string;
  run: RunNotes[];
}

/** Whether the level in `out` is of the sources in `kernel`. */
export function wasmIsNew(kernel: string, out: string, level: Level): boolean {
  const { code, notes } = wasmFiles(out, level);
  if (!existsSync(code) || !existsSync(notes)) return false;
  const { digest } = JSON.parse(readFileSync(notes, 'utf8')) as WasmNotes;
  return digest === `${RECIPE}:${wasmSources(kernel).digest}`;
}

/** Writes a file under its name only when it is whole. */
function writeWhole(file: string, content: string | Uint8Array): void {
  const beside = `${file}.${randomUUID()}`;
  writeFileSync(beside, content);
  renameSync(beside, file);
}

/**
 * Compiles one level of the kernel whose sources are in `kernel` into the folder `out`, unless it is there. Throws for
 * what asc refuses.
 */
export async function compileWasm(kernel: string, out: string, level: Level): Promise<void> {
  if (wasmIsNew(kernel, out, level)) return;
  const { texts, digest } = wasmSources(kernel);
  const sources = new Map(texts);
  sources.set('word/check.ts', checkSource(texts.get('word/check.ts')!, level));
  const written = new Map<string, string | Uint8Array>();
  const asc = (await import(ASC)) as Compiler;
  const { error, stderr } = await asc.main(['index.ts', '--outFile', 'kernel.wasm', ...FLAGS], {
    readFile: (path) => {
      const file = path
        .replace(/\\/g, '/')
        .replace(/^\.\//, '')
        .replace(/\.ts\.ts$/, '.ts');
      return sources.get(file) ?? null;
    },
    writeFile: (file, contents) => void written.set(file, contents),
    listFiles: () => [],
  });
  if (error !== null)
    throw new Error(`asc, level ${level}:\n${stderr.toString()}`, { cause: error });
  const code = written.get('kernel.wasm') as Uint8Array;
  const spots = findSpots(code);
  const layout = sources.get('word/layout.ts')!;
  const run = runConstants(readFileSync(join(kernel, 'word/run.ts'), 'utf8')).map(
    ({ name, word, flag }) => {
      const address = new RegExp(`export const ${word}: u32 = (0x[0-9a-f]+);`).exec(layout);
      if (address === null) throw new Error(`word/layout.ts: no ${word}, which ${name} reads`);
      return { name, address: Number(address[1]), flag, spots: spots[name] ?? [] };
    },
  );
  mkdirSync(out, { recursive: true });
  const files = wasmFiles(out, level);
  const notes: WasmNotes = { digest: `${RECIPE}:${digest}`, run };
  writeWhole(files.code, code);
  writeWhole(files.notes, JSON.stringify(notes));
}
